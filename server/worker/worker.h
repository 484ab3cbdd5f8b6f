#pragma once
/* The pipeline: notices → objects → pairs → scores → store, on a few threads.
 * Every thread owns a reader of objects, a read connection and an arena; all share the loaded model
 * (immutable), the queue (one at a time, under a lock) and the writer, or the server that results
 * are posted to. An object is one
 * transaction: its observations, findings and ledger entry, or nothing. A bad object is recorded
 * with its reason and never stops the others; what is wrong with the machine itself (no database,
 * no libduckdb, a full disk) stops the worker. */
#include "base/err.h"
#include "model/train.h"
#include "worker/totals.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct post_options;

enum { WORKER_THREADS_MAX = 32 };

struct worker_options {
    const char *database_url;        /* NULL with post */
    const struct post_options *post; /* where results go instead, or NULL: needs a model_path */
    const char *queue_url;
    const char *aws_role, *aws_external_id;   /* for a queue of SQS; NULL = none */
    const char *model_path;                   /* NULL = the active model of the database */
    const char *endpoint;                     /* of SageMaker, instead; NULL = none */
    const char *calibration;                  /* of the endpoint, a file; NULL = the database's */
    size_t scorer_rows;                       /* pairs of one request to an endpoint */
    int64_t scorer_answer_ms, scorer_wait_ms; /* as struct remote_options has them */
    const char *const *spec_names; /* NULL-terminated; NULL = what the model was trained on */
    const char *spec_dir;          /* or NULL */
    const char *temp_dir;
    int stall_s;                /* see queue_options */
    int threads;                /* 1..WORKER_THREADS_MAX */
    bool once;                  /* end when the queue is drained */
    int64_t since_ms, until_ms; /* days to read, 0 = no bound */
    uint64_t object_bytes_max;
    const char *learn_folder;              /* of models that learn on day by day; NULL = none do */
    struct threshold_rule learn_threshold; /* of those */
    struct worker_watch *watch;            /* of what is being done, or NULL */
    const char *emf; /* the function's name: each batch is a line of metrics (emf.h); NULL = none */
    const atomic_bool *stop; /* finish the objects in hand, then end */
};

/* Returns after the last thread ended; *ret holds what was done even when it failed. */
NODISCARD enum err_code worker_run(const struct worker_options *options, struct worker_totals *ret,
                                   struct err *err);
