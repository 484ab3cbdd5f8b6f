/* GET /api/v1/models */
#include "api/app.h"
#include "gen/routes.h"
#include "store/model_row.h"

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

static void write_model(struct json_writer *w, const struct model_row *model)
{
    json_object(w, NULL);
    json_text(w, "id", model->id);
    json_text(w, "detector", model->detector);
    json_time(w, "registered", model->registered);
    json_time(w, "last_used", model->last_used);
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
        write_model(&reply->json, &models.items[i]);
    json_end(&reply->json);
    json_end(&reply->json);
    return ERR_NONE;
}
