#pragma once
/* The table of notices as a queue: what came over HTTP, and failed objects to be tried again. Alone
 * (`--queue store`), or in front of another queue, whose worker then takes what is to be retried as
 * well. */
#include "base/err.h"

struct queue;
struct queue_options;
struct writer;

struct store_queue_options {
    const char *database_url;
    struct writer *writer; /* outlives the queue */
    const char *worker;    /* uid: the holder of the leases; renewed by worker_pulse_job */
    const char *folder;    /* only objects of this folder; NULL = of S3 */
    const struct queue_options *queue;
};
/* Takes inner over, which may be NULL, also when it fails. ERR_… of db_open and aws_open. */
NODISCARD enum err_code queue_store_open(const struct store_queue_options *options,
                                         struct queue *inner, struct queue **ret, struct err *err);
