#pragma once
/* A job's log in CloudWatch Logs, line by line as it comes. Over the caller's link. */
#include "aws/client.h"

enum { LOGS_NAME_BYTES = 513, LOGS_TOKEN_BYTES = 1024, LOGS_PAGES_MAX = 100 };

struct logs_follower {
    const char *group, *prefix;   /* of the stream's name */
    char stream[LOGS_NAME_BYTES]; /* "" until there is one */
    char token[LOGS_TOKEN_BYTES]; /* where the next reading begins */
};
typedef void logs_line(void *context, const char *text);
/* What came since the last call, at most LOGS_PAGES_MAX pages. A stream that is not there yet is
 * no failure. */
NODISCARD enum err_code logs_follow(struct aws_link *link, struct logs_follower *follower,
                                    logs_line *line, void *context, struct err *err);
