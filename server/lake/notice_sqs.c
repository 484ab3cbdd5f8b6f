/* SQS as a queue of notices. A message may announce several objects: it is deleted when all of them
 * were dealt with, given back when one was not begun, and left to run out (so that the queue's
 * dead-letter rule counts it) when one failed.
 *
 * A thread of its own keeps what is in hand hidden from other workers, and deletes what is done.
 * A stored object whose message could not be deleted comes again and is known by the ledger. */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "aws/s3_many.h"
#include "aws/sqs.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "base/tally.h"
#include "lake/announce.h"
#include "lake/notice_sqs.h"
#include "lake/object.h"

enum {
    IN_HAND_MAX = 256, /* messages; nothing more is received until some are done */
    RECEIVE_ARENA_BYTES_MAX = 64 << 20,
    MESSAGE_ARENA_BYTES_MAX = 4 << 20,
    WAIT_ONCE_S = 1,
    VISIBILITY_SECONDS_MIN = 10, /* a shorter timeout is lengthened as soon as work begins */
    TROUBLE_PAUSE_MS = 5000,
};

static struct aws_link *take_link(struct sqs_source *source)
{
    struct aws_link *link = NULL;

    (void)pthread_mutex_lock(&source->lock);
    if (source->link_count > 0)
        link = source->links[--source->link_count];
    (void)pthread_mutex_unlock(&source->lock);
    if (link == NULL)
        aws_link_open(source->aws, &link);
    return link;
}

static void give_link(struct sqs_source *source, struct aws_link *link)
{
    (void)pthread_mutex_lock(&source->lock);
    if (source->link_count < SQS_LINKS_MAX) {
        source->links[source->link_count++] = link;
        link = NULL;
    }
    (void)pthread_mutex_unlock(&source->lock);
    aws_link_close(link);
}

static void add_message(struct sqs_source *source, struct message *message)
{
    struct message **at = &source->messages;

    (void)pthread_mutex_lock(&source->lock);
    while (*at != NULL)
        at = &(*at)->next;
    *at = message;
    source->message_count++;
    (void)pthread_mutex_unlock(&source->lock);
}

static void prepare(struct message *message)
{
    size_t count = message->announcement.count;

    message->handed = ARENA_ARRAY(&message->arena, struct handed, count + 1);
    for (size_t i = 0; i < count; i++)
        message->handed[i] = (struct handed){
            .message = message, .object = &message->announcement.objects[i], .fd = -1};
}

static void take_in(struct sqs_source *source, const struct sqs_message *from, int64_t hidden_ms)
{
    struct message *message = own_alloc(sizeof *message);
    struct err reason = {0};

    arena_init(&message->arena, MESSAGE_ARENA_BYTES_MAX);
    message->id = arena_strdup(&message->arena, from->id);
    message->receipt = arena_strdup(&message->arena, from->receipt);
    message->hidden_until_ms = hidden_ms;
    if (from->damaged) {
        log_warn("message damaged on the way", "id=%s", log_quote(from->id));
        message->state = MESSAGE_GIVE_BACK;
    } else if (announce_read(from->body, strlen(from->body), &message->arena,
                             &message->announcement, &reason) != ERR_NONE) {
        log_warn("message is no notice", "id=%s receives=%" PRId64 " reason=%s",
                 log_quote(from->id), from->receives, log_quote(reason.text));
        tally_add("poison", NULL, NULL, 1);
        message->announcement.count = 0;
        message->state = MESSAGE_LEAVE;
    } else {
        announce_drop_strangers(&message->announcement);
        if (message->announcement.count == 0)
            message->state = MESSAGE_DELETE;
        prepare(message);
    }
    add_message(source, message);
}

static enum err_code poll_queue(struct sqs_source *source, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct sqs_message messages[SQS_BATCH_MAX];
    struct aws_link *link = take_link(source);
    int64_t begun_ms = clock_mono_ms();
    size_t count = 0;
    enum err_code code;

    arena_init(&arena, RECEIVE_ARENA_BYTES_MAX);
    code = sqs_receive(link, source->sqs, SQS_BATCH_MAX,
                       source->options.once ? WAIT_ONCE_S : SQS_WAIT_SECONDS_MAX,
                       source->options.stop, &arena, messages, &count, err);
    give_link(source, link);
    if (code == ERR_CANCELLED)
        return ERR_NONE;
    TRY(code);
    /* Hidden since some moment after the question: the earliest is the safe one unless it waited.
     */
    begun_ms = clock_mono_ms() - begun_ms > 1000 ? clock_mono_ms() - 1000 : begun_ms;
    for (size_t i = 0; i < count; i++)
        take_in(source, &messages[i], begun_ms + source->queue_visibility_s * 1000);
    return ERR_NONE;
}

