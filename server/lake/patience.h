#pragma once
/* An outage of S3 waited out: what is known of whether anybody reaches it. Were the notices left
 * instead, an outage would use up the tries of every one there is, and their queue would give them
 * up. Any thread, between init and done. */
#include "base/err.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    PATIENCE_PAUSE_FIRST_MS = 1000, /* between tries while S3 is out of reach for everybody */
    PATIENCE_PAUSE_LAST_MS = 60 * 1000,
    PATIENCE_OUTAGE_MS_MAX = 3600 * 1000, /* a message can be hidden for 12 hours in all */
};

struct patience {
    const atomic_bool *stop; /* or NULL */
    bool none;               /* every failure counts, an outage as well */
    pthread_mutex_t lock;    /* guards what follows */
    int64_t reached_ms;      /* when S3 answered anybody last, on the monotonic clock */
};
void patience_init(struct patience *patience, const atomic_bool *stop, bool none);
void patience_done(struct patience *patience);

/* What says nothing of the object itself. */
bool patience_is_outage(enum err_code code);
/* Tries again and again, ever more slowly, while what fails is an outage: until it is not, S3
 * answered somebody else since this began to fail (then it is the object), or
 * PATIENCE_OUTAGE_MS_MAX are over. ERR_CANCELLED when a stop was asked for; otherwise what the last
 * try returned. */
typedef enum err_code patience_try(void *context, struct err *err);
NODISCARD enum err_code patience_run(struct patience *patience, patience_try *try_once,
                                     void *context, struct err *err);
/* False when a stop was asked for. */
bool patience_pause(const struct patience *patience, int64_t pause_ms);
