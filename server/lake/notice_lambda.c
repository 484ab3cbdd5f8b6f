/* The invocations of a Lambda function as a queue of notices. The messages of one event are handed
 * out like those of SQS; when all are settled, or the invocation's time is nearly over, a thread of
 * its own answers with those that failed or are not through. Only then is the next event asked for:
 * Lambda freezes the process while there is none. Work that was cut off goes on when it thaws; what
 * it still stores is known by the ledger when the message comes again. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/http.h"
#include "aws/lambda.h"
#include "aws/s3.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/tally.h"
#include "lake/event.h"
#include "lake/fetch.h"
#include "lake/notice_backend.h"
#include "lake/object.h"

enum {
    EVENT_ARENA_BYTES_MAX = 256 << 20, /* texts of an event several times */
    ANSWER_EARLY_MS = 1000,            /* before the end, at most a quarter of the time there is */
    LATEST_MS = 15 * 60 * 1000,        /* the longest an invocation may take */
    TICK_MS = 200,
};

struct invocation {
    struct arena arena;
    const char *id;
    struct event event;
    bool whole; /* the event is itself the notice: it fails or succeeds as one */
    int64_t began_mono_ms, answer_mono_ms;
    size_t first_open; /* messages before it are handed out to the last object */
    size_t unsettled;  /* objects */
    size_t holders;    /* objects in hand, and one while it is the source's */
    bool answered;
    atomic_bool cancelled; /* its time is over, or a stop was asked for: ends fetching */
};

struct lambda_source {
    struct queue queue; /* first: the same address */
    struct queue_options options;
    char address[LAMBDA_ADDRESS_BYTES_MAX + 1];
    struct aws *aws;
    struct fetch_links links;
    struct http_link *next_link, *answer_link; /* of who receives, of who answers */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    struct invocation *now; /* or NULL */
    bool closing;

    pthread_t answerer;
    bool answerer_started;
};

struct receipt { /* of a notice */
    struct invocation *invocation;
    struct event_message *message;
};

/* Under the lock. */
static void release(struct invocation *invocation)
{
    if (--invocation->holders > 0)
        return;
    arena_done(&invocation->arena);
    free(invocation);
}

static bool is_stopped(const struct lambda_source *source)
{
    return source->options.stop != NULL && atomic_load(source->options.stop);
}

/* Under the lock, for at most a tick. */
static void wait_a_tick(struct lambda_source *source)
{
    struct timespec until;
    int64_t mono_ms = clock_mono_ms() + TICK_MS;

    until = (struct timespec){.tv_sec = mono_ms / 1000, .tv_nsec = mono_ms % 1000 * 1000000};
    (void)pthread_cond_timedwait(&source->changed, &source->lock, &until);
}

static void set_times(struct invocation *invocation, int64_t deadline_ms)
{
    int64_t left_ms = deadline_ms > 0 ? deadline_ms - clock_now_ms() : LATEST_MS;
    int64_t early_ms;

    left_ms = left_ms < 0 ? 0 : left_ms < LATEST_MS ? left_ms : LATEST_MS;
    early_ms = left_ms / 4 < ANSWER_EARLY_MS ? left_ms / 4 : ANSWER_EARLY_MS;
    invocation->began_mono_ms = clock_mono_ms();
    invocation->answer_mono_ms = invocation->began_mono_ms + left_ms - early_ms;
}

static void refuse(struct lambda_source *source, const struct invocation *invocation,
                   const struct err *reason)
{
    struct err err = {0};

    log_warn("an event that cannot be read", "id=%s reason=%s", log_quote(invocation->id),
             log_quote(reason->text));
    tally_add("poison", NULL, NULL, 1);
    if (lambda_fail(source->next_link, source->address, invocation->id, "Pairwatch.NoNotice",
                    reason->text, &err) != ERR_NONE)
        log_error("an answer did not get through", "reason=%s", log_quote(err.text));
}

/* *ret NULL: the event was refused. */
static enum err_code take_event(struct lambda_source *source, struct invocation **ret,
                                struct err *err)
{
    struct invocation *invocation = own_alloc(sizeof *invocation);
    struct lambda_event event = {0};
    struct err reason = {0};
    enum err_code code;

    *ret = NULL;
    invocation->holders = 1;
    arena_init(&invocation->arena, EVENT_ARENA_BYTES_MAX);
    code = lambda_next(source->next_link, source->address, source->options.stop, &invocation->arena,
                       &event, err);
    if (code == ERR_NONE) {
        invocation->id = event.id;
        set_times(invocation, event.deadline_ms);
        if (event_read(event.body, event.length, &invocation->arena, &invocation->event, &reason) ==
            ERR_NONE)
            *ret = invocation;
        else
            refuse(source, invocation, &reason);
    }
    if (*ret == NULL) {
        release(invocation);
        return code;
    }
    for (size_t i = 0; i < invocation->event.count; i++)
        invocation->unsettled += invocation->event.messages[i].announcement.count;
    invocation->whole = invocation->event.count == 1 && invocation->event.messages[0].id == NULL;
    return ERR_NONE;
}

