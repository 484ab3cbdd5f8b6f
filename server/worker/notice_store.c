#include "worker/notice_store.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "lake/fetcher.h"
#include "lake/notice_backend.h"
#include "store/db.h"
#include "store/notice.h"
#include "store/writer.h"

enum {
    HELD_MAX = 256, /* notices in hand or settled; nothing more is taken until some are told */
    POLL_MS = 500,  /* between looks at an empty table */
    CLAIM_ARENA_BYTES_MAX = 4 << 20,
};

enum held_state { HELD_FREE, HELD_IN_HAND, HELD_SETTLED };
struct held {
    enum held_state state;
    struct notice_settled settled;
    char *bucket, *key;
};

struct store_queue {
    struct queue queue; /* first: the same address */
    struct store_queue_options options;
    struct queue *inner;     /* or NULL */
    struct fetcher *fetcher; /* for objects of S3; NULL with a folder */
    struct db *db;           /* reads, on the receiving thread */
    pthread_mutex_t lock;    /* guards held */
    struct held held[HELD_MAX];
};

static bool is_held(const struct store_queue *queue, const void *receipt)
{
    const struct held *held = receipt;

    return held >= queue->held && held < queue->held + HELD_MAX;
}

/* Below the folder and nowhere else: the table says what somebody wrote there. */
static bool key_stays_below(const char *key)
{
    if (key[0] == '/' || key[0] == '\0')
        return false;
    for (const char *at = key; at != NULL; at = strchr(at, '/')) {
        at += *at == '/';
        if (strcmp(at, "..") == 0 || str_starts(at, "../"))
            return false;
    }
    return true;
}

static struct held *hold(struct store_queue *queue, const struct notice_row *row)
{
    struct held *slot = NULL;

    (void)pthread_mutex_lock(&queue->lock);
    for (size_t i = 0; i < HELD_MAX && slot == NULL; i++)
        if (queue->held[i].state == HELD_FREE)
            slot = &queue->held[i];
    ASSERT(slot != NULL); /* no more than have room are claimed */
    *slot = (struct held){.state = HELD_IN_HAND,
                          .bucket = own_strdup(row->bucket),
                          .key = own_strdup(row->key),
                          .settled = {.id = row->id, .attempts = row->attempts}};
    slot->settled.bucket = slot->bucket;
    slot->settled.key = slot->key;
    (void)pthread_mutex_unlock(&queue->lock);
    return slot;
}

static struct notice notice_of(struct store_queue *queue, const struct notice_row *row,
                               struct arena *arena)
{
    struct notice notice = {
        .bucket = arena_strdup(arena, row->bucket),
        .key = arena_strdup(arena, row->key),
        .etag = row->etag[0] != '\0' ? arena_strdup(arena, row->etag) : NULL,
        .region = arena_strdup(arena, row->region),
        .size_bytes = (uint64_t)row->size_bytes,
        .time_ms = row->made != FIELD_NULL_INT ? row->made : 0,
        .receipt = hold(queue, row),
    };

    if (queue->options.folder != NULL && key_stays_below(row->key))
        notice.path = arena_printf(arena, "%s/%s", row->bucket, row->key);
    return notice;
}

