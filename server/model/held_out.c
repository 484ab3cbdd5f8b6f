/* Held-out pairs of a spec: in order, scored, and numbers of them. */
#include "model/held_out.h"

#include <math.h>
#include <string.h>

#include "base/own.h"
#include "model/opinion.h"

enum { SHARED_PAIRS_MAX = 250 * 1000 };
#define SCORE_LEAST (-1000.0) /* stands in for none at all */

/* A pair and its scores. */
struct held_pair {
    uint64_t entity; /* hash */
    struct ip ip;
    bool known;
    double scores[OPINION__MAX];
};

void held_spec_done(struct held_spec *held)
{
    spool_done(&held->pairs);
}

static int by_identity(const void *a, const void *b, void *unused)
{
    const struct held_pair *x = a, *y = b;

    (void)unused;
    if (x->entity != y->entity)
        return x->entity < y->entity ? -1 : 1;
    return ip_compare(&x->ip, &y->ip);
}

struct evidence evidence_of(const struct model *model, const struct model_pair *pair)
{
    const struct model_parts *parts = &model->parts;
    uint64_t index = entity_remembered(parts, entity_hash(parts->scoped, pair->spec, pair->entity));
    struct evidence evidence = {.known = index < parts->entity_count};

    prefix_score(&parts->tree, index, &pair->ip, &evidence.prefix, NULL);
    evidence.habit = entity_habit(parts, index);
    model_dot_products(model, pair, 1, &evidence.dot_product);
    evidence.unseen =
        evidence.known && evidence.prefix.known_bits < (evidence.prefix.length == PREFIX_BITS_V4
                                                            ? MODEL_NETWORK_BITS_V4
                                                            : MODEL_NETWORK_BITS_V6);
    return evidence;
}

void evidence_scores(enum model_form form, const struct evidence *evidence, double shared,
                     double ret[static OPINION__MAX])
{
    opinion_scores(form, &evidence->prefix, shared, evidence->habit, evidence->dot_product, ret);
    for (int o = 0; o < OPINION__MAX; o++)
        ret[o] = fmax(ret[o], SCORE_LEAST);
}

struct model_pair held_pair_of(const struct train_set *set, const struct train_record *record)
{
    return (struct model_pair){train_set_spec(set, record->entity),
                               set->entities[record->entity].name, record->ip};
}

/* The next record of the spec; NULL at the end. */
static enum err_code next_of(const struct held_spec *held, struct spool_reader *reader,
                             const struct train_record **ret, struct err *err)
{
    const void *next;

    do {
        TRY(spool_next(reader, &next, err));
        *ret = next;
    } while (next != NULL && strcmp(train_set_spec(held->set, (*ret)->entity), held->name) != 0);
    return ERR_NONE;
}

static enum err_code count_held(struct held_spec *held, struct err *err)
{
    AUTO(spool_reader_done) struct spool_reader reader = {.buffer = NULL};
    const struct train_record *record;

    spool_reader_init(&reader, held->records);
    held->first_ms = INT64_MAX;
    for (;;) {
        TRY(next_of(held, &reader, &record, err));
        if (record == NULL)
            return ERR_NONE;
        held->count++;
        held->first_ms = record->time_ms < held->first_ms ? record->time_ms : held->first_ms;
        held->last_ms = record->time_ms > held->last_ms ? record->time_ms : held->last_ms;
    }
}

/* What is shared, by the pairs of known entities in new places: of every n-th, where they are more
 * than a good estimate takes. */
static enum err_code measure_shared(struct held_spec *held, struct err *err)
{
    AUTO(spool_reader_done) struct spool_reader reader = {.buffer = NULL};
    uint64_t step = held->count / SHARED_PAIRS_MAX + 1;
    AUTO(own_freep) double *below = own_array(held->count / step + 1, sizeof *below);
    size_t used = 0;

    spool_reader_init(&reader, held->records);
    for (uint64_t i = 0;; i++) {
        const struct train_record *record;
        struct model_pair pair;
        struct evidence evidence;

        TRY(next_of(held, &reader, &record, err));
        if (record == NULL)
            break;
        if (i % step != 0)
            continue;
        pair = held_pair_of(held->set, record);
        evidence = evidence_of(held->model, &pair);
        if (evidence.known && evidence.prefix.known_bits < evidence.prefix.length &&
            evidence.prefix.below != 0) /* of others nearby: else it tells nothing */
            below[used++] = evidence.prefix.below;
    }
    held->shared = opinion_shared(below, used);
    return ERR_NONE;
}

static enum err_code score_held(struct held_spec *held, struct err *err)
{
    const struct spool_order order = {.compare = by_identity};
    AUTO(spool_reader_done) struct spool_reader reader = {.buffer = NULL};

