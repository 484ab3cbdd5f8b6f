/* Thresholds and quantiles from held-out pairs. */
#include "model/calibrate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/own.h"
#include "model/draw.h"
#include "model/metrics.h"
#include "model/opinion.h"

enum { HELD_OUT_PART = 5 }; /* one of so many */
/* An alert budget does not buy more than this share of the pairs: a small lake has no 40 a day. */
#define BUDGET_SHARE_MAX 0.01
#define SCORE_LEAST      (-1000.0) /* stands in for none at all */
static const int64_t DAY_MS = INT64_C(24) * 3600 * 1000;

static size_t spec_index(const struct calibration *calibration, const char *spec)
{
    size_t i = 0;

    while (i < calibration->spec_count && strcmp(calibration->specs[i].name, spec) != 0)
        i++;
    return i;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct spec_part *)a)->name, ((const struct spec_part *)b)->name);
}

static enum err_code list_specs(const struct train_pair *pairs, size_t count,
                                struct calibration *ret, struct err *err)
{
    ret->specs = own_array(MODEL_SPECS_MAX, sizeof *ret->specs);
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(pairs[i].spec);

        if (length >= SPEC_NAME_BYTES)
            return err_set(err, ERR_INVALID, "the spec's name \"%.80s\" is longer than %d bytes",
                           pairs[i].spec, SPEC_NAME_BYTES - 1);
        if (spec_index(ret, pairs[i].spec) < ret->spec_count)
            continue;
        if (ret->spec_count == MODEL_SPECS_MAX)
            return err_set(err, ERR_INVALID, "there are more than %d pair specs", MODEL_SPECS_MAX);
        memcpy(ret->specs[ret->spec_count++].name, pairs[i].spec, length + 1);
    }
    qsort(ret->specs, ret->spec_count, sizeof *ret->specs, by_name);
    return ERR_NONE;
}

/* The newest fifth of each spec goes to the end of ret, the others before it; both by time.
 * Returns how many those others are. */
static size_t split(const struct train_pair *pairs, size_t count,
                    const struct calibration *calibration, const struct train_pair **ret)
{
    size_t left[MODEL_SPECS_MAX] = {0}, older = 0, newer = 0;

    for (size_t i = 0; i < count; i++)
        left[spec_index(calibration, pairs[i].spec)]++;
    for (size_t i = 0; i < calibration->spec_count; i++) {
        newer += left[i] / HELD_OUT_PART;
        left[i] -= left[i] / HELD_OUT_PART;
    }
    newer = count - newer;
    for (size_t i = 0; i < count; i++) {
        size_t *spec_left = &left[spec_index(calibration, pairs[i].spec)];

        if (*spec_left > 0) {
            ret[older++] = &pairs[i];
            --*spec_left;
        } else {
            ret[newer++] = &pairs[i];
        }
    }
    return older;
}

/* A held-out pair: scores of all opinions, and who it is about. */
struct held_pair {
    uint64_t entity; /* hash */
    struct ip ip;
    bool known;
    bool unseen; /* known, and in a network that it has not used */
    struct prefix_score prefix;
    double returns; /* entity_returns */
    double dot_product;
    double scores[OPINION__MAX];
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int by_identity(const void *a, const void *b)
{
    const struct held_pair *x = a, *y = b;

    if (x->entity != y->entity)
        return x->entity < y->entity ? -1 : 1;
    return ip_compare(&x->ip, &y->ip);
}

/* Between the two nearest by proportion. */
static double quantile(const double *sorted, size_t count, double share)
{
    double position = share * (double)(count - 1);
    size_t low = (size_t)position;
    size_t high = low + 1 < count ? low + 1 : low;

    return sorted[low] + (position - (double)low) * (sorted[high] - sorted[low]);
}

void calibrate_quantiles(double *values, size_t count, float ret[static MODEL_QUANTILES])
{
    qsort(values, count, sizeof *values, by_value);
    for (int i = 0; i < MODEL_QUANTILES; i++)
        ret[i] = (float)quantile(values, count, (double)i / (double)(MODEL_QUANTILES - 1));
}

/* Sorts values. */
static void take_sample(struct sample_part *sample, double *values, size_t count)
{
    size_t below = 0;

    sample->sample_size = count;
    if (count == 0)
        return;
    calibrate_quantiles(values, count, sample->quantiles);
    while (below < count && values[below] <= sample->threshold)
        below++;
    sample->threshold_percentile = 100 * (double)below / (double)count;
}

double calibrate_nth_highest(const double *ascending, size_t count, size_t rank)
{
    return rank < count ? ascending[count - 1 - rank] : ascending[0] - 1;
}

/* Thresholds that let `wanted` of these pairs pass, each opinion alone but strangers and impostors,
 * who have one: both are counted in bits of the same evidence. */
static void set_thresholds(const struct held_pair *pairs, size_t count, size_t wanted,
                           struct sample_part ret[static OPINION__MAX])
{
    AUTO(own_freep) double *values = own_array(count + 1, sizeof *values);

