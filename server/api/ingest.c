/* GET /api/v1/ingest: how the objects get here, for the one who is paged when they do not. */
#include <math.h>

#include "api/app.h"
#include "base/clock.h"
#include "gen/routes.h"
#include "store/arrival_view.h"
#include "store/notice.h"
#include "store/worker_row.h"

static void seconds(struct json_writer *w, const char *key, double ms)
{
    json_real(w, key, isnan(ms) ? NAN : round(ms) / 1000);
}

static void write_quantiles(struct json_writer *w, const struct arrival_lag *lag)
{
    bool known = !isnan(arrival_lag_quantile_ms(lag, 0.5));

    seconds(w, "p50_seconds", arrival_lag_quantile_ms(lag, 0.5));
    seconds(w, "p95_seconds", arrival_lag_quantile_ms(lag, 0.95));
    seconds(w, "max_seconds", known ? (double)lag->max_ms : NAN);
}

static struct arrival_lag sum_from(const struct arrival_lag_list *list, int64_t since_ms)
{
    struct arrival_lag sum = {.hour = since_ms};

    for (size_t i = 0; i < list->count; i++) {
        const struct arrival_lag *at = &list->items[i];

        if (at->hour < since_ms)
            continue;
        sum.stored += at->stored;
        sum.failed += at->failed;
        sum.max_ms = at->max_ms > sum.max_ms ? at->max_ms : sum.max_ms;
        for (int bin = 0; bin < ARRIVAL_LAG_BINS; bin++)
            sum.bins[bin] += at->bins[bin];
    }
    return sum;
}

static void write_period(struct json_writer *w, const char *key,
                         const struct arrival_lag_list *list, int64_t since_ms)
{
    struct arrival_lag sum = sum_from(list, since_ms);

    json_object(w, key);
    json_int(w, "stored", sum.stored);
    json_int(w, "failed", sum.failed);
    write_quantiles(w, &sum);
    json_end(w);
}

static void write_hours(struct json_writer *w, const struct arrival_lag_list *list)
{
    json_array(w, "hours");
    for (size_t i = 0; i < list->count; i++) {
        json_object(w, NULL);
        json_time(w, "time", list->items[i].hour);
        json_int(w, "stored", list->items[i].stored);
        json_int(w, "failed", list->items[i].failed);
        write_quantiles(w, &list->items[i]);
        json_end(w);
    }
    json_end(w);
}

static void write_source(struct json_writer *w, const struct arrival_source *source)
{
    json_object(w, NULL);
    json_text(w, "source", source->source);
    json_int(w, "stored", source->stored);
    json_int(w, "failed", source->failed);
    json_time(w, "last_stored", source->last_stored);
    json_time(w, "newest_object", source->newest_object);
    json_time(w, "newest_event", source->newest_event);
    seconds(w, "lag_seconds", source->lag_ms == FIELD_NULL_INT ? NAN : (double)source->lag_ms);
    if (source->last_error == FIELD_NULL_INT) {
        json_null(w, "last_error");
    } else {
        json_object(w, "last_error");
        json_time(w, "time", source->last_error);
        json_text(w, "code", source->error_code);
        json_text(w, "detail", source->error);
        json_int(w, "object", source->error_object);
        json_end(w);
    }
    json_end(w);
}

static enum err_code write_sources(struct json_writer *w, struct db *db, struct arena *arena,
                                   int64_t since_ms, struct err *err)
{
    struct arrival_source_list list;

    TRY(arrival_sources(db, arena, since_ms, &list, err));
    json_array(w, "sources");
    for (size_t i = 0; i < list.count; i++)
        write_source(w, &list.items[i]);
    json_end(w);
    return ERR_NONE;
}

static enum err_code write_workers(struct json_writer *w, struct db *db, struct arena *arena,
                                   int64_t now_ms, struct err *err)
{
    struct worker_list list;

    TRY(worker_list(db, arena, now_ms - WORKER_SILENT_MS, &list, err));
    json_array(w, "workers");
    for (size_t i = 0; i < list.count; i++)
        json_row(w, NULL, WORKER_FIELDS, &list.items[i]);
    json_end(w);
    return ERR_NONE;
}

static enum err_code write_notices(struct json_writer *w, struct db *db, struct err *err)
{
    struct notice_counts counts;

    TRY(notice_count(db, &counts, err));
    json_object(w, "notices");
    json_int(w, "waiting", counts.waiting);
    json_int(w, "in_hand", counts.in_hand);
    json_int(w, "dead", counts.dead);
    json_time(w, "oldest", counts.oldest);
    json_end(w);
    return ERR_NONE;
}

enum err_code get_ingest(struct request *req, struct reply *reply, struct err *err)
{
    struct json_writer *w = &reply->json;
    int64_t now_ms = clock_now_ms(), hour_ms = now_ms - now_ms % HOUR_MS;
    struct arrival_lag_list list;
    const char *source = NULL;
    struct db *db;

    query_text(req, "source", ARRIVAL_PLACE_BYTES_MAX - 1, &source);
    TRY(query_check(req, err));
    TRY(app_db(req, &db, err));
    TRY(arrival_lag_series(db, req->arena, source,
                           hour_ms - (int64_t)(ARRIVAL_WEEK_HOURS - 1) * HOUR_MS, hour_ms + HOUR_MS,
                           &list, err));
    json_object(w, NULL);
    json_time(w, "now", now_ms);
    write_period(w, "last_hours", &list, hour_ms - HOUR_MS);
    write_period(w, "day", &list, hour_ms - (int64_t)23 * HOUR_MS);
    write_period(w, "week", &list, 0);
    write_hours(w, &list);
    TRY(write_sources(w, db, req->arena, hour_ms - (int64_t)23 * HOUR_MS, err));
    TRY(write_notices(w, db, err));
    TRY(write_workers(w, db, req->arena, now_ms, err));
    json_end(w);
    return ERR_NONE;
}

enum err_code list_ingest_gaps(struct request *req, struct reply *reply, struct err *err)
{
    struct json_writer *w = &reply->json;
    struct arrival_gap_list list;
    struct db *db;

    TRY(query_check(req, err));
    TRY(app_db(req, &db, err));
    TRY(arrival_gaps(db, req->arena, clock_now_ms(), &list, err));
    json_object(w, NULL);
    json_time(w, "since", list.since_ms);
    json_time(w, "until", list.until_ms);
    json_array(w, "gaps");
    for (size_t i = 0; i < list.count; i++) {
        const struct arrival_gap *gap = &list.items[i];

        json_object(w, NULL);
        json_text(w, "source", gap->source);
        json_text(w, "region", gap->region);
        json_text(w, "account", gap->account);
        json_time(w, "since", gap->since_ms);
        json_time(w, "until", gap->until_ms);
        json_int(w, "hours", (gap->until_ms - gap->since_ms) / HOUR_MS);
        json_end(w);
    }
    json_end(w);
    json_int(w, "total", list.gaps);
    json_int(w, "hours", list.hours);
    json_bool(w, "complete", !list.more);
    json_end(w);
    return ERR_NONE;
}
