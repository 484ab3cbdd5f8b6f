#pragma once
/* What an AWS Lambda function is invoked with: messages of SQS, each with a notice of objects as
 * its body, text or (in test events) an object; or one such notice itself, as EventBridge, SNS and
 * S3 send it. Pure. */
#include "base/err.h"
#include "lake/announce.h"
#include <stdbool.h>
#include <stddef.h>

enum { EVENT_MESSAGES_MAX = 10000 /* of SQS, at most as many in a batch */ };

struct event_message {
    const char *id;                   /* NULL: the event is itself the notice */
    struct announcement announcement; /* only objects of the lake */
    bool failed;                      /* no notice: the log says why */
    size_t handed_out, settled;       /* of its objects; for the queue */
};
struct event {
    struct event_message *messages;
    size_t count;
};
/* ERR_INVALID: nothing in it can be answered for by message. Texts live in arena. */
NODISCARD enum err_code event_read(const char *body, size_t length, struct arena *arena,
                                   struct event *ret, struct err *err);
/* {"batchItemFailures": […]}: those failed and those whose objects are not all settled. *ret_failed
 * counts them. */
const char *event_answer(const struct event *event, struct arena *arena, size_t *ret_failed);