static void hand_out(struct message *message, struct arena *arena, struct notice *ret)
{
    struct handed *handed = &message->handed[message->handed_out++];
    const struct announced *object = handed->object;

    *ret = (struct notice){
        .bucket = arena_strdup(arena, object->bucket),
        .key = arena_strdup(arena, object->key),
        .etag = arena_strdup(arena, object->etag),
        .region = arena_strdup(arena, object->region),
        .size_bytes = object->size_bytes,
        .time_ms = object->time_ms,
        .receipt = handed,
    };
}

/* Under the lock. */
static size_t count_ready(const struct sqs_source *source)
{
    size_t count = 0;

    for (const struct message *at = source->messages; at != NULL; at = at->next)
        if (at->state == MESSAGE_IN_HAND)
            count += at->announcement.count - at->handed_out;
    return count;
}

static void hand_out_some(struct sqs_source *source, size_t max, struct arena *arena,
                          struct notice *ret, size_t *ret_count)
{
    (void)pthread_mutex_lock(&source->lock);
    max = queue_share(&source->options, count_ready(source), max);
    for (struct message *message = source->messages; message != NULL; message = message->next)
        while (message->state == MESSAGE_IN_HAND && *ret_count < max &&
               message->handed_out < message->announcement.count)
            hand_out(message, arena, &ret[(*ret_count)++]);
    (void)pthread_mutex_unlock(&source->lock);
    for (size_t i = 0; i < *ret_count; i++)
        sqs_fetch_ahead(source, ret[i].receipt);
}

/* The first of those that are not handed out, which are the receiving thread's. Their messages
 * stay: only what is settled is freed. */
static size_t list_next(struct sqs_source *source, bool asked_for,
                        struct handed *ret[static SQS_AHEAD_MAX])
{
    size_t count = 0;

    (void)pthread_mutex_lock(&source->lock);
    for (struct message *at = source->messages; at != NULL; at = at->next)
        for (size_t i = at->handed_out;
             at->state == MESSAGE_IN_HAND && count < SQS_AHEAD_MAX && i < at->announcement.count;
             i++)
            if (at->handed[i].placed || !asked_for)
                ret[count++] = &at->handed[i];
    (void)pthread_mutex_unlock(&source->lock);
    return count;
}

/* Those that come next are brought here whoever will take them. */
static void fetch_next(struct sqs_source *source)
{
    struct handed *next[SQS_AHEAD_MAX];
    size_t count = list_next(source, false, next);

    for (size_t i = 0; i < count; i++)
        sqs_fetch_ahead(source, next[i]);
}

static void drop_next(struct sqs_source *source)
{
    struct handed *next[SQS_AHEAD_MAX];
    size_t count = list_next(source, true, next);

    for (size_t i = 0; i < count; i++)
        sqs_fetch_end(source, next[i]);
}

static bool has_room(struct sqs_source *source)
{
    bool room;

    (void)pthread_mutex_lock(&source->lock);
    room = source->message_count + SQS_BATCH_MAX <= IN_HAND_MAX;
    (void)pthread_mutex_unlock(&source->lock);
    return room;
}

/* Trouble with the queue is waited out; with `once` it is a failure. */
static enum err_code sqs_source_receive(struct queue *queue, size_t max, int64_t wait_ms,
                                        struct arena *arena, struct notice *ret, size_t *ret_count,
                                        bool *ret_drained, struct err *err)
{
    struct sqs_source *source = (struct sqs_source *)queue;

    (void)wait_ms; /* long polling has its own */
    hand_out_some(source, max, arena, ret, ret_count);
    fetch_next(source);
    if (*ret_count > 0)
        return ERR_NONE;
    if (!has_room(source)) {
        clock_sleep_ms(SQS_TICK_MS);
        return ERR_NONE;
    }
    if (poll_queue(source, err) != ERR_NONE) {
        if (source->options.once)
            return err->code;
        log_error("receiving from the queue", "reason=%s", log_quote(err->text));
        (void)patience_pause(&source->patience, TROUBLE_PAUSE_MS);
        return ERR_NONE;
    }
    hand_out_some(source, max, arena, ret, ret_count);
    fetch_next(source);
    *ret_drained = *ret_count == 0 && source->options.once;
    return ERR_NONE;
}

static void settle(struct message *message, enum queue_outcome outcome)
{
    message->settled++;
    message->keep |= outcome == QUEUE_KEEP;
    message->failed |= outcome == QUEUE_FAILED;
    if (message->settled < message->announcement.count)
        return;
    message->state = message->failed ? MESSAGE_LEAVE
                     : message->keep ? MESSAGE_GIVE_BACK
                                     : MESSAGE_DELETE;
}

