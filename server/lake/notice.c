/* Which queue a name means, and the calls handed on to it. */
#include "lake/notice.h"

#include <string.h>

#include "base/str.h"
#include "lake/notice_backend.h"

enum err_code queue_open(const char *url, const struct queue_options *options, struct queue **ret,
                         struct err *err)
{
    if (str_starts(url, "dir:") && url[4] != '\0')
        return queue_dir_open(url + 4, options, ret, err);
    if (str_starts(url, "sqs:") && url[4] != '\0')
        return queue_sqs_open(url + 4, options, ret, err);
    if (str_starts(url, "lambda:") && url[7] != '\0')
        return queue_lambda_open(url + 7, options, ret, err);
    if (str_starts(url, "https://") || str_starts(url, "http://") || str_starts(url, "arn:"))
        return queue_sqs_open(url, options, ret, err);
    return err_set(err, ERR_INVALID,
                   "a queue is dir:FOLDER, or sqs: and the URL or ARN of an SQS queue, not \"%s\"",
                   url);
}

void queue_close(struct queue *queue)
{
    if (queue != NULL)
        queue->backend->close(queue);
}

void queue_closep(struct queue **queue)
{
    queue_close(*queue);
    *queue = NULL;
}

size_t queue_share(const struct queue_options *options, size_t ready, size_t max)
{
    size_t takers = options->takers > 0 ? (size_t)options->takers : 1;
    size_t share = (ready + takers - 1) / takers;

    return share < max ? share : max;
}

enum err_code queue_receive(struct queue *queue, size_t max, int64_t wait_ms, struct arena *arena,
                            struct notice *ret, size_t *ret_count, bool *ret_drained,
                            struct err *err)
{
    *ret_count = 0;
    *ret_drained = false;
    return queue->backend->receive(queue, max, wait_ms, arena, ret, ret_count, ret_drained, err);
}

void queue_done(struct queue *queue, const struct notice *notice, enum queue_outcome outcome)
{
    queue->backend->done(queue, notice, outcome);
}

enum err_code queue_fetch(struct queue *queue, const struct notice *notice, uint64_t bytes_max,
                          int *ret_fd, struct object_info *ret, struct err *err)
{
    if (queue->backend->fetch == NULL)
        return err_set(err, ERR_INTERNAL, "fetching %s: its queue has files only", notice->key);
    return queue->backend->fetch(queue, notice, bytes_max, ret_fd, ret, err);
}
