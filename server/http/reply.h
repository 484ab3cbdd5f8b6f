#pragma once
/* What a handler fills. A handler that fails returns its code; the HTTP layer then turns code and
 * sentence into application/problem+json (RFC 9457) and drops what was written. */
#include "base/json.h"
#include "base/str.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

enum {
    REPLY_HEADERS_MAX = 16,
    REPLY_BYTES_MAX = 64 << 20,       /* of a body; more is a bug and answers 500: stream it */
    REPLY_PIECE_BYTES_MAX = 256 << 10 /* of one piece of a streamed body */
};

/* A body made while it is sent (exports, feeds). next and free run on the request's own thread, so
 * req->arena and req->thread_context are good in them; next must not wait for anything. */
struct reply_stream {
    /* Appends the next piece to out; nothing appended is the end. A failure cuts the body off in a
     * way the client notices. */
    enum err_code (*next)(void *context, struct str *out, struct err *err);
    /* Of a feed: nothing appended is the end of what there is so far, and next is asked again after
     * http_server_wake; ERR_CANCELLED is the end. */
    bool feed;
    void (*free)(void *context); /* called once, however the request ends; NULL: nothing to free */
    void *context;
};

struct reply {
    struct arena *arena;
    int status;               /* 200 unless set */
    const char *content_type; /* "application/json" unless set */
    struct str body;
    struct json_writer json; /* writes into body */
    struct reply_header {
        const char *name, *value;
    } headers[REPLY_HEADERS_MAX];
    size_t header_count;
    bool no_store;              /* true unless cleared: Cache-Control: no-store */
    struct reply_stream stream; /* next set: the body comes from it and not from `body` */
};

/* An empty 200 whose JSON writer writes into body, for the HTTP layer and for tests of handlers. */
void reply_init(struct reply *reply, struct arena *arena);
void reply_done(struct reply *reply); /* frees body and stream */

/* Values are copied into the arena; a CR or LF in one is a bug and aborts. */
void reply_header(struct reply *reply, const char *name, const char *format, ...) PRINTF(3, 4);
/* Sets the ETag header: a strong tag, quotes added. A GET with a matching If-None-Match is then
 * answered 304 by the HTTP layer. */
void reply_etag(struct reply *reply, const char *format, ...) PRINTF(2, 3);
/* Retry-After in seconds, for ERR_BUSY and ERR_RATE. Kept when the handler fails. */
void reply_retry_after(struct reply *reply, int64_t seconds);
