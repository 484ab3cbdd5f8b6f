/* AUC and its relatives. */
#include "model/metrics.h"

#include <math.h>
#include <stdlib.h>

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

/* The run of equal scores that begins at start. */
static struct tie tie_at(const struct sample *samples, size_t count, size_t start)
{
    struct tie tie = {.end = start};

    while (tie.end < count && samples[tie.end].score == samples[start].score) {
        if (samples[tie.end].positive)
            tie.positives++;
        else
            tie.negatives++;
        tie.end++;
    }
    return tie;
}

static struct tie totals_of(const struct sample *samples, size_t count)
{
    struct tie total = {.end = count};

    for (size_t i = 0; i < count; i++) {
        if (samples[i].positive)
            total.positives++;
        else
            total.negatives++;
    }
    return total;
}

double metrics_auc(struct sample *samples, size_t count)
{
    double positives = 0, negatives = 0, wins = 0;

    qsort(samples, count, sizeof *samples, by_score_down);
    for (size_t i = 0; i < count;) {
        struct tie tie = tie_at(samples, count, i);

        wins += tie.negatives * (positives + tie.positives / 2);
        positives += tie.positives;
        negatives += tie.negatives;
        i = tie.end;
    }
    return positives > 0 && negatives > 0 ? wins / (positives * negatives) : NAN;
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
    struct tie total = totals_of(samples, count);
    double positives = 0, negatives = 0;

    qsort(samples, count, sizeof *samples, by_score_down);
    for (size_t i = 0; i < count;) {
        struct tie tie = tie_at(samples, count, i);

        if (negatives + tie.negatives > fpr * total.negatives)
            break;
        positives += tie.positives;
        negatives += tie.negatives;
        i = tie.end;
    }
    return total.positives > 0 && total.negatives > 0 ? positives / total.positives : NAN;
}

double metrics_precision_at(struct sample *samples, size_t count, size_t k)
{
    double hits = 0;
    size_t wanted = k < count ? k : count;

    qsort(samples, count, sizeof *samples, by_score_down);
    for (size_t i = 0; i < wanted;) {
        struct tie tie = tie_at(samples, count, i);
        double size = tie.positives + tie.negatives;
        double taken = tie.end <= wanted ? size : (double)(wanted - i);

        hits += tie.positives * taken / size;
        i = tie.end;
    }
    return wanted > 0 ? hits / (double)wanted : NAN;
}
