#include "store/session.h"

#include "base/arena.h"
#include "store/db.h"

static const struct field FIELDS[] = {
    FIELD(struct session_row, user_id, FIELD_INT, .flags = 0),
    FIELD(struct session_row, name, FIELD_TEXT, .flags = 0),
    FIELD(struct session_row, role, FIELD_INT, .flags = 0),
    FIELD(struct session_row, must_change_password, FIELD_INT, .flags = 0),
    FIELD(struct session_row, csrf, FIELD_TEXT, .flags = 0),
    FIELD(struct session_row, expires, FIELD_TIME, .flags = 0),
    FIELD_END,
};

enum err_code session_get(struct db *db, struct arena *arena, const uint8_t digest[32],
                          int64_t now_ms, struct session_row *ret, struct err *err)
{
    return db_row(db, SQL_SESSION_GET, PARAMS(P_BLOB(digest, 32), P_INT(now_ms)), FIELDS, arena,
                  ret, err);
}

enum err_code session_create_job_run(struct db *db, void *job_, struct err *err)
{
    const struct session_create_job *job = job_;

    TRY(db_exec(db, SQL_SESSION_PURGE, PARAMS(P_INT(job->now_ms)), NULL, err));
    TRY(db_exec(db, SQL_USER_SIGNED_IN, PARAMS(P_INT(job->now_ms), P_INT(job->user_id)), NULL,
                err));
    return db_exec(db, SQL_SESSION_INSERT,
                   PARAMS(P_BLOB(job->digest, 32), P_INT(job->user_id), P_TEXT(job->csrf),
                          P_INT(job->now_ms), P_INT(job->expires_ms)),
                   NULL, err);
}

enum err_code session_delete_job_run(struct db *db, void *job_, struct err *err)
{
    const struct session_delete_job *job = job_;

    return db_exec(db, SQL_SESSION_DELETE, PARAMS(P_BLOB(job->digest, 32)), NULL, err);
}
