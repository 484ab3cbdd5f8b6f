#include "store/arrival_view.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "store/db.h"

enum {
    WINDOW_HOURS =
        2 * ARRIVAL_WEEK_HOURS + 1, /* the week judged, the one before, the newest hour */
    SERIES_ARENA_BYTES_MAX = 1 << 20,
};

#define BIN(i)                                                                                     \
    {                                                                                              \
        .name = "bin_" #i, .type = FIELD_INT, .offset = offsetof(struct arrival_lag, bins[i])      \
    }
static const struct field LAG_FIELDS[] = {
    FIELD(struct arrival_lag, hour, FIELD_INT, .flags = 0),
    FIELD(struct arrival_lag, stored, FIELD_INT, .flags = 0),
    FIELD(struct arrival_lag, failed, FIELD_INT, .flags = 0),
    FIELD(struct arrival_lag, max_ms, FIELD_INT, .flags = 0),
    BIN(0),
    BIN(1),
    BIN(2),
    BIN(3),
    BIN(4),
    BIN(5),
    BIN(6),
    BIN(7),
    BIN(8),
    BIN(9),
    FIELD_END,
};
static const struct field SOURCE_FIELDS[] = {
    FIELD(struct arrival_source, source, FIELD_TEXT, .flags = 0),
    FIELD(struct arrival_source, stored, FIELD_INT, .flags = 0),
    FIELD(struct arrival_source, failed, FIELD_INT, .flags = 0),
    FIELD(struct arrival_source, last_stored, FIELD_INT, .flags = FIELD_NULLABLE),
    FIELD(struct arrival_source, newest_object, FIELD_INT, .flags = FIELD_NULLABLE),
    FIELD(struct arrival_source, newest_event, FIELD_INT, .flags = FIELD_NULLABLE),
    FIELD(struct arrival_source, lag_ms, FIELD_INT, .flags = FIELD_NULLABLE),
    FIELD(struct arrival_source, last_error, FIELD_INT, .flags = FIELD_NULLABLE),
    FIELD(struct arrival_source, error_code, FIELD_TEXT, .flags = FIELD_NULLABLE),
    FIELD(struct arrival_source, error, FIELD_TEXT, .flags = FIELD_NULLABLE),
    FIELD(struct arrival_source, error_object, FIELD_INT, .flags = FIELD_NULLABLE),
    FIELD_END,
};
struct hour_row {
    const char *source, *region, *account;
    int64_t hour;
};
static const struct field HOUR_FIELDS[] = {
    FIELD(struct hour_row, source, FIELD_TEXT, .flags = 0),
    FIELD(struct hour_row, region, FIELD_TEXT, .flags = 0),
    FIELD(struct hour_row, account, FIELD_TEXT, .flags = 0),
    FIELD(struct hour_row, hour, FIELD_INT, .flags = 0),
    FIELD_END,
};
static const struct field COUNTER_FIELDS[] = {
    FIELD(struct counter, name, FIELD_TEXT, .flags = 0),
    FIELD(struct counter, value, FIELD_INT, .flags = 0),
    FIELD_END,
};

double arrival_lag_quantile_ms(const struct arrival_lag *lag, double q)
{
    double all = 0, below = 0, wanted;

    for (int i = 0; i < ARRIVAL_LAG_BINS; i++)
        all += (double)lag->bins[i];
    if (all == 0)
        return NAN;
    wanted = q * all;
    for (int i = 0;; i++) {
        double low = i > 0 ? (double)ARRIVAL_LAG_BOUNDS_S[i - 1] * 1000 : 0;
        double high =
            i < ARRIVAL_LAG_BINS - 1 ? (double)ARRIVAL_LAG_BOUNDS_S[i] * 1000 : (double)lag->max_ms;
        double here = (double)lag->bins[i];

        if (here > 0 && (below + here >= wanted || i == ARRIVAL_LAG_BINS - 1))
            return fmin(low + (high - low) * (wanted - below) / here, (double)lag->max_ms);
        below += here;
        if (i == ARRIVAL_LAG_BINS - 1)
            return (double)lag->max_ms;
    }
}

enum err_code arrival_lag_series(struct db *db, struct arena *arena, const char *source,
                                 int64_t since_ms, int64_t until_ms, struct arrival_lag_list *ret,
                                 struct err *err)
{
    AUTO(query_done) struct query q = {0};
    size_t room = (size_t)((until_ms - since_ms) / HOUR_MS) + 2;

    *ret = (struct arrival_lag_list){.items = ARENA_ARRAY(arena, struct arrival_lag, room)};
    TRY(db_query(db, SQL_ARRIVAL_LAG_SERIES,
                 PARAMS(P_INT(since_ms), P_INT(until_ms), P_TEXT(source)), &q, err));
    while (ret->count < room && query_next(&q, LAG_FIELDS, arena, &ret->items[ret->count]))
        ret->count++;
    return query_end(&q, err);
}

enum err_code arrival_sources(struct db *db, struct arena *arena, int64_t since_ms,
                              struct arrival_source_list *ret, struct err *err)
{
    AUTO(query_done) struct query q = {0};

    *ret = (struct arrival_source_list){
        .items = ARENA_ARRAY(arena, struct arrival_source, ARRIVAL_SOURCES_MAX)};
    TRY(db_query(db, SQL_ARRIVAL_SOURCES, PARAMS(P_INT(since_ms), P_INT(ARRIVAL_SOURCES_MAX)), &q,
                 err));
    while (ret->count < ARRIVAL_SOURCES_MAX &&
           query_next(&q, SOURCE_FIELDS, arena, &ret->items[ret->count]))
        ret->count++;
    return query_end(&q, err);
}

