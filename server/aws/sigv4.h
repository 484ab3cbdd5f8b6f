#pragma once
/* AWS Signature Version 4 in the Authorization header or in the query (IAM user guide, "Create a
 * signed AWS API request"). Pure text and HMAC: no clock, no environment. Any thread. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct str;

enum {
    SIGV4_HEADERS_MAX = 32,
    SIGV4_QUERY_MAX = 64, /* parameters of one request */
    SIGV4_CANONICAL_BYTES_MAX = 64 * 1024,
    SIGV4_DATE_BYTES = 17, /* "20150830T123600Z" */
};
#define SIGV4_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"

struct sigv4_header {
    const char *name, *value; /* the name in any case */
};

/* Exactly what is sent: path and query percent-encoded once, as in the request line. */
struct sigv4_request {
    const char *method;
    const char *path;                   /* begins with "/" */
    const char *query;                  /* without "?"; NULL or "" = none */
    const struct sigv4_header *headers; /* every one is signed: host, x-amz-date, … */
    size_t header_count;
    const char *payload_hash; /* hex SHA-256 of the body, or SIGV4_UNSIGNED_PAYLOAD */
};

struct sigv4_scope {
    const char *region, *service;
    const char *date;    /* as in the x-amz-date header */
    bool path_as_is;     /* S3: the path is signed as it is sent */
    bool path_keep_dots; /* otherwise "." and ".." and empty segments go before signing */
};

/* The form of x-amz-date. */
void sigv4_date(int64_t time_ms, char ret[static SIGV4_DATE_BYTES]);
/* The canonical request, and the names of its signed headers. ERR_INVALID when a limit is passed
 * or the query is badly encoded. */
NODISCARD enum err_code sigv4_canonical(const struct sigv4_scope *scope,
                                        const struct sigv4_request *request, struct str *ret,
                                        struct str *ret_signed_headers, struct err *err);
/* The value of the Authorization header, in arena. */
NODISCARD enum err_code sigv4_authorization(const struct sigv4_scope *scope,
                                            const struct sigv4_request *request, const char *key_id,
                                            const char *secret, struct arena *arena,
                                            const char **ret, struct err *err);
struct sigv4_query {
    const char *key_id, *secret;
    const char *token; /* of a session, signed with the rest; NULL = none */
    int expires_s;     /* for so long the request is good */
};
/* The query of a request that is signed without a header, a presigned URL: the request's own, and
 * X-Amz-… behind it. In arena. */
NODISCARD enum err_code sigv4_query(const struct sigv4_scope *scope,
                                    const struct sigv4_request *request,
                                    const struct sigv4_query *with, struct arena *arena,
                                    const char **ret, struct err *err);
/* Percent-encodes everything but A-Z a-z 0-9 - _ . ~ and, when asked, "/". */
void sigv4_encode(struct str *out, const char *text, size_t length, bool keep_slash);
