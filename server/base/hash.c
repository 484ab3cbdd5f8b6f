/* A multiply-and-fold hash of eight bytes at a time, and SplitMix64. */
#include "base/hash.h"

#include <endian.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/crypto.h"
#include "base/own.h"

/* 2^64 divided by the golden ratio, and the multipliers of SplitMix64's finalizer (Stafford's
 * thirteenth variant). */
#define HASH_A UINT64_C(0x9e3779b97f4a7c15)
#define HASH_B UINT64_C(0xbf58476d1ce4e5b9)
#define HASH_C UINT64_C(0x94d049bb133111eb)

uint64_t hash_mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * HASH_B;
    value = (value ^ (value >> 27)) * HASH_C;
    return value ^ (value >> 31);
}

/* Little-endian on every machine: the values are in files. */
static uint64_t load_word(const unsigned char *bytes, size_t length)
{
    uint64_t word = 0;

    for (size_t i = 0; i < length; i++)
        word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

static uint64_t load_long(const unsigned char *bytes)
{
    uint64_t word;

    (void)memcpy(&word, bytes, sizeof word);
    return le64toh(word);
}

uint64_t hash_bytes(const void *bytes, size_t length, uint64_t seed)
{
    const unsigned char *at = bytes;
    uint64_t state = hash_mix(seed + HASH_A) ^ (uint64_t)length * HASH_A;

    for (; length >= 8; at += 8, length -= 8)
        state = hash_mix(state ^ load_long(at)) + HASH_A;
    if (length > 0)
        state = hash_mix(state ^ load_word(at, length)) + HASH_A;
    return hash_mix(state);
}

static pthread_once_t seed_once = PTHREAD_ONCE_INIT;
static uint64_t process_seed;

static void make_seed(void)
{
    process_seed = random_u64();
}

uint64_t hash_seed(void)
{
    (void)pthread_once(&seed_once, make_seed);
    return process_seed;
}

void rng_init(struct rng *rng, uint64_t seed)
{
    rng->state = seed;
}

uint64_t rng_u64(struct rng *rng)
{
    rng->state += HASH_A;
    return hash_mix(rng->state);
}

/* Draws again when the number falls into the incomplete last stretch of 2^64. */
uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    uint64_t skip;

    ASSERT(bound > 0);
    skip = (0 - bound) % bound;
    for (;;) {
        uint64_t value = rng_u64(rng);

        if (value >= skip)
            return value % bound;
    }
}

double rng_unit(struct rng *rng)
{
    return (double)(rng_u64(rng) >> 11) * 0x1.0p-53;
}

/* Box and Muller 1958; the second value is thrown away so that the state stays one word. */
double rng_normal(struct rng *rng)
{
    double radius = sqrt(-2.0 * log(1.0 - rng_unit(rng)));

    return radius * cos(6.283185307179586 * rng_unit(rng));
}