static void hand_out(struct invocation *invocation, struct event_message *message,
                     struct arena *arena, struct notice *ret)
{
    const struct announced *object = &message->announcement.objects[message->handed_out++];
    struct receipt *receipt = ARENA_NEW(&invocation->arena, struct receipt);

    *receipt = (struct receipt){invocation, message};
    invocation->holders++;
    *ret = (struct notice){
        .bucket = arena_strdup(arena, object->bucket),
        .key = arena_strdup(arena, object->key),
        .etag = arena_strdup(arena, object->etag),
        .region = arena_strdup(arena, object->region),
        .size_bytes = object->size_bytes,
        .time_ms = object->time_ms,
        .receipt = receipt,
    };
}

/* Under the lock. */
static size_t hand_out_some(struct invocation *invocation, size_t max, struct arena *arena,
                            struct notice *ret)
{
    struct event *event = &invocation->event;
    size_t count = 0;

    while (invocation->first_open < event->count && count < max) {
        struct event_message *message = &event->messages[invocation->first_open];

        if (message->handed_out < message->announcement.count)
            hand_out(invocation, message, arena, &ret[count++]);
        else
            invocation->first_open++;
    }
    return count;
}

/* Hands out what there is of the event; when all of it is out, waits until it is answered and
 * returns with nothing, so that the caller may see whether to go on. */
static size_t receive_open(struct lambda_source *source, size_t max, struct arena *arena,
                           struct notice *ret)
{
    size_t count = 0;

    (void)pthread_mutex_lock(&source->lock);
    if (source->now != NULL && !source->now->answered &&
        clock_mono_ms() < source->now->answer_mono_ms)
        count = hand_out_some(source->now, max, arena, ret);
    while (count == 0 && source->now != NULL && !source->now->answered && !is_stopped(source))
        wait_a_tick(source);
    if (source->now != NULL && source->now->answered) {
        release(source->now);
        source->now = NULL;
    }
    (void)pthread_mutex_unlock(&source->lock);
    return count;
}

static enum err_code lambda_source_receive(struct queue *queue, size_t max, int64_t wait_ms,
                                           struct arena *arena, struct notice *ret,
                                           size_t *ret_count, bool *ret_drained, struct err *err)
{
    struct lambda_source *source = (struct lambda_source *)queue;
    struct invocation *invocation;
    bool open;
    enum err_code code;

    (void)wait_ms, (void)ret_drained; /* an event is waited for as long as it takes */
    (void)pthread_mutex_lock(&source->lock);
    open = source->now != NULL;
    (void)pthread_mutex_unlock(&source->lock);
    if (!open && !is_stopped(source)) {
        code = take_event(source, &invocation, err);
        if (code == ERR_CANCELLED || (code == ERR_NONE && invocation == NULL))
            return ERR_NONE;
        TRY(code);
        (void)pthread_mutex_lock(&source->lock);
        source->now = invocation;
        (void)pthread_cond_broadcast(&source->changed);
        (void)pthread_mutex_unlock(&source->lock);
    }
    *ret_count = receive_open(source, max, arena, ret);
    return ERR_NONE;
}

static void lambda_source_done(struct queue *queue, const struct notice *notice,
                               enum queue_outcome outcome)
{
    struct lambda_source *source = (struct lambda_source *)queue;
    struct receipt *receipt = notice->receipt;

    (void)pthread_mutex_lock(&source->lock);
    receipt->message->settled++;
    receipt->message->failed |= outcome != QUEUE_DEALT;
    receipt->invocation->unsettled--;
    (void)pthread_cond_broadcast(&source->changed);
    release(receipt->invocation);
    (void)pthread_mutex_unlock(&source->lock);
}

static enum err_code send_answer(struct lambda_source *source, const struct invocation *invocation,
                                 const char *answer, size_t failed, struct err *err)
{
    if (!invocation->whole || failed == 0)
        return lambda_respond(source->answer_link, source->address, invocation->id, answer, err);
    return lambda_fail(source->answer_link, source->address, invocation->id, "Pairwatch.NotStored",
                       "objects of the event are not stored; the log says why", err);
}

/* Under the lock, which is let go while the answer is on its way. */
static void answer(struct lambda_source *source)
{
    struct invocation *invocation = source->now;
    AUTO(arena_done) struct arena arena = {0};
    struct err err = {0};
    const char *text;
    size_t failed;
    enum err_code code;

    arena_init(&arena, EVENT_ARENA_BYTES_MAX);
    invocation->holders++;
    atomic_store(&invocation->cancelled, true);
    text = event_answer(&invocation->event, &arena, &failed);
    log_info("invocation", "id=%s messages=%zu failed=%zu unfinished=%zu ms=%" PRId64,
             log_quote(invocation->id), invocation->event.count, failed, invocation->unsettled,
             clock_mono_ms() - invocation->began_mono_ms);
    (void)pthread_mutex_unlock(&source->lock);
    code = send_answer(source, invocation, text, failed, &err);
    if (code != ERR_NONE)
        log_error("an answer did not get through", "reason=%s", log_quote(err.text));
    (void)pthread_mutex_lock(&source->lock);
    invocation->answered = true;
    (void)pthread_cond_broadcast(&source->changed);
    release(invocation);
}

