#pragma once
/* From pairs to the parts of a model without its calibration: indexing, the fit, the entities'
 * networks. Private to this folder. */
#include "model/fit.h"
#include "model/parts.h"
#include "model/prefix_fit.h"
#include "model/train_set.h"

struct learned {
    struct model model;    /* its parts point to what is below */
    double loss, accuracy; /* of the last epoch */
    uint64_t *entity_hashes, *prefix_keys;
    float *entity_vectors, *prefix_vectors;
    uint64_t *observations, *network_starts;
    struct network_part *networks;
    char *names;
    struct prefix_arrays prefixes;
};

/* What is learned: all of a set, or for the calibration all but the newest fifth. */
struct learning {
    struct train_set *set; /* in order, not empty; its memory is used */
    const struct train_options *options;
    bool calibrating;
};
/* Errors are fit_run's and the spools'; ret is to be freed then, too. */
NODISCARD enum err_code learn(const struct learning *learning, struct learned *ret,
                              struct err *err);
void learned_done(struct learned *learned); /* accepts a zeroed one */

/* Copies the names of all entities, in the order of their hashes. */
void names_keep(const char *const *names, struct learned *ret);
