#pragma once
/* Non-cryptographic hashing for tables in memory, and a seeded generator of random numbers.
 * hash_bytes is part of the model file format (entity slots): its values never change.
 * Text from outside goes into tables under a random seed (hash_seed), so nobody can aim for
 * collisions. */
#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *bytes, size_t length, uint64_t seed);
uint64_t hash_mix(uint64_t value); /* a bijection of 64 bits that scatters neighbours */
uint64_t hash_seed(void);          /* one random value per process */

/* Splittable counter-based generator (SplitMix64, Steele et al. 2014): the same seed gives the
 * same numbers everywhere. */
struct rng {
    uint64_t state;
};
void rng_init(struct rng *rng, uint64_t seed);
uint64_t rng_u64(struct rng *rng);
uint64_t rng_below(struct rng *rng, uint64_t bound); /* unbiased, 0..bound-1; bound > 0 */
double rng_unit(struct rng *rng);                    /* 0 <= x < 1, 53 bits */
double rng_normal(struct rng *rng);
