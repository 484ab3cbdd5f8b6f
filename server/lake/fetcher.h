#pragma once
/* Objects from S3 one by one, for queues that know no more than their names: into memory while they
 * are small, otherwise into a file that has no name. Any thread; each call takes a connection of
 * those that are kept. */
#include "base/err.h"
#include <stdint.h>

struct fetcher;
struct notice;
struct object_info;
struct queue_options;

/* The options must live as long as the fetcher. As aws_open. */
NODISCARD enum err_code fetcher_open(const struct queue_options *options, struct fetcher **ret,
                                     struct err *err);
void fetcher_close(struct fetcher *fetcher); /* NULL is fine */
/* See queue_fetch. While nobody reaches S3 it waits, unless the options say `once`. */
NODISCARD enum err_code fetcher_get(struct fetcher *fetcher, const struct notice *notice,
                                    uint64_t bytes_max, int *ret_fd, struct object_info *ret,
                                    struct err *err);
