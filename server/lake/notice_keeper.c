/* Tells SQS what became of its messages, and keeps what is in hand hidden. */
#include <stdlib.h>
#include <time.h>

#include "aws/sqs.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "lake/notice_sqs.h"

void sqs_message_free(struct message *message)
{
    arena_done(&message->arena);
    free(message);
}

/* Takes up to SQS_BATCH_MAX messages of a state off the list. */
static size_t pick(struct sqs_source *source, enum message_state state,
                   struct message *ret[static SQS_BATCH_MAX])
{
    size_t count = 0;
    struct message **at = &source->messages;

    (void)pthread_mutex_lock(&source->lock);
    while (*at != NULL && count < SQS_BATCH_MAX) {
        if ((*at)->state != state) {
            at = &(*at)->next;
            continue;
        }
        ret[count++] = *at;
        *at = (*at)->next;
        source->message_count--;
    }
    (void)pthread_mutex_unlock(&source->lock);
    return count;
}

/* A deletion that did not come through is tried again while the message is hidden; then it comes
 * again anyway. */
static bool is_to_be_repeated(const struct message *message, enum err_code code, bool failed)
{
    return message->state == MESSAGE_DELETE && code != ERR_NOT_FOUND &&
           (code != ERR_NONE || failed) && clock_mono_ms() < message->hidden_until_ms;
}

static void put_back(struct sqs_source *source, struct message *message)
{
    (void)pthread_mutex_lock(&source->lock);
    message->next = source->messages;
    source->messages = message;
    source->message_count++;
    (void)pthread_mutex_unlock(&source->lock);
}

static enum err_code tell(struct sqs_source *source, struct aws_link *link,
                          enum message_state state, struct message *const *messages, size_t count,
                          bool *ret_failed)
{
    const char *receipts[SQS_BATCH_MAX];
    struct err err = {0};
    enum err_code code;

    for (size_t i = 0; i < count; i++)
        receipts[i] = messages[i]->receipt;
    if (state == MESSAGE_DELETE)
        code = sqs_delete(link, source->sqs, receipts, count, ret_failed, &err);
    else /* what failed waits for as long as if nobody had touched it */
        code = sqs_hide(link, source->sqs, receipts, count,
                        state == MESSAGE_GIVE_BACK ? 0 : (int)source->queue_visibility_s,
                        ret_failed, &err);
    if (code != ERR_NONE)
        log_warn("settling messages with the queue", "count=%zu reason=%s", count,
                 log_quote(err.text));
    return code;
}

static void finish(struct sqs_source *source, struct aws_link *link, enum message_state state,
                   bool closing)
{
    struct message *messages[SQS_BATCH_MAX];
    bool failed[SQS_BATCH_MAX] = {false};
    size_t count, repeated = 0;

    while (repeated == 0 && (count = pick(source, state, messages)) > 0) {
        enum err_code code = tell(source, link, state, messages, count, failed);

        for (size_t i = 0; i < count; i++)
            if (!closing && is_to_be_repeated(messages[i], code, failed[i])) {
                put_back(source, messages[i]);
                repeated++; /* at the next tick */
            } else {        /* comes again if need be, and the ledger knows what was stored */
                sqs_message_free(messages[i]);
            }
    }
}

/* Messages in hand whose time is half over. Only this thread frees messages. */
static size_t pick_old(struct sqs_source *source, struct message *ret[static SQS_BATCH_MAX])
{
    int64_t now_ms = clock_mono_ms(), whole_ms = source->visibility_s * 1000;
    size_t count = 0;

    (void)pthread_mutex_lock(&source->lock);
    for (struct message *at = source->messages; at != NULL && count < SQS_BATCH_MAX; at = at->next)
        if (at->state == MESSAGE_IN_HAND && at->hidden_until_ms - now_ms < whole_ms / 2)
            ret[count++] = at;
    (void)pthread_mutex_unlock(&source->lock);
    return count;
}

/* What could not be prolonged is tried again at the next tick. One that the queue refuses for good
 * has run out and is somebody else's by now; the ledger tells whose work counts. */
static void keep_hidden(struct sqs_source *source, struct aws_link *link)
{
    struct message *messages[SQS_BATCH_MAX];
    const char *receipts[SQS_BATCH_MAX];
    bool failed[SQS_BATCH_MAX] = {false};
    size_t count, repeated = 0;

    while (repeated == 0 && (count = pick_old(source, messages)) > 0) {
        struct err err = {0};
        int64_t now_ms = clock_mono_ms();
        enum err_code code;

        for (size_t i = 0; i < count; i++)
            receipts[i] = messages[i]->receipt;
        code =
            sqs_hide(link, source->sqs, receipts, count, (int)source->visibility_s, failed, &err);
        if (code != ERR_NONE)
            log_warn("keeping messages hidden", "count=%zu reason=%s", count, log_quote(err.text));
        for (size_t i = 0; i < count; i++)
            if (code == ERR_NONE && !failed[i])
                messages[i]->hidden_until_ms = now_ms + source->visibility_s * 1000;
            else
                repeated++;
    }
}

void *sqs_keeper_main(void *argument)
{
    struct sqs_source *source = argument;
    struct aws_link *link = NULL;
    bool closing;

    aws_link_open(source->aws, &link);
    do {
        struct timespec until;

        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += SQS_TICK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        (void)pthread_mutex_lock(&source->lock);
        if (!source->closing)
            (void)pthread_cond_timedwait(&source->wake, &source->lock, &until);
        closing = source->closing;
        (void)pthread_mutex_unlock(&source->lock);
        finish(source, link, MESSAGE_DELETE, closing);
        finish(source, link, MESSAGE_GIVE_BACK, closing);
        finish(source, link, MESSAGE_LEAVE, closing);
        keep_hidden(source, link);
    } while (!closing);
    aws_link_close(link);
    return NULL;
}
