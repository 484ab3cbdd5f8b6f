/* Folding: the hours of a day are added to the row of its first hour, spec by spec. */
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "store/db.h"
#include "store/retention_parts.h"
#include "store/rollup.h"

enum { FOLD_ARENA_BYTES = 256 << 20, HISTOGRAM_BYTES = 4 * ROLLUP_BINS };
enum { FOLD_ROWS_MAX = 24 * 4096 }; /* hours, specs and models of a day */

struct folded_row {
    int64_t spec, model, observations, events, flagged, unknown_entities, unseen_networks;
    struct blob histogram;
};
static const struct field FOLDED_FIELDS[] = {
    FIELD(struct folded_row, spec, FIELD_INT, .flags = 0),
    FIELD(struct folded_row, model, FIELD_INT, .flags = 0),
    FIELD(struct folded_row, observations, FIELD_INT, .flags = 0),
    FIELD(struct folded_row, events, FIELD_INT, .flags = 0),
    FIELD(struct folded_row, flagged, FIELD_INT, .flags = 0),
    FIELD(struct folded_row, unknown_entities, FIELD_INT, .flags = 0),
    FIELD(struct folded_row, unseen_networks, FIELD_INT, .flags = 0),
    FIELD(struct folded_row, histogram, FIELD_BLOB, .flags = 0),
    FIELD_END,
};
static const struct field SUM_FIELDS[] = {
    FIELD(struct retention_rollups, rows, FIELD_INT, .flags = 0),
    FIELD(struct retention_rollups, observations, FIELD_INT, .flags = 0),
    FIELD(struct retention_rollups, flagged, FIELD_INT, .flags = 0),
    FIELD(struct retention_rollups, first, FIELD_INT, .flags = 0),
    FIELD_END,
};

enum err_code retention_rollups(struct db *db, int64_t before_ms, struct retention_rollups *ret,
                                struct err *err)
{
    return db_row(db, SQL_RETAIN_ROLLUP_SUM, PARAMS(P_INT(before_ms)), SUM_FIELDS, NULL, ret, err);
}

static enum err_code add_row(struct db *db, int64_t day_ms, const struct folded_row *row,
                             struct err *err)
{
    struct rollup_row to = {
        .key = {day_ms, row->spec, row->model},
        .observations = row->observations,
        .events = row->events,
        .flagged = row->flagged,
        .unknown_entities = row->unknown_entities,
        .unseen_networks = row->unseen_networks,
    };
    const uint8_t *bytes = row->histogram.bytes;

    if (row->histogram.length != HISTOGRAM_BYTES)
        return err_set(err, ERR_CORRUPT, "a histogram in the database has %zu bytes instead of %d",
                       row->histogram.length, HISTOGRAM_BYTES);
    for (int i = 0; i < ROLLUP_BINS; i++, bytes += 4)
        to.bins[i] = bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                     (uint32_t)bytes[3] << 24;
    return rollup_add(db, &to, err);
}

static enum err_code read_hours(struct db *db, struct arena *arena, int64_t day_ms,
                                struct folded_row *ret, size_t *ret_count, struct err *err)
{
    AUTO(query_done) struct query q = {0};

    *ret_count = 0;
    TRY(db_query(db, SQL_RETAIN_HOURS_OF, PARAMS(P_INT(day_ms), P_INT(day_ms + DAY_MS)), &q, err));
    while (*ret_count < FOLD_ROWS_MAX && query_next(&q, FOLDED_FIELDS, arena, &ret[*ret_count]))
        ++*ret_count;
    if (*ret_count == FOLD_ROWS_MAX)
        return err_set(err, ERR_TOO_LARGE, "a day has more than %d rollups", FOLD_ROWS_MAX);
    return query_end(&q, err);
}

enum err_code retention_fold_day(struct db *db, int64_t day_ms, int64_t *ret_gone, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct folded_row *rows;
    size_t count;

    arena_init(&arena, FOLD_ARENA_BYTES);
    rows = ARENA_ARRAY(&arena, struct folded_row, FOLD_ROWS_MAX);
    TRY(read_hours(db, &arena, day_ms, rows, &count, err));
    for (size_t i = 0; i < count; i++)
        TRY(add_row(db, day_ms, &rows[i], err));
    return db_exec(db, SQL_RETAIN_HOURS, PARAMS(P_INT(day_ms), P_INT(day_ms + DAY_MS)), ret_gone,
                   err);
}
