#pragma once
/* Every visible change: the feed of pollers, the history of a finding, the audit trail. seq is
 * given inside the writing transaction, so it is commit-ordered and without gaps; a row's hash is
 * SHA-256 over the hash before it and the row's own content. */
#include "base/err.h"
#include "base/field.h"
#include <stdint.h>

struct arena;
struct db;

enum change_kind {
    CHANGE_FINDING_CREATED,
    CHANGE_FINDING_SIGHTED,
    CHANGE_FINDING_UPDATED,
    CHANGE_NOTE_ADDED,
    CHANGE_MODEL_REGISTERED,
    CHANGE_USER_CREATED,
    CHANGE_USER_UPDATED,
    CHANGE_TOKEN_CREATED,
    CHANGE_TOKEN_REVOKED,
    CHANGE_MODEL_MOVED,
    CHANGE_LET_GO, /* by retention: a finding, or the changes through a seq */
    CHANGE_OBJECT_RETRIED,
};
extern const char *const CHANGE_KIND_WORDS[];

struct change {
    int64_t seq, time, kind;
    const char *actor;
    int64_t finding;  /* FIELD_NULL_INT when it is about none */
    const char *body; /* JSON object */
};
extern const struct field CHANGE_FIELDS[];

struct change_list {
    struct change *items;
    size_t count;
};
enum { CHANGE_LIST_MAX = 1000 };

/* Oldest first after a seq; at most limit. */
NODISCARD enum err_code change_list(struct db *db, struct arena *arena, int64_t after_seq,
                                    int64_t limit, struct change_list *ret, struct err *err);
/* Of one finding, oldest first; the newest CHANGE_LIST_MAX when there are more. */
NODISCARD enum err_code change_history(struct db *db, struct arena *arena, int64_t finding_id,
                                       struct change_list *ret, struct err *err);
NODISCARD enum err_code change_last_seq(struct db *db, int64_t *ret, struct err *err);
/* Of the oldest that is kept; 0 when there is none. */
NODISCARD enum err_code change_first_seq(struct db *db, int64_t *ret, struct err *err);
/* The last change and its hash in hex; 0 and NULL when there is none. */
NODISCARD enum err_code change_end(struct db *db, struct arena *arena, int64_t *ret_seq,
                                   const char **ret_hash, struct err *err);
/* From the first change that is kept. ERR_CORRUPT names the first row whose hash does not follow
 * from the rows before. */
NODISCARD enum err_code change_verify(struct db *db, struct err *err);

/* Inside a writer's job: appends a row; *ret_seq may be NULL. */
NODISCARD enum err_code change_add(struct db *db, enum change_kind kind, const char *actor,
                                   int64_t finding_id, const char *body, int64_t *ret_seq,
                                   struct err *err);

/* The same for many changes of one job: the end of the chain is read once, and seq of the n-th to
 * come is chain.seq + n. Nothing else adds a change meanwhile. */
struct change_chain {
    int64_t seq; /* of the last change */
    uint8_t hash[32];
};
NODISCARD enum err_code change_chain_read(struct db *db, struct change_chain *ret, struct err *err);
NODISCARD enum err_code change_chain_add(struct db *db, struct change_chain *chain,
                                         enum change_kind kind, const char *actor,
                                         int64_t finding_id, const char *body, struct err *err);
