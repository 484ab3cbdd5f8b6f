#pragma once
/* AWS Lambda's runtime API, version 2018-06-01: what a custom runtime asks for and answers. Plain
 * HTTP to an address inside the sandbox, without keys. Any thread, over its own link. */
#include "base/err.h"
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct http_link;

enum {
    LAMBDA_ADDRESS_BYTES_MAX = 255,
    LAMBDA_ID_BYTES_MAX = 128,
    LAMBDA_EVENT_BYTES_MAX = 8 << 20, /* Lambda gives at most 6 MB */
    LAMBDA_CALL_MS = 5000,            /* of an answer */
};

struct lambda_event {
    const char *id;
    const char *body;
    size_t length;
    int64_t deadline_ms; /* wall clock; 0 = not said */
};
/* Waits for the next invocation for as long as it takes; what came before is answered by then.
 * Texts live in arena, which holds LAMBDA_EVENT_BYTES_MAX. address: AWS_LAMBDA_RUNTIME_API,
 * "HOST:PORT". ERR_CANCELLED, ERR_UNAVAILABLE (the API is gone or says the sandbox is lost),
 * ERR_CORRUPT (not that API). */
NODISCARD enum err_code lambda_next(struct http_link *link, const char *address,
                                    const atomic_bool *stop, struct arena *arena,
                                    struct lambda_event *ret, struct err *err);
/* json: the invocation's result. */
NODISCARD enum err_code lambda_respond(struct http_link *link, const char *address, const char *id,
                                       const char *json, struct err *err);
/* The invocation failed: type is a word like "Pairwatch.NoNotice". id NULL: starting failed, and
 * the process is to end. */
NODISCARD enum err_code lambda_fail(struct http_link *link, const char *address, const char *id,
                                    const char *type, const char *message, struct err *err);
