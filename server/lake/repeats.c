/* A set-associative table under a multilinear hash: the sum of values times random odd factors, of
 * which the upper bits are nearly universal (Dietzfelbinger 1996). */
#include "lake/repeats.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/own.h"

enum { SLOT_COUNT = REPEAT_WAYS << REPEAT_SET_BITS, CACHE_LINE = 64 };

static size_t set_of(uint64_t hash)
{
    return (size_t)(hash >> (64 - REPEAT_SET_BITS)) * REPEAT_WAYS;
}

/* Never that of a free slot. */
static uint64_t tag_of(uint64_t hash)
{
    return hash | 1;
}

void repeats_init(struct repeats *repeats)
{
    struct rng rng;

    rng_init(&rng, hash_seed());
    *repeats = (struct repeats){
        .tags = own_aligned(SLOT_COUNT, sizeof *repeats->tags),
        .slots = own_aligned(SLOT_COUNT, sizeof *repeats->slots),
    };
    for (size_t i = 0; i <= REPEAT_VALUES_MAX; i++)
        repeats->factors[i] = rng_u64(&rng) | 1;
}

void repeats_done(struct repeats *repeats)
{
    free(repeats->tags);
    free(repeats->slots);
    *repeats = (struct repeats){0};
}

void repeats_begin(struct repeats *repeats, size_t value_count)
{
    ASSERT(value_count <= REPEAT_VALUES_MAX);
    repeats->value_count = value_count;
    (void)memset(repeats->tags, 0, SLOT_COUNT * sizeof *repeats->tags);
}

void repeats_hash(const struct repeats *repeats, const uint32_t *const *columns,
                  const int64_t *buckets, size_t first, size_t end, uint64_t *ret)
{
    for (size_t row = first; row < end; row++)
        ret[row] = (uint64_t)buckets[row] * repeats->factors[REPEAT_VALUES_MAX];
    for (size_t i = 0; i < repeats->value_count; i++) {
        const uint32_t *values = columns[i];
        uint64_t factor = repeats->factors[i];

        for (size_t row = first; row < end; row++)
            ret[row] += values[row] * factor;
    }
}

/* The place in its set whose tag is the row's; the first one when there is none. Without a branch,
 * for no processor guesses which of them it is. */
static inline size_t place_of(const struct repeats *repeats, uint64_t hash)
{
    size_t set = set_of(hash), at = 0;

    for (size_t i = 1; i < REPEAT_WAYS; i++)
        at = repeats->tags[set + i] == tag_of(hash) ? i : at;
    return set + at;
}

void repeats_fetch(const struct repeats *repeats, uint64_t hash)
{
    const char *slot = (const char *)&repeats->slots[place_of(repeats, hash)];

    __builtin_prefetch(slot, 1);
    __builtin_prefetch(slot + CACHE_LINE);
}

static bool is_same(const struct repeats *repeats, const struct repeat *met,
                    const struct repeat_row *row)
{
    uint32_t differ = 0;

    for (size_t i = 0; i < repeats->value_count; i++)
        differ |= met->values[i] ^ row->columns[i][row->row];
    return differ == 0 && met->bucket == row->bucket;
}

/* Of two rows with one tag, which no object is likely to have, only one is found: the other is
 * taken apart each time, and counts as well. */
struct repeat *repeats_find(const struct repeats *repeats, const struct repeat_row *row)
{
    size_t at = place_of(repeats, row->hash);

    if (repeats->tags[at] != tag_of(row->hash) || !is_same(repeats, &repeats->slots[at], row))
        return NULL;
    return &repeats->slots[at];
}

static void give(struct repeat *place, struct extract *extract)
{
    if (place->rows > 0)
        extract_again(extract, &place->outcome, place->rows, place->first_ms, place->last_ms);
    place->rows = 0;
}

void repeats_put(const struct repeats *repeats, const struct repeat_row *row,
                 struct extract *extract)
{
    size_t set = set_of(row->hash), at = set + row->hash % REPEAT_WAYS;
    struct repeat *place;

    for (size_t i = set; i < set + REPEAT_WAYS; i++)
        if (repeats->tags[i] == 0)
            at = i;
    place = &repeats->slots[at];
    if (repeats->tags[at] != 0)
        give(place, extract);
    repeats->tags[at] = tag_of(row->hash);
    place->bucket = row->bucket;
    place->rows = 0;
    place->first_ms = INT64_MAX;
    place->last_ms = INT64_MIN;
    place->outcome = extract->outcome;
    for (size_t i = 0; i < repeats->value_count; i++)
        place->values[i] = row->columns[i][row->row];
}

void repeats_end(const struct repeats *repeats, struct extract *extract)
{
    for (size_t i = 0; i < SLOT_COUNT; i++)
        if (repeats->tags[i] != 0)
            give(&repeats->slots[i], extract);
}