    spool_init(&held->pairs, &held->set->pool, sizeof(struct held_pair));
    spool_reader_init(&reader, held->records);
    for (;;) {
        const struct train_record *record;
        struct held_pair scored = {.entity = 0};
        struct model_pair pair;
        struct evidence evidence;

        TRY(next_of(held, &reader, &record, err));
        if (record == NULL)
            break;
        pair = held_pair_of(held->set, record);
        evidence = evidence_of(held->model, &pair);
        scored.entity = entity_hash(held->model->parts.scoped, pair.spec, pair.entity);
        scored.ip = record->ip;
        scored.known = evidence.known;
        evidence_scores(held->model->parts.form, &evidence, held->shared, scored.scores);
        held->unknown += !evidence.known;
        held->unseen += evidence.unseen;
        TRY(spool_add(&held->pairs, &scored, err));
    }
    return spool_sort(&held->pairs, &order, err);
}

enum err_code held_spec_score(struct held_spec *held, struct err *err)
{
    TRY(count_held(held, err));
    TRY(measure_shared(held, err));
    return score_held(held, err);
}

static double value_of(const struct held_pair *pair, int what, const struct model_parts *parts,
                       const struct spec_part *spec)
{
    enum opinion unused;

    if (what < OPINION__MAX)
        return pair->scores[what];
    if (what == HELD_EVIDENCE)
        return fmax(pair->scores[OPINION_STRANGER], pair->scores[OPINION_IMPOSTOR]);
    return parts->detector == DETECTOR_IP_INSIGHTS
               ? pair->scores[OPINION_IP_INSIGHTS]
               : opinion_over(parts->form, pair->scores, pair->known, spec->opinions, &unused);
}

static int by_number(const void *a, const void *b, void *unused)
{
    const double *x = a, *y = b;

    (void)unused;
    return (*x > *y) - (*x < *y);
}

/* Ascending. ret is initialised here. */
enum err_code held_values(struct held_spec *held, int what, const struct spec_part *spec,
                          struct spool *ret, struct err *err)
{
    const struct spool_order order = {.compare = by_number};
    AUTO(spool_reader_done) struct spool_reader reader = {.buffer = NULL};
    struct held_pair last = {.known = false};

    spool_init(ret, &held->set->pool, sizeof(double));
    spool_reader_init(&reader, &held->pairs);
    for (;;) {
        const struct held_pair *pair;
        const void *next;
        double value;

        TRY(spool_next(&reader, &next, err));
        pair = next;
        if (pair == NULL)
            break;
        if (what != HELD_USUAL &&
            (!pair->known || (last.known && by_identity(&last, pair, NULL) == 0)))
            continue;
        last = *pair;
        value = value_of(pair, what, &held->model->parts, spec);
        TRY(spool_add(ret, &value, err));
    }
    return spool_sort(ret, &order, err);
}

static enum err_code value_at(struct spool *ascending, uint64_t at, double *ret, struct err *err)
{
    return spool_read(ascending, at, 1, ret, err);
}

/* As calibrate_quantiles. */
enum err_code values_quantiles(struct spool *ascending, float ret[static MODEL_QUANTILES],
                               struct err *err)
{
    for (int i = 0; i < MODEL_QUANTILES; i++) {
        double position =
            (double)i / (double)(MODEL_QUANTILES - 1) * (double)(ascending->count - 1);
        uint64_t low = (uint64_t)position, high = low + 1 < ascending->count ? low + 1 : low;
        double values[2];

        TRY(value_at(ascending, low, &values[0], err));
        TRY(value_at(ascending, high, &values[1], err));
        ret[i] = (float)(values[0] + (position - (double)low) * (values[1] - values[0]));
    }
    return ERR_NONE;
}

enum err_code values_sample(struct spool *ascending, struct sample_part *sample, struct err *err)
{
    uint64_t below = 0, end = ascending->count;

    sample->sample_size = ascending->count;
    if (ascending->count == 0)
        return ERR_NONE;
    TRY(values_quantiles(ascending, sample->quantiles, err));
    while (below < end) { /* how many are at or below the threshold */
        uint64_t middle = below + (end - below) / 2;
        double value;

        TRY(value_at(ascending, middle, &value, err));
        if (value <= sample->threshold)
            below = middle + 1;
        else
            end = middle;
    }
    sample->threshold_percentile = 100 * (double)below / (double)ascending->count;
    return ERR_NONE;
}

/* As calibrate_nth_highest. */
enum err_code values_nth_highest(struct spool *ascending, uint64_t rank, double *ret,
                                 struct err *err)
{
    bool all = rank >= ascending->count;

    TRY(value_at(ascending, all ? 0 : ascending->count - 1 - rank, ret, err));
    *ret -= all ? 1 : 0;
    return ERR_NONE;
}
