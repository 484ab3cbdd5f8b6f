/* Signing in and out, one's own password, and who one is. */
#include <string.h>

#include "api/app.h"
#include "api/auth.h"
#include "api/names.h"
#include "api/passwords.h"
#include "api/rules.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/str.h"
#include "gen/routes.h"
#include "http/limiter.h"
#include "http/session.h"
#include "store/session.h"
#include "store/user.h"
#include "store/writer.h"

static const char *const JSON_TYPE[] = {"application/json", NULL};

struct sign_in {
    const char *name, *password;
};

static const struct json_rule SIGN_IN_RULES[] = {
    RULE(struct sign_in, name, "name", FIELD_TEXT, .flags = JSON_REQUIRED,
         .length_max = NAME_LENGTH_MAX),
    RULE(struct sign_in, password, "password", FIELD_TEXT, .flags = JSON_REQUIRED,
         .length_max = PASSWORD_BYTES_MAX),
    RULE_END,
};

struct password_change {
    const char *current, *new_;
};

static const struct json_rule PASSWORD_RULES[] = {
    RULE(struct password_change, current, "current", FIELD_TEXT, .flags = JSON_REQUIRED,
         .length_max = PASSWORD_BYTES_MAX),
    RULE(struct password_change, new_, "new", FIELD_TEXT, .flags = JSON_REQUIRED,
         .length_max = PASSWORD_BYTES_MAX),
    RULE_END,
};

struct caller { /* what GET and POST answer */
    const char *actor, *name, *csrf;
    int64_t role, expires, must_change_password;
};

static void write_caller(struct json_writer *w, const struct caller *caller)
{
    json_object(w, NULL);
    json_text(w, "actor", caller->actor);
    json_text(w, "name", caller->name);
    json_text(w, "role", ROLE_WORDS[caller->role]);
    json_text(w, "csrf_token", caller->csrf);
    json_time(w, "expires", caller->expires);
    json_bool(w, "must_change_password", caller->must_change_password != 0);
    json_end(w);
}

static enum err_code take_attempt(struct request *req, struct reply *reply, const char *name,
                                  struct err *err)
{
    int64_t wait_s = 0;
    enum err_code code = limiter_take(app_of(req)->sign_ins, req->remote, name, &wait_s, err);

    if (code == ERR_RATE)
        reply_retry_after(reply, wait_s);
    return code;
}

/* An unknown and a disabled user take as long to refuse as a wrong password. */
static enum err_code check_user(struct request *req, const struct sign_in *sign_in,
                                struct user *ret, struct err *err)
{
    struct db *db;
    enum err_code code;
    bool known;

    TRY(app_db(req, &db, err));
    code = user_by_name(db, req->arena, sign_in->name, ret, err);
    if (code != ERR_NOT_FOUND)
        TRY(code);
    known = code == ERR_NONE && !ret->disabled;
    return password_check(app_of(req), sign_in->password, known ? ret->password_hash : NULL, err);
}

static enum err_code start_session(struct request *req, struct reply *reply,
                                   const struct user *user, struct caller *ret, struct err *err)
{
    struct session_create_job job = {.user_id = user->id, .now_ms = clock_now_ms()};
    const char *secret = auth_secret_new(req->arena, "", job.digest);

    job.csrf = session_csrf_token(req->arena, secret);
    job.expires_ms = job.now_ms + SESSION_MS_MAX;
    TRY(writer_run(app_of(req)->writer, session_create_job_run, &job, err));
    session_set(req, reply, secret, SESSION_MS_MAX / 1000);
    *ret = (struct caller){
        .actor = arena_printf(req->arena, "user:%s", user->name),
        .name = user->name,
        .csrf = job.csrf,
        .role = user->role,
        .expires = job.expires_ms,
        .must_change_password = user->must_change_password,
    };
    return ERR_NONE;
}

enum err_code create_session(struct request *req, struct reply *reply, struct err *err)
{
    struct sign_in sign_in = {.name = NULL};
    struct caller caller;
    struct user user;
    const struct json *root;

