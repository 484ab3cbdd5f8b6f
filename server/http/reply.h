#pragma once
/* What a handler fills. A handler that fails returns its code; the HTTP layer then turns code and
 * sentence into application/problem+json (RFC 9457) and drops what was written. */
#include "base/json.h"
#include "base/str.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

enum { REPLY_HEADERS_MAX = 16 };

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
    bool no_store; /* true unless cleared: Cache-Control: no-store */
};

/* Values are copied into the arena; a CR or LF in one is a bug and aborts. */
void reply_header(struct reply *reply, const char *name, const char *format, ...) PRINTF(3, 4);
/* Sets the ETag header: a strong tag, quotes added. */
void reply_etag(struct reply *reply, const char *format, ...) PRINTF(2, 3);
/* Retry-After in seconds, for ERR_BUSY and ERR_RATE. Kept when the handler fails. */
void reply_retry_after(struct reply *reply, int64_t seconds);
