#pragma once
/* Calibration of a model of which nothing is known but its scores of some pairs. Pure. */
#include "model/train.h"

struct score_sample {
    uint64_t size;
    double threshold;
    double threshold_percentile; /* how much of the sample is at or below it, 0..100 */
    float quantiles[MODEL_QUANTILES];
};
/* scores: of `count` pairs drawn from `distinct` ones that were seen within span_ms; sorted here.
 * ERR_INVALID without any. */
NODISCARD enum err_code score_sample_take(double *scores, size_t count, size_t distinct,
                                          int64_t span_ms, const struct threshold_rule *rule,
                                          struct score_sample *ret, struct err *err);
