#include "store/observation_chunk.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "store/db.h"
#include "store/pair_run.h"
#include "store/staged.h"

/* Rows of the chunks that are merged, or of those that are packed, with their bytes. */
#define CHUNK_ARENA_BYTES_MAX ((size_t)256 << 20)

static int64_t day_of(int64_t ms)
{
    return ms - ms % DAY_MS;
}

/* ---- writing ---- */

static enum err_code insert_chunk(struct db *db, const struct observation *const *rows,
                                  size_t count, struct str *body, struct err *err)
{
    int64_t first_ms = rows[0]->first_ms, day_ms = day_of(rows[0]->last_ms);

    for (size_t i = 1; i < count; i++)
        if (rows[i]->first_ms < first_ms)
            first_ms = rows[i]->first_ms;
    str_clear(body);
    chunk_encode(rows, count, body);
    TRY(str_check(body, "a chunk of observations", err));
    TRY(db_exec(db, SQL_CHUNK_INSERT,
                PARAMS(P_INT(day_ms), P_INT((int64_t)count), P_INT(rows[0]->entity_id),
                       P_INT(rows[count - 1]->entity_id), P_INT(first_ms), P_BLOB("", 0),
                       P_BLOB(body->text, body->length)),
                NULL, err));
    return pair_source_add(db, rows, count, day_ms, err);
}

/* Sorted rows of one day, as chunks of about the same size: small ones, of which a look-up reads
 * the one that may hold its pair. */
static enum err_code insert_day(struct db *db, const struct observation *const *rows, size_t count,
                                struct err *err)
{
    AUTO(str_done) struct str body = {0};
    size_t chunks = (count + CHUNK_PACKED_ROWS - 1) / CHUNK_PACKED_ROWS;

    str_init(&body, CHUNK_BYTES_MAX);
    for (size_t i = 0; i < chunks; i++) {
        size_t from = count * i / chunks, to = count * (i + 1) / chunks;

        TRY(insert_chunk(db, rows + from, to - from, &body, err));
    }
    return ERR_NONE;
}

static const struct observation *const *readable(struct observation **rows)
{
    return (const struct observation *const *)rows;
}

struct body_row {
    struct blob body;
};
static const struct field BODY_FIELDS[] = {
    FIELD(struct body_row, body, FIELD_BLOB, .flags = 0),
    FIELD_END,
};

enum err_code chunk_read(struct db *db, struct arena *arena, const struct chunk_place *place,
                         struct chunk *ret, struct err *err)
{
    struct body_row row;

    ret->id = place->id;
    TRY(db_row(db, SQL_CHUNK_BODY, PARAMS(P_INT(place->id), P_INT(place->day_ms)), BODY_FIELDS,
               arena, &row, err));
    if (chunk_decode(row.body.bytes, row.body.length, arena, &ret->rows, &ret->count, err) !=
        ERR_NONE)
        return err_prefix(err, "observation_chunk %lld", (long long)place->id);
    return ERR_NONE;
}

static const struct field PLACE_FIELDS[] = {
    FIELD(struct chunk_place, id, FIELD_INT, .flags = 0),
    FIELD(struct chunk_place, day_ms, FIELD_INT, .flags = 0),
    FIELD_END,
};

static enum err_code store_day(struct db *db, struct observation **rows, size_t count,
                               struct err *err)
{
    int64_t day_ms = day_of(rows[0]->last_ms);

    TRY(db_exec(db, SQL_CHUNK_DAY, PARAMS(P_INT(day_ms)), NULL, err));
    return insert_day(db, readable(rows), count, err);
}

enum err_code chunk_store(struct db *db, struct observation **rows, size_t count, size_t rows_min,
                          size_t *ret_left, struct err *err)
{
    size_t end;

    *ret_left = 0;
    observation_sort(rows, count);
    for (size_t i = 0; i < count; i = end) {
        int64_t day_ms = day_of(rows[i]->last_ms);

        for (end = i + 1; end < count && day_of(rows[end]->last_ms) == day_ms;)
            end++;
        if (end - i >= rows_min) {
            TRY(store_day(db, rows + i, end - i, err));
            continue;
        }
        for (size_t n = i; n < end; n++)
            rows[(*ret_left)++] = rows[n];
    }
    return ERR_NONE;
}

