#pragma once
/* Amazon SQS over its JSON protocol. A struct sqs_queue is shared by threads; each call is made
 * over the caller's link. */
#include "aws/client.h"

struct sqs_queue;

enum {
    SQS_BATCH_MAX = 10, /* messages of one receive, delete or change */
    SQS_WAIT_SECONDS_MAX = 20,
    SQS_VISIBILITY_SECONDS_MAX = 12 * 3600,
    SQS_MESSAGE_BYTES_MAX = 1 << 20,
};

/* "https://sqs.eu-west-1.amazonaws.com/123456789012/name" or "arn:aws:sqs:eu-west-1:…:name". The
 * region is the queue's own. An ARN's queue is looked up. ERR_INVALID, or as aws_call. */
NODISCARD enum err_code sqs_open(struct aws_link *link, const char *url_or_arn,
                                 struct sqs_queue **ret, struct err *err);
void sqs_close(struct sqs_queue *queue);
const char *sqs_url(const struct sqs_queue *queue);

struct sqs_attributes {
    int64_t visibility_s;
    bool has_dead_letters; /* a redrive policy */
};
NODISCARD enum err_code sqs_attributes(struct aws_link *link, const struct sqs_queue *queue,
                                       struct sqs_attributes *ret, struct err *err);

struct sqs_message {
    const char *id, *receipt, *body;
    int64_t receives; /* how often it was handed out, this time included; 0 = not said */
    bool damaged;     /* the body is not the one its MD5 was made of */
};
/* Waits up to wait_s for the first. Texts live in arena, whose limit must hold ten messages. */
NODISCARD enum err_code sqs_receive(struct aws_link *link, const struct sqs_queue *queue,
                                    size_t max, int wait_s, const atomic_bool *stop,
                                    struct arena *arena, struct sqs_message *ret, size_t *ret_count,
                                    struct err *err);
/* ret_failed[i]: the queue could not do that one and may the next time; what it refused for good is
 * only logged. At most SQS_BATCH_MAX. */
NODISCARD enum err_code sqs_delete(struct aws_link *link, const struct sqs_queue *queue,
                                   const char *const *receipts, size_t count, bool *ret_failed,
                                   struct err *err);
/* Hidden for seconds from now; 0 gives them back at once. */
NODISCARD enum err_code sqs_hide(struct aws_link *link, const struct sqs_queue *queue,
                                 const char *const *receipts, size_t count, int seconds,
                                 bool *ret_failed, struct err *err);
