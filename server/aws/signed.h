#pragma once
/* One signed exchange, one try: what client.h repeats, and what STS is asked with. */
#include "aws/client.h"
#include "base/arena.h"

struct endpoint_options;
struct keys;

struct signing {
    const struct endpoint_options *endpoints;
    const struct keys *keys; /* NULL = unsigned */
    const char *region;
    int64_t now_ms; /* the service's time, as far as known */
};
struct signed_request {
    struct arena arena; /* the texts */
    const char *lines[HTTP_HEADERS_MAX];
    struct http_request http; /* its body is the call's */
};
/* Ready to be sent. ret: zeroed; signed_request_done frees it, also after a failure. */
NODISCARD enum err_code signed_build(const struct signing *signing, const struct aws_call *call,
                                     struct signed_request *ret, struct err *err);
void signed_request_done(struct signed_request *request);
/* Sets reply->code from an answer that is an error. */
void reply_read_code(struct aws_reply *reply);
/* As http_exchange; reply->code is set when the answer is an error. */
NODISCARD enum err_code signed_exchange(struct http_link *link, const struct signing *signing,
                                        const struct aws_call *call, struct aws_reply *reply,
                                        struct err *err);
/* The message an error's body holds, JSON or XML, cut to size; "" when there is none. */
void reply_message(const struct aws_reply *reply, char *ret, size_t size);
/* The text between <name> and </name>, entities resolved; false when it is not there or longer. */
bool xml_text(const char *xml, const char *name, char *ret, size_t size);
