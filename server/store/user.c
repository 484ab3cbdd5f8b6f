#include "store/user.h"

#include "base/arena.h"
#include "base/str.h"
#include "store/access_body.h"
#include "store/change.h"
#include "store/db.h"

enum { USER_ARENA_BYTES = 1 << 16 };

const char *const USER_ROLE_WORDS[] = {"none", "ingest", "read", "triage", "admin", "notify", NULL};

const struct field USER_FIELDS[] = {
    FIELD(struct user, id, FIELD_INT, .flags = FIELD_HIDDEN),
    FIELD(struct user, name, FIELD_TEXT, .flags = 0),
    FIELD(struct user, password_hash, FIELD_TEXT, .flags = FIELD_HIDDEN),
    FIELD(struct user, role, FIELD_ENUM, .words = USER_ROLE_WORDS),
    FIELD(struct user, disabled, FIELD_BOOL, .flags = 0),
    FIELD(struct user, must_change_password, FIELD_BOOL, .flags = 0),
    FIELD(struct user, created, FIELD_TIME, .flags = 0),
    FIELD(struct user, last_sign_in, FIELD_TIME, .flags = FIELD_NULLABLE),
    FIELD_END,
};

enum err_code user_by_name(struct db *db, struct arena *arena, const char *name, struct user *ret,
                           struct err *err)
{
    enum err_code code =
        db_row(db, SQL_USER_BY_NAME, PARAMS(P_TEXT(name)), USER_FIELDS, arena, ret, err);

    if (code == ERR_NOT_FOUND)
        return err_set(err, code, "there is no user \"%.64s\"", name);
    return code;
}

enum err_code user_list(struct db *db, struct arena *arena, struct user_list *ret, struct err *err)
{
    AUTO(query_done) struct query q = {0};

    *ret = (struct user_list){.items = ARENA_ARRAY(arena, struct user, USERS_MAX)};
    TRY(db_query(db, SQL_USER_LIST, PARAMS(P_INT(USERS_MAX)), &q, err));
    while (ret->count < USERS_MAX && query_next(&q, USER_FIELDS, arena, &ret->items[ret->count]))
        ret->count++;
    return query_end(&q, err);
}

enum err_code user_count(struct db *db, int64_t *ret, struct err *err)
{
    return db_int(db, SQL_USER_COUNT, NO_PARAMS, ret, err);
}

static enum err_code check_new(struct db *db, const struct user_create_job *job, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct user there;
    int64_t count;
    enum err_code code;

    arena_init(&arena, USER_ARENA_BYTES);
    TRY(user_count(db, &count, err));
    if (job->only_first && count > 0)
        return err_set(err, ERR_CONFLICT, "there are users already");
    if (count >= USERS_MAX)
        return err_set(err, ERR_CONFLICT, "there are %d users, as many as there may be", USERS_MAX);
    code = user_by_name(db, &arena, job->name, &there, err);
    if (code == ERR_NONE)
        return err_set(err, ERR_CONFLICT, "there is a user \"%.64s\" already", job->name);
    return code == ERR_NOT_FOUND ? ERR_NONE : code;
}

enum err_code user_create_job_run(struct db *db, void *job_, struct err *err)
{
    const struct user_create_job *job = job_;
    AUTO(arena_done) struct arena arena = {0};

    arena_init(&arena, USER_ARENA_BYTES);
    TRY(check_new(db, job, err));
    TRY(db_exec(db, SQL_USER_INSERT,
                PARAMS(P_TEXT(job->name), P_TEXT(job->password_hash), P_INT(job->role),
                       P_INT(job->must_change_password), P_INT(job->now_ms)),
                NULL, err));
    return change_add(db, CHANGE_USER_CREATED, job->actor, FIELD_NULL_INT,
                      access_body(&arena, job->name, NULL, USER_ROLE_WORDS[job->role]), NULL, err);
}

static enum err_code check_last_admin(struct db *db, const struct user *before,
                                      const struct user *after, struct err *err)
{
    int64_t others;
    bool stays = after->role == USER_ROLE_ADMIN && after->disabled == 0;

    if (before->role != USER_ROLE_ADMIN || before->disabled != 0 || stays)
        return ERR_NONE;
    TRY(db_int(db, SQL_USER_OTHER_ADMINS, PARAMS(P_INT(USER_ROLE_ADMIN), P_INT(before->id)),
               &others, err));
    if (others == 0)
        return err_set(err, ERR_CONFLICT,
                       "\"%.64s\" is the only administrator: make another one first", before->name);
    return ERR_NONE;
}

static enum err_code end_sessions(struct db *db, const struct user_update_job *job, int64_t id,
                                  struct err *err)
{
    static const uint8_t NONE[32] = {0};
    const uint8_t *keep =
        job->keep_session != NULL && job->disabled != 1 ? job->keep_session : NONE;

    if (job->password_hash == NULL && job->disabled != 1)
        return ERR_NONE;
    return db_exec(db, SQL_SESSION_DELETE_OF_USER, PARAMS(P_INT(id), P_BLOB(keep, 32)), NULL, err);
}

/* Everything the job names: "role, password". */
static const char *what_changed(struct arena *arena, const struct user_update_job *job)
{
    const char *const words[] = {
        job->disabled == 1 ? "disabled" : "enabled",
        "role",
        "password",
    };
    const bool named[] = {job->disabled >= 0, job->role >= 0, job->password_hash != NULL};
    const char *all = "";

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (named[i])
            all = arena_printf(arena, "%s%s%s", all, *all != '\0' ? ", " : "", words[i]);
    return all;
}

enum err_code user_update_job_run(struct db *db, void *job_, struct err *err)
{
    const struct user_update_job *job = job_;
    AUTO(arena_done) struct arena arena = {0};
    struct user before, after;

    arena_init(&arena, USER_ARENA_BYTES);
    TRY(user_by_name(db, &arena, job->name, &before, err));
    after = before;
    if (job->role >= 0)
        after.role = job->role;
    if (job->disabled >= 0)
        after.disabled = job->disabled;
    if (job->password_hash != NULL) {
        after.password_hash = job->password_hash;
        after.must_change_password = job->must_change_password;
    }
    TRY(check_last_admin(db, &before, &after, err));
    TRY(db_exec(db, SQL_USER_UPDATE,
                PARAMS(P_TEXT(after.password_hash), P_INT(after.role), P_INT(after.disabled),
                       P_INT(after.must_change_password), P_INT(after.id)),
                NULL, err));
    TRY(end_sessions(db, job, after.id, err));
    return change_add(db, CHANGE_USER_UPDATED, job->actor, FIELD_NULL_INT,
                      access_body(&arena, job->name, what_changed(&arena, job),
                                  job->role >= 0 ? USER_ROLE_WORDS[job->role] : NULL),
                      NULL, err);
}
