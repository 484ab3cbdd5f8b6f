#pragma once
/* A step of a run of pairs that is being made. Private to pair_due.c, pair_make.c and pair_write.c.
 */
#include "store/pair_body.h"
#include "store/pair_run.h"

enum { PAIR_INPUTS_MAX = 64 /* runs that are merged at once */ };

struct rows { /* in the making's arena */
    struct observation **items;
    size_t count, room;
};
struct making { /* a run, and what this step has of it */
    struct db *db;
    struct arena *arena;
    const struct pair_sizes *sizes;
    enum pair_order order;
    int64_t id, level, last_ms, since_ms;
    int64_t days_since_ms; /* days before it are not kept */
    struct pair_point at;
    struct rows pairs, days;
    bool whole; /* with these rows */
    struct pair_damage *damage;
};

/* pair_make.c: reads so much that every pair up to some point is known, and writes it. */
NODISCARD enum err_code pair_make_further(struct making *making, struct err *err);

/* pair_join.c. */
void pair_add_row(const struct making *making, struct rows *rows, struct observation *row);
/* A sighting: its events are told by itself, or by a day. */
void pair_add_sighting(struct making *making, struct observation *row);
/* Pairs are sorted, and those after a point left out; sightings of a pair and spec are put
 * together, whose events of more than one day become days. Old ones go. */
void pair_join(struct making *making, const struct pair_point *through);
/* Days up to the point are summed up and put in among the pairs, behind one of their half. */
void pair_join_days(struct making *making, const struct pair_point *through);

/* pair_write.c: appends the rows, which are joined, to the run. */
NODISCARD enum err_code pair_write(struct making *making, const struct pair_point *through,
                                   struct err *err);
/* What was written, and all that was written beside it, is read from now on; what it was made of is
 * not. */
NODISCARD enum err_code pair_write_end(struct making *making, struct err *err);
/* A new run: beside_id of the one that it is written beside, FIELD_NULL_INT: of none. */
NODISCARD enum err_code pair_run_add(struct db *db, int64_t level, enum pair_order order,
                                     int64_t beside_id, int64_t *ret, struct err *err);
