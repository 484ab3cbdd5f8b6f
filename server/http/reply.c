/* What handlers fill; sending it is respond.c. */
#include "http/reply.h"

#include "base/arena.h"
#include "base/own.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { HEADER_BYTES_MAX = 4096 };

void reply_init(struct reply *reply, struct arena *arena)
{
    *reply = (struct reply){
        .arena = arena,
        .status = 200,
        .content_type = "application/json",
        .no_store = true,
    };
    str_init(&reply->body, REPLY_BYTES_MAX);
    json_writer_init(&reply->json, &reply->body);
}

void reply_done(struct reply *reply)
{
    str_done(&reply->body);
    if (reply->stream.free != NULL)
        reply->stream.free(reply->stream.context);
    reply->stream = (struct reply_stream){.next = NULL};
}

void reply_header(struct reply *reply, const char *name, const char *format, ...)
{
    char value[HEADER_BYTES_MAX];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(value, sizeof value, format, args);
    va_end(args);
    ASSERT(length >= 0 && (size_t)length < sizeof value);
    ASSERT(strpbrk(value, "\r\n") == NULL && strpbrk(name, "\r\n: ") == NULL);
    ASSERT(reply->header_count < REPLY_HEADERS_MAX);
    reply->headers[reply->header_count++] = (struct reply_header){
        .name = arena_strdup(reply->arena, name),
        .value = arena_strdup(reply->arena, value),
    };
}

void reply_etag(struct reply *reply, const char *format, ...)
{
    char tag[HEADER_BYTES_MAX / 2];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(tag, sizeof tag, format, args);
    va_end(args);
    ASSERT(length >= 0 && (size_t)length < sizeof tag && strpbrk(tag, "\" ") == NULL);
    reply_header(reply, "ETag", "\"%s\"", tag);
}

void reply_retry_after(struct reply *reply, int64_t seconds)
{
    reply_header(reply, "Retry-After", "%" PRId64, seconds > 0 ? seconds : 1);
}
