/* AUC and its relatives. */
#include "model/metrics.h"

#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/own.h"

enum { WEIGHT_MAX = 20 }; /* e^-1 / 21!: never */

static int by_score_down(const void *a, const void *b)
{
    double x = ((const struct sample *)a)->score, y = ((const struct sample *)b)->score;

    return (x < y) - (x > y);
}

static int by_group(const void *a, const void *b)
{
    uint32_t x = ((const struct sample *)a)->group, y = ((const struct sample *)b)->group;

    return (x > y) - (x < y);
}

struct tie {
    size_t end;
    double positives, negatives;
};

/* Sorted samples; weights NULL = each counts once. */
struct ranking {
    const struct sample *samples;
    const uint8_t *weights;
    size_t count;
};

static void count_in(struct tie *tie, const struct ranking *ranking, size_t i)
{
    double weight = ranking->weights != NULL ? ranking->weights[i] : 1;

    if (ranking->samples[i].positive)
        tie->positives += weight;
    else
        tie->negatives += weight;
}

/* The run of equal scores that begins at start. */
static struct tie tie_at(const struct ranking *ranking, size_t start)
{
    struct tie tie = {.end = start};

    while (tie.end < ranking->count &&
           ranking->samples[tie.end].score == ranking->samples[start].score)
        count_in(&tie, ranking, tie.end++);
    return tie;
}

static struct tie totals_of(const struct ranking *ranking)
{
    struct tie total = {.end = ranking->count};

    for (size_t i = 0; i < ranking->count; i++)
        count_in(&total, ranking, i);
    return total;
}

static struct ranking rank(struct sample *samples, size_t count)
{
    qsort(samples, count, sizeof *samples, by_score_down);
    return (struct ranking){.samples = samples, .count = count};
}

static double auc_of(const struct ranking *ranking)
{
    double positives = 0, negatives = 0, wins = 0;

    for (size_t i = 0; i < ranking->count;) {
        struct tie tie = tie_at(ranking, i);

        wins += tie.negatives * (positives + tie.positives / 2);
        positives += tie.positives;
        negatives += tie.negatives;
        i = tie.end;
    }
    return positives > 0 && negatives > 0 ? wins / (positives * negatives) : NAN;
}

static double tpr_of(const struct ranking *ranking, double fpr)
{
    struct tie total = totals_of(ranking);
    double positives = 0, negatives = 0;

    for (size_t i = 0; i < ranking->count;) {
        struct tie tie = tie_at(ranking, i);

        if (negatives + tie.negatives > fpr * total.negatives)
            break;
        positives += tie.positives;
        negatives += tie.negatives;
        i = tie.end;
    }
    return total.positives > 0 && total.negatives > 0 ? positives / total.positives : NAN;
}

double metrics_auc(struct sample *samples, size_t count)
{
    struct ranking ranking = rank(samples, count);

    return auc_of(&ranking);
}

static int by_score_down_of(const void *a, const void *b, void *unused)
{
    (void)unused;
    return by_score_down(a, b);
}

enum err_code metrics_auc_of(struct spool *samples, double *ret, struct err *err)
{
    const struct spool_order order = {.compare = by_score_down_of};
    AUTO(spool_reader_done) struct spool_reader reader = {.buffer = NULL};
    double positives = 0, negatives = 0, wins = 0, score = NAN;
    struct tie tie = {.positives = 0};
    const void *next;

    TRY(spool_sort(samples, &order, err));
    spool_reader_init(&reader, samples);
    do {
        const struct sample *sample;

        TRY(spool_next(&reader, &next, err));
        sample = next;
        if (sample == NULL || sample->score != score) {
            wins += tie.negatives * (positives + tie.positives / 2);
            positives += tie.positives;
            negatives += tie.negatives;
            tie = (struct tie){.positives = 0};
        }
        if (sample == NULL)
            break;
        score = sample->score;
        tie.positives += sample->positive;
        tie.negatives += !sample->positive;
    } while (next != NULL);
    *ret = positives > 0 && negatives > 0 ? wins / (positives * negatives) : NAN;
    return ERR_NONE;
}

double metrics_macro_auc(struct sample *samples, size_t count, size_t *ret_groups)
{
    double sum = 0;
    size_t groups = 0;

    qsort(samples, count, sizeof *samples, by_group);
    for (size_t start = 0, end; start < count; start = end) {
        double auc;

        for (end = start; end < count && samples[end].group == samples[start].group;)
            end++;
        auc = metrics_auc(samples + start, end - start);
        if (!isnan(auc)) {
            sum += auc;
            groups++;
        }
    }
    if (ret_groups != NULL)
        *ret_groups = groups;
    return groups > 0 ? sum / (double)groups : NAN;
}

double metrics_tpr_at_fpr(struct sample *samples, size_t count, double fpr)
{
    struct ranking ranking = rank(samples, count);

    return tpr_of(&ranking, fpr);
}

double metrics_precision_at(struct sample *samples, size_t count, size_t k)
{
    double hits = 0;
    size_t wanted = k < count ? k : count;
    struct ranking ranking = rank(samples, count);

    for (size_t i = 0; i < wanted;) {
        struct tie tie = tie_at(&ranking, i);
        double size = tie.positives + tie.negatives;
        double taken = tie.end <= wanted ? size : (double)(wanted - i);

        hits += tie.positives * taken / size;
        i = tie.end;
    }
    return wanted > 0 ? hits / (double)wanted : NAN;
}

/* How often a sample is drawn when as many are drawn as there are: Poisson of mean 1, by inversion.
 */
static uint8_t drawn_weight(struct rng *rng)
{
    double left = rng_unit(rng), share = exp(-1);
    uint8_t weight = 0;

    while (left >= share && weight < WEIGHT_MAX) {
        left -= share;
        share /= ++weight;
    }
    return weight;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The middle 95 % of what was drawn. */
static struct interval interval_of(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_value);
    return (struct interval){values[count / 40], values[count - 1 - count / 40]};
}

void metrics_bootstrap(struct sample *samples, size_t count, double fpr, uint64_t seed,
                       struct interval *ret_auc, struct interval *ret_tpr)
{
    AUTO(own_freep) uint8_t *weights = own_array(count + 1, sizeof *weights);
    struct ranking ranking = rank(samples, count);
    double aucs[METRICS_BOOTSTRAP_ROUNDS], tprs[METRICS_BOOTSTRAP_ROUNDS];
    struct rng rng;

    rng_init(&rng, seed);
    ranking.weights = weights;
    for (int round = 0; round < METRICS_BOOTSTRAP_ROUNDS; round++) {
        for (size_t i = 0; i < count; i++)
            weights[i] = drawn_weight(&rng);
        aucs[round] = auc_of(&ranking);
        tprs[round] = tpr_of(&ranking, fpr);
    }
    *ret_auc = interval_of(aucs, METRICS_BOOTSTRAP_ROUNDS);
    *ret_tpr = interval_of(tprs, METRICS_BOOTSTRAP_ROUNDS);
}

void metrics_above(const struct sample *samples, size_t count, double threshold, double *ret_tpr,
                   double *ret_fpr)
{
    double above[2] = {0}, all[2] = {0};

    for (size_t i = 0; i < count; i++) {
        all[samples[i].positive]++;
        above[samples[i].positive] += samples[i].score > threshold;
    }
    *ret_tpr = all[1] > 0 ? above[1] / all[1] : NAN;
    *ret_fpr = all[0] > 0 ? above[0] / all[0] : NAN;
}
