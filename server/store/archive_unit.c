#include "store/archive_unit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "store/db.h"

struct unit_row {
    int64_t id, day, rows, created;
    struct blob body;
};
static const struct field UNIT_FIELDS[] = {
    FIELD(struct unit_row, id, FIELD_INT, .flags = 0),
    FIELD(struct unit_row, day, FIELD_INT, .flags = 0),
    FIELD(struct unit_row, rows, FIELD_INT, .flags = 0),
    FIELD(struct unit_row, created, FIELD_INT, .flags = 0),
    FIELD(struct unit_row, body, FIELD_BLOB, .flags = 0),
    FIELD_END,
};
static const struct field SUM_FIELDS[] = {
    FIELD(struct archive_sums, pending, FIELD_INT, .flags = 0),
    FIELD(struct archive_sums, pending_rows, FIELD_INT, .flags = 0),
    FIELD(struct archive_sums, objects, FIELD_INT, .flags = 0),
    FIELD(struct archive_sums, rows, FIELD_INT, .flags = 0),
    FIELD_END,
};
static const struct field NAMES_FIELDS[] = {
    FIELD(struct archive_names, spec, FIELD_TEXT, .flags = 0),
    FIELD(struct archive_names, entity, FIELD_TEXT, .flags = 0),
    FIELD(struct archive_names, model, FIELD_TEXT, .flags = 0),
    FIELD(struct archive_names, bucket, FIELD_TEXT, .flags = FIELD_NULLABLE),
    FIELD(struct archive_names, key, FIELD_TEXT, .flags = FIELD_NULLABLE),
    FIELD(struct archive_names, etag, FIELD_TEXT, .flags = FIELD_NULLABLE),
    FIELD_END,
};

static int by_time(const void *a_, const void *b_)
{
    const struct observation *a = a_, *b = b_;

    return a->last_ms != b->last_ms ? (a->last_ms > b->last_ms) - (a->last_ms < b->last_ms)
                                    : observation_compare(a, b);
}

/* Appends the rows of the chunks to the unit's, which has room for all that it says it has. */
static enum err_code decode(const struct unit_row *row, struct arena *arena,
                            struct archive_unit *ret, struct err *err)
{
    const uint8_t *at = row->body.bytes, *end = at + row->body.length;

    while (end - at >= 4) {
        size_t length = at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
        struct observation *rows;
        size_t count;

        at += 4;
        if (length > (size_t)(end - at))
            break;
        TRY(chunk_decode(at, length, arena, &rows, &count, err));
        if (count > (size_t)row->rows - ret->count)
            break;
        (void)memcpy(ret->rows + ret->count, rows, count * sizeof *rows);
        ret->count += count;
        at += length;
    }
    if (at != end || ret->count != (size_t)row->rows)
        return err_set(err, ERR_CORRUPT, "the archive's unit %" PRId64 " is damaged", row->id);
    return ERR_NONE;
}

enum err_code archive_unit_next(struct db *db, struct arena *arena, struct archive_unit *ret,
                                struct err *err)
{
    struct unit_row row;
    enum err_code code = db_row(db, SQL_ARCHIVE_NEXT, NO_PARAMS, UNIT_FIELDS, arena, &row, err);

    *ret = (struct archive_unit){.id = 0};
    if (code == ERR_NOT_FOUND)
        return ERR_NONE;
    TRY(code);
    if (row.rows < 0 || row.rows > 4 * CHUNK_ROWS_MAX)
        return err_set(err, ERR_CORRUPT, "the archive's unit %" PRId64 " is damaged", row.id);
    *ret = (struct archive_unit){.id = row.id, .day_ms = row.day, .created_ms = row.created};
    ret->rows = ARENA_ARRAY(arena, struct observation, (size_t)row.rows + 1);
    TRY(decode(&row, arena, ret, err));
    qsort(ret->rows, ret->count, sizeof *ret->rows, by_time);
    return ERR_NONE;
}

enum err_code archive_done_job_run(struct db *db, void *job_, struct err *err)
{
    const struct archive_done_job *job = job_;

    return db_exec(db, SQL_ARCHIVE_DONE,
                   PARAMS(P_TEXT(job->path), P_TEXT(job->sha256), P_INT(job->id)), NULL, err);
}

enum err_code archive_sum(struct db *db, struct archive_sums *ret, struct err *err)
{
    return db_row(db, SQL_ARCHIVE_SUM, NO_PARAMS, SUM_FIELDS, NULL, ret, err);
}

enum err_code archive_names(struct db *db, struct arena *arena, const struct observation *row,
                            struct archive_names *ret, struct err *err)
{
    enum err_code code = db_row(db, SQL_ARCHIVE_NAMES,
                                PARAMS(P_INT(row->spec_id), P_INT(row->model_id),
                                       P_INT_OR_NULL(row->object_id), P_INT(row->entity_id)),
                                NAMES_FIELDS, arena, ret, err);

    return code == ERR_NOT_FOUND
               ? err_set(err, ERR_CORRUPT, "an observation of the archive has names that are gone")
               : code;
}
