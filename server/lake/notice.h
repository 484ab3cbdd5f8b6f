#pragma once
/* Where work comes from: a queue of notices, each naming objects. Here: a folder scanned as a
 * queue; SQS is another implementation behind the same functions.
 * One thread calls queue_receive; queue_done may be called from any thread. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct queue;

struct notice {         /* one object to read */
    const char *bucket; /* a folder queue: its name as given */
    const char *key;    /* path below the folder, "aws/VPC_FLOW/2.0/region=…/….gz.parquet" */
    const char *path;   /* where to read it now */
    uint64_t size_bytes;
    void *receipt; /* the queue's own */
};

struct queue_options {
    bool once;            /* false: go on watching */
    int64_t since_day_ms; /* skip keys whose eventDay= lies before; 0 = none */
    int64_t until_day_ms; /* skip keys whose eventDay= lies at or after; 0 = none */
    int64_t poll_ms;      /* how often a watched folder is scanned: 2000 unless set */
};

/* "dir:PATH". ERR_NOT_FOUND when there is no such folder. */
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
/* keep = false: dealt with (stored or recorded as failed); true: hand it out again later. */
void queue_done(struct queue *queue, const struct notice *notice, bool keep);
