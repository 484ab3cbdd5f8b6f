/* PATCH /api/v1/models/{id}: who scores, and who is heard beside. */
#include "api/app.h"
#include "api/model_view.h"
#include "api/rules.h"
#include "base/clock.h"
#include "gen/routes.h"
#include "store/model_life.h"
#include "store/model_row.h"
#include "store/writer.h"

static const char *const WANTED_WORDS[] = {"candidate", "shadow", "active",
                                           NULL}; /* MODEL_STATE_WORDS */

struct model_patch {
    int64_t state;
};
static const struct json_rule PATCH_RULES[] = {
    RULE(struct model_patch, state, "state", FIELD_ENUM, .flags = JSON_REQUIRED,
         .words = WANTED_WORDS),
    RULE_END,
};

static enum err_code read_patch(struct request *req, struct model_patch *ret, struct err *err)
{
    static const char *const TYPES[] = {"application/merge-patch+json", NULL};
    const struct json *root;

    TRY(body_json(req, TYPES, &root, err));
    json_read_object(root, PATCH_RULES, ret, req->arena, "", &req->faults);
    return query_check(req, err);
}

static enum err_code check_move(const struct model_row *model, enum model_state state,
                                struct err *err)
{
    if (model->path == NULL)
        return err_set(err, ERR_CONFLICT,
                       "the model %.64s has no file here: it is scored elsewhere", model->id);
    if (model->state == MODEL_ACTIVE && state != MODEL_ACTIVE)
        return err_set(err, ERR_CONFLICT,
                       "the model %.64s is active: activate another one in its place", model->id);
    return ERR_NONE;
}

enum err_code update_model(struct request *req, struct reply *reply, struct err *err)
{
    struct model_patch patch = {.state = MODEL_CANDIDATE};
    struct model_move_job job = {.actor = req->actor, .now_ms = clock_now_ms()};
    struct model_row model;
    char tag[MODEL_TAG_BYTES];
    struct db *db;

    TRY(read_patch(req, &patch, err));
    TRY(app_db(req, &db, err));
    TRY(model_row_get(db, req->arena, path_text(req, "id"), &model, err));
    TRY(model_tag(db, model.id, tag, err));
    TRY(request_if_match(req, tag, err));
    TRY(check_move(&model, (enum model_state)patch.state, err));
    job.id = model.id;
    job.tag = tag;
    job.state = (enum model_state)patch.state;
    if (model.state != patch.state)
        TRY(writer_run(app_of(req)->writer, model_move_job_run, &job, err));
    TRY(model_row_get(db, req->arena, job.id, &model, err));
    TRY(model_tag(db, job.id, tag, err));
    reply_etag(reply, "%s", tag);
    model_view_write(&reply->json, NULL, &model);
    return ERR_NONE;
}
