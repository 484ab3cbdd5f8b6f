#pragma once
/* Where observations are kept. Those that were flagged are rows of the table observation, as long
 * as their findings are. The others are packed into observation_chunk (store/chunk.h), by day: at
 * once when a batch brings many of a day, otherwise from the table when CHUNK_STAGED_ROWS have
 * gathered there; so in the table these are only the last ones, after the id that the counter
 * observations_packed names. Which pairs are in them is found by store/pair_run.h.
 *
 * To read all observations: the rows of the table, and chunk_next over the chunks. To let a day go:
 * chunk_drop, which frees what is older; rows of the table go by themselves. */
#include "base/err.h"
#include "store/chunk.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;

enum {
    CHUNK_BATCH_ROWS_MIN = 256, /* fewer of a day in one batch stay rows at first */
    CHUNK_STAGED_ROWS = 10000,
    CHUNK_PACKED_ROWS = 1600, /* of a chunk, at most */
};

/* Inside a writer's job: packs rows of any days; puts the pointers in order. A day with fewer than
 * rows_min is left out: *ret_left of them are then first in rows. */
NODISCARD enum err_code chunk_store(struct db *db, struct observation **rows, size_t count,
                                    size_t rows_min, size_t *ret_left, struct err *err);
/* Before rows are added to the table in a job. */
NODISCARD enum err_code chunk_before_rows(struct db *db, struct err *err);
/* The same of rows that gathered in the table, when there are enough. */
NODISCARD enum err_code chunk_pack(struct db *db, struct err *err);

#define OBSERVATIONS_PACKED "observations_packed" /* the counter */

struct chunk_place {
    int64_t id, day_ms;
};
struct chunk {
    int64_t id;
    struct observation *rows;
    size_t count;
};
/* The chunk after an id that holds rows of days from that of since_ms on which began before
 * until_ms, of which the caller picks its own; *ret->id 0 when there is none. */
NODISCARD enum err_code chunk_next(struct db *db, struct arena *arena, int64_t after_id,
                                   int64_t since_ms, int64_t until_ms, struct chunk *ret,
                                   struct err *err);

NODISCARD enum err_code chunk_read(struct db *db, struct arena *arena,
                                   const struct chunk_place *place, struct chunk *ret,
                                   struct err *err);

/* Inside a writer's job. */
NODISCARD enum err_code chunk_delete(struct db *db, const struct chunk_place *place,
                                     struct err *err);
/* Inside a writer's job: lets go of chunks of days before that of before_ms. *ret_gone of them;
 * fewer than limit: none is left. PostgreSQL drops the partitions, all at once. */
NODISCARD enum err_code chunk_drop(struct db *db, int64_t before_ms, int64_t limit,
                                   int64_t *ret_gone, struct err *err);
