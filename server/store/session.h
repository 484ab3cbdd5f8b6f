#pragma once
/* Cookie sessions. Only the SHA-256 of a cookie's secret is stored. */
#include "base/err.h"
#include "base/field.h"
#include <stdint.h>

struct arena;
struct db;

struct session_row {
    int64_t user_id;
    const char *name; /* of the user */
    int64_t role, must_change_password;
    const char *csrf;
    int64_t expires;
};
/* ERR_NOT_FOUND when there is none, it has expired, or its user is disabled. */
NODISCARD enum err_code session_get(struct db *db, struct arena *arena, const uint8_t digest[32],
                                    int64_t now_ms, struct session_row *ret, struct err *err);

struct session_create_job { /* writer_job; also removes expired sessions, notes the sign-in */
    uint8_t digest[32];
    int64_t user_id;
    const char *csrf;
    int64_t now_ms, expires_ms;
};
enum err_code session_create_job_run(struct db *db, void *job, struct err *err);
struct session_delete_job {
    uint8_t digest[32];
};
enum err_code session_delete_job_run(struct db *db, void *job, struct err *err);
