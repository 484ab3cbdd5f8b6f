#pragma once
/* Rows of an object that were met before: what a row came to, by the numbers of its values and its
 * time bucket, so that one like it is counted and not taken apart again. A table of a fixed size in
 * which newer rows take the places of older ones; what was counted goes to extract when a row loses
 * its place and at the end. One object at a time, one thread. */
#include "lake/extract.h"
#include <stdint.h>

enum { REPEAT_VALUES_MAX = 24, REPEAT_SET_BITS = 12, REPEAT_WAYS = 4 };

struct repeat {
    uint64_t hash;
    int64_t bucket;
    uint64_t rows; /* not yet given to extract, and when they were seen */
    int64_t first_ms, last_ms;
    uint32_t object; /* in which the row was met */
    struct row_outcome outcome;
    uint32_t values[REPEAT_VALUES_MAX];
};

struct repeats {
    size_t value_count;
    uint32_t object; /* the present one's number */
    uint64_t factors[REPEAT_VALUES_MAX + 1];
    struct repeat *slots; /* sets of REPEAT_WAYS */
};

void repeats_init(struct repeats *repeats);
void repeats_done(struct repeats *repeats); /* accepts a zeroed one */
/* For the next object; value_count is REPEAT_VALUES_MAX at most. */
void repeats_begin(struct repeats *repeats, size_t value_count);
/* The row like it that was met, or NULL. *ret_hash is for repeats_put. */
struct repeat *repeats_find(const struct repeats *repeats, const uint32_t *values, int64_t bucket,
                            uint64_t *ret_hash);
/* Remembers a row that extract has just been given. */
void repeats_put(const struct repeats *repeats, uint64_t hash, const uint32_t *values,
                 int64_t bucket, struct extract *extract);
void repeats_end(const struct repeats *repeats, struct extract *extract);

static inline void repeat_count(struct repeat *repeat, uint64_t rows, int64_t time_ms)
{
    repeat->rows += rows;
    if (time_ms < repeat->first_ms)
        repeat->first_ms = time_ms;
    if (time_ms > repeat->last_ms)
        repeat->last_ms = time_ms;
}
