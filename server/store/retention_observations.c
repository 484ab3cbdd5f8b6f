/* A unit of the archive is one value of bytes: chunks (store/chunk.h), each with its length before
 * it in four little-endian bytes. It leaves the observations and enters the archive in one
 * transaction, so each row is in one place at any time, and nothing changes it any more. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "store/archive_unit.h"
#include "store/db.h"
#include "store/observation_chunk.h"
#include "store/retention_parts.h"
#include "store/staged.h"

enum {
    STEP_CHUNKS = 4, /* of some hundred kilobytes each */
    STEP_STAGED = 1000,
    STEP_ARENA_BYTES = 64 << 20,
};
static const char PACKED[] = "observations_packed"; /* a counter, see observation_chunk.c */

struct chunk_row {
    int64_t id, day, rows;
    struct blob body;
};
static const struct field CHUNK_FIELDS[] = {
    FIELD(struct chunk_row, id, FIELD_INT, .flags = 0),
    FIELD(struct chunk_row, day, FIELD_INT, .flags = 0),
    FIELD(struct chunk_row, rows, FIELD_INT, .flags = 0),
    FIELD(struct chunk_row, body, FIELD_BLOB, .flags = 0),
    FIELD_END,
};

enum err_code retention_whole_since(struct db *db, int64_t ms, struct err *err)
{
    return db_exec(db, SQL_RETAIN_WHOLE_SINCE, PARAMS(P_INT(ms)), NULL, err);
}

static enum err_code insert_unit(struct db *db, int64_t day_ms, int64_t rows,
                                 const struct str *body, struct err *err)
{
    TRY(str_check(body, "a unit of the archive", err));
    return db_exec(
        db, SQL_ARCHIVE_INSERT,
        PARAMS(P_INT(day_ms), P_INT(rows), P_BLOB(body->text, body->length), P_INT(clock_now_ms())),
        NULL, err);
}

static void add_part(struct str *body, const void *bytes, size_t length)
{
    uint8_t head[4];

    for (int i = 0; i < 4; i++)
        head[i] = (uint8_t)(length >> (8 * i));
    str_add_bytes(body, head, sizeof head);
    str_add_bytes(body, bytes, length);
}

/* ---- chunks ---- */

/* The oldest ones, of one day. */
static enum err_code read_chunks(struct db *db, struct arena *arena, int64_t before_ms,
                                 struct chunk_row ret[static STEP_CHUNKS], size_t *ret_count,
                                 struct err *err)
{
    AUTO(query_done) struct query q = {0};

    *ret_count = 0;
    TRY(db_query(db, SQL_RETAIN_CHUNKS, PARAMS(P_INT(before_ms), P_INT(STEP_CHUNKS)), &q, err));
    while (*ret_count < STEP_CHUNKS && query_next(&q, CHUNK_FIELDS, arena, &ret[*ret_count]))
        if (ret[*ret_count].day == ret[0].day)
            ++*ret_count;
    return query_end(&q, err);
}

/* *ret_rows 0: there is none. */
static enum err_code step_chunks(struct db *db, const struct retention_step *step,
                                 int64_t *ret_rows, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    AUTO(str_done) struct str body = {0};
    struct chunk_row chunks[STEP_CHUNKS];
    size_t count;

    *ret_rows = 0;
    arena_init(&arena, STEP_ARENA_BYTES);
    str_init(&body, ARCHIVE_UNIT_BYTES_MAX);
    TRY(read_chunks(db, &arena, step->cutoffs.observations_ms, chunks, &count, err));
    for (size_t i = 0; i < count; i++) {
        add_part(&body, chunks[i].body.bytes, chunks[i].body.length);
        *ret_rows += chunks[i].rows;
        TRY(chunk_delete(db, &(struct chunk_place){chunks[i].id, chunks[i].day}, err));
    }
    return count > 0 && step->archive ? insert_unit(db, chunks[0].day, *ret_rows, &body, err)
                                      : ERR_NONE;
}

/* ---- rows that are not packed ---- */

struct staged {
    int64_t ids[STEP_STAGED];
    struct observation rows[STEP_STAGED];
    struct observation *order[STEP_STAGED];
    size_t count;
};

static enum err_code read_staged(struct db *db, int64_t before_ms, struct staged *ret,
                                 struct err *err)
{
    AUTO(query_done) struct query q = {0};
    struct staged_row row;

    TRY(db_query(db, SQL_RETAIN_STAGED,
                 PARAMS(P_TEXT(PACKED), P_INT(before_ms), P_INT(STEP_STAGED)), &q, err));
    for (ret->count = 0; ret->count < STEP_STAGED && query_next(&q, STAGED_FIELDS, NULL, &row);) {
        ret->ids[ret->count] = row.id;
        ret->rows[ret->count] = staged_observation(&row);
        ret->order[ret->count] = &ret->rows[ret->count];
        ret->count++;
    }
    return query_end(&q, err);
}

static int64_t day_of(const struct observation *row)
{
    return row->last_ms - row->last_ms % DAY_MS;
}

static enum err_code archive_staged(struct db *db, struct staged *staged, struct err *err)
{
    size_t end;

    observation_sort(staged->order, staged->count);
    for (size_t i = 0; i < staged->count; i = end) {
        AUTO(str_done) struct str chunk = {0};
        AUTO(str_done) struct str body = {0};

        for (end = i + 1;
             end < staged->count && day_of(staged->order[end]) == day_of(staged->order[i]);)
            end++;
        str_init(&chunk, CHUNK_BYTES_MAX);
        str_init(&body, ARCHIVE_UNIT_BYTES_MAX);
        chunk_encode((const struct observation *const *)&staged->order[i], end - i, &chunk);
        TRY(str_check(&chunk, "a chunk of observations", err));
        add_part(&body, chunk.text, chunk.length);
        TRY(insert_unit(db, day_of(staged->order[i]), (int64_t)(end - i), &body, err));
    }
    return ERR_NONE;
}

static enum err_code step_staged(struct db *db, const struct retention_step *step,
                                 int64_t *ret_rows, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct staged *staged;

    arena_init(&arena, STEP_ARENA_BYTES);
    staged = ARENA_NEW(&arena, struct staged);
    TRY(read_staged(db, step->cutoffs.observations_ms, staged, err));
    *ret_rows = (int64_t)staged->count;
    if (staged->count > 0 && step->archive)
        TRY(archive_staged(db, staged, err));
    for (size_t i = 0; i < staged->count; i++)
        TRY(db_exec(db, SQL_RETAIN_STAGED_DELETE, PARAMS(P_INT(staged->ids[i])), NULL, err));
    return ERR_NONE;
}

enum err_code retention_step_observations(struct db *db, struct retention_step *step,
                                          struct err *err)
{
    int64_t parts;

    TRY(step_chunks(db, step, &step->gone, err));
    if (step->gone == 0)
        TRY(step_staged(db, step, &step->gone, err));
    step->more = step->gone > 0;
    if (step->more)
        return retention_whole_since(db, step->cutoffs.observations_ms, err);
    /* Partitions of days that are empty now. */
    return chunk_drop(db, step->cutoffs.observations_ms, 1, &parts, err);
}
