#pragma once
/* The stored form of observations that were not flagged: up to CHUNK_ROWS_MAX rows of one day,
 * sorted by entity and address, column by column and delta-coded, in one value of bytes: a third of
 * what rows of a table take, and a pair is found without an index of pairs.
 *
 * Format 3, all numbers unsigned LEB128 unless said: 0x03; rows; the columns one after the other:
 *   entity      the first id, then the difference to the row before
 *   address     IPv4: value << 1, the value being the difference to the row before when that is
 *               IPv4 and of the same entity; IPv6: 1 and 16 bytes
 *   spec, model, object   runs: id + 1 (0 = none), how many rows have it
 *   unanswered  runs: 1 or 2 for false or true, how many rows are so; format 1 has no such column,
 *               and is read as false throughout
 *   first_ms    the smallest, then each row's difference to it
 *   last_ms     zigzag of its difference to first_ms
 *   count
 *   score, percentile     a byte 4 or 8, then so many bytes a row, little-endian IEEE 754; 4 when
 *               that loses nothing; not a number = unknown. Or, when that loses nothing, 16 and the
 *               digits after the point, 0 to 6: zigzag of the decimal without its point, + 1; 0 =
 *               unknown. Formats 1 and 2 have no decimals
 * and 8 bytes of hash_bytes over all before, little-endian. What is read back is exactly what was
 * written. A filter is a Bloom filter over (entity, address): 7 bits of 10 a row.
 *
 * Pure; any thread. */
#include "base/err.h"
#include "base/ip.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct str;

enum { CHUNK_ROWS_MAX = 10000, CHUNK_BYTES_MAX = 4 << 20, CHUNK_FILTER_BYTES_MAX = 1 << 14 };

struct observation {
    int64_t entity_id;
    struct ip ip;
    int64_t spec_id, model_id;
    int64_t object_id; /* FIELD_NULL_INT when it came over HTTP */
    int64_t first_ms, last_ms;
    uint64_t count;
    int64_t unanswered;       /* 0 or 1: not to be learned */
    double score, percentile; /* NAN = unknown */
};

/* By entity, address, then time: the order that a chunk is in. */
int observation_compare(const struct observation *a, const struct observation *b);
/* Pointers into that order, those of earlier days (by last_ms) first. */
void observation_sort(struct observation **rows, size_t count);
void observation_sort_pairs(struct observation **rows, size_t count); /* whatever the day */
/* By address, then entity. */
void observation_sort_addresses(struct observation **rows, size_t count);

/* rows: 1 to CHUNK_ROWS_MAX, in order. Appends to ret, which was made for CHUNK_BYTES_MAX. */
void chunk_encode(const struct observation *const *rows, size_t count, struct str *ret);
/* The rows in the arena. ERR_CORRUPT unless the bytes are a whole chunk. */
NODISCARD enum err_code chunk_decode(const void *bytes, size_t length, struct arena *arena,
                                     struct observation **ret, size_t *ret_count, struct err *err);

/* The filter of the rows; *ret_length of its bytes, at most CHUNK_FILTER_BYTES_MAX. */
uint8_t *chunk_filter(struct arena *arena, const struct observation *const *rows, size_t count,
                      size_t *ret_length);
/* False: the pair is in no row. True for a pair that is, and for one in a hundred others. */
bool chunk_may_hold(const void *filter, size_t length, int64_t entity_id, const struct ip *ip);
