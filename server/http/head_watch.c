/* A list of connections and a thread that looks at it every second. A socket is shut under the lock
 * under which its connection leaves the list, so it is never another one of the same number. */
#include "http/head_watch.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/own.h"

enum { LOOK_S = 1 };

struct watched {
    struct watched *next, *previous;
    MHD_socket fd;
    int64_t since_ms; /* 0: not waited for */
};

struct head_watch {
    int64_t limit_ms;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t stop;
    bool stopping;
    struct watched *first;
    pthread_t thread;
};

static void look(struct head_watch *watch)
{
    int64_t before_ms = clock_mono_ms() - watch->limit_ms;

    for (struct watched *w = watch->first; w != NULL; w = w->next)
        if (w->since_ms != 0 && w->since_ms < before_ms) {
            (void)shutdown(w->fd, SHUT_RDWR);
            w->since_ms = 0;
        }
}

static void *watch_main(void *argument)
{
    struct head_watch *watch = argument;

    (void)pthread_mutex_lock(&watch->lock);
    while (!watch->stopping) {
        struct timespec until;

        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += LOOK_S;
        (void)pthread_cond_timedwait(&watch->stop, &watch->lock, &until);
        look(watch);
    }
    (void)pthread_mutex_unlock(&watch->lock);
    return NULL;
}

static void watch_free(struct head_watch *watch)
{
    (void)pthread_cond_destroy(&watch->stop);
    (void)pthread_mutex_destroy(&watch->lock);
    free(watch);
}

enum err_code head_watch_start(int seconds, struct head_watch **ret, struct err *err)
{
    struct head_watch *watch = own_alloc(sizeof *watch);
    pthread_condattr_t monotonic;

    watch->limit_ms = (int64_t)seconds * 1000;
    (void)pthread_mutex_init(&watch->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&watch->stop, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (pthread_create(&watch->thread, NULL, watch_main, watch) != 0) {
        watch_free(watch);
        return err_set(err, ERR_INTERNAL, "starting HTTP: no thread could be made");
    }
    *ret = watch;
    return ERR_NONE;
}

void head_watch_stop(struct head_watch *watch)
{
    if (watch == NULL)
        return;
    (void)pthread_mutex_lock(&watch->lock);
    watch->stopping = true;
    (void)pthread_cond_signal(&watch->stop);
    (void)pthread_mutex_unlock(&watch->lock);
    (void)pthread_join(watch->thread, NULL);
    while (watch->first != NULL) {
        struct watched *w = watch->first;

        watch->first = w->next;
        free(w);
    }
    watch_free(watch);
}

static void add(struct head_watch *watch, struct watched *w)
{
    (void)pthread_mutex_lock(&watch->lock);
    w->next = watch->first;
    if (w->next != NULL)
        w->next->previous = w;
    watch->first = w;
    (void)pthread_mutex_unlock(&watch->lock);
}

static void leave(struct head_watch *watch, struct watched *w)
{
    (void)pthread_mutex_lock(&watch->lock);
    if (w->previous != NULL)
        w->previous->next = w->next;
    else
        watch->first = w->next;
    if (w->next != NULL)
        w->next->previous = w->previous;
    (void)pthread_mutex_unlock(&watch->lock);
    free(w);
}

void head_watch_notify(void *cls, struct MHD_Connection *connection, void **socket_context,
                       enum MHD_ConnectionNotificationCode code)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct watched *w = *socket_context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED && info != NULL) {
        w = own_alloc(sizeof *w);
        w->fd = info->connect_fd;
        w->since_ms = clock_mono_ms();
        *socket_context = w;
        add(cls, w);
    } else if (code == MHD_CONNECTION_NOTIFY_CLOSED && w != NULL) {
        *socket_context = NULL;
        leave(cls, w);
    }
}

static void set_since(struct head_watch *watch, struct MHD_Connection *connection, int64_t ms)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct watched *w = info != NULL ? info->socket_context : NULL;

    if (w == NULL)
        return;
    (void)pthread_mutex_lock(&watch->lock);
    w->since_ms = ms;
    (void)pthread_mutex_unlock(&watch->lock);
}

void head_watch_pause(struct head_watch *watch, struct MHD_Connection *connection)
{
    set_since(watch, connection, 0);
}

void head_watch_begin(struct head_watch *watch, struct MHD_Connection *connection)
{
    set_since(watch, connection, clock_mono_ms());
}