static void *answerer_main(void *argument)
{
    struct lambda_source *source = argument;

    (void)pthread_mutex_lock(&source->lock);
    while (!source->closing) {
        struct invocation *now = source->now;
        bool open = now != NULL && !now->answered;

        if (open && (now->unsettled == 0 || clock_mono_ms() >= now->answer_mono_ms))
            answer(source);
        else
            wait_a_tick(source);
        if (is_stopped(source) && source->now != NULL)
            atomic_store(&source->now->cancelled, true);
    }
    if (source->now != NULL && !source->now->answered) /* the rest is not begun */
        answer(source);
    (void)pthread_mutex_unlock(&source->lock);
    return NULL;
}

static enum err_code lambda_source_fetch(struct queue *queue, const struct notice *notice,
                                         uint64_t bytes_max, int *ret_fd, struct object_info *ret,
                                         struct err *err)
{
    struct lambda_source *source = (struct lambda_source *)queue;
    struct receipt *receipt = notice->receipt;
    AUTO(fd_closep) int fd = -1;
    struct s3_object object = {0};
    struct s3_wanted wanted = {
        .bucket = notice->bucket,
        .key = notice->key,
        .etag = notice->etag,
        .region = notice->region,
        .bytes_max = bytes_max,
        .stop = &receipt->invocation->cancelled,
    };
    struct aws_link *link;
    enum err_code code;

    TRY(fetch_room(notice, bytes_max, source->options.temp_dir, &fd, err));
    wanted.file = fd;
    link = fetch_link_take(&source->links);
    code = s3_get(link, &wanted, &object, err);
    fetch_link_give(&source->links, link);
    if (code == ERR_CANCELLED && !is_stopped(source))
        return err_set(err, ERR_TIMEOUT, "the function's time was over before the object was read");
    TRY(code);
    ret->size_bytes = object.size_bytes;
    (void)snprintf(ret->etag, sizeof ret->etag, "%s", object.etag);
    *ret_fd = fd;
    fd = -1;
    return ERR_NONE;
}

static void lambda_source_close(struct queue *queue)
{
    struct lambda_source *source = (struct lambda_source *)queue;

    (void)pthread_mutex_lock(&source->lock);
    source->closing = true;
    (void)pthread_cond_broadcast(&source->changed);
    (void)pthread_mutex_unlock(&source->lock);
    if (source->answerer_started)
        (void)pthread_join(source->answerer, NULL);
    if (source->now != NULL)
        release(source->now);
    fetch_links_close(&source->links);
    aws_close(source->aws);
    http_link_close(source->next_link);
    http_link_close(source->answer_link);
    (void)pthread_cond_destroy(&source->changed);
    (void)pthread_mutex_destroy(&source->lock);
    free(source);
}

static const struct queue_backend BACKEND = {lambda_source_close, lambda_source_receive,
                                             lambda_source_done, lambda_source_fetch};

static void source_closep(struct lambda_source **source)
{
    if (*source != NULL)
        lambda_source_close(&(*source)->queue);
}

static struct lambda_source *source_new(const struct queue_options *options)
{
    struct lambda_source *source = own_alloc(sizeof *source);
    pthread_condattr_t monotonic;

    source->queue.backend = &BACKEND;
    source->options = *options;
    (void)pthread_mutex_init(&source->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&source->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    http_link_open(&(struct http_link_options){.ca_bundle = NULL}, &source->next_link);
    http_link_open(&(struct http_link_options){.ca_bundle = NULL}, &source->answer_link);
    return source;
}

enum err_code queue_lambda_open(const char *address, const struct queue_options *options,
                                struct queue **ret, struct err *err)
{
    AUTO(source_closep) struct lambda_source *source = source_new(options);

    if (strlen(address) > LAMBDA_ADDRESS_BYTES_MAX || strpbrk(address, "/@?# ") != NULL)
        return err_set(err, ERR_INVALID, "\"%.100s\" is no address of Lambda's runtime API",
                       address);
    (void)snprintf(source->address, sizeof source->address, "%s", address);
    TRY(aws_open(
        &(struct aws_options){.role = options->aws_role, .external_id = options->aws_external_id},
        &source->aws, err));
    fetch_links_open(&source->links, source->aws);
    if (pthread_create(&source->answerer, NULL, answerer_main, source) != 0)
        return err_set(err, ERR_INTERNAL, "starting the thread that answers invocations");
    source->answerer_started = true;
    *ret = &source->queue;
    source = NULL;
    return ERR_NONE;
}