/* What is settled goes into ret; the free places are counted. */
static size_t list_settled(struct store_queue *queue, struct notice_settled *ret, size_t *ret_free)
{
    size_t count = 0;

    *ret_free = 0;
    (void)pthread_mutex_lock(&queue->lock);
    for (size_t i = 0; i < HELD_MAX; i++) {
        if (queue->held[i].state == HELD_SETTLED)
            ret[count++] = queue->held[i].settled;
        *ret_free += queue->held[i].state == HELD_FREE;
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return count;
}

/* What was told to the store has its place free again. */
static void free_settled(struct store_queue *queue, const struct notice_settled *told, size_t count)
{
    (void)pthread_mutex_lock(&queue->lock);
    for (size_t t = 0; t < count; t++)
        for (size_t i = 0; i < HELD_MAX; i++) {
            struct held *held = &queue->held[i];

            if (held->state != HELD_SETTLED || held->settled.id != told[t].id)
                continue;
            free(held->bucket);
            free(held->key);
            *held = (struct held){.state = HELD_FREE};
        }
    (void)pthread_mutex_unlock(&queue->lock);
}

/* Tells what is settled and takes up to max more, in one transaction. */
static enum err_code exchange(struct store_queue *queue, size_t max, struct arena *arena,
                              struct notice *ret, size_t *ret_count, struct err *err)
{
    AUTO(arena_done) struct arena own = {0};
    struct notice_settled settled[HELD_MAX];
    struct notice_claim_job job = {
        .holder = queue->options.worker,
        .now_ms = clock_now_ms(),
        .settled = settled,
        .folder = queue->options.folder,
        .arena = &own,
    };
    size_t room;

    arena_init(&own, CLAIM_ARENA_BYTES_MAX);
    job.settled_count = list_settled(queue, settled, &room);
    job.max = max < room ? max : room;
    job.max = job.max < NOTICE_CLAIM_MAX ? job.max : NOTICE_CLAIM_MAX;
    job.rows = ARENA_ARRAY(&own, struct notice_row, NOTICE_CLAIM_MAX);
    if (job.settled_count == 0 && job.max == 0)
        return ERR_NONE;
    TRY(writer_run(queue->options.writer, notice_claim_job_run, &job, err));
    free_settled(queue, settled, job.settled_count);
    for (size_t i = 0; i < job.count; i++)
        ret[(*ret_count)++] = notice_of(queue, &job.rows[i], arena);
    return ERR_NONE;
}

static bool has_settled(struct store_queue *queue)
{
    struct notice_settled unused[HELD_MAX];
    size_t room;

    return list_settled(queue, unused, &room) > 0;
}

static enum err_code take(struct store_queue *queue, size_t max, struct arena *arena,
                          struct notice *ret, size_t *ret_count, struct err *err)
{
    bool ready = false;
    enum err_code code =
        notice_is_ready(queue->db, clock_now_ms(), queue->options.folder, &ready, err);

    if (code == ERR_NONE && (ready || has_settled(queue)))
        code = exchange(queue, ready ? max : 0, arena, ret, ret_count, err);
    if (code != ERR_BUSY)
        return code;
    log_debug("the notices in the store have to wait", "reason=%s", log_quote(err->text));
    return ERR_NONE; /* the writer is busy, or the database away for a moment */
}

static bool should_stop(const struct store_queue *queue)
{
    const struct queue_options *options = queue->options.queue;

    return options->stop != NULL && atomic_load(options->stop);
}

static enum err_code store_receive(struct queue *queue_, size_t max, int64_t wait_ms,
                                   struct arena *arena, struct notice *ret, size_t *ret_count,
                                   bool *ret_drained, struct err *err)
{
    struct store_queue *queue = (struct store_queue *)queue_;
    int64_t until_ms = clock_mono_ms() + wait_ms;

    for (;;) {
        TRY(take(queue, max, arena, ret, ret_count, err));
        if (*ret_count > 0)
            return ERR_NONE;
        if (queue->inner != NULL)
            return queue_receive(queue->inner, max, wait_ms, arena, ret, ret_count, ret_drained,
                                 err);
        *ret_drained = queue->options.queue->once;
        if (*ret_drained || clock_mono_ms() >= until_ms || should_stop(queue))
            return ERR_NONE;
        clock_sleep_ms(POLL_MS);
    }
}

static void store_done(struct queue *queue_, const struct notice *notice,
                       enum queue_outcome outcome)
{
    static const enum notice_outcome OUTCOMES[] = {
        [QUEUE_DEALT] = NOTICE_DEALT, [QUEUE_KEEP] = NOTICE_KEEP, [QUEUE_FAILED] = NOTICE_FAILED};
    struct store_queue *queue = (struct store_queue *)queue_;
    struct held *held = notice->receipt;

    if (!is_held(queue, held)) {
        queue_done(queue->inner, notice, outcome);
        return;
    }
    (void)pthread_mutex_lock(&queue->lock);
    held->settled.outcome = OUTCOMES[outcome];
    held->state = HELD_SETTLED;
    (void)pthread_mutex_unlock(&queue->lock);
}

static enum err_code store_fetch(struct queue *queue_, const struct notice *notice,
                                 uint64_t bytes_max, int *ret_fd, struct object_info *ret,
                                 struct err *err)
{
    struct store_queue *queue = (struct store_queue *)queue_;

    if (queue->options.folder != NULL)
        return err_set(err, ERR_INVALID, "the key leads out of the folder");
    if (!is_held(queue, notice->receipt))
        return queue_fetch(queue->inner, notice, bytes_max, ret_fd, ret, err);
    return fetcher_get(queue->fetcher, notice, bytes_max, ret_fd, ret, err);
}

/* What was settled last is told before the end; otherwise its lease runs out and it comes again,
 * known by the ledger. */
static void store_close(struct queue *queue_)
{
    struct store_queue *queue = (struct store_queue *)queue_;
    struct err err = {0};
    struct notice unused;
    size_t none = 0;

    if (exchange(queue, 0, NULL, &unused, &none, &err) != ERR_NONE)
        log_warn("telling the store which notices are done", "reason=%s", log_quote(err.text));
    for (size_t i = 0; i < HELD_MAX; i++) {
        free(queue->held[i].bucket);
        free(queue->held[i].key);
    }
    queue_close(queue->inner);
    fetcher_close(queue->fetcher);
    db_close(queue->db);
    (void)pthread_mutex_destroy(&queue->lock);
    free(queue);
}

static const struct queue_backend BACKEND = {store_close, store_receive, store_done, store_fetch};

enum err_code queue_store_open(const struct store_queue_options *options, struct queue *inner,
                               struct queue **ret, struct err *err)
{
    struct store_queue *queue = own_alloc(sizeof *queue);
    enum err_code code;

    queue->queue.backend = &BACKEND;
    queue->options = *options;
    queue->inner = inner;
    (void)pthread_mutex_init(&queue->lock, NULL);
    code = db_open(options->database_url, DB_READ, &queue->db, err);
    if (code == ERR_NONE && options->folder == NULL)
        code = fetcher_open(options->queue, &queue->fetcher, err);
    if (code == ERR_NONE)
        *ret = &queue->queue;
    else
        store_close(&queue->queue);
    return code;
}
