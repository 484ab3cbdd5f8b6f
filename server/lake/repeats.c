/* A set-associative table under a multilinear hash: the sum of values times random odd factors, of
 * which the upper bits are nearly universal (Dietzfelbinger 1996). */
#include "lake/repeats.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/own.h"

enum { SLOT_COUNT = REPEAT_WAYS << REPEAT_SET_BITS };

static struct repeat *set_of(const struct repeats *repeats, uint64_t hash)
{
    return &repeats->slots[(hash >> (64 - REPEAT_SET_BITS)) * REPEAT_WAYS];
}

void repeats_init(struct repeats *repeats)
{
    struct rng rng;

    rng_init(&rng, hash_seed());
    *repeats = (struct repeats){.slots = own_array(SLOT_COUNT, sizeof *repeats->slots)};
    for (size_t i = 0; i <= REPEAT_VALUES_MAX; i++)
        repeats->factors[i] = rng_u64(&rng) | 1;
}

void repeats_done(struct repeats *repeats)
{
    free(repeats->slots);
    *repeats = (struct repeats){0};
}

void repeats_begin(struct repeats *repeats, size_t value_count)
{
    ASSERT(value_count <= REPEAT_VALUES_MAX);
    repeats->value_count = value_count;
    repeats->object++; /* the slots of the one before are free */
}

struct repeat *repeats_find(const struct repeats *repeats, const uint32_t *values, int64_t bucket,
                            uint64_t *ret_hash)
{
    uint64_t hash = (uint64_t)bucket * repeats->factors[REPEAT_VALUES_MAX];
    struct repeat *set;

    for (size_t i = 0; i < repeats->value_count; i++)
        hash += values[i] * repeats->factors[i];
    *ret_hash = hash;
    set = set_of(repeats, hash);
    for (size_t i = 0; i < REPEAT_WAYS; i++)
        if (set[i].hash == hash && set[i].object == repeats->object && set[i].bucket == bucket &&
            memcmp(set[i].values, values, repeats->value_count * sizeof *values) == 0)
            return &set[i];
    return NULL;
}

static void give(struct repeat *place, struct extract *extract)
{
    if (place->rows > 0)
        extract_again(extract, &place->outcome, place->rows, place->first_ms, place->last_ms);
    place->rows = 0;
}

void repeats_put(const struct repeats *repeats, uint64_t hash, const uint32_t *values,
                 int64_t bucket, struct extract *extract)
{
    struct repeat *set = set_of(repeats, hash);
    struct repeat *place = &set[hash % REPEAT_WAYS];

    for (size_t i = 0; i < REPEAT_WAYS; i++)
        if (set[i].object != repeats->object)
            place = &set[i];
    if (place->object == repeats->object)
        give(place, extract);
    place->hash = hash;
    place->bucket = bucket;
    place->rows = 0;
    place->first_ms = INT64_MAX;
    place->last_ms = INT64_MIN;
    place->object = repeats->object;
    place->outcome = extract->outcome;
    (void)memcpy(place->values, values, repeats->value_count * sizeof *values);
}

void repeats_end(const struct repeats *repeats, struct extract *extract)
{
    for (size_t i = 0; i < SLOT_COUNT; i++)
        if (repeats->slots[i].object == repeats->object)
            give(&repeats->slots[i], extract);
}
