#include "store/rollup.h"

#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "store/db.h"

enum { ROLLUP_HISTOGRAM_BYTES = ROLLUP_BINS * 4, ROLLUP_ARENA_BYTES = 1 << 16 };

struct hour_row {
    int64_t time, observations, events, flagged, unknown_entities, unseen_networks;
    struct blob histogram;
};
static const struct field HOUR_FIELDS[] = {
    FIELD(struct hour_row, time, FIELD_TIME, .flags = 0),
    FIELD(struct hour_row, observations, FIELD_INT, .flags = 0),
    FIELD(struct hour_row, events, FIELD_INT, .flags = 0),
    FIELD(struct hour_row, flagged, FIELD_INT, .flags = 0),
    FIELD(struct hour_row, unknown_entities, FIELD_INT, .flags = 0),
    FIELD(struct hour_row, unseen_networks, FIELD_INT, .flags = 0),
    FIELD(struct hour_row, histogram, FIELD_BLOB, .flags = 0),
    FIELD_END,
};
/* The same without the time: what is stored under a key. */
static const struct field STORED_FIELDS[] = {
    FIELD(struct hour_row, observations, FIELD_INT, .flags = 0),
    FIELD(struct hour_row, events, FIELD_INT, .flags = 0),
    FIELD(struct hour_row, flagged, FIELD_INT, .flags = 0),
    FIELD(struct hour_row, unknown_entities, FIELD_INT, .flags = 0),
    FIELD(struct hour_row, unseen_networks, FIELD_INT, .flags = 0),
    FIELD(struct hour_row, histogram, FIELD_BLOB, .flags = 0),
    FIELD_END,
};

int rollup_bin(double score)
{
    double bin = (score - ROLLUP_LOW) / ROLLUP_WIDTH;

    if (!(bin > 0)) /* also for what is not a number */
        return 0;
    return bin < ROLLUP_BINS - 1 ? (int)bin : ROLLUP_BINS - 1;
}

