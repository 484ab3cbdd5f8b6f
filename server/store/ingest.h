#pragma once
/* Writing scored pairs: one batch is one transaction on the writer's thread: its observations,
 * rollups, findings, changes and the ledger entry of its object, or nothing.
 * The worker and POST /api/v1/scores both come through here. */
#include "base/err.h"
#include "base/ip.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct comparison;
struct db;

struct scored_pair {
    const char *spec, *entity;
    struct ip ip;
    int64_t first_ms, last_ms;
    uint64_t count;
    double score;      /* finite */
    double percentile; /* NAN = unknown */
    double threshold;  /* what it was held against; NAN = unknown. For comparisons; not stored */
    bool flagged;
    bool unanswered; /* refused traffic, or a call that nobody answered: not to be learned */
    bool entity_known;
    int known_bits; /* longest prefix shared with what the entity used; -1 = unknown */
    const char *account, *region; /* "" = unknown */
    const char *explanation_json; /* what the model knows of the entity; kept when a finding is
                                     made; NULL */
};

struct ingest_object { /* ledger entry */
    const char *bucket, *key, *etag;
    uint64_t size_bytes;
    uint64_t rows, pairs, scored;
    const char *unscored_json;      /* {"no_entity": 3, …} */
    const char *error_code, *error; /* NULL when it went well */
    int64_t made_ms;                /* when the object was made; 0 = not known */
    bool folder;                    /* the bucket is a folder of the worker's machine */
    /* Of an object that comes in several batches, in order: which of its scored pairs the batch
     * begins with, and whether another batch follows. Until the last one is stored the ledger says
     * how many pairs are, and an object that comes again from its start adds only what is missing.
     */
    uint64_t offset;
    bool more;
};

struct ingest_batch {
    const struct ingest_object *object; /* NULL for a POST */
    const char *model_id;               /* registered (see model_row.h) */
    const char *origin;                 /* "worker" or the actor of a POST: "token:soar" */
    const char *idempotency_key;        /* NULL for objects; scoped to origin */
    const char *request_digest; /* of a POST's body with a key: the same key with another one is
                                   ERR_CONFLICT */
    /* Of a POST that is stored in parts, each a batch: which of its pairs this one begins with,
     * and whether another follows. Parts have a key, under which is remembered how far they came:
     * the same body again is gone on with. forget: that is all the key is for: a body that begins
     * when all parts are stored is another one, and the key is kept for an hour only. */
    uint64_t offset;
    bool more, forget;
    const struct scored_pair *pairs;
    size_t count;
    const struct comparison *comparison; /* with a shadow (model_life.h), or NULL */
};

struct ingest_result {
    bool repeated; /* this object or key was stored before: nothing was written */
    /* With a key, of all its parts so far. */
    uint64_t observations, flagged;
    uint64_t findings_new, findings_updated;
};
/* A writer_job: run it with writer_run(writer, ingest_job, &job). Re-running a failed object is
 * allowed: a failed ledger entry is replaced by the outcome of the new try. ERR_CONFLICT: another
 * body under the same key; a batch that continues an object whose earlier pairs are not here. */
struct ingest_job {
    const struct ingest_batch *batch;
    struct ingest_result result;
};
enum err_code ingest_job(struct db *db, void *job, struct err *err);
/* Has the object been stored already (not: failed)? On any connection. */
NODISCARD enum err_code ingest_object_done(struct db *db, const char *bucket, const char *key,
                                           const char *etag, bool *ret, struct err *err);
