#pragma once
/* Objects that wait in the store to be read: notices that came over HTTP, failed objects to be
 * tried again. Workers take them with a lease: what a worker has in hand is its own until
 * ready_ms, which it moves on as long as it lives; then another one may take it. All writing
 * transactions follow one another on both engines (see db.h), so no two workers take the same row
 * and none needs to be skipped. */
#include "base/err.h"
#include "base/field.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;

enum {
    NOTICE_WAITING_MAX = 100000, /* more are refused */
    NOTICE_DEAD_MAX = 10000,     /* the oldest go first; the ledger has them still */
    NOTICE_ATTEMPTS_MAX = 5,
    NOTICE_LEASE_MS = 60 * 1000,
    NOTICE_PAUSE_FIRST_MS = 15 * 1000, /* before the second attempt, then twice as long each time */
    NOTICE_CLAIM_MAX = 64,
    /* No lease and no pause is as long: what is ready later than that was written before the wall
     * clock was put back, and is ready now. */
    NOTICE_AHEAD_MS_MAX = NOTICE_PAUSE_FIRST_MS << NOTICE_ATTEMPTS_MAX,
};

enum notice_state { NOTICE_WAITING, NOTICE_IN_HAND, NOTICE_DEAD };
extern const char *const NOTICE_STATE_WORDS[]; /* waiting in_hand dead */

struct notice_row {
    int64_t id;
    const char *bucket, *key;
    const char *etag;   /* "" = not said */
    const char *region; /* NULL = not said */
    int64_t size_bytes; /* 0 = not said */
    int64_t made;       /* FIELD_NULL_INT = not said */
    int64_t folder;     /* 1: the bucket is a folder where a worker runs */
    const char *origin; /* who asked */
    int64_t received, state, attempts, ready;
    const char *error_code, *error; /* of the last attempt, or NULL */
};
extern const struct field NOTICE_FIELDS[];
struct notice_page {
    struct notice_row *items;
    size_t count;
    bool more;
};
/* state -1 = any. Newest first, with ids below before_id. */
NODISCARD enum err_code notice_list(struct db *db, struct arena *arena, int64_t state,
                                    int64_t before_id, size_t limit, struct notice_page *ret,
                                    struct err *err);
struct notice_counts {
    int64_t waiting, in_hand, dead;
    int64_t oldest; /* when the one that waits longest came; FIELD_NULL_INT = none waits */
};
NODISCARD enum err_code notice_count(struct db *db, struct notice_counts *ret, struct err *err);
/* Whether something may be handed out now; cheap. */
NODISCARD enum err_code notice_is_ready(struct db *db, int64_t now_ms, const char *folder,
                                        bool *ret, struct err *err);

/* ---- jobs of the writer ---- */

struct notice_put { /* what is known of an object to be read */
    const char *bucket, *key;
    const char *etag, *region; /* NULL = not said */
    int64_t size_bytes;
    int64_t made_ms; /* 0 = not said */
    bool folder;
};
/* All or none: ERR_BUSY when more than waiting_max would wait. What waits already is left alone; a
 * dead one is tried again from the start. What the ledger has as stored is not taken in. */
struct notice_put_job {
    const char *origin;
    int64_t now_ms, waiting_max;
    const struct notice_put *items;
    size_t count;
    uint64_t queued, repeated, stored; /* filled in */
};
enum err_code notice_put_job_run(struct db *db, void *job, struct err *err);

/* A failed object of the ledger, or a dead notice, once more: audited. ERR_NOT_FOUND; ERR_CONFLICT
 * when it has not failed; ERR_BUSY as above. */
struct notice_retry_job {
    const char *actor;
    int64_t now_ms, waiting_max;
    int64_t object_id, notice_id; /* one of them, the other 0 */
    bool repeated;                /* filled in: it waited already */
};
enum err_code notice_retry_job_run(struct db *db, void *job, struct err *err);

enum notice_outcome { NOTICE_DEALT, NOTICE_KEEP, NOTICE_FAILED };
struct notice_settled {
    int64_t id, attempts;
    enum notice_outcome outcome;
    const char *bucket, *key; /* for the reason in the ledger */
};
/* Settles what a worker is done with and hands out up to max more, of S3 (folder NULL) or of a
 * folder. What was in hand of a worker that is gone NOTICE_ATTEMPTS_MAX times is dead. */
struct notice_claim_job {
    const char *holder;
    int64_t now_ms;
    const struct notice_settled *settled;
    size_t settled_count;
    const char *folder;
    size_t max; /* up to NOTICE_CLAIM_MAX */
    struct arena *arena;
    struct notice_row *rows; /* filled in: room for max */
    size_t count;
};
enum err_code notice_claim_job_run(struct db *db, void *job, struct err *err);
/* The leases of a worker last on. */
NODISCARD enum err_code notice_renew(struct db *db, const char *holder, int64_t until_ms,
                                     struct err *err);
