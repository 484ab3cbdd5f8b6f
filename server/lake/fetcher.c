#include "lake/fetcher.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/s3.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "lake/fetch.h"
#include "lake/notice.h"
#include "lake/object.h"

enum { PAUSE_SLICE_MS = 500 };

struct fetcher {
    const struct queue_options *options;
    struct aws *aws;
    struct fetch_links links;
    pthread_mutex_t lock; /* guards what follows */
    int64_t reached_ms;   /* when S3 answered anybody last, on the monotonic clock */
};

/* What says nothing of the object itself. */
static bool is_outage(enum err_code code)
{
    return code == ERR_UNAVAILABLE || code == ERR_TIMEOUT || code == ERR_RATE ||
           code == ERR_UNAUTHORIZED;
}

/* Notes how a fetch ended; true when the same should be tried again: S3 was reached by nobody since
 * this one began to fail. Were the notice left instead, an outage would use up the tries of every
 * one there is, and their queue would give them up. */
static bool is_worth_waiting(struct fetcher *fetcher, enum err_code code, int64_t failing_ms)
{
    bool worth;

    (void)pthread_mutex_lock(&fetcher->lock);
    if (!is_outage(code))
        fetcher->reached_ms = clock_mono_ms();
    worth = is_outage(code) && !fetcher->options->once && fetcher->reached_ms < failing_ms &&
            clock_mono_ms() - failing_ms < FETCH_OUTAGE_MS_MAX;
    (void)pthread_mutex_unlock(&fetcher->lock);
    return worth;
}

/* False when a stop was asked for. */
static bool pause_unless_stopped(const struct fetcher *fetcher, int64_t pause_ms)
{
    const atomic_bool *stop = fetcher->options->stop;
    int64_t until_ms = clock_mono_ms() + pause_ms;

    while (clock_mono_ms() < until_ms && (stop == NULL || !atomic_load(stop)))
        clock_sleep_ms(PAUSE_SLICE_MS);
    return stop == NULL || !atomic_load(stop);
}

/* s3_get, with an outage waited out; its message stays hidden meanwhile. */
static enum err_code get_patiently(struct fetcher *fetcher, const struct s3_wanted *wanted,
                                   struct s3_object *ret, struct err *err)
{
    int64_t failing_ms = 0, pause_ms = FETCH_PAUSE_FIRST_MS;

    for (;;) {
        struct aws_link *link = fetch_link_take(&fetcher->links);
        enum err_code code = s3_get(link, wanted, ret, err);

        fetch_link_give(&fetcher->links, link);
        if (failing_ms == 0)
            failing_ms = clock_mono_ms();
        if (!is_worth_waiting(fetcher, code, failing_ms))
            return code;
        log_warn("S3 is out of reach", "waiting_s=%" PRId64 " reason=%s",
                 (clock_mono_ms() - failing_ms) / 1000, log_quote(err->text));
        if (!pause_unless_stopped(fetcher, pause_ms))
            return err_set(err, ERR_CANCELLED, "a stop was asked for");
        pause_ms = pause_ms * 2 < FETCH_PAUSE_LAST_MS ? pause_ms * 2 : FETCH_PAUSE_LAST_MS;
    }
}

enum err_code fetcher_get(struct fetcher *fetcher, const struct notice *notice, uint64_t bytes_max,
                          int *ret_fd, struct object_info *ret, struct err *err)
{
    AUTO(fd_closep) int fd = -1;
    struct s3_object object = {0};
    struct s3_wanted wanted = {
        .bucket = notice->bucket,
        .key = notice->key,
        .etag = notice->etag,
        .region = notice->region,
        .bytes_max = bytes_max,
        .stall_s = fetcher->options->stall_s,
        .stop = fetcher->options->stop,
    };

    TRY(fetch_room(notice, bytes_max, fetcher->options->temp_dir, &fd, err));
    wanted.file = fd;
    TRY(get_patiently(fetcher, &wanted, &object, err));
    ret->size_bytes = object.size_bytes;
    (void)snprintf(ret->etag, sizeof ret->etag, "%s", object.etag);
    *ret_fd = fd;
    fd = -1;
    return ERR_NONE;
}

void fetcher_close(struct fetcher *fetcher)
{
    if (fetcher == NULL)
        return;
    fetch_links_close(&fetcher->links);
    aws_close(fetcher->aws);
    (void)pthread_mutex_destroy(&fetcher->lock);
    free(fetcher);
}

enum err_code fetcher_open(const struct queue_options *options, struct fetcher **ret,
                           struct err *err)
{
    struct aws_options aws = {.role = options->aws_role, .external_id = options->aws_external_id};
    struct fetcher *fetcher = own_alloc(sizeof *fetcher);
    enum err_code code;

    fetcher->options = options;
    (void)pthread_mutex_init(&fetcher->lock, NULL);
    code = aws_open(&aws, &fetcher->aws, err);
    fetch_links_open(&fetcher->links, fetcher->aws);
    if (code == ERR_NONE)
        *ret = fetcher;
    else
        fetcher_close(fetcher);
    return code;
}
