/* From a reply to an MHD response: conditions, compression, headers, and the one choice of who owns
 * the bytes. */
#include "base/gzip.h"
#include "http/etag.h"
#include "http/exchange.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    GZIP_LEVEL = 1,
    GZIP_BYTES_MIN = 1400, /* less fits one packet anyway; nor do secrets get compressed */
    STREAM_BLOCK_BYTES = 64 << 10,
};

static const struct reply_header SECURITY_HEADERS[] = {
    {"Content-Security-Policy",
     "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
     "frame-ancestors 'none'; object-src 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
};

static const char *const COMPRESSED_TYPES[] = {"application/json", "application/problem+json",
                                               "application/openmetrics-text",
                                               "application/x-ndjson", "text/"};

static void responsep(struct MHD_Response **response)
{
    if (*response != NULL)
        MHD_destroy_response(*response);
}

/* ";q=0" and its like after a coding's name. */
static bool is_refused(const char *parameters, size_t length)
{
    const char *q = memchr(parameters, '=', length);

    if (q == NULL)
        return false;
    for (const char *c = q + 1; c < parameters + length; c++)
        if (*c >= '1' && *c <= '9')
            return false;
    return true;
}

bool respond_accepts_gzip(const char *accept_encoding)
{
    const char *at = accept_encoding != NULL ? accept_encoding : "";

    while (*at != '\0') {
        size_t length, name;

        at += strspn(at, " \t,");
        length = strcspn(at, ",");
        name = strcspn(at, " \t;,");
        if ((name == 4 && strncasecmp(at, "gzip", 4) == 0) || (name == 1 && *at == '*'))
            return !is_refused(at + name, length - name);
        at += length;
    }
    return false;
}

static bool is_read(const struct exchange *x)
{
    return strcmp(x->request.method, "GET") == 0 || strcmp(x->request.method, "HEAD") == 0;
}

static const char *header_of(const struct reply *reply, const char *name)
{
    for (size_t i = 0; i < reply->header_count; i++)
        if (strcasecmp(reply->headers[i].name, name) == 0)
            return reply->headers[i].value;
    return NULL;
}

/* Whether If-None-Match names a quoted tag. */
static bool is_known(const struct exchange *x, const char *quoted)
{
    const char *header = request_header(&x->request, "If-None-Match");
    char tag[256];
    size_t length = strlen(quoted);

    if (header == NULL || length < 2 || length - 2 >= sizeof tag)
        return false;
    (void)memcpy(tag, quoted + 1, length - 2);
    tag[length - 2] = '\0';
    return etag_matches_weak(header, tag);
}

static bool compresses(const char *type)
{
    for (size_t i = 0; i < ARRAY_LEN(COMPRESSED_TYPES); i++)
        if (str_starts(type, COMPRESSED_TYPES[i]))
            return true;
    return false;
}

/* A body with an ETag stays as it is: a strong tag names one sequence of bytes. */
static void compress(struct exchange *x)
{
    struct reply *reply = &x->reply;
    AUTO(str_done) struct str packed = {.bytes_max = REPLY_BYTES_MAX};

    if (reply->body.length < GZIP_BYTES_MIN || !compresses(reply->content_type) ||
        header_of(reply, "ETag") != NULL || header_of(reply, "Content-Encoding") != NULL)
        return;
    reply_header(reply, "Vary", "Accept-Encoding");
    if (!respond_accepts_gzip(request_header(&x->request, "Accept-Encoding")) ||
        gzip_deflate(reply->body.text, reply->body.length, GZIP_LEVEL, &packed, NULL) != ERR_NONE)
        return;
    reply_header(reply, "Content-Encoding", "gzip");
    str_done(&reply->body);
    reply->body = packed;
    packed = (struct str){.bytes_max = REPLY_BYTES_MAX};
}

/* Suspends a feed that was asked at the count of wakes; false: there was one since, ask again. */
static bool rest(struct exchange *x, uint64_t wakes)
{
    struct http_server *server = x->server;
    bool rests;

    (void)pthread_mutex_lock(&server->feeds_lock);
    rests = atomic_load(&server->wakes) == wakes;
    if (rests) {
        MHD_suspend_connection(x->connection);
        x->resting_next = server->resting;
        server->resting = x;
    }
    (void)pthread_mutex_unlock(&server->feeds_lock);
    return rests;
}

/* The next piece: 1 there is one, 0 not yet, or how the stream ends. */
static ssize_t next_piece(struct exchange *x)
{
    const struct reply_stream *stream = &x->reply.stream;
    enum err_code code;
    uint64_t wakes;

    str_clear(&x->piece);
    x->piece_at = 0;
    do {
        wakes = atomic_load(&x->server->wakes);
        code = stream->next(stream->context, &x->piece, &x->err);
        if (stream->feed && (code == ERR_CANCELLED || atomic_load(&x->server->stopping)))
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (code != ERR_NONE || x->piece.failed)
            return MHD_CONTENT_READER_END_WITH_ERROR;
        if (x->piece.length > 0)
            return 1;
        if (!stream->feed)
            return MHD_CONTENT_READER_END_OF_STREAM;
    } while (!rest(x, wakes));
    return 0;
}

/* MHD's reader: pieces of the stream as they are asked for. */
static ssize_t read_piece(void *cls, uint64_t position, char *buffer, size_t length_max)
{
    struct exchange *x = cls;
    size_t length;
    ssize_t outcome;

    (void)position;
    if (x->piece_at == x->piece.length) {
        outcome = next_piece(x);
        if (outcome != 1)
            return outcome;
    }
    length = x->piece.length - x->piece_at;
    length = length < length_max ? length : length_max;
    (void)memcpy(buffer, x->piece.text + x->piece_at, length);
    x->piece_at += length;
    x->sent_bytes += length;
    return (ssize_t)length;
}

/* The exchange outlives every call of read_piece and frees the stream. */
static struct MHD_Response *stream_response(struct exchange *x)
{
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, read_piece, x,
                                             NULL);
}

