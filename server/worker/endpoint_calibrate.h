#pragma once
/* A calibration run: what a SageMaker endpoint makes of a sample of pairs becomes a model of the
 * store, with percentiles and a threshold for each spec. Every run makes a model of its own: one
 * that scored stays what it was. */
#include "model/score_sample.h"
#include "model/train.h"
#include <stdatomic.h>
#include <stdbool.h>

struct aws;
struct writer;

enum { CALIBRATE_SAMPLE_MIN = 100 }; /* pairs of a spec: fewer tell nothing */

struct calibrate_options {
    struct aws *aws;
    const char *endpoint;
    struct train_pair *pairs; /* sorted here */
    size_t count;
    const char *const *spec_names; /* what pairs without a spec stand for; NULL-terminated */
    struct threshold_rule rule;
    size_t sample_max; /* distinct pairs of a spec that are scored */
    uint64_t seed;     /* of the draw */
    size_t rows_max;   /* the last three as struct remote_options has them */
    int64_t answer_ms, wait_ms;
    struct writer *writer; /* or */
    const char *out;       /* a file it goes into */
    const char *actor;
    const atomic_bool *stop;
};

struct calibrated_spec {
    const char *name; /* one of the pairs', or of spec_names */
    size_t distinct, refused, ipv6;
    struct score_sample sample;
};
struct calibrated {
    char id[MODEL_ID_BYTES];
    bool ipv6; /* the endpoint takes such addresses */
    size_t spec_count;
    struct calibrated_spec specs[MODEL_SPECS_MAX];
};
/* ERR_INVALID: pairs without a spec and no spec_names, too few of a spec, too many specs, all
 * refused. Otherwise as remote_score and the store. */
NODISCARD enum err_code endpoint_calibrate(const struct calibrate_options *options,
                                           struct calibrated *ret, struct err *err);
