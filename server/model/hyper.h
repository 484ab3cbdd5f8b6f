#pragma once
/* Hyperparameters under SageMaker IP Insights' names, with its ranges. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str;

struct hyper {
    int64_t num_entity_vectors; /* 0 = twice the entities, the next power of two */
    int64_t vector_dim;
    int64_t epochs;
    double learning_rate;
    int64_t mini_batch_size; /* positives, their negatives come on top; 0 = a hundredth of the
                                pairs, 50 to 500 */
    int64_t random_negative_sampling_rate;
    int64_t shuffled_negative_sampling_rate;
    double weight_decay;
    int64_t num_ip_encoder_layers; /* dense ones behind the sum of the prefixes' rows */
};
extern const struct hyper HYPER_DEFAULT;

/* A batch is held in memory: so many samples at most. */
enum { HYPER_BATCH_SAMPLES_MAX = 50 * 1000 * 1000 };

/* One row per member. */
struct hyper_rule {
    const char *name; /* SageMaker's; NULL ends */
    bool real;        /* double, else int64_t */
    bool chosen;      /* 0 = chosen from the data */
    size_t offset;
    double min, max;
};
extern const struct hyper_rule HYPER_RULES[];

/* ERR_INVALID names the hyperparameter and its range. */
NODISCARD enum err_code hyper_check(const struct hyper *hyper, struct err *err);
/* Of a positive, its own included. */
size_t hyper_samples(const struct hyper *hyper);
/* With what is chosen from the data. */
struct hyper hyper_chosen(const struct hyper *hyper, size_t pairs, size_t entities);
void hyper_json(const struct hyper *hyper, uint64_t seed, struct str *ret);
