#pragma once
/* API tokens. Only the SHA-256 of a secret is stored. */
#include "base/err.h"
#include "base/field.h"
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;

struct token {
    int64_t id;
    const char *name;
    int64_t role;
    const char *prefix;
    int64_t created, last_used, expires; /* FIELD_NULL_INT = never */
    int64_t revoked;
};
extern const struct field TOKEN_FIELDS[];
struct token_list {
    struct token *items;
    size_t count;
};
enum { TOKENS_MAX = 10000, TOKEN_USED_EVERY_MS = 60000 };

/* ERR_NOT_FOUND when there is none, it was revoked or has expired. */
NODISCARD enum err_code token_by_digest(struct db *db, struct arena *arena,
                                        const uint8_t digest[32], int64_t now_ms, struct token *ret,
                                        struct err *err);
/* Newest first. */
NODISCARD enum err_code token_list(struct db *db, struct arena *arena, struct token_list *ret,
                                   struct err *err);

struct token_create_job { /* writer_job; ERR_CONFLICT when the name is taken */
    const char *actor;
    int64_t now_ms;
    const char *name;
    int64_t role;
    const char *prefix;
    uint8_t digest[32];
    int64_t expires_ms; /* FIELD_NULL_INT = never */
    int64_t id;         /* filled in */
};
enum err_code token_create_job_run(struct db *db, void *job, struct err *err);
struct token_revoke_job { /* by id, or by name when id is 0; ERR_NOT_FOUND */
    const char *actor;
    int64_t now_ms, id;
    const char *name;
};
enum err_code token_revoke_job_run(struct db *db, void *job, struct err *err);
struct token_used_job { /* notes the use, when the last one noted is TOKEN_USED_EVERY_MS old */
    int64_t id, now_ms;
};
enum err_code token_used_job_run(struct db *db, void *job, struct err *err);
