/* The folder as a queue: what a scan found is handed out in key order; when that is used up, the
 * folder is scanned again. */
#include "lake/notice_backend.h"

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

struct folder {
    struct queue queue;   /* first: the same address */
    pthread_mutex_t lock; /* guards seen: queue_done comes from any thread */
    struct seen seen;
    struct queue_options options;
    char *folder;
    struct scan scan; /* what the last scan found; handed out up to next */
    size_t next;
    int64_t scan_after_ms; /* on the monotonic clock */
};

static void folder_close(struct queue *queue)
{
    struct folder *folder = (struct folder *)queue;

    scan_clear(&folder->scan);
    seen_done(&folder->seen);
    (void)pthread_mutex_destroy(&folder->lock);
    free(folder->folder);
    free(folder);
}

/* A receipt is the object's fingerprint, so that queue_done can take it back. */
static void hand_out(struct folder *queue, struct arena *arena, struct notice *ret)
{
    const struct found *found = &queue->scan.items[queue->next++];

    *ret = (struct notice){
        .bucket = arena_strdup(arena, queue->folder),
        .key = arena_strdup(arena, found->key),
        .path = arena_printf(arena, "%s/%s", queue->folder, found->key),
        .size_bytes = found->size_bytes,
        .time_ms = found->changed_ms,
        .receipt = arena_memdup(arena, &found->print, sizeof found->print),
    };
    seen_add(&queue->seen, found->print);
}

/* Under the lock: scans when the last scan is used up and it is time. */
static enum err_code refill(struct folder *queue, struct err *err)
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

static enum err_code receive(struct folder *queue, size_t max, struct arena *arena,
                             struct notice *ret, size_t *ret_count, struct err *err)
{
    enum err_code code;

    (void)pthread_mutex_lock(&queue->lock);
    code = refill(queue, err);
    max = queue_share(&queue->options, queue->scan.count - queue->next, max);
    while (code == ERR_NONE && *ret_count < max && queue->next < queue->scan.count)
        hand_out(queue, arena, &ret[(*ret_count)++]);
    (void)pthread_mutex_unlock(&queue->lock);
    return code;
}

static bool should_stop(const struct folder *folder)
{
    return folder->options.stop != NULL && atomic_load(folder->options.stop);
}

static enum err_code folder_receive(struct queue *queue, size_t max, int64_t wait_ms,
                                    struct arena *arena, struct notice *ret, size_t *ret_count,
                                    bool *ret_drained, struct err *err)
{
    struct folder *folder = (struct folder *)queue;
    int64_t until_ms = clock_mono_ms() + wait_ms;

    for (;;) {
        TRY(receive(folder, max, arena, ret, ret_count, err));
        *ret_drained = *ret_count == 0 && folder->options.once;
        if (*ret_count > 0 || *ret_drained || clock_mono_ms() >= until_ms || should_stop(folder))
            return ERR_NONE;
        clock_sleep_ms(WAIT_SLICE_MS);
    }
}

static void folder_notice_done(struct queue *queue, const struct notice *notice,
                               enum queue_outcome outcome)
{
    struct folder *folder = (struct folder *)queue;
    const struct fingerprint *print = notice->receipt;

    if (outcome != QUEUE_KEEP)
        return;
    (void)pthread_mutex_lock(&folder->lock);
    seen_remove(&folder->seen, *print);
    (void)pthread_mutex_unlock(&folder->lock);
}

static const struct queue_backend BACKEND = {folder_close, folder_receive, folder_notice_done,
                                             NULL};

enum err_code queue_dir_open(const char *path, const struct queue_options *options,
                             struct queue **ret, struct err *err)
{
    struct folder *folder;
    struct stat stat_;

    if (stat(path, &stat_) != 0)
        return err_errno(err, ERR_IO, "opening the queue %s", path);
    if (!S_ISDIR(stat_.st_mode))
        return err_set(err, ERR_NOT_FOUND, "opening the queue %s: it is not a folder", path);
    folder = own_alloc(sizeof *folder);
    folder->queue.backend = &BACKEND;
    (void)pthread_mutex_init(&folder->lock, NULL);
    folder->options = *options;
    if (folder->options.poll_ms <= 0)
        folder->options.poll_ms = POLL_MS_DEFAULT;
    folder->folder = own_strdup(path);
    folder->scan = (struct scan){
        .root = folder->folder,
        .since_day_ms = options->since_day_ms,
        .until_day_ms = options->until_day_ms,
        .seen = &folder->seen,
    };
    *ret = &folder->queue;
    return ERR_NONE;
}
