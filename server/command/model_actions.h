#pragma once
/* What the actions of `pairwatch model` share: the settings, and the words after the action. */
#include "base/conf.h"
#include "base/err.h"
#include "command/sagemaker_setup.h"

struct model_options {
    const char *database;
    int64_t limit;

    /* of calibrate */
    const char *out, *spec_dir, *temp_dir, *max_bad;
    struct conf_list specs;
    double alerts_per_day, threshold_percentile, threshold_score;
    int64_t sample, seed, since_ms, until_ms, object_bytes_max;
    int64_t scorer_rows, scorer_timeout_ms, scorer_wait_ms;

    bool on_sagemaker; /* of deploy and undeploy */
    struct sagemaker_options sagemaker;
};

/* words[0] is the scorer, the others are paths. */
NODISCARD enum err_code model_calibrate(const struct model_options *options,
                                        const char *const *words, size_t count, struct err *err);
/* The endpoint's name, and a model file or s3://BUCKET/KEY of its archive. What was made is removed
 * again when the endpoint does not come into service. */
NODISCARD enum err_code model_deploy(const struct model_options *options, const char *const *words,
                                     size_t count, struct err *err);
/* The endpoint's name. */
NODISCARD enum err_code model_undeploy(const struct model_options *options,
                                       const char *const *words, size_t count, struct err *err);
