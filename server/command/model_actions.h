#pragma once
/* What the actions of `pairwatch model` share: the settings, and the words after the action. */
#include "base/conf.h"
#include "base/err.h"

struct model_options {
    const char *database;
    int64_t limit;

    /* of calibrate */
    const char *out, *spec_dir, *temp_dir, *max_bad;
    struct conf_list specs;
    double alerts_per_day, threshold_percentile, threshold_score;
    int64_t sample, seed, since_ms, until_ms, object_bytes_max;
    int64_t scorer_rows, scorer_timeout_ms, scorer_wait_ms;
};

/* words[0] is the scorer, the others are paths. */
NODISCARD enum err_code model_calibrate(const struct model_options *options,
                                        const char *const *words, size_t count, struct err *err);
