#pragma once
/* The endpoints of a model set, as a worker's thread asks them: the one that scores, and the one
 * that is a shadow. */
#include "worker/remote.h"
#include "worker/shadow.h"
#include <pthread.h>

struct aws;
struct model_set;

struct endpoints_aws { /* one for all threads: they share the credentials and the retries' budget */
    pthread_mutex_t lock;
    struct aws *aws; /* opened when the first endpoint is asked */
};
void endpoints_aws_init(struct endpoints_aws *shared);
void endpoints_aws_done(struct endpoints_aws *shared); /* after the threads' endpoints */

struct endpoints {         /* a thread's own; zeroed before the first open */
    struct remote *scorer; /* NULL when a file scores */
    struct shadow_link shadow;
};
/* Those of the set, in place of those so far. like: limits and stop; its aws, endpoint and ipv6 are
 * of no account. */
NODISCARD enum err_code endpoints_open(struct endpoints *endpoints, struct endpoints_aws *shared,
                                       const struct model_set *set,
                                       const struct remote_options *like, struct err *err);
void endpoints_close(struct endpoints *endpoints);
