/* Open addressing with linear probing, at most half full; removed prints keep their place until the
 * table grows. */
#include "lake/seen.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/own.h"

enum { SLOTS_FIRST = 1024 };

struct fingerprint fingerprint_of(const char *path, uint64_t size_bytes, int64_t changed_ns)
{
    size_t length = strlen(path);
    uint64_t numbers[2] = {size_bytes, (uint64_t)changed_ns};
    uint64_t seed = hash_bytes(numbers, sizeof numbers, hash_seed());

    /* The lowest bit keeps every print apart from the marks of free and removed slots. */
    return (struct fingerprint){hash_bytes(path, length, seed) | 1,
                                hash_bytes(path, length, hash_mix(seed))};
}

static bool is_equal(struct fingerprint a, struct fingerprint b)
{
    return a.low == b.low && a.high == b.high;
}

static bool is_free(struct fingerprint slot)
{
    return slot.low == 0 && slot.high == 0;
}

/* The slot that holds the print, or the free one where it would go. */
static struct fingerprint *slot_of(const struct seen *seen, struct fingerprint print)
{
    size_t mask = seen->slot_count - 1;
    size_t at = (size_t)(print.low >> 1) & mask;

    while (!is_free(seen->slots[at]) && !is_equal(seen->slots[at], print))
        at = (at + 1) & mask;
    return &seen->slots[at];
}

bool seen_has(const struct seen *seen, struct fingerprint print)
{
    return seen->slot_count > 0 && !is_free(*slot_of(seen, print));
}

static void grow(struct seen *seen)
{
    struct seen grown = {.slot_count = seen->slot_count > 0 ? seen->slot_count * 2 : SLOTS_FIRST};

    if (seen->used >= SEEN_MAX) {
        (void)memset(seen->slots, 0, seen->slot_count * sizeof *seen->slots);
        seen->used = 0;
        return;
    }
    grown.slots = own_array(grown.slot_count, sizeof *grown.slots);
    for (size_t i = 0; i < seen->slot_count; i++) {
        if (seen->slots[i].low == 0)
            continue;
        *slot_of(&grown, seen->slots[i]) = seen->slots[i];
        grown.used++;
    }
    free(seen->slots);
    *seen = grown;
}

void seen_add(struct seen *seen, struct fingerprint print)
{
    struct fingerprint *slot;

    if ((seen->used + 1) * 2 > seen->slot_count)
        grow(seen);
    slot = slot_of(seen, print);
    if (is_free(*slot))
        seen->used++;
    *slot = print;
}

void seen_remove(struct seen *seen, struct fingerprint print)
{
    struct fingerprint *slot;

    if (seen->slot_count == 0)
        return;
    slot = slot_of(seen, print);
    if (!is_free(*slot))
        *slot = (struct fingerprint){0, 1};
}

void seen_done(struct seen *seen)
{
    free(seen->slots);
    *seen = (struct seen){0};
}