    for (int o = 0; o < OPINION__MAX; o++) {
        for (size_t i = 0; i < count; i++)
            values[i] =
                o == OPINION_STRANGER || o == OPINION_IMPOSTOR
                    ? fmax(pairs[i].scores[OPINION_STRANGER], pairs[i].scores[OPINION_IMPOSTOR])
                    : pairs[i].scores[o];
        qsort(values, count, sizeof *values, by_value);
        ret[o].threshold = calibrate_nth_highest(values, count, wanted);
    }
}

/* A quiet lake would spend its budget on what is almost usual. One of which the sample is too small
 * to let a single pair pass would have the oddest of a few as its threshold: there what the
 * evidence is against passes all the same. */
static void bound_thresholds(struct sample_part ret[static OPINION__MAX], size_t wanted)
{
    for (int o = OPINION_STRANGER; o <= OPINION_IMPOSTOR; o++) {
        if (ret[o].threshold < STRANGER_LEAST)
            ret[o].threshold = STRANGER_LEAST;
        if (wanted == 0 && ret[o].threshold > 0)
            ret[o].threshold = 0;
    }
    if (ret[OPINION_NEWCOMER].threshold < NEWCOMER_LEAST)
        ret[OPINION_NEWCOMER].threshold = NEWCOMER_LEAST;
}

size_t calibrate_wanted(const struct threshold_rule *rule, size_t distinct, int64_t span_ms)
{
    double days = fmax(1, (double)span_ms / (double)DAY_MS);
    double share = 1 - rule->value / 100;

    if (rule->kind == THRESHOLD_BUDGET)
        return (size_t)fmin(rule->value * days, (double)distinct * BUDGET_SHARE_MAX);
    return (size_t)((double)distinct * share);
}

/* One sighting of each pair counts: a finding is a pair, however often it is seen. */
static size_t distinct_pairs(struct held_pair *pairs, size_t count)
{
    size_t used = 0;

    qsort(pairs, count, sizeof *pairs, by_identity);
    for (size_t i = 0; i < count; i++)
        if (used == 0 || by_identity(&pairs[used - 1], &pairs[i]) != 0)
            pairs[used++] = pairs[i];
    return used;
}

static double decided(const struct held_pair *pair, const struct model_parts *parts,
                      const struct spec_part *spec)
{
    enum opinion unused;

    return parts->detector == DETECTOR_IP_INSIGHTS
               ? pair->scores[OPINION_IP_INSIGHTS]
               : opinion_over(parts->form, pair->scores, pair->known, spec->opinions, &unused);
}

/* values: room for count. */
static void take_usual(struct spec_part *spec, const struct model_parts *parts,
                       const struct held_pair *pairs, size_t count, double *values)
{
    struct usual_part *usual = &spec->usual;

    usual->sample_size = count;
    for (size_t i = 0; i < count; i++) {
        values[i] = decided(&pairs[i], parts, spec);
        usual->unknown_share += !pairs[i].known / (double)count;
        usual->unseen_share += pairs[i].unseen / (double)count;
    }
    if (count > 0)
        calibrate_quantiles(values, count, usual->quantiles);
}

/* Moves the known ones to the front, in their order; returns their number. */
static size_t select_known(const struct held_pair *pairs, size_t count, struct held_pair *ret)
{
    size_t used = 0;

    for (size_t i = 0; i < count; i++)
        if (pairs[i].known)
            ret[used++] = pairs[i];
    return used;
}

static void score_held(enum model_form form, struct held_pair *held, double shared)
{
    opinion_scores(form, &held->prefix, shared, held->returns, held->dot_product, held->scores);
    for (int o = 0; o < OPINION__MAX; o++)
        held->scores[o] = fmax(held->scores[o], SCORE_LEAST);
}

/* What is shared, by the pairs of known entities in new places. */
static double shared_of(const struct held_pair *pairs, size_t count)
{
    AUTO(own_freep) double *below = own_array(count + 1, sizeof *below);
    size_t used = 0;

    for (size_t i = 0; i < count; i++)
        if (pairs[i].known && pairs[i].prefix.known_bits < pairs[i].prefix.length &&
            pairs[i].prefix.below != 0) /* of others nearby: else it tells nothing */
            below[used++] = pairs[i].prefix.below;
    return opinion_shared(below, used);
}

static void calibrate_spec(struct spec_part *spec, const struct model_parts *parts,
                           struct held_pair *all, size_t all_count, int64_t span_ms,
                           const struct threshold_rule *rule)
{
    AUTO(own_freep) double *values = own_array(all_count + 1, sizeof *values);
    AUTO(own_freep) struct held_pair *pairs = own_array(all_count + 1, sizeof *pairs);
    struct sample_part *opinions = spec->opinions;
    size_t count;

    spec->shared = shared_of(all, all_count);
    for (size_t i = 0; i < all_count; i++)
        score_held(parts->form, &all[i], spec->shared);
    count = distinct_pairs(pairs, select_known(all, all_count, pairs));
    if (count > 0) {
        size_t wanted = calibrate_wanted(rule, count, span_ms);

        set_thresholds(pairs, count, wanted, opinions);
        if (rule->kind == THRESHOLD_BUDGET)
            bound_thresholds(opinions, wanted);
    }
    for (int o = 0; o < OPINION__MAX; o++) {
        if (rule->kind == THRESHOLD_SCORE)
            opinions[o].threshold = rule->value;
        for (size_t i = 0; i < count; i++)
            values[i] = pairs[i].scores[o];
        take_sample(&opinions[o], values, count);
    }
    spec->all = opinions[OPINION_IP_INSIGHTS];
    if (parts->detector == DETECTOR_PREFIX) {
        spec->all = (struct sample_part){.threshold = 0};
        for (size_t i = 0; i < count; i++)
            values[i] = decided(&pairs[i], parts, spec);
        take_sample(&spec->all, values, count);
    }
    take_usual(spec, parts, all, all_count, values);
}

/* But for its scores, which need to know what is shared. */
static struct held_pair held_pair(const struct model *model, const struct train_pair *pair,
                                  const struct ip *ip)
{
    const struct model_parts *parts = &model->parts;
    struct held_pair held = {.entity = entity_hash(parts->scoped, pair->spec, pair->entity),
                             .ip = *ip};
    struct model_pair asked = {pair->spec, pair->entity, *ip};
    uint64_t index = entity_remembered(parts, held.entity);

    prefix_score(&parts->tree, index, ip, &held.prefix, NULL);
    held.returns = entity_returns(parts, index);
    model_dot_products(model, &asked, 1, &held.dot_product);
    held.known = index < parts->entity_count;
    held.unseen = held.known && held.prefix.known_bits < (held.prefix.length == PREFIX_BITS_V4
                                                              ? MODEL_NETWORK_BITS_V4
                                                              : MODEL_NETWORK_BITS_V6);
    return held;
}

/* Pairs of one spec. Returns their number. */
static size_t hold_spec(const struct model *model, const char *spec,
                        const struct train_pair *const *from, size_t count, struct held_pair *ret,
                        int64_t *ret_span_ms, uint64_t *ret_unknown)
{
    int64_t first_ms = INT64_MAX, last_ms = 0;
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        if (strcmp(from[i]->spec, spec) != 0)
            continue;
        ret[used] = held_pair(model, from[i], &from[i]->ip);
        *ret_unknown += !ret[used++].known;
        first_ms = from[i]->time_ms < first_ms ? from[i]->time_ms : first_ms;
        last_ms = from[i]->time_ms > last_ms ? from[i]->time_ms : last_ms;
    }
    *ret_span_ms = last_ms > first_ms ? last_ms - first_ms : 0;
    return used;
}

