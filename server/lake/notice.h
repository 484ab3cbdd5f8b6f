#pragma once
/* Where work comes from: a queue of notices, each naming an object. A folder scanned as a queue, or
 * SQS with objects in S3, or the invocations of an AWS Lambda function, each an event of SQS.
 * One thread at a time calls queue_receive; the others may be called from any thread. */
#include "base/err.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct queue;

struct notice {         /* one object to read */
    const char *bucket; /* a folder queue: its name as given */
    const char *key;    /* path below the folder, "aws/VPC_FLOW/2.0/region=…/….gz.parquet" */
    const char *path;   /* where to read it now; NULL = queue_fetch it first */
    const char *etag;   /* as announced; NULL = told by reading it */
    const char *region; /* of the bucket; NULL = not said */
    uint64_t size_bytes;
    int64_t time_ms; /* when the object was made; 0 = not said */
    void *receipt;   /* the queue's own */
};

struct queue_options {
    bool once;            /* false: go on watching */
    int takers;           /* threads that share what there is: 1 unless set */
    int64_t since_day_ms; /* skip keys whose eventDay= lies before; 0 = none */
    int64_t until_day_ms; /* skip keys whose eventDay= lies at or after; 0 = none */
    int64_t poll_ms;      /* how often a watched folder is scanned: 2000 unless set */
    const char *temp_dir; /* for fetched objects that do not fit in memory; "/tmp" unless set */
    int stall_s;          /* without a byte from S3 for so long, a try is over: 30 unless set */
    const char *aws_role, *aws_external_id; /* to assume for SQS and S3; NULL = none */
    const atomic_bool *stop;                /* ends waiting and fetching; NULL = none */
};

/* "dir:PATH", "sqs:URL", "sqs:ARN", the bare URL or ARN of an SQS queue, or "lambda:HOST:PORT" of
 * Lambda's runtime API. ERR_NOT_FOUND when there
 * is none; of SQS also what aws_call gives. */
NODISCARD enum err_code queue_open(const char *url, const struct queue_options *options,
                                   struct queue **ret, struct err *err);
void queue_close(struct queue *queue);
void queue_closep(struct queue **queue);
/* Up to max notices, in key order; waits at most wait_ms. *ret_count 0 with *ret_drained true:
 * nothing is left and none will come (once). Texts live in arena. Files being written (name
 * starting with "." or ending in ".tmp") are left alone. */
NODISCARD enum err_code queue_receive(struct queue *queue, size_t max, int64_t wait_ms,
                                      struct arena *arena, struct notice *ret, size_t *ret_count,
                                      bool *ret_drained, struct err *err);
enum queue_outcome {
    QUEUE_DEALT,  /* stored */
    QUEUE_KEEP,   /* not begun or not finished: hand it out again, soon */
    QUEUE_FAILED, /* recorded as failed: a folder is through with it, SQS's dead-letter rule counts
                   */
};
void queue_done(struct queue *queue, const struct notice *notice, enum queue_outcome outcome);

struct object_info;
/* Gets an object that has no path: *ret_fd, open for reading, is the caller's; ret says its size
 * and etag. Failures are those of s3_get. */
NODISCARD enum err_code queue_fetch(struct queue *queue, const struct notice *notice,
                                    uint64_t bytes_max, int *ret_fd, struct object_info *ret,
                                    struct err *err);
