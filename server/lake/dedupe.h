#pragma once
/* The distinct pairs of one object: a hash table over spec, time bucket, entity and address.
 * Texts go into the caller's arena, the table is our own memory. One thread. */
#include "base/err.h"
#include "lake/pairs.h"
#include <stddef.h>
#include <stdint.h>

struct arena;

struct sighting { /* one row's pair */
    size_t spec;  /* index of the spec in its set */
    const char *entity;
    size_t entity_length;
    struct ip ip;
    int64_t time_ms;
    const char *account, *region; /* not NUL-terminated */
    size_t account_length, region_length;
    bool rejected;
    bool one_way;  /* a call, as far as the row tells */
    bool answers;  /* one of the spec that this one answers */
    uint64_t rows; /* that it stands for */
};

struct dedupe_entry {
    struct lake_pair pair;
    uint64_t hash;
    int64_t bucket;
    size_t spec;
    bool answers; /* one of its rows does */
};

struct dedupe {
    struct arena *arena;
    int64_t bucket_ms;
    uint64_t pairs_max;
    struct dedupe_entry *entries; /* in order of first sighting */
    size_t count, capacity;
    uint32_t *slots; /* index + 1 of the entry, 0 = free; slot_count is a power of two */
    size_t slot_count;
    const char *account, *region; /* the last ones: an object has few of them */
};

void dedupe_init(struct dedupe *dedupe, struct arena *arena, int64_t bucket_ms, uint64_t pairs_max);
void dedupe_done(struct dedupe *dedupe);
/* spec_name lives as long as the lake. *ret_entry: index of the pair's entry. ERR_TOO_LARGE at
 * pairs_max or when the arena is full. */
NODISCARD enum err_code dedupe_add(struct dedupe *dedupe, const char *spec_name,
                                   const struct sighting *sighting, uint32_t *ret_entry,
                                   struct err *err);
/* More rows like one that was added: of the same pair, bucket and conditions. */
void dedupe_add_again(struct dedupe *dedupe, uint32_t entry, uint64_t rows, int64_t first_ms,
                      int64_t last_ms);
/* Whether a pair of the entity and address is there that answers: of a spec, in the same bucket or
 * in one beside it. */
bool dedupe_answered(const struct dedupe *dedupe, const struct dedupe_entry *entry, size_t spec);
/* The pairs of the first specs, in their order, then by first sighting; in the arena. */
struct lake_pair *dedupe_pairs(const struct dedupe *dedupe, size_t spec_count, size_t *ret_count);