/* ---- what gathered in the table ---- */

/* *last_id: where to begin after, then the id of the last row read. */
static enum err_code read_staged(struct db *db, struct arena *arena, struct observation **ret,
                                 size_t *ret_count, int64_t *last_id, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    struct observation *rows = ARENA_ARRAY(arena, struct observation, CHUNK_STAGED_ROWS);
    struct staged_row row;

    *ret_count = 0;
    TRY(db_query(db, SQL_OBSERVATION_TO_PACK, PARAMS(P_INT(*last_id), P_INT(CHUNK_STAGED_ROWS)), &q,
                 err));
    while (*ret_count < CHUNK_STAGED_ROWS && query_next(&q, STAGED_FIELDS, arena, &row)) {
        rows[*ret_count] = staged_observation(&row);
        ret[*ret_count] = &rows[*ret_count];
        ++*ret_count;
        *last_id = row.id;
    }
    return query_end(&q, err);
}

enum err_code chunk_before_rows(struct db *db, struct err *err)
{
    return db_exec(db, SQL_OBSERVATION_PACKED_CHECK, PARAMS(P_TEXT(OBSERVATIONS_PACKED)), NULL,
                   err);
}

enum err_code chunk_pack(struct db *db, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct observation **rows;
    int64_t staged, from, to;
    size_t count, left;

    TRY(db_int(db, SQL_OBSERVATION_STAGED, PARAMS(P_TEXT(OBSERVATIONS_PACKED)), &staged, err));
    if (staged < CHUNK_STAGED_ROWS)
        return ERR_NONE;
    arena_init(&arena, CHUNK_ARENA_BYTES_MAX);
    TRY(db_int(db, SQL_COUNTER_GET, PARAMS(P_TEXT(OBSERVATIONS_PACKED)), &from, err));
    rows = ARENA_ARRAY(&arena, struct observation *, CHUNK_STAGED_ROWS);
    to = from;
    TRY(read_staged(db, &arena, rows, &count, &to, err));
    if (count < CHUNK_STAGED_ROWS)
        to = from + staged; /* what is left are flagged ones */
    if (count > 0) {
        TRY(chunk_store(db, rows, count, 1, &left, err));
        TRY(db_exec(db, SQL_OBSERVATION_PACKED, PARAMS(P_INT(from), P_INT(to)), NULL, err));
    }
    return db_exec(db, SQL_OBSERVATION_PACKED_TO, PARAMS(P_INT(to), P_TEXT(OBSERVATIONS_PACKED)),
                   NULL, err);
}

/* ---- reading ---- */

enum err_code chunk_next(struct db *db, struct arena *arena, int64_t after_id, int64_t since_ms,
                         int64_t until_ms, struct chunk *ret, struct err *err)
{
    struct chunk_place place;
    enum err_code code = db_row(db, SQL_CHUNK_NEXT,
                                PARAMS(P_INT(after_id), P_INT(day_of(since_ms)), P_INT(until_ms)),
                                PLACE_FIELDS, arena, &place, err);

    *ret = (struct chunk){.id = 0};
    if (code == ERR_NOT_FOUND)
        return ERR_NONE;
    TRY(code);
    return chunk_read(db, arena, &place, ret, err);
}

enum err_code chunk_delete(struct db *db, const struct chunk_place *place, struct err *err)
{
    TRY(pair_source_delete(db, place->id, err));
    return db_exec(db, SQL_CHUNK_DELETE, PARAMS(P_INT(place->id), P_INT(place->day_ms)), NULL, err);
}

enum err_code chunk_drop(struct db *db, int64_t before_ms, int64_t limit, int64_t *ret_gone,
                         struct err *err)
{
    TRY(pair_drop(db, day_of(before_ms), err));
    return db_exec(db, SQL_CHUNK_DROP, PARAMS(P_INT(day_of(before_ms)), P_INT(limit)), ret_gone,
                   err);
}
