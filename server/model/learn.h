#pragma once
/* From pairs to the parts of a model without its calibration: indexing, the fit, the entities'
 * networks. Private to this folder. */
#include "model/fit.h"
#include "model/parts.h"
#include "model/prefix_fit.h"
#include "model/train.h"

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

/* pairs in the trainer's order, at least one. Errors are fit_run's. */
NODISCARD enum err_code learn(const struct train_pair *const *pairs, size_t count,
                              const struct train_options *options, bool calibrating,
                              struct learned *ret, struct err *err);
void learned_done(struct learned *learned); /* accepts a zeroed one */

/* Copies the names of all entities, in the order of their hashes. */
void names_keep(const char *const *names, struct learned *ret);

/* One observation as numbers, for the networks. */
struct observation {
    uint32_t entity;
    struct ip ip;
    uint64_t count;
};
/* Sorts observations; entities are 0..entity_count-1. */
void profile(struct observation *observations, size_t count, size_t entity_count,
             struct learned *ret);