static void sqs_source_done(struct queue *queue, const struct notice *notice,
                            enum queue_outcome outcome)
{
    struct sqs_source *source = (struct sqs_source *)queue;
    struct handed *handed = notice->receipt;

    sqs_fetch_end(source, handed);
    (void)pthread_mutex_lock(&source->lock);
    settle(handed->message, outcome);
    (void)pthread_cond_signal(&source->wake);
    (void)pthread_mutex_unlock(&source->lock);
}

/* Everything in hand was settled by its threads; what was never handed out goes back. */
static void sqs_source_close(struct queue *queue)
{
    struct sqs_source *source = (struct sqs_source *)queue;

    drop_next(source);
    (void)pthread_mutex_lock(&source->lock);
    for (struct message *at = source->messages; at != NULL; at = at->next)
        if (at->state == MESSAGE_IN_HAND)
            at->state = at->failed ? MESSAGE_LEAVE : MESSAGE_GIVE_BACK;
    source->closing = true;
    (void)pthread_cond_signal(&source->wake);
    (void)pthread_mutex_unlock(&source->lock);
    if (source->keeper_started)
        (void)pthread_join(source->keeper, NULL);
    while (source->messages != NULL) {
        struct message *first = source->messages;

        source->messages = first->next;
        sqs_message_free(first);
    }
    while (source->link_count > 0)
        aws_link_close(source->links[--source->link_count]);
    s3_many_close(source->s3);
    sqs_close(source->sqs);
    aws_close(source->aws);
    (void)pthread_cond_destroy(&source->wake);
    patience_done(&source->patience);
    (void)pthread_mutex_destroy(&source->lock);
    free(source);
}

static enum err_code sqs_source_fetch(struct queue *queue, const struct notice *notice,
                                      uint64_t bytes_max, int *ret_fd, struct object_info *ret,
                                      struct err *err)
{
    return sqs_fetch((struct sqs_source *)queue, notice->receipt, bytes_max, ret_fd, ret, err);
}

static const struct queue_backend BACKEND = {sqs_source_close, sqs_source_receive, sqs_source_done,
                                             sqs_source_fetch};

static enum err_code connect_queue(struct sqs_source *source, const char *url_or_arn,
                                   struct err *err)
{
    struct sqs_attributes attributes = {0};
    struct aws_link *link = take_link(source);
    enum err_code code = sqs_open(link, url_or_arn, &source->sqs, err);

    if (code == ERR_NONE)
        code = sqs_attributes(link, source->sqs, &attributes, err);
    give_link(source, link);
    if (code != ERR_NONE)
        return err_prefix(err, "opening the queue %s", url_or_arn);
    source->queue_visibility_s = source->visibility_s = attributes.visibility_s;
    if (source->visibility_s < VISIBILITY_SECONDS_MIN)
        source->visibility_s = VISIBILITY_SECONDS_MIN;
    if (!attributes.has_dead_letters)
        log_warn("the queue has no dead-letter queue: what cannot be read comes again and again",
                 "queue=%s", log_quote(sqs_url(source->sqs)));
    return ERR_NONE;
}

static void source_closep(struct sqs_source **source)
{
    if (*source != NULL)
        sqs_source_close(&(*source)->queue);
}

enum err_code queue_sqs_open(const char *url_or_arn, const struct queue_options *options,
                             struct queue **ret, struct err *err)
{
    AUTO(source_closep) struct sqs_source *source = NULL;
    pthread_condattr_t monotonic;

    if (options->since_day_ms != 0 || options->until_day_ms != 0)
        return err_set(err, ERR_USAGE,
                       "--since and --until choose days of a folder, not of a queue");
    source = own_alloc(sizeof *source);
    source->queue.backend = &BACKEND;
    source->options = *options;
    patience_init(&source->patience, options->stop, options->once);
    (void)pthread_mutex_init(&source->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&source->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    TRY(aws_open(
        &(struct aws_options){.role = options->aws_role, .external_id = options->aws_external_id},
        &source->aws, err));
    TRY(connect_queue(source, url_or_arn, err));
    TRY(s3_many_open(source->aws, &source->s3, err));
    if (pthread_create(&source->keeper, NULL, sqs_keeper_main, source) != 0)
        return err_set(err, ERR_INTERNAL, "starting the thread that keeps messages hidden");
    source->keeper_started = true;
    *ret = &source->queue;
    source = NULL;
    return ERR_NONE;
}
