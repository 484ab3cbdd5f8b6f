#include "store/arrival.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "store/db.h"
#include "store/ingest.h"

enum { COUNTER_BYTES = 96 };

const int64_t ARRIVAL_LAG_BOUNDS_S[ARRIVAL_LAG_BINS - 1] = {10,  30,   60,   120,  300,
                                                            600, 1800, 3600, 21600};

int arrival_lag_bin(int64_t lag_ms)
{
    int bin = 0;

    while (bin < ARRIVAL_LAG_BINS - 1 && lag_ms > ARRIVAL_LAG_BOUNDS_S[bin] * 1000)
        bin++;
    return bin;
}

/* The segment from text up to "/"; "" when it is empty, ends the key or is longer than a name. */
static void take_segment(const char *text, char ret[static ARRIVAL_PLACE_BYTES_MAX])
{
    size_t length = strcspn(text, "/");

    ret[0] = '\0';
    if (text[length] == '/' && length < ARRIVAL_PLACE_BYTES_MAX && str_is_clean_utf8(text, length))
        (void)snprintf(ret, ARRIVAL_PLACE_BYTES_MAX, "%.*s", (int)length, text);
}

static void take_partition(const char *key, const char *name,
                           char ret[static ARRIVAL_PLACE_BYTES_MAX])
{
    const char *at = strstr(key, name);

    ret[0] = '\0';
    if (at != NULL)
        take_segment(at + strlen(name), ret);
}

void arrival_place_of(const char *key, struct arrival_place *ret)
{
    if (str_starts(key, "aws/") || str_starts(key, "ext/"))
        take_segment(key + 4, ret->source);
    else
        ret->source[0] = '\0';
    take_partition(key, "/region=", ret->region);
    take_partition(key, "/accountId=", ret->account);
}

struct arrival_span arrival_span_of(const struct scored_pair *pairs, size_t count)
{
    struct arrival_span span = {FIELD_NULL_INT, FIELD_NULL_INT, 0};

    for (size_t i = 0; i < count; i++) {
        if (i == 0 || pairs[i].first_ms < span.first_ms)
            span.first_ms = pairs[i].first_ms;
        if (i == 0 || pairs[i].last_ms > span.last_ms)
            span.last_ms = pairs[i].last_ms;
    }
    for (size_t i = 0; i < count; i++) {
        int64_t back = span.last_ms / HOUR_MS - pairs[i].last_ms / HOUR_MS;

        if (back < ARRIVAL_OBJECT_HOURS_MAX)
            span.hours |= UINT64_C(1) << back;
    }
    return span;
}

static enum err_code count(struct db *db, const char *name, uint64_t value, struct err *err)
{
    if (value == 0)
        return ERR_NONE;
    return db_exec(db, SQL_COUNTER_ADD, PARAMS(P_TEXT(name), P_INT((int64_t)value)), NULL, err);
}

static enum err_code count_unscored(struct db *db, const char *text, struct err *err)
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    char name[COUNTER_BYTES];

    TRY(json_parse(text, strlen(text), &doc, err));
    for (const struct json *at = json_first(json_root(doc)); at != NULL; at = json_next(at)) {
        int64_t value = 0;

        if (!json_int_of(at, &value) || value <= 0)
            continue;
        (void)snprintf(name, sizeof name, "unscored_%.32s", json_name(at));
        TRY(count(db, name, (uint64_t)value, err));
    }
    return ERR_NONE;
}

static enum err_code count_lag(struct db *db, int64_t lag_ms, struct err *err)
{
    char name[COUNTER_BYTES];

    (void)snprintf(name, sizeof name, "lag_bin_%d", arrival_lag_bin(lag_ms));
    TRY(count(db, name, 1, err));
    return count(db, "lag_ms", (uint64_t)lag_ms, err);
}

static enum err_code add_lag(struct db *db, const struct arrival *a, int64_t lag_ms,
                             struct err *err)
{
    int64_t bins[ARRIVAL_LAG_BINS] = {0};
    bool failed = a->error_code != NULL;

