/* Thresholds and quantiles from held-out pairs. */
#include "model/calibrate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/own.h"
#include "model/metrics.h"

enum { HELD_OUT_PART = 5 }; /* one of so many */

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

static void calibrate_spec(struct spec_part *spec, double *scores, size_t count, double percentile)
{
    spec->sample_size = count;
    spec->threshold_percentile = percentile;
    if (count == 0)
        return;
    qsort(scores, count, sizeof *scores, by_value);
    for (int i = 0; i < MODEL_QUANTILES; i++)
        spec->quantiles[i] =
            (float)quantile(scores, count, (double)i / (double)(MODEL_QUANTILES - 1));
    spec->threshold = quantile(scores, count, percentile / 100);
}

static struct model_score score_one(const struct model *model, const struct train_pair *pair,
                                    const struct ip *ip)
{
    struct model_pair asked = {.spec = pair->spec, .entity = pair->entity, .ip = *ip};
    struct model_score score;

    model_score_pairs(model, &asked, 1, &score);
    return score;
}

static void calibrate_specs(const struct model *model, const struct train_pair *const *held_out,
                            size_t count, double percentile, struct calibration *ret)
{
    AUTO(own_freep) double *scores = own_array(count + 1, sizeof *scores);

    for (size_t i = 0; i < ret->spec_count; i++) {
        size_t used = 0;

        for (size_t j = 0; j < count; j++) {
            struct model_score score;

            if (strcmp(held_out[j]->spec, ret->specs[i].name) != 0)
                continue;
            score = score_one(model, held_out[j], &held_out[j]->ip);
            scores[used++] = score.score;
            ret->unknown_entities += !score.entity_known;
        }
        calibrate_spec(&ret->specs[i], scores, used, percentile);
    }
}

/* How well the held-out pairs are told from as many drawn ones. */
static double drawn_auc(const struct model *model, const struct train_pair *const *held_out,
                        size_t count, bool shuffled, uint64_t seed)
{
    AUTO(own_freep) struct sample *samples = own_array(2 * count + 1, sizeof *samples);
    struct rng rng;

    rng_init(&rng, hash_mix(seed + 3));
    for (size_t i = 0; i < count; i++) {
        struct ip drawn = shuffled ? held_out[rng_below(&rng, count)]->ip
                                   : fit_random_ip(&rng, !ip_is_v4(&held_out[i]->ip));

        samples[2 * i].score = score_one(model, held_out[i], &held_out[i]->ip).score;
        samples[2 * i + 1].score = score_one(model, held_out[i], &drawn).score;
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
    learn(order, older, options, &learned);
    calibrate_specs(&learned.model, held_out, ret->held_out, options->threshold_percentile, ret);
    ret->auc_random = drawn_auc(&learned.model, held_out, ret->held_out, false, options->seed);
    ret->auc_shuffled = drawn_auc(&learned.model, held_out, ret->held_out, true, options->seed);
    return ERR_NONE;
}

void calibration_done(struct calibration *calibration)
{
    own_freep(&calibration->specs);
}