/* The response owns the text, which came from malloc. */
static struct MHD_Response *body_response(struct exchange *x)
{
    size_t length = x->reply.body.length;
    char *text = str_take(&x->reply.body);
    struct MHD_Response *response;

    if (length == 0) {
        own_freep(&text);
        text = NULL;
    }
    x->sent_bytes = length;
    response = MHD_create_response_from_buffer(
        length, text, text != NULL ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (response == NULL)
        own_freep(&text);
    return response;
}

/* Built-in bytes live as long as the program; those of a folder are copied into the response. */
static struct MHD_Response *file_response(struct exchange *x)
{
    const struct static_file *file = &x->file;
    bool gzip = file->gzip_bytes != NULL &&
                respond_accepts_gzip(request_header(&x->request, "Accept-Encoding"));
    const void *bytes = gzip ? file->gzip_bytes : file->bytes;
    size_t length = gzip ? file->gzip_length : file->length;

    x->reply.content_type = file->type;
    x->reply.no_store = false;
    reply_header(&x->reply, "Cache-Control", "no-cache");
    if (file->gzip_bytes != NULL)
        reply_header(&x->reply, "Vary", "Accept-Encoding");
    reply_etag(&x->reply, "%s%s", file->etag, gzip ? "-gzip" : "");
    if (is_known(x, header_of(&x->reply, "ETag")))
        x->reply.status = 304;
    if (gzip)
        reply_header(&x->reply, "Content-Encoding", "gzip");
    x->sent_bytes = length;
    return MHD_create_response_from_buffer(length, (void *)(uintptr_t)bytes,
                                           file->owned != NULL ? MHD_RESPMEM_MUST_COPY
                                                               : MHD_RESPMEM_PERSISTENT);
}

/* A 304 gets the body it stands for: MHD does not send it, and counts it in Content-Length, which
 * must be that of the 200 (RFC 9110 section 8.6). */
static struct MHD_Response *make_response(struct exchange *x)
{
    struct reply *reply = &x->reply;
    const char *etag = header_of(reply, "ETag");

    if (x->file.bytes != NULL)
        return file_response(x);
    if (is_read(x) && reply->status == 200 && etag != NULL && is_known(x, etag))
        reply->status = 304;
    if (reply->status == 204)
        str_clear(&reply->body);
    else if (reply->stream.next != NULL)
        return stream_response(x);
    compress(x);
    return body_response(x);
}

static bool add_headers(struct exchange *x, struct MHD_Response *response)
{
    const struct reply *reply = &x->reply;
    bool ok = MHD_add_response_header(response, "X-Request-Id", x->id) == MHD_YES;

    for (size_t i = 0; i < ARRAY_LEN(SECURITY_HEADERS); i++)
        ok = MHD_add_response_header(response, SECURITY_HEADERS[i].name,
                                     SECURITY_HEADERS[i].value) == MHD_YES &&
             ok;
    for (size_t i = 0; i < reply->header_count; i++)
        ok = MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value) ==
                 MHD_YES &&
             ok;
    if (reply->status != 204 && reply->status != 304)
        ok =
            MHD_add_response_header(response, "Content-Type", reply->content_type) == MHD_YES && ok;
    if (reply->no_store)
        ok = MHD_add_response_header(response, "Cache-Control", "no-store") == MHD_YES && ok;
    if (x->close || atomic_load(&x->server->stopping))
        ok = MHD_add_response_header(response, "Connection", "close") == MHD_YES && ok;
    return ok;
}

enum MHD_Result respond(struct exchange *x)
{
    AUTO(responsep) struct MHD_Response *response = make_response(x);

    if (response == NULL || !add_headers(x, response))
        return MHD_NO;
    x->status = x->reply.status;
    if (x->status == 304 || strcmp(x->request.method, "HEAD") == 0)
        x->sent_bytes = 0;
    return MHD_queue_response(x->connection, (unsigned)x->reply.status, response);
}
