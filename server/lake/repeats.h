#pragma once
/* Rows of an object that were met before: what a row came to, by the numbers of its values and its
 * time bucket, so that one like it is counted and not taken apart again. A table of a fixed size in
 * which newer rows take the places of older ones; what was counted goes to extract when a row loses
 * its place and at the end. One object at a time, one thread. */
#include "lake/extract.h"
#include <stdint.h>

enum { REPEAT_VALUES_MAX = 24, REPEAT_SET_BITS = 12, REPEAT_WAYS = 4 };

/* What is counted and most of what is compared lies in two lines of the cache. */
struct repeat {
    _Alignas(64) int64_t bucket;
    uint64_t rows; /* not yet given to extract, and when they were seen */
    int64_t first_ms, last_ms;
    uint32_t values[REPEAT_VALUES_MAX];
    struct row_outcome outcome;
};

struct repeats {
    size_t value_count;
    uint64_t factors[REPEAT_VALUES_MAX + 1];
    uint64_t *tags; /* sets of REPEAT_WAYS; 0 is free. All together stay in the second cache */
    struct repeat *slots; /* as tags */
};

struct repeat_row { /* a row of a chunk, whose columns are arrays */
    const uint32_t *const *columns;
    size_t row;
    int64_t bucket;
    uint64_t hash; /* by repeats_hash */
};

void repeats_init(struct repeats *repeats);
void repeats_done(struct repeats *repeats); /* accepts a zeroed one */
/* For the next object; value_count is REPEAT_VALUES_MAX at most. */
void repeats_begin(struct repeats *repeats, size_t value_count);
/* Of rows first to end (exclusive): ret and buckets begin at row 0, too. */
void repeats_hash(const struct repeats *repeats, const uint32_t *const *columns,
                  const int64_t *buckets, size_t first, size_t end, uint64_t *ret);
/* Asks memory for what repeats_find will read, some rows ahead of it. */
void repeats_fetch(const struct repeats *repeats, uint64_t hash);
/* The row like it that was met, or NULL. */
struct repeat *repeats_find(const struct repeats *repeats, const struct repeat_row *row);
/* Remembers a row that extract has just been given. */
void repeats_put(const struct repeats *repeats, const struct repeat_row *row,
                 struct extract *extract);
void repeats_end(const struct repeats *repeats, struct extract *extract);

static inline void repeat_count(struct repeat *repeat, uint64_t rows, int64_t time_ms)
{
    repeat->rows += rows;
    if (time_ms < repeat->first_ms)
        repeat->first_ms = time_ms;
    if (time_ms > repeat->last_ms)
        repeat->last_ms = time_ms;
}