    if (!failed && lag_ms != FIELD_NULL_INT)
        bins[arrival_lag_bin(lag_ms)] = 1;
    return db_exec(
        db, SQL_ARRIVAL_LAG_ADD,
        PARAMS(P_INT(a->now_ms - a->now_ms % HOUR_MS), P_TEXT(a->place->source), P_INT(!failed),
               P_INT(failed), P_INT(failed || lag_ms == FIELD_NULL_INT ? 0 : lag_ms),
               P_INT(bins[0]), P_INT(bins[1]), P_INT(bins[2]), P_INT(bins[3]), P_INT(bins[4]),
               P_INT(bins[5]), P_INT(bins[6]), P_INT(bins[7]), P_INT(bins[8]), P_INT(bins[9])),
        NULL, err);
}

static enum err_code add_hours(struct db *db, const struct arrival *a, struct err *err)
{
    int64_t last = a->span.last_ms - a->span.last_ms % HOUR_MS;
    int64_t now = last < a->now_ms ? last : a->now_ms; /* a time to come drives nothing out */

    for (int i = 0; i < ARRIVAL_OBJECT_HOURS_MAX; i++)
        if ((a->span.hours >> i & 1) != 0)
            TRY(db_exec(db, SQL_ARRIVAL_HOUR_ADD,
                        PARAMS(P_INT(last - (int64_t)i * HOUR_MS), P_TEXT(a->place->source),
                               P_TEXT(a->place->region), P_TEXT(a->place->account)),
                        NULL, err));
    TRY(db_exec(db, SQL_ARRIVAL_LAG_PURGE,
                PARAMS(P_INT(now - (int64_t)ARRIVAL_HOURS_KEPT_DAYS * DAY_MS)), NULL, err));
    return db_exec(db, SQL_ARRIVAL_HOUR_PURGE,
                   PARAMS(P_INT(now - (int64_t)ARRIVAL_HOURS_KEPT_DAYS * DAY_MS)), NULL, err);
}

static enum err_code add_failed(struct db *db, const struct arrival *a, struct err *err)
{
    TRY(count(db, "objects_failed", 1, err));
    TRY(db_exec(db, SQL_ARRIVAL_SOURCE_FAILED,
                PARAMS(P_TEXT(a->place->source), P_INT(a->now_ms), P_TEXT(a->error_code),
                       P_TEXT(a->error), P_INT(a->object_id)),
                NULL, err));
    return add_lag(db, a, FIELD_NULL_INT, err);
}

enum err_code arrival_add(struct db *db, const struct arrival *a, struct err *err)
{
    int64_t lag_ms = FIELD_NULL_INT;

    if (a->error_code != NULL)
        return add_failed(db, a, err);
    if (a->made_ms > 0)
        lag_ms = a->now_ms > a->made_ms ? a->now_ms - a->made_ms : 0;
    TRY(count(db, "objects_stored", 1, err));
    TRY(count(db, "objects_rows", a->rows, err));
    TRY(count(db, "objects_pairs", a->pairs, err));
    TRY(count(db, "objects_scored", a->scored, err));
    TRY(count_unscored(db, a->unscored_json, err));
    if (lag_ms != FIELD_NULL_INT)
        TRY(count_lag(db, lag_ms, err));
    TRY(db_exec(db, SQL_ARRIVAL_SOURCE_STORED,
                PARAMS(P_TEXT(a->place->source), P_INT(a->now_ms),
                       P_INT_OR_NULL(a->made_ms > 0 ? a->made_ms : FIELD_NULL_INT),
                       P_INT_OR_NULL(a->span.last_ms), P_INT_OR_NULL(lag_ms)),
                NULL, err));
    TRY(add_lag(db, a, lag_ms, err));
    return a->span.last_ms != FIELD_NULL_INT ? add_hours(db, a, err) : ERR_NONE;
}
