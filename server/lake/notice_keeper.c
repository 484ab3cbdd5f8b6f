/* Tells SQS what became of its messages. A stored object whose message could not be deleted comes
 * again and is known by the ledger. */
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

static void finish(struct sqs_source *source, struct aws_link *link, enum message_state state)
{
    struct message *messages[SQS_BATCH_MAX];
    const char *receipts[SQS_BATCH_MAX];
    bool failed[SQS_BATCH_MAX];
    size_t count;

    while ((count = pick(source, state, messages)) > 0) {
        struct err err = {0};
        enum err_code code = ERR_NONE;

        for (size_t i = 0; i < count; i++)
            receipts[i] = messages[i]->receipt;
        if (state == MESSAGE_DELETE)
            code = sqs_delete(link, source->sqs, receipts, count, failed, &err);
        else /* what failed waits for as long as if nobody had touched it */
            code = sqs_hide(link, source->sqs, receipts, count,
                            state == MESSAGE_GIVE_BACK ? 0 : (int)source->queue_visibility_s,
                            failed, &err);
        if (code != ERR_NONE) /* they come again, and the ledger knows what was stored */
            log_warn("settling messages with the queue", "count=%zu reason=%s", count,
                     log_quote(err.text));
        for (size_t i = 0; i < count; i++)
            sqs_message_free(messages[i]);
    }
}

/* Messages in hand whose time is half over: copies of their receipts, since they may be done
 * meanwhile. */
static size_t pick_old(struct sqs_source *source, struct arena *arena,
                       const char *ret[static SQS_BATCH_MAX])
{
    int64_t now_ms = clock_mono_ms(), whole_ms = source->visibility_s * 1000;
    size_t count = 0;

    (void)pthread_mutex_lock(&source->lock);
    for (struct message *at = source->messages; at != NULL && count < SQS_BATCH_MAX; at = at->next)
        if (at->state == MESSAGE_IN_HAND && at->hidden_until_ms - now_ms < whole_ms / 2) {
            ret[count++] = arena_strdup(arena, at->receipt);
            at->hidden_until_ms = now_ms + whole_ms;
        }
    (void)pthread_mutex_unlock(&source->lock);
    return count;
}

static void keep_hidden(struct sqs_source *source, struct aws_link *link)
{
    AUTO(arena_done) struct arena arena = {0};
    const char *receipts[SQS_BATCH_MAX];
    bool failed[SQS_BATCH_MAX];
    size_t count;

    arena_init(&arena, SQS_RECEIPTS_BYTES_MAX);
    while ((count = pick_old(source, &arena, receipts)) > 0) {
        struct err err = {0};

        if (sqs_hide(link, source->sqs, receipts, count, (int)source->visibility_s, failed, &err) !=
            ERR_NONE)
            log_warn("keeping messages hidden", "count=%zu reason=%s", count, log_quote(err.text));
        arena_reset(&arena);
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
        finish(source, link, MESSAGE_DELETE);
        finish(source, link, MESSAGE_GIVE_BACK);
        finish(source, link, MESSAGE_LEAVE);
        keep_hidden(source, link);
    } while (!closing);
    aws_link_close(link);
    return NULL;
}
