#pragma once
/* One HTTP exchange over libcurl, nothing of AWS in it. A struct http_link keeps connections alive
 * and belongs to one thread. No redirects, no cookies, no body without a limit. Proxies as libcurl
 * reads them from the environment (HTTPS_PROXY, NO_PROXY). */
#include "base/err.h"
#include "base/str.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_HEADERS_MAX = 32,
    HTTP_HEADER_BLOCK_BYTES_MAX = 64 * 1024,
    HTTP_CONNECT_MS_MAX = 10 * 1000,
    HTTP_ERROR_BODY_BYTES_MAX = 64 * 1024,
};

struct http_link;

struct http_link_options {
    const char *ca_bundle; /* file of certificates, NULL = the system's */
};

struct http_request {
    const char *method, *url;
    const char *const *headers; /* "name: value" lines */
    size_t header_count;
    const void *body; /* NULL = none */
    size_t body_length;
    int64_t timeout_ms; /* of the whole exchange, above 0 */
    int64_t connect_ms; /* 0 = HTTP_CONNECT_MS_MAX */
    int stall_s;        /* without a byte for so long: ERR_TIMEOUT; 0 = no such limit */
    bool no_proxy;      /* link-local services */
    uint64_t reply_bytes_max;
    int file;                /* a 2xx body is written there from its start; -1 = into the reply */
    const atomic_bool *stop; /* ends the wait with ERR_CANCELLED; NULL = none */
};

struct http_reply {
    int status;
    struct str headers; /* "name:value\n" lines, names in lower case */
    struct str body;    /* of an error at most HTTP_ERROR_BODY_BYTES_MAX, the rest is cut off */
    uint64_t file_bytes;
};

void http_link_open(const struct http_link_options *options, struct http_link **ret);
void http_link_close(struct http_link *link);
void http_link_closep(struct http_link **link);

/* An answer of any status is ERR_NONE. ERR_TIMEOUT; ERR_UNAVAILABLE (no connection, or it broke);
 * ERR_FORBIDDEN (a certificate that is not trusted); ERR_TOO_LARGE; ERR_IO (writing to the file);
 * ERR_CANCELLED; ERR_INVALID (the URL, a header).
 * reply: zeroed or of an earlier exchange; http_reply_done frees it. */
NODISCARD enum err_code http_exchange(struct http_link *link, const struct http_request *request,
                                      struct http_reply *reply, struct err *err);
void http_reply_done(struct http_reply *reply);
/* The value of the first such header into ret, cut to size; false when there is none. */
bool http_reply_header(const struct http_reply *reply, const char *name, char *ret, size_t size);
/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7). */
bool http_date_parse(const char *text, int64_t *ret_ms);
