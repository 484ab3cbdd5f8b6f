#pragma once
/* What stands behind the functions of notice.h. */
#include "lake/notice.h"

struct queue_backend {
    void (*close)(struct queue *);
    enum err_code (*receive)(struct queue *, size_t max, int64_t wait_ms, struct arena *,
                             struct notice *ret, size_t *ret_count, bool *ret_drained,
                             struct err *);
    void (*done)(struct queue *, const struct notice *, enum queue_outcome);
    /* NULL: every notice has a path */
    enum err_code (*fetch)(struct queue *, const struct notice *, uint64_t bytes_max, int *ret_fd,
                           struct object_info *, struct err *);
};
struct queue {
    const struct queue_backend *backend;
};

/* How many of those that are ready one taker gets: its share, so that the last few are not one
 * thread's while others have none. */
size_t queue_share(const struct queue_options *options, size_t ready, size_t max);

NODISCARD enum err_code queue_dir_open(const char *path, const struct queue_options *options,
                                       struct queue **ret, struct err *err);
NODISCARD enum err_code queue_sqs_open(const char *url_or_arn, const struct queue_options *options,
                                       struct queue **ret, struct err *err);
/* address: of Lambda's runtime API, "HOST:PORT". */
NODISCARD enum err_code queue_lambda_open(const char *address, const struct queue_options *options,
                                          struct queue **ret, struct err *err);
