#pragma once
/* Connections to S3 for the threads of a queue, and room for an object. */
#include "base/err.h"
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct aws;
struct aws_link;
struct notice;

enum { FETCH_LINKS_MAX = 64 /* idle connections kept */ };

struct fetch_links { /* any thread takes one and gives it back; between open and close */
    struct aws *aws;
    pthread_mutex_t lock; /* guards what follows */
    struct aws_link *idle[FETCH_LINKS_MAX];
    size_t count;
};
void fetch_links_open(struct fetch_links *links, struct aws *aws);
void fetch_links_close(struct fetch_links *links);
struct aws_link *fetch_link_take(struct fetch_links *links);
void fetch_link_give(struct fetch_links *links, struct aws_link *link);

/* Room for the object: in memory while it is small, otherwise a file without a name in temp_dir
 * ("/tmp" when NULL). *ret_fd is the caller's. ERR_TOO_LARGE by what the notice says. */
NODISCARD enum err_code fetch_room(const struct notice *notice, uint64_t bytes_max,
                                   const char *temp_dir, int *ret_fd, struct err *err);
