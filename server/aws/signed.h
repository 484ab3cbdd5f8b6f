#pragma once
/* One signed exchange, one try: what client.h repeats, and what STS is asked with. */
#include "aws/client.h"

struct endpoint_options;
struct keys;

struct signing {
    const struct endpoint_options *endpoints;
    const struct keys *keys; /* NULL = unsigned */
    const char *region;
    int64_t now_ms; /* the service's time, as far as known */
};
/* As http_exchange; reply->code is set when the answer is an error. */
NODISCARD enum err_code signed_exchange(struct http_link *link, const struct signing *signing,
                                        const struct aws_call *call, struct aws_reply *reply,
                                        struct err *err);
/* The message an error's body holds, JSON or XML, cut to size; "" when there is none. */
void reply_message(const struct aws_reply *reply, char *ret, size_t size);
/* The text between <name> and </name>, entities resolved; false when it is not there or longer. */
bool xml_text(const char *xml, const char *name, char *ret, size_t size);
