#include "store/token.h"

#include "base/arena.h"
#include "store/access_body.h"
#include "store/change.h"
#include "store/db.h"
#include "store/user.h"

enum { TOKEN_ARENA_BYTES = 1 << 16 };

const struct field TOKEN_FIELDS[] = {
    FIELD(struct token, id, FIELD_INT, .flags = 0),
    FIELD(struct token, name, FIELD_TEXT, .flags = 0),
    FIELD(struct token, role, FIELD_ENUM, .words = USER_ROLE_WORDS),
    FIELD(struct token, prefix, FIELD_TEXT, .flags = 0),
    FIELD(struct token, created, FIELD_TIME, .flags = 0),
    FIELD(struct token, last_used, FIELD_TIME, .flags = FIELD_NULLABLE),
    FIELD(struct token, expires, FIELD_TIME, .flags = FIELD_NULLABLE),
    FIELD(struct token, revoked, FIELD_BOOL, .flags = 0),
    FIELD_END,
};

enum err_code token_by_digest(struct db *db, struct arena *arena, const uint8_t digest[32],
                              int64_t now_ms, struct token *ret, struct err *err)
{
    return db_row(db, SQL_TOKEN_BY_DIGEST, PARAMS(P_BLOB(digest, 32), P_INT(now_ms)), TOKEN_FIELDS,
                  arena, ret, err);
}

enum err_code token_list(struct db *db, struct arena *arena, struct token_list *ret,
                         struct err *err)
{
    AUTO(query_done) struct query q = {0};

    *ret = (struct token_list){.items = ARENA_ARRAY(arena, struct token, TOKENS_MAX)};
    TRY(db_query(db, SQL_TOKEN_LIST, PARAMS(P_INT(TOKENS_MAX)), &q, err));
    while (ret->count < TOKENS_MAX && query_next(&q, TOKEN_FIELDS, arena, &ret->items[ret->count]))
        ret->count++;
    return query_end(&q, err);
}

enum err_code token_create_job_run(struct db *db, void *job_, struct err *err)
{
    struct token_create_job *job = job_;
    AUTO(arena_done) struct arena arena = {0};
    enum err_code code;

    arena_init(&arena, TOKEN_ARENA_BYTES);
    code =
        db_int(db, SQL_TOKEN_INSERT,
               PARAMS(P_TEXT(job->name), P_INT(job->role), P_TEXT(job->prefix),
                      P_BLOB(job->digest, 32), P_INT(job->now_ms), P_INT_OR_NULL(job->expires_ms)),
               &job->id, err);
    if (code == ERR_CONFLICT)
        return err_set(err, code, "there is or was a token \"%.64s\": names are used once",
                       job->name);
    TRY(code);
    return change_add(db, CHANGE_TOKEN_CREATED, job->actor, FIELD_NULL_INT,
                      access_body(&arena, job->name, NULL, USER_ROLE_WORDS[job->role]), NULL, err);
}

enum err_code token_revoke_job_run(struct db *db, void *job_, struct err *err)
{
    const struct token_revoke_job *job = job_;
    AUTO(arena_done) struct arena arena = {0};
    struct token token;
    enum err_code code;

    arena_init(&arena, TOKEN_ARENA_BYTES);
    code = db_row(db, SQL_TOKEN_FIND, PARAMS(P_INT(job->id), P_TEXT(job->name)), TOKEN_FIELDS,
                  &arena, &token, err);
    if (code == ERR_NOT_FOUND)
        return job->name != NULL
                   ? err_set(err, code, "there is no token \"%.64s\" in use", job->name)
                   : err_set(err, code, "there is no such token in use");
    TRY(code);
    TRY(db_exec(db, SQL_TOKEN_REVOKE, PARAMS(P_INT(token.id)), NULL, err));
    return change_add(db, CHANGE_TOKEN_REVOKED, job->actor, FIELD_NULL_INT,
                      access_body(&arena, token.name, NULL, NULL), NULL, err);
}

enum err_code token_used_job_run(struct db *db, void *job_, struct err *err)
{
    const struct token_used_job *job = job_;

    return db_exec(db, SQL_TOKEN_USED,
                   PARAMS(P_INT(job->now_ms), P_INT(job->id), P_INT(TOKEN_USED_EVERY_MS)), NULL,
                   err);
}