    TRY(body_json(req, JSON_TYPE, &root, err));
    json_read_object(root, SIGN_IN_RULES, &sign_in, req->arena, "", &req->faults);
    TRY(query_check(req, err));
    TRY(take_attempt(req, reply, sign_in.name, err));
    TRY(check_user(req, &sign_in, &user, err));
    limiter_forgive(app_of(req)->sign_ins, req->remote, sign_in.name);
    TRY(start_session(req, reply, &user, &caller, err));
    reply->status = 201;
    write_caller(&reply->json, &caller);
    return ERR_NONE;
}

static enum err_code session_of(struct request *req, uint8_t ret_digest[static SHA256_BYTES],
                                struct session_row *ret, struct err *err)
{
    struct db *db;

    sha256_of(req->session_id, strlen(req->session_id), ret_digest);
    TRY(app_db(req, &db, err));
    return session_get(db, req->arena, ret_digest, clock_now_ms(), ret, err);
}

enum err_code get_session(struct request *req, struct reply *reply, struct err *err)
{
    struct caller caller = {
        .actor = req->actor,
        .name = strchr(req->actor, ':') + 1,
        .role = req->role,
        .expires = FIELD_NULL_INT,
    };
    uint8_t digest[SHA256_BYTES];
    struct session_row session;

    TRY(query_check(req, err));
    if (req->session_id != NULL) {
        TRY(session_of(req, digest, &session, err));
        caller.csrf = session_csrf_token(req->arena, req->session_id);
        caller.expires = session.expires;
        caller.must_change_password = session.must_change_password;
    }
    write_caller(&reply->json, &caller);
    return ERR_NONE;
}

static enum err_code need_session(const struct request *req, struct err *err)
{
    if (req->session_id == NULL)
        return err_set(err, ERR_FORBIDDEN, "this is for signed-in users, not for API tokens");
    return ERR_NONE;
}

enum err_code delete_session(struct request *req, struct reply *reply, struct err *err)
{
    struct session_delete_job job;

    TRY(query_check(req, err));
    TRY(need_session(req, err));
    sha256_of(req->session_id, strlen(req->session_id), job.digest);
    TRY(writer_run(app_of(req)->writer, session_delete_job_run, &job, err));
    session_clear(req, reply);
    reply->status = 204;
    return ERR_NONE;
}

static enum err_code read_change(struct request *req, struct password_change *ret, struct err *err)
{
    const struct json *root;

    TRY(body_json(req, JSON_TYPE, &root, err));
    json_read_object(root, PASSWORD_RULES, ret, req->arena, "", &req->faults);
    if (ret->new_ != NULL && strlen(ret->new_) < PASSWORD_BYTES_MIN)
        json_fault(&req->faults, "/new", "is shorter than %d bytes", PASSWORD_BYTES_MIN);
    if (ret->new_ != NULL && str_equal(ret->new_, ret->current))
        json_fault(&req->faults, "/new", "is the current password");
    return query_check(req, err);
}

/* Who holds a stolen session shall not guess the password at speed. */
static enum err_code check_current(struct request *req, struct reply *reply, const char *name,
                                   const char *password, struct err *err)
{
    struct user user;
    enum err_code code;

    TRY(take_attempt(req, reply, name, err));
    TRY(user_by_name(req->thread_context, req->arena, name, &user, err));
    code = password_check(app_of(req), password, user.password_hash, err);
    if (code == ERR_UNAUTHORIZED) /* a 401 would say that the session is over */
        return err_set(err, ERR_FORBIDDEN, "the current password is wrong");
    TRY(code);
    limiter_forgive(app_of(req)->sign_ins, req->remote, name);
    return ERR_NONE;
}

enum err_code change_password(struct request *req, struct reply *reply, struct err *err)
{
    struct password_change change = {.new_ = NULL};
    char hash[PASSWORD_HASH_BYTES];
    uint8_t digest[SHA256_BYTES];
    struct session_row session;
    struct user_update_job job = {.role = -1, .disabled = -1};

    TRY(read_change(req, &change, err));
    TRY(need_session(req, err));
    TRY(session_of(req, digest, &session, err));
    TRY(check_current(req, reply, session.name, change.current, err));
    TRY(password_make(app_of(req), change.new_, hash, err));
    job.actor = req->actor;
    job.now_ms = clock_now_ms();
    job.name = session.name;
    job.password_hash = hash;
    job.keep_session = digest;
    TRY(writer_run(app_of(req)->writer, user_update_job_run, &job, err));
    reply->status = 204;
    return ERR_NONE;
}
