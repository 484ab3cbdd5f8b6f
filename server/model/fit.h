#pragma once
/* The optimisation: entity vectors, prefix rows and dense layers from samples, by logistic loss
 * against drawn negatives and Adam. The same samples, hyperparameters and seed give the same
 * numbers, on one thread or two and on every processor. */
#include "base/hash.h"
#include "base/spool.h"
#include "model/hyper.h"
#include "model/ip_tree.h"
#include "model/kernel.h"
#include "model/train.h"

struct fit_sample {
    uint32_t entity, leaf; /* row of the entity table; the address's leaf in the encoder's tree */
};
struct fit_input {
    struct spool *samples; /* of struct fit_sample, at least one */
    size_t entity_rows;
};

struct fit_options {
    const struct hyper *hyper; /* nothing left to be chosen */
    uint64_t seed;
    int threads; /* 1 or 2; 0 = 1 */
    const struct kernel *kernel;
    const char *checkpoint; /* file; NULL = none */
    size_t window_blocks;   /* as train_options.window_blocks */
    const struct train_watch *watch;
};

struct fit {
    struct fit_table entities, prefixes, dense;
    double loss, accuracy; /* of the last epoch */
};

/* The encoder has the rows of `prefixes`. *ret gets values alone, one row behind the other.
 * ERR_INVALID: it diverged, and what to lower; ERR_CANCELLED: the watch had enough; those of
 * reading samples. A checkpoint is written after each epoch and gone on from when it is of the same
 * samples, hyperparameters and seed. */
NODISCARD enum err_code fit_run(const struct fit_input *input, const struct ip_encoder *encoder,
                                const struct fit_options *options, struct fit *ret,
                                struct err *err);
/* Of a row's floats, those of the first of two threads. */
size_t fit_half(size_t stride);
void fit_done(struct fit *fit); /* accepts a zeroed one */
void fit_init(struct fit *fit, size_t entity_rows, size_t prefix_rows, const struct hyper *hyper,
              uint64_t seed);
