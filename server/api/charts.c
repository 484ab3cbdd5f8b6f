/* What the dashboard draws from the hourly rollups. Percentiles are interpolated inside bins of
 * ROLLUP_WIDTH (api/bands.h); periods are read in whole hours, so an hour that began before `since`
 * is left out and one that began before `until` is in. */
#include <math.h>

#include "api/app.h"
#include "api/bands.h"
#include "api/names.h"
#include "api/period.h"
#include "base/clock.h"
#include "gen/routes.h"
#include "store/model_row.h"
#include "store/rollup.h"

#define HOURLY_MS_MAX (INT64_C(14) * DAY_MS) /* longer periods are shown by day unless asked */

static const char *const BUCKET_WORDS[] = {"hour", "day", NULL};
enum { BUCKET_UNSET = -1, BUCKET_HOUR, BUCKET_DAY };

static const struct band {
    const char *name;
    double share;
} BANDS[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};

static const char *query_spec(struct request *req)
{
    const char *spec = NULL;

    query_text(req, "spec", SPEC_NAME_LENGTH_MAX, &spec);
    if (spec != NULL && !spec_name_is_valid(spec))
        json_fault(&req->faults, "?spec", "is not a spec's name");
    return spec;
}

static void write_bucket(struct json_writer *w, const struct rollup *rollup)
{
    json_object(w, NULL);
    json_time(w, "time", rollup->time_ms);
    json_int(w, "observations", (int64_t)rollup->observations);
    json_int(w, "flagged", (int64_t)rollup->flagged);
    for (size_t i = 0; i < ARRAY_LEN(BANDS); i++)
        json_real(
            w, BANDS[i].name,
            bands_quantile(rollup->bins, ROLLUP_BINS, ROLLUP_LOW, ROLLUP_WIDTH, BANDS[i].share));
    json_end(w);
}

enum err_code get_timeseries(struct request *req, struct reply *reply, struct err *err)
{
    struct rollup_filter filter = {.spec = query_spec(req)};
    struct json_writer *w = &reply->json;
    struct rollup_list list;
    struct db *db;
    int64_t bucket = BUCKET_UNSET;

    period_read(req, &filter.since_ms, &filter.until_ms);
    query_enum(req, "bucket", BUCKET_WORDS, &bucket);
    TRY(query_check(req, err));
    TRY(app_db(req, &db, err));
    TRY(period_complete(db, &filter.since_ms, &filter.until_ms, err));
    if (bucket == BUCKET_UNSET)
        bucket = filter.until_ms - filter.since_ms <= HOURLY_MS_MAX ? BUCKET_HOUR : BUCKET_DAY;
    TRY(rollup_series(db, req->arena, &filter, bucket == BUCKET_HOUR ? HOUR_MS : DAY_MS, &list,
                      err));
    json_object(w, NULL);
    json_text(w, "bucket", BUCKET_WORDS[bucket]);
    json_time(w, "since", filter.since_ms);
    json_time(w, "until", filter.until_ms);
    json_array(w, "buckets");
    for (size_t i = 0; i < list.count; i++)
        write_bucket(w, &list.items[i]);
    json_end(w);
    json_end(w);
    return ERR_NONE;
}

static void write_bins(struct json_writer *w, const struct rollup *rollup)
{
    size_t first = 0, end = ROLLUP_BINS;

    while (first < end && rollup->bins[first] == 0)
        first++;
    while (end > first && rollup->bins[end - 1] == 0)
        end--;
    json_array(w, "bins");
    for (size_t i = first; i < end; i++) {
        json_object(w, NULL);
        /* What lies below the first bin was counted into it. */
        json_real(w, "low", i > 0 ? ROLLUP_LOW + ROLLUP_WIDTH * (double)i : NAN);
        json_int(w, "count", (int64_t)rollup->bins[i]);
        json_end(w);
    }
    json_end(w);
}

/* Of now; NAN when the model has none for the spec. */
static enum err_code threshold_of(struct request *req, struct db *db,
                                  const struct rollup_filter *filter, double *ret, struct err *err)
{
    int64_t today_ms = clock_now_ms() / DAY_MS * DAY_MS;
    const struct model_spec_row *spec;
    struct model_row model;
    struct window window;
    enum err_code code;
    bool by_window;

    *ret = NAN;
    if (filter->model == NULL || filter->spec == NULL)
        return ERR_NONE;
    code = model_row_get(db, req->arena, filter->model, &model, err);
    if (code == ERR_NOT_FOUND)
        return ERR_NONE;
    TRY(code);
    spec = model_row_spec(&model, filter->spec);
    return spec == NULL ? ERR_NONE
                        : model_row_threshold(db, req->arena, &model, spec, today_ms, &window, ret,
                                              &by_window, err);
}

static enum err_code read_histogram(struct request *req, struct db **ret_db,
                                    struct rollup_filter *ret, struct err *err)
{
    *ret = (struct rollup_filter){.spec = query_spec(req)};
    query_text(req, "model", MODEL_ID_LENGTH_MAX, &ret->model);
    if (ret->model != NULL && !model_id_is_valid(ret->model))
        json_fault(&req->faults, "?model", "is not a model's id");
    period_read(req, &ret->since_ms, &ret->until_ms);
    TRY(query_check(req, err));
    TRY(app_db(req, ret_db, err));
    TRY(period_complete(*ret_db, &ret->since_ms, &ret->until_ms, err));
    if (ret->spec == NULL)
        TRY(rollup_main_spec(*ret_db, req->arena, ret, &ret->spec, err));
    if (ret->model == NULL && ret->spec != NULL)
        TRY(rollup_last_model(*ret_db, req->arena, ret, &ret->model, err));
    return ERR_NONE;
}

enum err_code get_histogram(struct request *req, struct reply *reply, struct err *err)
{
    struct json_writer *w = &reply->json;
    struct rollup_filter filter;
    struct rollup rollup;
    struct db *db;
    double threshold;

    TRY(read_histogram(req, &db, &filter, err));
    TRY(rollup_sum(db, &filter, &rollup, err));
    TRY(threshold_of(req, db, &filter, &threshold, err));
    json_object(w, NULL);
    json_text(w, "spec", filter.spec);
    json_text(w, "model", filter.model);
    json_real(w, "threshold", threshold);
    json_real(w, "width", ROLLUP_WIDTH);
    json_int(w, "observations", (int64_t)rollup.observations);
    json_int(w, "flagged", (int64_t)rollup.flagged);
    write_bins(w, &rollup);
    json_end(w);
    return ERR_NONE;
}
