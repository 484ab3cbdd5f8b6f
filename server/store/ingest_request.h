#pragma once
/* What is remembered of a POST by its Idempotency-Key: its outcome, or how far its parts came.
 * Private to ingest.c; inside a writer's job. */
#include "store/ingest.h"

struct ingest_kept {
    bool found, whole; /* whole: it was stored to its end */
    uint64_t stored;   /* of its pairs, from the first */
    struct ingest_result counts;
};
/* ERR_CONFLICT: another body under the same key. */
NODISCARD enum err_code ingest_recall(struct db *db, const struct ingest_batch *batch,
                                      struct ingest_kept *ret, struct err *err);
/* counts: of all its parts so far; stored: how many pairs those were. */
NODISCARD enum err_code ingest_remember(struct db *db, const struct ingest_batch *batch,
                                        uint64_t stored, const struct ingest_result *counts,
                                        int64_t now_ms, struct err *err);
