#pragma once
/* The chunks of a run of pairs. Private to pair_run.c, pair_make.c and pair_check.c. */
#include "base/err.h"
#include "base/ip.h"
#include "store/db.h"

struct pair_body {
    int64_t entity_low; /* its first pair */
    struct ip ip_low;
    struct observation *rows; /* in the arena */
    size_t count;
};

/* sql: SQL_PAIR_CHUNK_AT, the chunk that the pair is in if it is there at all, or
 * SQL_PAIR_CHUNK_AFTER, the first one that begins after it. ERR_NOT_FOUND; ERR_CORRUPT names the
 * run. */
NODISCARD enum err_code pair_body_read(struct db *db, struct arena *arena, enum sql_id sql,
                                       int64_t run_id, int64_t entity_id, const struct ip *ip,
                                       struct pair_body *ret, struct err *err);
