/* libpq's PQcancel connects, sends and waits for the server to close, however long that takes: with
 * a server that is stopped but whose machine still accepts, for ever. So it runs on a thread of its
 * own, which is left alone when it is late. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "store/db_postgres.h"

enum {
    ASK_MS_MAX = 2000,     /* how long whoever cancels waits for that */
    CANCELS_LATE_MAX = 16, /* of a process; with so many under way, no more are begun */
    WHY_BYTES = 256,       /* PQcancel's own limit */
};
static atomic_int under_way;

struct cancel {
    PGcancel *request;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool done;
    int holders; /* the thread and whoever waits: the last one frees */
};

static void let_go(struct cancel *cancel)
{
    bool last;

    (void)pthread_mutex_lock(&cancel->lock);
    last = --cancel->holders == 0;
    (void)pthread_mutex_unlock(&cancel->lock);
    if (!last)
        return;
    PQfreeCancel(cancel->request);
    (void)pthread_cond_destroy(&cancel->changed);
    (void)pthread_mutex_destroy(&cancel->lock);
    free(cancel);
}

static void *cancel_main(void *argument)
{
    struct cancel *cancel = argument;
    char why[WHY_BYTES];

    if (PQcancel(cancel->request, why, sizeof why) == 0)
        log_debug("a query could not be cancelled", "why=%s", log_quote(why));
    (void)pthread_mutex_lock(&cancel->lock);
    cancel->done = true;
    (void)pthread_cond_signal(&cancel->changed);
    (void)pthread_mutex_unlock(&cancel->lock);
    (void)atomic_fetch_sub(&under_way, 1);
    let_go(cancel);
    return NULL;
}

/* False: it is late. */
static bool wait_for(struct cancel *cancel)
{
    struct timespec until;
    bool done;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ASK_MS_MAX / 1000;
    (void)pthread_mutex_lock(&cancel->lock);
    while (!cancel->done && pthread_cond_timedwait(&cancel->changed, &cancel->lock, &until) == 0)
        continue;
    done = cancel->done;
    (void)pthread_mutex_unlock(&cancel->lock);
    return done;
}

static struct cancel *cancel_new(PGcancel *request)
{
    struct cancel *cancel = own_alloc(sizeof *cancel);
    pthread_condattr_t monotonic;

    cancel->request = request;
    cancel->holders = 2;
    (void)pthread_mutex_init(&cancel->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&cancel->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    return cancel;
}

/* The thread has a hold of the cancel then. */
static bool begin(struct cancel *cancel)
{
    pthread_t thread;

    if (atomic_fetch_add(&under_way, 1) < CANCELS_LATE_MAX &&
        pthread_create(&thread, NULL, cancel_main, cancel) == 0) {
        (void)pthread_detach(thread);
        return true;
    }
    (void)atomic_fetch_sub(&under_way, 1);
    return false;
}

void pg_cancel(struct pg *pg)
{
    PGcancel *request = PQgetCancel(pg->conn);
    struct cancel *cancel;

    if (request == NULL)
        return;
    cancel = cancel_new(request);
    if (begin(cancel)) {
        /* A late one would hit whatever the connection is asked next. */
        pg->lost |= !wait_for(cancel);
    } else {
        log_debug("a query could not be cancelled", "why=%s", "too many are, or no thread is left");
        cancel->holders = 1; /* there is no other */
    }
    let_go(cancel);
}
