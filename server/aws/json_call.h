#pragma once
/* A call of a service that speaks AWS JSON 1.1: Athena, SageMaker's control plane, CloudWatch Logs.
 */
#include "aws/client.h"

struct json_doc;
struct str;

enum {
    JSON_CALL_BYTES_MAX = 512 * 1024,
    JSON_CALL_REPLY_BYTES_MAX = 8 << 20,
    JSON_CALL_MESSAGE_BYTES = 400
};

struct json_call {
    enum aws_service service;
    const char *target; /* "AmazonAthena.StartQueryExecution" */
    const struct str *body;
    const atomic_bool *stop;
};
/* Of an error. */
struct json_call_fault {
    char code[AWS_CODE_BYTES];
    char message[JSON_CALL_MESSAGE_BYTES];
    int tries; /* made for it */
};
/* *ret is the caller's. As aws_call, and ERR_CORRUPT. fault may be NULL. */
NODISCARD enum err_code json_call(struct aws_link *link, const struct json_call *call,
                                  struct json_doc **ret, struct json_call_fault *fault,
                                  struct err *err);
