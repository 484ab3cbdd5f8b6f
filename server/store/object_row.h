#pragma once
/* The ledger of objects: what was read and how it ended. */
#include "base/err.h"
#include "base/field.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;

struct object_row {
    int64_t id;
    const char *bucket, *key, *etag;
    int64_t size_bytes, rows, pairs, scored;
    const char *unscored;           /* JSON object */
    const char *error_code, *error; /* NULL when it was stored */
    int64_t attempts, finished;
    const char *source, *region, *account; /* NULL where the key does not say */
    int64_t folder;                        /* 1: the bucket is a folder of a worker's machine */
    int64_t made, first_event, last_event; /* FIELD_NULL_INT = not known */
};
#define OBJECT_ETAG_UNKNOWN                                                                        \
    "unknown" /* of an object that was never read and whose notice said none */
extern const struct field OBJECT_FIELDS[];
struct object_page {
    struct object_row *items;
    size_t count;
    bool more;
};
enum object_state { OBJECT_ANY = -1, OBJECT_STORED, OBJECT_FAILED };
struct object_filter {
    enum object_state state;
    const char *source;         /* NULL = all */
    int64_t since_ms, until_ms; /* of finished; 0 = no bound */
};
/* Newest first, with ids below before_id (INT64_MAX for the first page). */
NODISCARD enum err_code object_list(struct db *db, struct arena *arena,
                                    const struct object_filter *filter, int64_t before_id,
                                    size_t limit, struct object_page *ret, struct err *err);
NODISCARD enum err_code object_get(struct db *db, struct arena *arena, int64_t id,
                                   struct object_row *ret, struct err *err);
struct object_counts {
    int64_t stored, failed;
};
NODISCARD enum err_code object_count(struct db *db, struct object_counts *ret, struct err *err);
