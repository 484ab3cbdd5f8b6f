#pragma once
/* SageMaker's validation metric: how well dot products tell pairs that were not learned from as
 * many drawn ones, one for each (its documentation: R = 1, S = 0), as an area under the ROC curve.
 */
#include "base/hash.h"
#include "base/spool.h"
#include "command/pairs_input.h"
#include "model/model.h"

/* Takes the pairs of a pairs_input as they come. */
struct validation {
    const struct model *model;
    struct rng rng;
    struct spool_pool pool;
    struct spool samples;
};
/* The memory is for their scores; what it has no room for goes into the folder. Stays where it is.
 */
void validation_init(struct validation *validation, const struct model *model,
                     uint64_t memory_bytes, const char *folder);
void validation_done(struct validation *validation); /* accepts a zeroed one */
NODISCARD enum err_code validation_take(void *validation, const struct train_pair *pair,
                                        struct err *err);
/* SageMaker's log line, the same for the same pairs in the same order. */
NODISCARD enum err_code validation_print(struct validation *validation, const char *host,
                                         struct err *err);