static void calibrate_specs(const struct model *model, const struct train_pair *const *held_out,
                            size_t count, const struct train_options *options,
                            struct calibration *ret)
{
    AUTO(own_freep) struct held_pair *pairs = own_array(count + 1, sizeof *pairs);

    for (size_t i = 0; i < ret->spec_count; i++) {
        int64_t span_ms;
        size_t used = hold_spec(model, ret->specs[i].name, held_out, count, pairs, &span_ms,
                                &ret->unknown_entities);

        calibrate_spec(&ret->specs[i], &model->parts, pairs, used, span_ms, &options->threshold);
    }
}

/* Keeps a spec's calibration unless the pairs are enough for a new one. */
static void recalibrate_spec(struct spec_part *spec, const struct model *base,
                             const struct train_pair *const *order, size_t count,
                             const struct train_options *options, struct held_pair *pairs,
                             uint64_t *ret_unknown)
{
    struct spec_part fresh = {.name = ""};
    int64_t span_ms;
    size_t used = hold_spec(base, spec->name, order, count, pairs, &span_ms, ret_unknown);

    memcpy(fresh.name, spec->name, sizeof fresh.name);
    calibrate_spec(&fresh, &base->parts, pairs, used, span_ms, &options->threshold);
    if (fresh.all.sample_size >= TRAIN_UPDATE_SAMPLE_MIN)
        *spec = fresh;
}