/* One source, region and account, hour by hour. */
struct series {
    char source[ARRIVAL_PLACE_BYTES_MAX], region[ARRIVAL_PLACE_BYTES_MAX],
        account[ARRIVAL_PLACE_BYTES_MAX];
    bool open;
    bool has[WINDOW_HOURS];
};

static bool is_missing(const struct series *series, int hour)
{
    if (series->has[hour])
        return false;
    return (series->has[hour - 1] && series->has[hour + 1]) ||
           series->has[hour - ARRIVAL_WEEK_HOURS];
}

static void add_gap(struct arrival_gap_list *list, struct arena *arena, const struct series *series,
                    int from, int to)
{
    int64_t begin_ms = list->since_ms - (int64_t)ARRIVAL_WEEK_HOURS * HOUR_MS;

    list->gaps++;
    list->hours += to - from;
    if (list->count == ARRIVAL_GAPS_MAX)
        return;
    list->items[list->count++] = (struct arrival_gap){
        .source = arena_strdup(arena, series->source),
        .region = arena_strdup(arena, series->region),
        .account = arena_strdup(arena, series->account),
        .since_ms = begin_ms + (int64_t)from * HOUR_MS,
        .until_ms = begin_ms + (int64_t)to * HOUR_MS,
    };
}

/* Judges a series that is complete. */
static void close_series(struct arrival_gap_list *list, struct arena *arena, struct series *series)
{
    int from = -1;

    for (int hour = ARRIVAL_WEEK_HOURS; series->open && hour < WINDOW_HOURS; hour++) {
        bool missing = hour < WINDOW_HOURS - 1 && is_missing(series, hour);

        if (missing && from < 0)
            from = hour;
        if (!missing && from >= 0) {
            add_gap(list, arena, series, from, hour);
            from = -1;
        }
    }
    *series = (struct series){.open = false};
}

static bool is_same(const struct series *series, const struct hour_row *row)
{
    return series->open && strcmp(series->source, row->source) == 0 &&
           strcmp(series->region, row->region) == 0 && strcmp(series->account, row->account) == 0;
}

static void copy_place(char ret[static ARRIVAL_PLACE_BYTES_MAX], const char *text)
{
    size_t length = strnlen(text, ARRIVAL_PLACE_BYTES_MAX - 1);

    (void)memcpy(ret, text, length);
    ret[length] = '\0';
}

static enum err_code read_series(struct db *db, struct arena *arena, struct arrival_gap_list *list,
                                 struct err *err)
{
    AUTO(arena_done) struct arena own = {0};
    AUTO(query_done) struct query q = {0};
    struct series series = {.open = false};
    int64_t begin_ms = list->since_ms - (int64_t)ARRIVAL_WEEK_HOURS * HOUR_MS, rows = 0;
    struct hour_row row;

    arena_init(&own, SERIES_ARENA_BYTES_MAX);
    TRY(db_query(db, SQL_ARRIVAL_HOURS,
                 PARAMS(P_INT(begin_ms), P_INT(list->until_ms), P_INT(ARRIVAL_GAP_ROWS_MAX)), &q,
                 err));
    for (; query_next(&q, HOUR_FIELDS, &own, &row); rows++) {
        if (!is_same(&series, &row)) {
            close_series(list, arena, &series);
            series.open = true;
            copy_place(series.source, row.source);
            copy_place(series.region, row.region);
            copy_place(series.account, row.account);
        }
        series.has[(row.hour - begin_ms) / HOUR_MS] = true;
        arena_reset(&own);
    }
    TRY(query_end(&q, err));
    list->more = rows == ARRIVAL_GAP_ROWS_MAX;
    if (!list->more) /* otherwise its end is not known */
        close_series(list, arena, &series);
    return ERR_NONE;
}

enum err_code arrival_gaps(struct db *db, struct arena *arena, int64_t now_ms,
                           struct arrival_gap_list *ret, struct err *err)
{
    enum err_code code;

    *ret = (struct arrival_gap_list){.items =
                                         ARENA_ARRAY(arena, struct arrival_gap, ARRIVAL_GAPS_MAX)};
    code = db_int(db, SQL_ARRIVAL_HOUR_NEWEST, PARAMS(P_INT(now_ms)), &ret->until_ms, err);
    if (code == ERR_NOT_FOUND) {
        ret->since_ms = ret->until_ms = now_ms - now_ms % HOUR_MS;
        return ERR_NONE;
    }
    TRY(code);
    ret->since_ms = ret->until_ms - (int64_t)ARRIVAL_WEEK_HOURS * HOUR_MS;
    return read_series(db, arena, ret, err);
}

enum err_code counter_list(struct db *db, struct arena *arena, struct counter_list *ret,
                           struct err *err)
{
    AUTO(query_done) struct query q = {0};

    *ret = (struct counter_list){.items = ARENA_ARRAY(arena, struct counter, COUNTERS_MAX)};
    TRY(db_query(db, SQL_COUNTER_LIST, PARAMS(P_INT(COUNTERS_MAX)), &q, err));
    while (ret->count < COUNTERS_MAX &&
           query_next(&q, COUNTER_FIELDS, arena, &ret->items[ret->count]))
        ret->count++;
    return query_end(&q, err);
}
