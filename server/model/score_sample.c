#include "model/score_sample.h"

#include <math.h>

#include "model/calibrate.h"

enum err_code score_sample_take(double *scores, size_t count, size_t distinct, int64_t span_ms,
                                const struct threshold_rule *rule, struct score_sample *ret,
                                struct err *err)
{
    size_t below = 0, wanted;

    if (count == 0)
        return err_set(err, ERR_INVALID, "there is no score to calibrate by");
    *ret = (struct score_sample){.size = count};
    calibrate_quantiles(scores, count, ret->quantiles);
    /* As many of the sample as its part of all pairs. */
    wanted = calibrate_wanted(rule, distinct, span_ms);
    wanted = (size_t)floor((double)wanted * (double)count / (double)distinct);
    ret->threshold =
        rule->kind == THRESHOLD_SCORE ? rule->value : calibrate_nth_highest(scores, count, wanted);
    while (below < count && scores[below] <= ret->threshold)
        below++;
    ret->threshold_percentile = 100 * (double)below / (double)count;
    return ERR_NONE;
}
