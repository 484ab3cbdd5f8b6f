#pragma once
/* Whether an entity was ever seen with an address, flagged or not: from its findings, the last rows
 * of observation, and the packed ones by their runs of pairs (store/pair_run.h).
 * Newest days first, up to a deadline; on one snapshot. */
#include "base/err.h"
#include "base/field.h"
#include "base/ip.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;

struct pair_seen { /* under one spec */
    const char *spec;
    int64_t sightings, observations; /* rows; events, which each row counts */
    int64_t first, last;
    double score, percentile; /* of the last sighting, or the finding's; percentile NAN = unknown */
    const char *model;        /* that gave them */
    double threshold;         /* above which it flags; NAN = unknown */
    int64_t finding;          /* FIELD_NULL_INT: never flagged */
};
extern const struct field PAIR_SEEN_FIELDS[];

enum { PAIR_SPECS_MAX = 100, PAIR_CHUNKS_MAX = 200000 /* looked at for one answer */ };

struct pair_lookup {
    struct pair_seen *items; /* last seen first */
    size_t count;
    bool partial;         /* older days were not looked at: what is told is true, and not all */
    int64_t partial_from; /* the day before which nothing is known; FIELD_NULL_INT unless partial */
};

/* until_mono_ms: when to stop reading, in clock_mono_ms; sets the deadline of db. An entity that is
 * not known was not seen: no items. */
NODISCARD enum err_code pair_look_up(struct db *db, struct arena *arena, const char *entity,
                                     const struct ip *ip, int64_t until_mono_ms,
                                     struct pair_lookup *ret, struct err *err);