static uint32_t load_count(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void store_count(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

static enum err_code check_histogram(const struct hour_row *row, struct err *err)
{
    if (row->histogram.length == ROLLUP_HISTOGRAM_BYTES)
        return ERR_NONE;
    return err_set(err, ERR_CORRUPT, "a histogram in the database has %zu bytes instead of %d",
                   row->histogram.length, ROLLUP_HISTOGRAM_BYTES);
}

/* Counts stop at the largest 32-bit number instead of starting again at zero. */
static void merge_bins(const uint32_t *add, const struct hour_row *stored,
                       uint8_t ret[static ROLLUP_HISTOGRAM_BYTES])
{
    for (int i = 0; i < ROLLUP_BINS; i++) {
        uint64_t sum = add[i];

        if (stored->histogram.length > 0)
            sum += load_count((const uint8_t *)stored->histogram.bytes + 4 * i);
        store_count(ret + 4 * i, sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX);
    }
}

enum err_code rollup_add(struct db *db, const struct rollup_row *row, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct hour_row stored = {0};
    uint8_t histogram[ROLLUP_HISTOGRAM_BYTES];
    const struct rollup_key *key = &row->key;
    enum err_code code;

    arena_init(&arena, ROLLUP_ARENA_BYTES);
    code = db_row(db, SQL_ROLLUP_GET,
                  PARAMS(P_INT(key->hour_ms), P_INT(key->spec_id), P_INT(key->model_id)),
                  STORED_FIELDS, &arena, &stored, err);
    if (code != ERR_NONE && code != ERR_NOT_FOUND)
        return code;
    if (code == ERR_NONE)
        TRY(check_histogram(&stored, err));
    merge_bins(row->bins, &stored, histogram);
    return db_exec(db, SQL_ROLLUP_PUT,
                   PARAMS(P_INT(key->hour_ms), P_INT(key->spec_id), P_INT(key->model_id),
                          P_INT(stored.observations + row->observations),
                          P_INT(stored.events + row->events), P_INT(stored.flagged + row->flagged),
                          P_INT(stored.unknown_entities + row->unknown_entities),
                          P_INT(stored.unseen_networks + row->unseen_networks),
                          P_BLOB(histogram, sizeof histogram)),
                   NULL, err);
}

static void add_hour(struct rollup *to, const struct hour_row *hour)
{
    to->observations += (uint64_t)hour->observations;
    to->events += (uint64_t)hour->events;
    to->flagged += (uint64_t)hour->flagged;
    to->unknown_entities += (uint64_t)hour->unknown_entities;
    to->unseen_networks += (uint64_t)hour->unseen_networks;
    for (int i = 0; i < ROLLUP_BINS; i++)
        to->bins[i] += load_count((const uint8_t *)hour->histogram.bytes + 4 * i);
}

static enum err_code start_series(struct db *db, const struct rollup_filter *f, struct query *ret,
                                  struct err *err)
{
    return db_query(
        db, SQL_ROLLUP_SERIES,
        PARAMS(P_INT(f->since_ms), P_INT(f->until_ms), P_TEXT(f->spec), P_TEXT(f->model)), ret,
        err);
}

static enum err_code read_series(struct query *q, int64_t bucket_ms, struct rollup_list *ret,
                                 struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct hour_row hour;

    arena_init(&arena, ROLLUP_ARENA_BYTES);
    while (query_next(q, HOUR_FIELDS, &arena, &hour)) {
        int64_t start_ms = hour.time - hour.time % bucket_ms;

        TRY(check_histogram(&hour, err));
        if (ret->count == 0 || ret->items[ret->count - 1].time_ms != start_ms) {
            if (ret->count == ROLLUP_BUCKETS_MAX)
                return err_set(err, ERR_TOO_LARGE, "the period holds more than %d buckets",
                               ROLLUP_BUCKETS_MAX);
            ret->items[ret->count++].time_ms = start_ms;
        }
        add_hour(&ret->items[ret->count - 1], &hour);
        arena_reset(&arena);
    }
    return query_end(q, err);
}

enum err_code rollup_series(struct db *db, struct arena *arena, const struct rollup_filter *filter,
                            int64_t bucket_ms, struct rollup_list *ret, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    int64_t span = (filter->until_ms - filter->since_ms) / bucket_ms + 2;
    size_t room = span < 1 ? 1 : span > ROLLUP_BUCKETS_MAX ? ROLLUP_BUCKETS_MAX : (size_t)span;

    *ret = (struct rollup_list){.items = ARENA_ARRAY(arena, struct rollup, room)};
    if (filter->until_ms <= filter->since_ms)
        return ERR_NONE;
    if (span > ROLLUP_BUCKETS_MAX)
        return err_set(err, ERR_TOO_LARGE, "the period holds more than %d buckets",
                       ROLLUP_BUCKETS_MAX);
    TRY(start_series(db, filter, &q, err));
    return read_series(&q, bucket_ms, ret, err);
}

enum err_code rollup_sum(struct db *db, const struct rollup_filter *filter, struct rollup *ret,
                         struct err *err)
{
    AUTO(query_done) struct query q = {0};
    AUTO(arena_done) struct arena arena = {0};
    struct hour_row hour;

    *ret = (struct rollup){.time_ms = filter->since_ms};
    arena_init(&arena, ROLLUP_ARENA_BYTES);
    TRY(start_series(db, filter, &q, err));
    while (query_next(&q, HOUR_FIELDS, &arena, &hour)) {
        TRY(check_histogram(&hour, err));
        add_hour(ret, &hour);
        arena_reset(&arena);
    }
    return query_end(&q, err);
}

static enum err_code int_or_null(struct db *db, enum sql_id sql, int64_t *ret, struct err *err)
{
    enum err_code code = db_int(db, sql, NO_PARAMS, ret, err);

    if (code != ERR_NOT_FOUND)
        return code;
    *ret = FIELD_NULL_INT;
    return ERR_NONE;
}

enum err_code rollup_range(struct db *db, int64_t *ret_first_ms, int64_t *ret_last_ms,
                           struct err *err)
{
    TRY(int_or_null(db, SQL_ROLLUP_FIRST, ret_first_ms, err));
    return int_or_null(db, SQL_ROLLUP_LAST, ret_last_ms, err);
}

struct name_row {
    const char *name;
};
static const struct field NAME_FIELDS[] = {
    FIELD(struct name_row, name, FIELD_TEXT, .flags = 0),
    FIELD_END,
};

static enum err_code name_or_null(struct db *db, struct arena *arena, enum sql_id sql,
                                  const struct param *params, size_t count, const char **ret,
                                  struct err *err)
{
    struct name_row row = {NULL};
    enum err_code code = db_row(db, sql, params, count, NAME_FIELDS, arena, &row, err);

    *ret = code == ERR_NONE ? row.name : NULL;
    return code == ERR_NOT_FOUND ? ERR_NONE : code;
}

enum err_code rollup_main_spec(struct db *db, struct arena *arena,
                               const struct rollup_filter *filter, const char **ret,
                               struct err *err)
{
    return name_or_null(db, arena, SQL_ROLLUP_MAIN_SPEC,
                        PARAMS(P_INT(filter->since_ms), P_INT(filter->until_ms)), ret, err);
}

enum err_code rollup_last_model(struct db *db, struct arena *arena,
                                const struct rollup_filter *filter, const char **ret,
                                struct err *err)
{
    return name_or_null(
        db, arena, SQL_ROLLUP_LAST_MODEL,
        PARAMS(P_INT(filter->since_ms), P_INT(filter->until_ms), P_TEXT(filter->spec)), ret, err);
}

enum err_code rollup_totals(struct db *db, struct rollup_totals *ret, struct err *err)
{
    TRY(db_int(db, SQL_COUNTER_GET, PARAMS(P_TEXT("observations")), &ret->observations, err));
    return db_int(db, SQL_COUNTER_GET, PARAMS(P_TEXT("flagged")), &ret->flagged, err);
}

enum err_code rollup_totals_add(struct db *db, const struct rollup_totals *add, struct err *err)
{
    TRY(db_exec(db, SQL_COUNTER_ADD, PARAMS(P_TEXT("observations"), P_INT(add->observations)), NULL,
                err));
    return db_exec(db, SQL_COUNTER_ADD, PARAMS(P_TEXT("flagged"), P_INT(add->flagged)), NULL, err);
}
