#pragma once
/* The stored form of a chunk of a run of pairs. Two orders of the same pairs: by entity and address
 * for look-ups and what is known of an entity, by address and entity for what is known of an
 * address. A row is a pair under a spec, struct observation of which object says how often the pair
 * was seen. How many events an entity, or an address, had on each day is told by its pairs that
 * were seen on one day only, and for the others by rows that have PAIR_DAY for a spec: of the day
 * that they were last (and first) seen on, with its events as count, in the place of some pair of
 * the entity, or the address.
 *
 * By address only what is told of an address is kept: no score, no model, and the percentile to a
 * thousandth, which makes the second order half as long as the first.
 *
 * Format 1, numbers as in store/chunk.h: 0x01; 0 by entity, 1 by address; pairs; days; the bytes of
 * the days; then
 *   days               each on its own: zigzag of the entity's difference to the one before;
 *                      address, 1 and 16 bytes, or IPv4: zigzag << 1 of its difference to the one
 *                      before; zigzag of the day's difference to the one before; events
 *   pairs by address   columns: address (value << 1, the value being the difference to the row
 *                      before when both are IPv4; IPv6: 1 and 16 bytes); zigzag of the entity's
 *                      difference to the row before; spec, as runs of id and rows; times seen;
 *                      count; first_ms, the smallest and each row's difference to it; zigzag of
 *                      last_ms to first_ms; thousandths of the percentile + 1, 0 = unknown
 * and 8 bytes of hash_bytes over all before, little-endian;
 *   pairs by entity    a chunk of observations (store/chunk.h), which has such bytes of its own.
 * A chunk without pairs has none of their columns.
 *
 * Pure; any thread. */
#include "base/clock.h"
#include "base/err.h"
#include "store/chunk.h"

enum { PAIR_DAY = 0 }; /* specs begin at 1 */
enum pair_order { PAIRS_BY_ENTITY, PAIRS_BY_ADDRESS };

/* By the order's own half, then by the other one. */
int pair_compare(enum pair_order order, const struct observation *a, const struct observation *b);

static inline int64_t pair_day_of(int64_t ms)
{
    return ms > 0 ? ms / DAY_MS : 0;
}

/* Seen on one day only: that is when its events were. */
static inline bool pair_is_of_day(const struct observation *row)
{
    return pair_day_of(row->first_ms) == pair_day_of(row->last_ms);
}

struct pair_rows {
    struct observation *pairs, *days; /* each in order */
    size_t pair_count, day_count;
};

/* rows: 1 to CHUNK_ROWS_MAX, in order. Appends to ret, which was made for CHUNK_BYTES_MAX. */
void pair_encode(enum pair_order order, const struct observation *const *rows, size_t count,
                 struct str *ret);
/* The rows in the arena; those of days only when they are wanted. ERR_CORRUPT unless the bytes are
 * a whole chunk of that order. */
NODISCARD enum err_code pair_decode(enum pair_order order, const void *bytes, size_t length,
                                    bool days, struct arena *arena, struct pair_rows *ret,
                                    struct err *err);
