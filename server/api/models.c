/* GET /api/v1/models and /api/v1/models/{id} */
#include <math.h>

#include "api/app.h"
#include "base/clock.h"
#include "gen/routes.h"
#include "store/drift.h"
#include "store/model_life.h"
#include "store/model_row.h"
#include "store/rollup.h"
#include "store/window.h"

enum { MODEL_DIFFERENCES = 100, MODEL_DRIFT_MS = 7 * DAY_MS };

static void write_thresholds(struct json_writer *w, const struct model_row *model)
{
    json_array(w, "thresholds");
    for (size_t i = 0; i < model->spec_count; i++) {
        json_object(w, NULL);
        json_text(w, "spec", model->specs[i].spec);
        json_real(w, "threshold", model->specs[i].threshold);
        json_int(w, "sample_size", model->specs[i].sample_size);
        json_end(w);
    }
    json_end(w);
}

static void write_model(struct json_writer *w, const char *key, const struct model_row *model)
{
    json_object(w, key);
    json_text(w, "id", model->id);
    json_text(w, "detector", model->detector);
    json_time(w, "registered", model->registered);
    json_time(w, "last_used", model->last_used);
    json_text(w, "state", MODEL_STATE_WORDS[model->state]);
    json_time(w, "activated", model->activated);
    write_thresholds(w, model);
    json_raw(w, "info", model->info);
    json_end(w);
}

enum err_code list_models(struct request *req, struct reply *reply, struct err *err)
{
    struct model_row_list models;
    struct db *db;

    TRY(query_check(req, err));
    TRY(app_db(req, &db, err));
    TRY(model_row_list(db, req->arena, &models, err));
    json_object(&reply->json, NULL);
    json_array(&reply->json, "models");
    for (size_t i = 0; i < models.count; i++)
        write_model(&reply->json, NULL, &models.items[i]);
    json_end(&reply->json);
    json_end(&reply->json);
    return ERR_NONE;
}

static void write_comparisons(struct json_writer *w, const struct comparison_list *list)
{
    json_array(w, "comparisons");
    for (size_t i = 0; i < list->count; i++) {
        const struct comparison_sum *sum = &list->items[i];

        json_object(w, NULL);
        json_text(w, "spec", sum->spec);
        json_text(w, "active", sum->active);
        json_text(w, "shadow", sum->shadow);
        json_time(w, "first_day", sum->first_day);
        json_time(w, "last_day", sum->last_day);
        json_int(w, "pairs", sum->pairs);
        json_int(w, "both", sum->by_both);
        json_int(w, "only_active", sum->only_active);
        json_int(w, "only_shadow", sum->only_shadow);
        json_end(w);
    }
    json_end(w);
}

static void write_differences(struct json_writer *w, const struct difference_list *list)
{
    json_array(w, "differences");
    for (size_t i = 0; i < list->count; i++) {
        const struct difference_row *row = &list->items[i];
        char ip[IP_TEXT_BYTES];

        (void)ip_format(ip, &row->ip);
        json_object(w, NULL);
        json_text(w, "spec", row->spec);
        json_text(w, "entity", row->entity);
        json_text(w, "ip", ip);
        json_time(w, "time", row->time);
        json_real(w, "active_score", row->active_score);
        json_real(w, "shadow_score", row->shadow_score);
        json_text(w, "flagged_by",
                  MODEL_STATE_WORDS[row->shadow_flagged ? MODEL_SHADOW : MODEL_ACTIVE]);
        json_end(w);
    }
    json_end(w);
}

static void write_drift(struct json_writer *w, const struct drift_list *list, int64_t since_ms,
                        int64_t until_ms)
{
    json_array(w, "drift");
    for (size_t i = 0; i < list->count; i++) {
        const struct drift_row *row = &list->items[i];

        json_object(w, NULL);
        json_text(w, "spec", row->spec->spec);
        json_time(w, "since", since_ms);
        json_time(w, "until", until_ms);
        json_int(w, "observations", row->drift.observations);
        json_real(w, "psi", row->drift.psi);
        json_real(w, "unknown_entities", row->drift.unknown_share);
        json_real(w, "unknown_entities_in_training", row->spec->unknown_share);
        json_real(w, "unseen_networks", row->drift.unseen_share);
        json_real(w, "unseen_networks_in_training", row->spec->unseen_share);
        json_end(w);
    }
    json_end(w);
}

/* The last days of data, not of the clock: a lake that is read late has not drifted for that. */
static enum err_code read_drift(struct db *db, struct arena *arena, const struct model_row *model,
                                struct json_writer *w, struct err *err)
{
    struct drift_list drift;
    int64_t first_ms, last_ms, until_ms, since_ms;

    TRY(rollup_range(db, &first_ms, &last_ms, err));
    until_ms = last_ms != FIELD_NULL_INT ? last_ms + HOUR_MS : clock_now_ms();
    since_ms = until_ms > MODEL_DRIFT_MS ? until_ms - MODEL_DRIFT_MS : 0;
    TRY(drift_list(db, arena, model, since_ms, until_ms, &drift, err));
    write_drift(w, &drift, since_ms, until_ms);
    return ERR_NONE;
}

/* What the thresholds of now rest on, and how fine that is. */
static enum err_code write_windows(struct db *db, struct arena *arena,
                                   const struct model_row *model, struct json_writer *w,
                                   struct err *err)
{
    json_array(w, "windows");
    for (size_t i = 0; i < model->spec_count; i++) {
        struct window window;

        TRY(window_read(db, arena, model->id, model->specs[i].spec, INT64_MAX, &window, err));
        if (window.days == 0)
            continue;
        json_object(w, NULL);
        json_text(w, "spec", model->specs[i].spec);
        json_time(w, "first_day", window.first_day_ms);
        json_time(w, "last_day", window.last_day_ms);
        json_int(w, "days", window.days);
        json_int(w, "pairs", (int64_t)window.pairs);
        json_int(w, "sample_size", (int64_t)window.sample_size);
        json_real(w, "finest_percentile", window_percentile(&window, INFINITY));
        json_end(w);
    }
    json_end(w);
    return ERR_NONE;
}

enum err_code get_model(struct request *req, struct reply *reply, struct err *err)
{
    const char *id = path_text(req, "id");
    struct comparison_list comparisons;
    struct difference_list differences;
    struct model_row model;
    struct db *db;

    TRY(query_check(req, err));
    TRY(app_db(req, &db, err));
    TRY(model_row_get(db, req->arena, id, &model, err));
    TRY(comparison_list(db, req->arena, id, 0, &comparisons, err));
    TRY(difference_list(db, req->arena, id, MODEL_DIFFERENCES, &differences, err));
    json_object(&reply->json, NULL);
    write_model(&reply->json, "model", &model);
    write_comparisons(&reply->json, &comparisons);
    write_differences(&reply->json, &differences);
    TRY(read_drift(db, req->arena, &model, &reply->json, err));
    TRY(write_windows(db, req->arena, &model, &reply->json, err));
    json_end(&reply->json);
    return ERR_NONE;
}
