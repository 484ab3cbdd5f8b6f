#pragma once
/* A signed call to an AWS service, tried again by one policy for all services.
 *
 * struct aws is shared by all threads: region, endpoints, credentials, the clock's correction and
 * the budget of retries. struct aws_link is one thread's: its connections.
 * Environment read once at aws_open: AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL,
 * AWS_ENDPOINT_URL_SQS and so on, AWS_USE_FIPS_ENDPOINT, AWS_USE_DUALSTACK_ENDPOINT, AWS_CA_BUNDLE,
 * and what credentials.h names. */
#include "aws/http.h"
#include "base/err.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct aws;
struct aws_link;

enum {
    AWS_REGION_BYTES = 33,
    AWS_CODE_BYTES = 96, /* an error's code, "ThrottlingException" */
    AWS_TRIES_MAX = 6,
    AWS_BACKOFF_FIRST_MS = 100,
    AWS_BACKOFF_THROTTLED_MS = 500,
    AWS_BACKOFF_LAST_MS = 20 * 1000,
    AWS_RETRY_BUDGET = 500, /* tokens shared by all calls; a retry costs, a success pays back */
    AWS_CALL_HEADERS_MAX = 8,
};

enum aws_service {
    AWS_SQS,
    AWS_S3,
    AWS_SAGEMAKER_RUNTIME,
    AWS_SAGEMAKER,
    AWS_ATHENA,
    AWS_LOGS,
    AWS_STS,
    AWS_SERVICE__MAX
};

struct aws_options {
    const char *region; /* NULL = environment, then the profile */
    const char *role;   /* ARN to assume on top of what the chain finds, or NULL */
    const char *external_id;
};
NODISCARD enum err_code aws_open(const struct aws_options *options, struct aws **ret,
                                 struct err *err);
void aws_close(struct aws *aws); /* after its links */
void aws_closep(struct aws **aws);
const char *aws_region(const struct aws *aws); /* "" when none is known */
void aws_link_open(struct aws *aws, struct aws_link **ret);
void aws_link_close(struct aws_link *link);
void aws_link_closep(struct aws_link **link);

struct aws_reply;
struct aws_call {
    enum aws_service service;
    const char *method;
    const char *region;         /* NULL = aws_region */
    const char *bucket;         /* of S3: in the host where it can be, otherwise in the path */
    const char *path;           /* percent-encoded once */
    const char *query;          /* percent-encoded, or NULL */
    const char *const *headers; /* "name", "value", … NULL; x-amz-*, content-type, accept */
    const void *body;
    size_t body_length;
    uint64_t reply_bytes_max;
    int file;               /* see http_request */
    int64_t try_timeout_ms; /* of one exchange */
    int stall_s;            /* see http_request */
    int64_t deadline_ms;    /* of all tries with the pauses between them, from now */
    const atomic_bool *stop;
    /* Whether an answer that the table of retries does not know is worth another try; NULL = not.
     */
    bool (*transient)(const struct aws_reply *reply);
};

/* What the service said last. Zeroed, or of an earlier call; aws_reply_done frees it. */
struct aws_reply {
    struct http_reply http;
    char code[AWS_CODE_BYTES]; /* of an error; "" when it succeeded or never answered */
    int tries;
};
void aws_reply_done(struct aws_reply *reply);

/* ERR_NONE: a 2xx. Otherwise the last try's failure, its sentence with service, code and message:
 * ERR_NOT_FOUND (404, a queue that is none), ERR_FORBIDDEN, ERR_UNAUTHORIZED (credentials),
 * ERR_RATE (throttled to the end), ERR_INVALID (another 4xx), ERR_UNAVAILABLE (5xx, no connection),
 * ERR_TIMEOUT, ERR_CANCELLED, and what http_exchange gives. */
NODISCARD enum err_code aws_call(struct aws_link *link, const struct aws_call *call,
                                 struct aws_reply *reply, struct err *err);

/* Counters since aws_open, for logs and metrics. */
struct aws_counts {
    uint64_t calls, retries, throttles;
};
void aws_counts(struct aws *aws, enum aws_service service, struct aws_counts *ret);
extern const char *const AWS_SERVICE_WORDS[AWS_SERVICE__MAX + 1];
