#pragma once
/* A bounded limiter of attempts (sign-in): token buckets per (remote, name), and ten times as wide
 * per remote, so neither one password nor one list of names is tried at speed. In memory, one a
 * process; any thread (one lock). */
#include "base/err.h"
#include <stdint.h>

enum {
    LIMITER_BUCKETS = 4096, /* when all are taken the one nearest to full makes room */
    LIMITER_WAYS = 4,       /* buckets one key can be in */
    LIMITER_REMOTE_FACTOR = 10,
};

struct limiter;

/* burst attempts at once, then one each refill_ms. */
struct limiter *limiter_new(int burst, int64_t refill_ms);
void limiter_free(struct limiter *limiter);
void limiter_freep(struct limiter **limiter);
/* Takes one attempt. ERR_RATE when there is none, with the seconds until there is one. */
NODISCARD enum err_code limiter_take(struct limiter *limiter, const char *remote, const char *name,
                                     int64_t *ret_retry_after_s, struct err *err);
/* The attempt was good: the pair's bucket is full again, and the remote gets the attempt back, so
 * that many people behind one address may sign in. */
void limiter_forgive(struct limiter *limiter, const char *remote, const char *name);
