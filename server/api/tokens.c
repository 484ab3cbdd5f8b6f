/* API tokens, for administrators. A secret is shown once, when it is made. */
#include "api/app.h"
#include "api/auth.h"
#include "api/names.h"
#include "api/rules.h"
#include "base/arena.h"
#include "base/clock.h"
#include "gen/routes.h"
#include "store/token.h"
#include "store/writer.h"

static const char *const TOKEN_ROLES[] = {"ingest", "read", "triage", "admin", "notify", NULL};
enum { TOKEN_ROLE_FIRST = ROLE_INGEST };

enum err_code list_tokens(struct request *req, struct reply *reply, struct err *err)
{
    struct token_list tokens;
    struct db *db;

    TRY(query_check(req, err));
    TRY(app_db(req, &db, err));
    TRY(token_list(db, req->arena, &tokens, err));
    json_object(&reply->json, NULL);
    json_array(&reply->json, "tokens");
    for (size_t i = 0; i < tokens.count; i++)
        json_row(&reply->json, NULL, TOKEN_FIELDS, &tokens.items[i]);
    json_end(&reply->json);
    json_end(&reply->json);
    return ERR_NONE;
}

struct token_body {
    const char *name;
    int64_t role, expires;
};

static const struct json_rule RULES[] = {
    RULE(struct token_body, name, "name", FIELD_TEXT, .flags = JSON_REQUIRED,
         .length_max = NAME_LENGTH_MAX),
    RULE(struct token_body, role, "role", FIELD_ENUM, .flags = JSON_REQUIRED, .words = TOKEN_ROLES),
    RULE(struct token_body, expires, "expires", FIELD_TIME, .flags = JSON_NULLABLE),
    RULE_END,
};

static enum err_code read_token(struct request *req, struct token_body *ret, struct err *err)
{
    static const char *const TYPES[] = {"application/json", NULL};
    const struct json *root;

    *ret = (struct token_body){.expires = FIELD_NULL_INT};
    TRY(body_json(req, TYPES, &root, err));
    json_read_object(root, RULES, ret, req->arena, "", &req->faults);
    if (ret->name != NULL && !name_is_valid(ret->name))
        json_fault(&req->faults, "/name", "is not a name: a-z 0-9 . _ - of at most 64");
    if (ret->expires != FIELD_NULL_INT && ret->expires <= clock_now_ms())
        json_fault(&req->faults, "/expires", "is over already");
    ret->role += TOKEN_ROLE_FIRST;
    return query_check(req, err);
}

enum err_code create_token(struct request *req, struct reply *reply, struct err *err)
{
    struct token_create_job job = {.actor = req->actor, .now_ms = clock_now_ms()};
    struct token_body body;
    const char *secret;

    TRY(read_token(req, &body, err));
    secret = auth_secret_new(req->arena, TOKEN_PREFIX, job.digest);
    job.name = body.name;
    job.role = body.role;
    job.prefix = arena_strndup(req->arena, secret, TOKEN_SHOWN_LENGTH);
    job.expires_ms = body.expires;
    TRY(writer_run(app_of(req)->writer, token_create_job_run, &job, err));
    reply->status = 201;
    json_object(&reply->json, NULL);
    json_int(&reply->json, "id", job.id);
    json_text(&reply->json, "name", body.name);
    json_text(&reply->json, "role", ROLE_WORDS[body.role]);
    json_text(&reply->json, "secret", secret);
    json_time(&reply->json, "expires", body.expires);
    json_end(&reply->json);
    return ERR_NONE;
}

enum err_code revoke_token(struct request *req, struct reply *reply, struct err *err)
{
    struct token_revoke_job job = {.actor = req->actor, .now_ms = clock_now_ms()};

    TRY(path_int(req, "id", &job.id, err));
    TRY(query_check(req, err));
    if (job.id <= 0) /* 0 would ask by name */
        return err_set(err, ERR_NOT_FOUND, "there is no such token");
    TRY(writer_run(app_of(req)->writer, token_revoke_job_run, &job, err));
    reply->status = 204;
    return ERR_NONE;
}
