#pragma once
/* People who sign in. Passwords are hashed by the caller (base/crypto.h): it takes a fifth of a
 * second, which no writer's job should. Roles are indices into role_words. */
#include "base/err.h"
#include "base/field.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;

/* none ingest read triage admin, as http's roles */
extern const char *const USER_ROLE_WORDS[];
enum { USER_ROLE_ADMIN = 4 };

struct user {
    int64_t id;
    const char *name, *password_hash;
    int64_t role, disabled, must_change_password;
    int64_t created, last_sign_in; /* last_sign_in FIELD_NULL_INT = never */
};
extern const struct field USER_FIELDS[]; /* id and password_hash are hidden */
struct user_list {
    struct user *items;
    size_t count;
};
enum { USERS_MAX = 10000 };

NODISCARD enum err_code user_by_name(struct db *db, struct arena *arena, const char *name,
                                     struct user *ret, struct err *err);
NODISCARD enum err_code user_list(struct db *db, struct arena *arena, struct user_list *ret,
                                  struct err *err);
NODISCARD enum err_code user_count(struct db *db, int64_t *ret, struct err *err);

struct user_create_job { /* writer_job user_create_job_run; ERR_CONFLICT when the name is taken */
    const char *actor;
    int64_t now_ms;
    const char *name, *password_hash;
    int64_t role;
    bool must_change_password;
    bool only_first; /* ERR_CONFLICT unless there is no user yet */
};
enum err_code user_create_job_run(struct db *db, void *job, struct err *err);

struct user_update_job { /* writer_job user_update_job_run; ERR_NOT_FOUND */
    const char *actor;
    int64_t now_ms;
    const char *name;
    const char *password_hash;   /* NULL = as it is; ends the user's sessions but keep_session */
    const uint8_t *keep_session; /* digest of 32 bytes or NULL */
    int64_t role;                /* -1 = as it is */
    int64_t disabled;            /* -1 = as it is; 1 ends the user's sessions */
    bool must_change_password;   /* what it becomes when password_hash is given */
};
/* The last enabled admin can be neither disabled nor demoted: ERR_CONFLICT. */
enum err_code user_update_job_run(struct db *db, void *job, struct err *err);
