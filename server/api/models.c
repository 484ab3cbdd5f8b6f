/* GET /api/v1/models and /api/v1/models/{id} */
#include <math.h>
#include <string.h>

#include "api/app.h"
#include "api/model_view.h"
#include "base/clock.h"
#include "gen/routes.h"
#include "store/drift.h"
#include "store/model_day.h"
#include "store/model_life.h"
#include "store/model_row.h"
#include "store/rollup.h"
#include "store/window.h"

enum { MODEL_DIFFERENCES = 100, MODEL_DRIFT_DAYS = 7, MODEL_DAYS = 14 };

static void write_thresholds(struct json_writer *w, const struct model_row *model)
{
    json_array(w, "thresholds");
    for (size_t i = 0; i < model->spec_count; i++) {
        json_object(w, NULL);
        json_text(w, "spec", model->specs[i].spec);
        json_real(w, "threshold", model->specs[i].threshold);
        json_int(w, "sample_size", model->specs[i].sample_size);
        json_text(w, "rule", WINDOW_RULE_WORDS[model->specs[i].rule.kind]);
        json_real(w, "rule_value",
                  model->specs[i].rule.kind == WINDOW_RULE_NONE ? NAN : model->specs[i].rule.value);
        json_end(w);
    }
    json_end(w);
}

static const char *scored_by(const struct model_row *model)
{
    static const char ENDPOINT[] = "sagemaker:"; /* how a path begins that is an endpoint's name */

    if (model->path == NULL)
        return "outside";
    return strncmp(model->path, ENDPOINT, sizeof ENDPOINT - 1) == 0 ? "endpoint" : "file";
}

void model_view_write(struct json_writer *w, const char *key, const struct model_row *model)
{
    json_object(w, key);
    json_text(w, "id", model->id);
    json_text(w, "detector", model->detector);
    json_time(w, "registered", model->registered);
    json_time(w, "last_used", model->last_used);
    json_text(w, "state", MODEL_STATE_WORDS[model->state]);
    json_time(w, "activated", model->activated);
    json_text(w, "scored_by", scored_by(model));
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
        model_view_write(&reply->json, NULL, &models.items[i]);
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
        json_text(w, "active", row->active);
        json_real(w, "active_score", row->active_score);
        json_real(w, "active_threshold", row->active_threshold);
        json_real(w, "shadow_score", row->shadow_score);
        json_real(w, "shadow_threshold", row->shadow_threshold);
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

static void write_days(struct json_writer *w, const struct model_day_list *list)
{
    json_array(w, "days");
    for (size_t i = 0; i < list->count; i++) {
        const struct model_day *day = &list->items[i];

        json_object(w, NULL);
        json_text(w, "spec", day->spec->spec);
        json_time(w, "day", day->day_ms);
        json_int(w, "observations", day->observations);
        json_int(w, "flagged", day->flagged);
        json_int(w, "findings", day->findings);
        json_real(w, "psi", day->drift.psi);
        json_real(w, "unknown_entities", day->drift.unknown_share);
        json_real(w, "unseen_networks", day->drift.unseen_share);
        json_end(w);
    }
    json_end(w);
}

/* The last days of data, not of the clock: a lake that is read late has not drifted for that. */
static enum err_code read_drift(struct db *db, struct arena *arena, const struct model_row *model,
                                struct json_writer *w, struct err *err)
{
    struct model_day_list days;
    struct drift_list drift;
    int64_t first_ms, last_ms, until_ms, since_ms, tonight_ms;

    TRY(rollup_range(db, &first_ms, &last_ms, err));
    until_ms = last_ms != FIELD_NULL_INT ? last_ms + HOUR_MS : clock_now_ms();
    since_ms = until_ms > MODEL_DRIFT_DAYS * DAY_MS ? until_ms - MODEL_DRIFT_DAYS * DAY_MS : 0;
    TRY(drift_list(db, arena, model, since_ms, until_ms, &drift, err));
    write_drift(w, &drift, since_ms, until_ms);
    tonight_ms = (until_ms + DAY_MS - 1) / DAY_MS * DAY_MS;
    TRY(model_day_list(db, arena, model, tonight_ms - MODEL_DAYS * DAY_MS, tonight_ms, &days, err));
    write_days(w, &days);
    return ERR_NONE;
}

/* What the thresholds of now rest on, and how fine that is. */
static enum err_code write_windows(struct db *db, struct arena *arena,
                                   const struct model_row *model, struct json_writer *w,
                                   struct err *err)
{
    int64_t today_ms = clock_now_ms() / DAY_MS * DAY_MS;

    json_array(w, "windows");
    for (size_t i = 0; i < model->spec_count; i++) {
        struct window window;
        double threshold;
        bool by_window;

        TRY(model_row_threshold(db, arena, model, &model->specs[i], today_ms, &window, &threshold,
                                &by_window, err));
        if (window.days == 0) /* today's is on its way to be one */
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
        json_real(w, "threshold", by_window ? threshold : NAN);
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
    char tag[MODEL_TAG_BYTES];
    int64_t since_ms = 0;
    struct db *db;

    query_time(req, "since", &since_ms);
    TRY(query_check(req, err));
    TRY(app_db(req, &db, err));
    TRY(model_row_get(db, req->arena, id, &model, err));
    TRY(model_tag(db, id, tag, err));
    TRY(comparison_list(db, req->arena, id, since_ms, &comparisons, err));
    TRY(difference_list(db, req->arena, id, MODEL_DIFFERENCES, &differences, err));
    reply_etag(reply, "%s", tag);
    json_object(&reply->json, NULL);
    model_view_write(&reply->json, "model", &model);
    write_comparisons(&reply->json, &comparisons);
    write_differences(&reply->json, &differences);
    TRY(read_drift(db, req->arena, &model, &reply->json, err));
    TRY(write_windows(db, req->arena, &model, &reply->json, err));
    json_end(&reply->json);
    return ERR_NONE;
}
