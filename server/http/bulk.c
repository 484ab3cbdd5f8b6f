#include "http/bulk.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/thread.h"
#include "http/exchange.h"

struct bulk {
    pthread_mutex_t lock; /* guards what follows, and that a connection is resumed after it rests */
    pthread_cond_t work;
    struct exchange *queue[BULK_QUEUE_MAX]; /* a ring */
    size_t first, count;
    bool stopping;
    void (*run)(struct exchange *x);
    int thread_count;
    pthread_t threads[];
};

static struct exchange *next_of(struct bulk *bulk)
{
    struct exchange *x = NULL;

    (void)pthread_mutex_lock(&bulk->lock);
    while (bulk->count == 0 && !bulk->stopping)
        (void)pthread_cond_wait(&bulk->work, &bulk->lock);
    if (bulk->count > 0) {
        x = bulk->queue[bulk->first];
        bulk->first = (bulk->first + 1) % BULK_QUEUE_MAX;
        bulk->count--;
    }
    (void)pthread_mutex_unlock(&bulk->lock);
    return x;
}

static void *bulk_main(void *argument)
{
    struct bulk *bulk = argument;
    struct exchange *x;

    thread_yield_to_others(BULK_NICE);
    while ((x = next_of(bulk)) != NULL) {
        bulk->run(x);
        MHD_resume_connection(x->connection); /* its thread's again */
    }
    return NULL;
}

enum err_code bulk_start(int threads, void (*run)(struct exchange *x), struct bulk **ret,
                         struct err *err)
{
    struct bulk *bulk = own_alloc(sizeof *bulk + (size_t)threads * sizeof bulk->threads[0]);

    bulk->run = run;
    (void)pthread_mutex_init(&bulk->lock, NULL);
    (void)pthread_cond_init(&bulk->work, NULL);
    for (; bulk->thread_count < threads; bulk->thread_count++)
        if (pthread_create(&bulk->threads[bulk->thread_count], NULL, bulk_main, bulk) != 0) {
            bulk_stop(bulk);
            bulk_free(bulk);
            return err_set(err, ERR_INTERNAL, "starting HTTP: no thread could be made");
        }
    *ret = bulk;
    return ERR_NONE;
}

bool bulk_take(struct bulk *bulk, struct exchange *x)
{
    bool room;

    (void)pthread_mutex_lock(&bulk->lock);
    room = bulk->count < BULK_QUEUE_MAX && !bulk->stopping;
    if (room) {
        MHD_suspend_connection(x->connection);
        bulk->queue[(bulk->first + bulk->count++) % BULK_QUEUE_MAX] = x;
        (void)pthread_cond_signal(&bulk->work);
    }
    (void)pthread_mutex_unlock(&bulk->lock);
    return room;
}

void bulk_stop(struct bulk *bulk)
{
    (void)pthread_mutex_lock(&bulk->lock);
    bulk->stopping = true;
    (void)pthread_cond_broadcast(&bulk->work);
    (void)pthread_mutex_unlock(&bulk->lock);
    for (int i = 0; i < bulk->thread_count; i++)
        (void)pthread_join(bulk->threads[i], NULL);
}

void bulk_free(struct bulk *bulk)
{
    if (bulk == NULL)
        return;
    (void)pthread_cond_destroy(&bulk->work);
    (void)pthread_mutex_destroy(&bulk->lock);
    free(bulk);
}
