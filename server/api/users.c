/* People who sign in, for administrators. */
#include <string.h>

#include "api/app.h"
#include "api/names.h"
#include "api/passwords.h"
#include "api/rules.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "gen/routes.h"
#include "store/user.h"
#include "store/writer.h"

/* People have no ingest role; by its index the word is the role. */
static const char *const USER_ROLES[] = {"read", "triage", "admin", NULL};
enum { USER_ROLE_FIRST = ROLE_READ };

enum err_code list_users(struct request *req, struct reply *reply, struct err *err)
{
    struct user_list users;
    struct db *db;

    TRY(query_check(req, err));
    TRY(app_db(req, &db, err));
    TRY(user_list(db, req->arena, &users, err));
    json_object(&reply->json, NULL);
    json_array(&reply->json, "users");
    for (size_t i = 0; i < users.count; i++)
        json_row(&reply->json, NULL, USER_FIELDS, &users.items[i]);
    json_end(&reply->json);
    json_end(&reply->json);
    return ERR_NONE;
}

/* Read back on this thread's connection, which sees what was just committed. */
static enum err_code write_user(struct request *req, struct reply *reply, const char *name,
                                struct err *err)
{
    struct user user;
    struct db *db;

    TRY(app_db(req, &db, err));
    TRY(user_by_name(db, req->arena, name, &user, err));
    json_row(&reply->json, NULL, USER_FIELDS, &user);
    return ERR_NONE;
}

struct user_body {
    const char *name, *password;
    int64_t role, disabled;
};

static const struct json_rule NEW_RULES[] = {
    RULE(struct user_body, name, "name", FIELD_TEXT, .flags = JSON_REQUIRED,
         .length_max = NAME_LENGTH_MAX),
    RULE(struct user_body, role, "role", FIELD_ENUM, .flags = JSON_REQUIRED, .words = USER_ROLES),
    RULE(struct user_body, password, "password", FIELD_TEXT, .flags = JSON_REQUIRED,
         .length_max = PASSWORD_BYTES_MAX),
    RULE_END,
};

static const struct json_rule PATCH_RULES[] = {
    RULE(struct user_body, role, "role", FIELD_ENUM, .words = USER_ROLES),
    RULE(struct user_body, password, "password", FIELD_TEXT, .length_max = PASSWORD_BYTES_MAX),
    RULE(struct user_body, disabled, "disabled", FIELD_BOOL, .flags = 0),
    RULE_END,
};

static enum err_code read_user(struct request *req, const char *type, const struct json_rule *rules,
                               struct user_body *ret, struct err *err)
{
    const char *const types[] = {type, NULL};
    const struct json *root;

    *ret = (struct user_body){.role = -1, .disabled = -1};
    TRY(body_json(req, types, &root, err));
    json_read_object(root, rules, ret, req->arena, "", &req->faults);
    if (json_type(root) == JSON_OBJECT && json_count(root) == 0)
        json_fault(&req->faults, "", "names nothing");
    if (ret->name != NULL && !name_is_valid(ret->name))
        json_fault(&req->faults, "/name", "is not a name: a-z 0-9 . _ - of at most 64");
    if (ret->password != NULL && strlen(ret->password) < PASSWORD_BYTES_MIN)
        json_fault(&req->faults, "/password", "is shorter than %d bytes", PASSWORD_BYTES_MIN);
    if (ret->role >= 0)
        ret->role += USER_ROLE_FIRST;
    return query_check(req, err);
}

enum err_code create_user(struct request *req, struct reply *reply, struct err *err)
{
    char hash[PASSWORD_HASH_BYTES];
    struct user_create_job job = {.actor = req->actor, .now_ms = clock_now_ms()};
    struct user_body body;

    TRY(read_user(req, "application/json", NEW_RULES, &body, err));
    TRY(password_make(app_of(req), body.password, hash, err));
    job.name = body.name;
    job.password_hash = hash;
    job.role = body.role;
    job.must_change_password = true; /* somebody else knows it */
    TRY(writer_run(app_of(req)->writer, user_create_job_run, &job, err));
    reply->status = 201;
    return write_user(req, reply, body.name, err);
}

enum err_code update_user(struct request *req, struct reply *reply, struct err *err)
{
    char hash[PASSWORD_HASH_BYTES];
    struct user_update_job job = {
        .actor = req->actor,
        .now_ms = clock_now_ms(),
        .name = path_text(req, "name"),
    };
    struct user_body body;

    TRY(read_user(req, "application/merge-patch+json", PATCH_RULES, &body, err));
    if (body.password != NULL) {
        TRY(password_make(app_of(req), body.password, hash, err));
        job.password_hash = hash;
        job.must_change_password = true;
    }
    job.role = body.role;
    job.disabled = body.disabled;
    TRY(writer_run(app_of(req)->writer, user_update_job_run, &job, err));
    return write_user(req, reply, job.name, err);
}
