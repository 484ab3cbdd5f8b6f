/* Thresholds and quantiles from held-out pairs. */
#include "model/calibrate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/own.h"
#include "model/draw.h"
#include "model/held_out.h"
#include "model/metrics.h"
#include "model/opinion.h"

enum { DRAWN_PAIRS_MAX = 250 * 1000 }; /* the standard error of an AUC of 0.98 is below 0.0005 */
/* An alert budget does not buy more than this share of the pairs: a small lake has no 40 a day. */
#define BUDGET_SHARE_MAX 0.01
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

static void list_specs(const struct train_set *set, struct calibration *ret)
{
    ret->specs = own_array(MODEL_SPECS_MAX, sizeof *ret->specs);
    ret->spec_count = set->spec_count;
    for (size_t i = 0; i < set->spec_count; i++)
        memcpy(ret->specs[i].name, set->specs[i], strlen(set->specs[i]) + 1);
    qsort(ret->specs, ret->spec_count, sizeof *ret->specs, by_name);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
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

double calibrate_nth_highest(const double *ascending, size_t count, size_t rank)
{
    return rank < count ? ascending[count - 1 - rank] : ascending[0] - 1;
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

/* Thresholds that let a number of pairs pass, each opinion alone but strangers and impostors, who
 * have one: both are counted in bits of the same evidence. */
static enum err_code set_thresholds(struct held_spec *held, const struct threshold_rule *rule,
                                    struct spec_part *spec, struct err *err)
{
    static const int ASKED[OPINION__MAX] = {
        [OPINION_STRANGER] = HELD_EVIDENCE,
        [OPINION_IMPOSTOR] = HELD_EVIDENCE,
        [OPINION_NEWCOMER] = OPINION_NEWCOMER,
        [OPINION_IP_INSIGHTS] = OPINION_IP_INSIGHTS,
    };
    int64_t span_ms = held->last_ms > held->first_ms ? held->last_ms - held->first_ms : 0;
    size_t wanted = 0;
    uint64_t count = 0;

    for (int o = 0; o < OPINION__MAX; o++) {
        AUTO(spool_done) struct spool values = {.pool = NULL};

        TRY(held_values(held, ASKED[o], spec, &values, err));
        count = values.count;
        if (count == 0)
            return ERR_NONE;
        wanted = calibrate_wanted(rule, (size_t)count, span_ms);
        TRY(values_nth_highest(&values, wanted, &spec->opinions[o].threshold, err));
    }
    if (rule->kind == THRESHOLD_BUDGET)
        bound_thresholds(spec->opinions, wanted);
    return ERR_NONE;
}

static enum err_code take_values(struct held_spec *held, int what, const struct spec_part *spec,
                                 struct sample_part *ret, struct err *err)
{
    AUTO(spool_done) struct spool values = {.pool = NULL};

    TRY(held_values(held, what, spec, &values, err));
    return values_sample(&values, ret, err);
}

static enum err_code take_usual(struct held_spec *held, struct spec_part *spec, struct err *err)
{
    AUTO(spool_done) struct spool values = {.pool = NULL};
    struct usual_part *usual = &spec->usual;

    usual->sample_size = held->count;
    if (held->count == 0)
        return ERR_NONE;
    usual->unknown_share = (double)held->unknown / (double)held->count;
    usual->unseen_share = (double)held->unseen / (double)held->count;
    TRY(held_values(held, HELD_USUAL, spec, &values, err));
    return values_quantiles(&values, usual->quantiles, err);
}

static enum err_code calibrate_spec(struct held_spec *held, const struct threshold_rule *rule,
                                    struct spec_part *spec, struct err *err)
{
    struct sample_part *opinions = spec->opinions;

    held->name = spec->name;
    TRY(held_spec_score(held, err));
    spec->shared = held->shared;
    TRY(set_thresholds(held, rule, spec, err));
    for (int o = 0; o < OPINION__MAX; o++) {
        if (rule->kind == THRESHOLD_SCORE)
            opinions[o].threshold = rule->value;
        TRY(take_values(held, o, spec, &opinions[o], err));
    }
    spec->all = opinions[OPINION_IP_INSIGHTS];
    if (held->model->parts.detector == DETECTOR_PREFIX) {
        spec->all = (struct sample_part){.threshold = 0};
        TRY(take_values(held, HELD_DECIDED, spec, &spec->all, err));
    }
    return take_usual(held, spec, err);
}

/* ---- calibration ---- */

static enum err_code calibrate_specs(const struct model *model, struct train_set *set,
                                     struct spool *held_out, const struct train_options *options,
                                     struct calibration *ret, struct err *err)
{
    for (size_t i = 0; i < ret->spec_count; i++) {
        AUTO(held_spec_done)
        struct held_spec held = {.model = model, .set = set, .records = held_out};

        TRY(calibrate_spec(&held, &options->threshold, &ret->specs[i], err));
        ret->unknown_entities += held.unknown;
    }
    return ERR_NONE;
}

enum err_code calibrate_update(const struct model *base, struct train_set *set,
                               const struct train_options *options, struct calibration *ret,
                               struct err *err)
{
    ret->specs = own_array(MODEL_SPECS_MAX, sizeof *ret->specs);
    ret->spec_count = base->parts.spec_count;
    memcpy(ret->specs, base->parts.specs, ret->spec_count * sizeof *ret->specs);
    ret->held_out = set->records.count;
    ret->auc_random = ret->auc_shuffled = NAN;
    for (size_t i = 0; i < set->spec_count; i++)
        if (spec_index(ret, set->specs[i]) == ret->spec_count)
            return err_set(err, ERR_INVALID,
                           "the model was not trained on the spec \"%.80s\", so it cannot learn on "
                           "from it",
                           set->specs[i]);
    for (size_t i = 0; i < ret->spec_count; i++) {
        AUTO(held_spec_done)
        struct held_spec held = {.model = base, .set = set, .records = &set->records};
        struct spec_part fresh = {.name = ""};

        memcpy(fresh.name, ret->specs[i].name, sizeof fresh.name);
        TRY(calibrate_spec(&held, &options->threshold, &fresh, err));
        ret->unknown_entities += held.unknown;
        if (fresh.all.sample_size >= TRAIN_UPDATE_SAMPLE_MIN) /* else it keeps what it has */
            ret->specs[i] = fresh;
    }
    return ERR_NONE;
}

static double main_score(const struct model *model, const struct calibration *calibration,
                         const struct model_pair *pair)
{
    struct evidence evidence = evidence_of(model, pair);
    double scores[OPINION__MAX];

    evidence_scores(model->parts.form, &evidence,
                    calibration->specs[spec_index(calibration, pair->spec)].shared, scores);
    return scores[model->parts.detector == DETECTOR_IP_INSIGHTS ? OPINION_IP_INSIGHTS
                                                                : OPINION_STRANGER];
}

/* How well the held-out pairs, or as many of them as are enough, are told from as many drawn ones,
 * by the detector's main opinion. */
static enum err_code drawn_auc(const struct model *model, const struct calibration *calibration,
                               const struct train_set *set, struct spool *held_out, bool shuffled,
                               uint64_t seed, double *ret, struct err *err)
{
    uint64_t count = held_out->count < DRAWN_PAIRS_MAX ? held_out->count : DRAWN_PAIRS_MAX;
    AUTO(own_freep) struct sample *samples = own_array(2 * count + 1, sizeof *samples);
    struct rng rng;

    rng_init(&rng, hash_mix(seed + 3));
    for (uint64_t i = 0; i < count; i++) {
        struct train_record record, other;
        struct model_pair pair;

        TRY(spool_read(held_out, i * held_out->count / count, 1, &record, err));
        pair = held_pair_of(set, &record);
        samples[2 * i].score = main_score(model, calibration, &pair);
        if (shuffled)
            TRY(spool_read(held_out, rng_below(&rng, held_out->count), 1, &other, err));
        pair.ip = shuffled ? other.ip : draw_ip(&rng, !ip_is_v4(&record.ip));
        samples[2 * i + 1].score = main_score(model, calibration, &pair);
        samples[2 * i + 1].positive = true;
    }
    *ret = metrics_auc(samples, 2 * count);
    return ERR_NONE;
}

enum err_code calibrate(struct train_set *set, const struct train_options *options,
                        struct calibration *ret, struct err *err)
{
    struct learning learning = {.set = set, .options = options, .calibrating = true};
    AUTO(learned_done) struct learned learned = {0};
    AUTO(spool_done) struct spool held_out = {.pool = NULL};

    list_specs(set, ret);
    TRY(learn(&learning, &learned, err));
    TRY(train_set_held_out(set, &held_out, err));
    ret->held_out = held_out.count;
    TRY(calibrate_specs(&learned.model, set, &held_out, options, ret, err));
    TRY(drawn_auc(&learned.model, ret, set, &held_out, false, options->seed, &ret->auc_random,
                  err));
    return drawn_auc(&learned.model, ret, set, &held_out, true, options->seed, &ret->auc_shuffled,
                     err);
}

void calibration_done(struct calibration *calibration)
{
    own_freep(&calibration->specs);
}
