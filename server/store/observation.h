#pragma once
/* Sightings of findings: the flagged observations, which alone are indexed. */
#include "base/err.h"
#include "base/field.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;

struct sighting {
    int64_t first, last, count;
    double score, percentile;
    const char *bucket, *key; /* of the object, NULL when it came over HTTP */
};
extern const struct field SIGHTING_FIELDS[];
struct sighting_list {
    struct sighting *items;
    size_t count;
};
/* Newest first. ERR_NOT_FOUND when there is no such finding. */
NODISCARD enum err_code sighting_list(struct db *db, struct arena *arena, int64_t finding_id,
                                      int64_t limit, struct sighting_list *ret, struct err *err);

struct sighting_bucket {
    int64_t time, count; /* events */
};
extern const struct field SIGHTING_BUCKET_FIELDS[];
struct sighting_buckets {
    struct sighting_bucket *items;
    size_t count;
};
enum { SIGHTING_BUCKETS_MAX = 2000 };
/* Events by hour (bucket_ms = HOUR_MS) or day, in time order, empty ones left out; the newest
 * SIGHTING_BUCKETS_MAX. */
NODISCARD enum err_code sighting_by_time(struct db *db, struct arena *arena, int64_t finding_id,
                                         int64_t bucket_ms, struct sighting_buckets *ret,
                                         struct err *err);
