#pragma once
/* The chunks of a run of pairs. Private to pair_run.c, pair_make.c and pair_check.c. */
#include "base/err.h"
#include "base/ip.h"
#include "store/pair_code.h"

struct db;
struct arena;

struct pair_point { /* a place in the order of a run */
    int64_t entity_id;
    struct ip ip;
};
struct pair_body {
    struct pair_point low; /* of its first row */
    struct pair_rows rows; /* in the arena; those of days too, when wanted */
};
enum pair_seek {
    PAIR_AT,    /* the chunk that the point is in if it is there at all */
    PAIR_AFTER, /* the first one that begins after it */
};

/* ERR_NOT_FOUND; ERR_CORRUPT names the run. */
NODISCARD enum err_code pair_body_read(struct db *db, struct arena *arena, enum pair_order order,
                                       enum pair_seek seek, int64_t run_id,
                                       const struct pair_point *point, bool days,
                                       struct pair_body *ret, struct err *err);
