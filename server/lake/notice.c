/* The folder as a queue: what a scan found is handed out in key order; when that is used up, the
 * folder is scanned again. */
#include "lake/notice.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "lake/scan.h"

enum { POLL_MS_DEFAULT = 2000, WAIT_SLICE_MS = 50 };

struct queue {
    pthread_mutex_t lock; /* guards seen: queue_done comes from any thread */
    struct seen seen;
    struct queue_options options;
    char *folder;
    struct scan scan; /* what the last scan found; handed out up to next */
    size_t next;
    int64_t scan_after_ms; /* on the monotonic clock */
};

enum err_code queue_open(const char *url, const struct queue_options *options, struct queue **ret,
                         struct err *err)
{
    static const char PREFIX[] = "dir:";
    const char *folder;
    struct queue *queue;
    struct stat stat_;

    if (!str_starts(url, PREFIX) || url[sizeof PREFIX - 1] == '\0')
        return err_set(err, ERR_INVALID, "a queue is dir:FOLDER, not \"%s\"", url);
    folder = url + sizeof PREFIX - 1;
    if (stat(folder, &stat_) != 0)
        return err_errno(err, ERR_IO, "opening the queue %s", folder);
    if (!S_ISDIR(stat_.st_mode))
        return err_set(err, ERR_NOT_FOUND, "opening the queue %s: it is not a folder", folder);
    queue = own_alloc(sizeof *queue);
    (void)pthread_mutex_init(&queue->lock, NULL);
    queue->options = *options;
    if (queue->options.poll_ms <= 0)
        queue->options.poll_ms = POLL_MS_DEFAULT;
    queue->folder = own_strdup(folder);
    queue->scan = (struct scan){
        .root = queue->folder,
        .since_day_ms = options->since_day_ms,
        .until_day_ms = options->until_day_ms,
        .seen = &queue->seen,
    };
    *ret = queue;
    return ERR_NONE;
}

void queue_close(struct queue *queue)
{
    if (queue == NULL)
        return;
    scan_clear(&queue->scan);
    seen_done(&queue->seen);
    (void)pthread_mutex_destroy(&queue->lock);
    free(queue->folder);
    free(queue);
}

void queue_closep(struct queue **queue)
{
    queue_close(*queue);
    *queue = NULL;
}

/* A receipt is the object's fingerprint, so that queue_done can take it back. */
static void hand_out(struct queue *queue, struct arena *arena, struct notice *ret)
{
    const struct found *found = &queue->scan.items[queue->next++];

    ret->bucket = arena_strdup(arena, queue->folder);
    ret->key = arena_strdup(arena, found->key);
    ret->path = arena_printf(arena, "%s/%s", queue->folder, found->key);
    ret->size_bytes = found->size_bytes;
    ret->receipt = arena_memdup(arena, &found->print, sizeof found->print);
    seen_add(&queue->seen, found->print);
}

/* Under the lock: scans when the last scan is used up and it is time. */
static enum err_code refill(struct queue *queue, struct err *err)
{
    int64_t now_ms = clock_mono_ms();

    if (queue->next < queue->scan.count || now_ms < queue->scan_after_ms)
        return ERR_NONE;
    scan_clear(&queue->scan);
    queue->next = 0;
    TRY(scan_run(&queue->scan, err));
    if (queue->scan.count == 0 && !queue->options.once)
        queue->scan_after_ms = now_ms + queue->options.poll_ms;
    return ERR_NONE;
}

static enum err_code receive(struct queue *queue, size_t max, struct arena *arena,
                             struct notice *ret, size_t *ret_count, struct err *err)
{
    enum err_code code;

    (void)pthread_mutex_lock(&queue->lock);
    code = refill(queue, err);
    while (code == ERR_NONE && *ret_count < max && queue->next < queue->scan.count)
        hand_out(queue, arena, &ret[(*ret_count)++]);
    (void)pthread_mutex_unlock(&queue->lock);
    return code;
}

enum err_code queue_receive(struct queue *queue, size_t max, int64_t wait_ms, struct arena *arena,
                            struct notice *ret, size_t *ret_count, bool *ret_drained,
                            struct err *err)
{
    int64_t until_ms = clock_mono_ms() + wait_ms;

    *ret_count = 0;
    *ret_drained = false;
    for (;;) {
        TRY(receive(queue, max, arena, ret, ret_count, err));
        *ret_drained = *ret_count == 0 && queue->options.once;
        if (*ret_count > 0 || *ret_drained || clock_mono_ms() >= until_ms)
            return ERR_NONE;
        clock_sleep_ms(WAIT_SLICE_MS);
    }
}

void queue_done(struct queue *queue, const struct notice *notice, bool keep)
{
    const struct fingerprint *print = notice->receipt;

    if (!keep)
        return;
    (void)pthread_mutex_lock(&queue->lock);
    seen_remove(&queue->seen, *print);
    (void)pthread_mutex_unlock(&queue->lock);
}
