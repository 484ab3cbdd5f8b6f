#pragma once
/* The optimisation: entity vectors and prefix rows from samples, by logistic loss against drawn
 * negatives and Adam. One thread; the same samples, hyperparameters and seed give the same
 * numbers. */
#include "model/hyper.h"
#include "model/ip_encoder.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Samples as numbers: sample i is entity entities[i] at address addresses[ips[i]]. */
struct fit_input {
    const uint32_t *entities; /* rows of the entity table */
    const uint32_t *ips;
    size_t count;
    const struct ip *addresses; /* distinct */
    size_t address_count;
    size_t entity_rows;
};

/* Rows that Adam moves: values, gradient of the batch, and its moments. */
struct fit_table {
    float *values, *gradient, *mean, *square;
    uint32_t *touched; /* rows with a gradient in this batch */
    size_t touched_count;
    uint8_t *is_touched;
    size_t rows, stride;
};

struct fit {
    struct fit_table entities, prefixes;
    double loss; /* mean of the last epoch */
};

/* The encoder has the rows of `prefixes`. */
void fit_run(const struct fit_input *input, const struct ip_encoder *encoder,
             const struct hyper *hyper, uint64_t seed, struct fit *ret);
void fit_done(struct fit *fit); /* accepts a zeroed one */

/* One sample: adds its gradient to both tables and gives its loss. scratch holds one row. */
float fit_sample(struct fit *fit, uint32_t entity, const struct ip_path *path, float wanted,
                 float *scratch);
void fit_init(struct fit *fit, size_t entity_rows, size_t prefix_rows, size_t dim, uint64_t seed);
struct rng;
/* Uniform over IPv4, or over 2000::/3. */
struct ip fit_random_ip(struct rng *rng, bool v6);
