/* A set-associative table: a key's bucket is one of LIMITER_WAYS neighbours. Buckets keep the time
 * at which they will be full instead of a level, so an idle one needs no upkeep:
 *   missing = max(0, full_ms - now), an attempt adds refill_ms, allowed up to burst * refill_ms. */
#include "http/limiter.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/own.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct bucket {
    uint64_t key; /* 0: never used */
    int64_t full_ms;
};

struct limiter {
    pthread_mutex_t lock; /* guards buckets */
    int burst;
    int64_t refill_ms;
    struct bucket buckets[LIMITER_BUCKETS];
};

struct limiter *limiter_new(int burst, int64_t refill_ms)
{
    struct limiter *limiter = own_alloc(sizeof *limiter);

    ASSERT(burst > 0 && refill_ms > 0);
    (void)pthread_mutex_init(&limiter->lock, NULL); /* cannot fail on Linux */
    limiter->burst = burst;
    limiter->refill_ms = refill_ms;
    return limiter;
}

void limiter_free(struct limiter *limiter)
{
    if (limiter == NULL)
        return;
    (void)pthread_mutex_destroy(&limiter->lock);
    free(limiter);
}

void limiter_freep(struct limiter **limiter)
{
    limiter_free(*limiter);
    *limiter = NULL;
}

/* Seeded, so nobody aims at another's bucket. name NULL: the remote as a whole. */
static uint64_t key_of(const char *remote, const char *name)
{
    uint64_t key = hash_bytes(remote, strlen(remote), hash_seed());

    if (name != NULL)
        key = hash_bytes(name, strlen(name), key ^ hash_seed());
    return key != 0 ? key : 1;
}

static struct bucket *bucket_of(struct limiter *limiter, uint64_t key)
{
    struct bucket *set = &limiter->buckets[key % (LIMITER_BUCKETS / LIMITER_WAYS) * LIMITER_WAYS];
    struct bucket *oldest = set;

    for (size_t i = 0; i < LIMITER_WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
        if (set[i].full_ms < oldest->full_ms)
            oldest = &set[i];
    }
    *oldest = (struct bucket){.key = key};
    return oldest;
}

/* 0 when the attempt is allowed and taken, else the wait in ms. */
static int64_t take(struct limiter *limiter, uint64_t key, int64_t burst, int64_t now_ms)
{
    struct bucket *bucket = bucket_of(limiter, key);
    int64_t full_ms = bucket->full_ms > now_ms ? bucket->full_ms : now_ms;
    int64_t over_ms = full_ms + limiter->refill_ms - now_ms - burst * limiter->refill_ms;

    if (over_ms > 0)
        return over_ms;
    bucket->full_ms = full_ms + limiter->refill_ms;
    return 0;
}

enum err_code limiter_take(struct limiter *limiter, const char *remote, const char *name,
                           int64_t *ret_retry_after_s, struct err *err)
{
    int64_t now_ms = clock_mono_ms();
    int64_t wait_ms;

    (void)pthread_mutex_lock(&limiter->lock);
    wait_ms = take(limiter, key_of(remote, NULL), (int64_t)limiter->burst * LIMITER_REMOTE_FACTOR,
                   now_ms);
    if (wait_ms == 0)
        wait_ms = take(limiter, key_of(remote, name), limiter->burst, now_ms);
    (void)pthread_mutex_unlock(&limiter->lock);
    if (wait_ms == 0)
        return ERR_NONE;
    *ret_retry_after_s = (wait_ms + 999) / 1000;
    return err_set(err, ERR_RATE, "too many attempts; try again in %lld s",
                   (long long)*ret_retry_after_s);
}

void limiter_forgive(struct limiter *limiter, const char *remote, const char *name)
{
    (void)pthread_mutex_lock(&limiter->lock);
    bucket_of(limiter, key_of(remote, name))->full_ms = 0;
    bucket_of(limiter, key_of(remote, NULL))->full_ms -= limiter->refill_ms;
    (void)pthread_mutex_unlock(&limiter->lock);
}