enum err_code calibrate_update(const struct model *base, const struct train_pair *pairs,
                               size_t count, const struct train_options *options,
                               struct calibration *ret, struct err *err)
{
    AUTO(own_freep) const struct train_pair **order = own_array(count, sizeof *order);
    AUTO(own_freep) struct held_pair *held = own_array(count + 1, sizeof *held);

    ret->specs = own_array(MODEL_SPECS_MAX, sizeof *ret->specs);
    ret->spec_count = base->parts.spec_count;
    memcpy(ret->specs, base->parts.specs, ret->spec_count * sizeof *ret->specs);
    ret->held_out = count;
    ret->auc_random = ret->auc_shuffled = NAN;
    for (size_t i = 0; i < count; i++) {
        order[i] = &pairs[i];
        if (spec_index(ret, pairs[i].spec) == ret->spec_count)
            return err_set(err, ERR_INVALID,
                           "the model was not trained on the spec \"%.80s\", so it cannot learn on "
                           "from it",
                           pairs[i].spec);
    }
    for (size_t i = 0; i < ret->spec_count; i++)
        recalibrate_spec(&ret->specs[i], base, order, count, options, held, &ret->unknown_entities);
    return ERR_NONE;
}

static double main_score(const struct model *model, const struct calibration *calibration,
                         const struct train_pair *pair, const struct ip *ip)
{
    struct held_pair held = held_pair(model, pair, ip);

    score_held(model->parts.form, &held,
               calibration->specs[spec_index(calibration, pair->spec)].shared);
    return held.scores[model->parts.detector == DETECTOR_IP_INSIGHTS ? OPINION_IP_INSIGHTS
                                                                     : OPINION_STRANGER];
}

/* How well the held-out pairs are told from as many drawn ones, by the detector's main opinion. */
static double drawn_auc(const struct model *model, const struct calibration *calibration,
                        const struct train_pair *const *held_out, bool shuffled, uint64_t seed)
{
    size_t count = calibration->held_out;
    AUTO(own_freep) struct sample *samples = own_array(2 * count + 1, sizeof *samples);
    struct rng rng;

    rng_init(&rng, hash_mix(seed + 3));
    for (size_t i = 0; i < count; i++) {
        struct ip drawn = shuffled ? held_out[rng_below(&rng, count)]->ip
                                   : draw_ip(&rng, !ip_is_v4(&held_out[i]->ip));

        samples[2 * i].score = main_score(model, calibration, held_out[i], &held_out[i]->ip);
        samples[2 * i + 1].score = main_score(model, calibration, held_out[i], &drawn);
        samples[2 * i + 1].positive = true;
    }
    return metrics_auc(samples, 2 * count);
}

enum err_code calibrate(const struct train_pair *pairs, size_t count,
                        const struct train_options *options, struct calibration *ret,
                        struct err *err)
{
    AUTO(own_freep) const struct train_pair **order = own_array(count, sizeof *order);
    AUTO(learned_done) struct learned learned = {0};
    const struct train_pair *const *held_out;
    size_t older;

    TRY(list_specs(pairs, count, ret, err));
    older = split(pairs, count, ret, order);
    held_out = order + older;
    ret->held_out = count - older;
    TRY(learn(order, older, options, true, &learned, err));
    calibrate_specs(&learned.model, held_out, ret->held_out, options, ret);
    ret->auc_random = drawn_auc(&learned.model, ret, held_out, false, options->seed);
    ret->auc_shuffled = drawn_auc(&learned.model, ret, held_out, true, options->seed);
    return ERR_NONE;
}

void calibration_done(struct calibration *calibration)
{
    own_freep(&calibration->specs);
}
