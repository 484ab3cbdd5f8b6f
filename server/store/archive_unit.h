#pragma once
/* The table archive: observations on their way out of the store, and where they went. A unit has
 * rows of one day; its body is there until its object is durable. */
#include "base/err.h"
#include "base/field.h"
#include "store/chunk.h"
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;

#define ARCHIVE_UNIT_BYTES_MAX ((size_t)(CHUNK_BYTES_MAX + 4) * 4)

struct archive_unit {
    int64_t id, day_ms, created_ms;
    struct observation *rows; /* in the order of their last_ms */
    size_t count;
};
/* The oldest that is not durable yet, in the arena; ret->id 0 when there is none. */
NODISCARD enum err_code archive_unit_next(struct db *db, struct arena *arena,
                                          struct archive_unit *ret, struct err *err);

/* A writer's job: the object is durable, so the body goes. */
struct archive_done_job {
    int64_t id;
    const char *path, *sha256;
};
enum err_code archive_done_job_run(struct db *db, void *job, struct err *err);

struct archive_sums {
    int64_t pending, pending_rows, objects, rows;
};
NODISCARD enum err_code archive_sum(struct db *db, struct archive_sums *ret, struct err *err);

/* What stands for the numbers of an observation; the texts are in the arena. */
struct archive_names {
    const char *spec, *entity, *model;
    const char *bucket, *key, *etag; /* of its object, NULL when it came over HTTP */
};
NODISCARD enum err_code archive_names(struct db *db, struct arena *arena,
                                      const struct observation *row, struct archive_names *ret,
                                      struct err *err);
