/* libcurl's easy interface, one handle a link. */
#include "aws/http.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws/http_exchange.h"
#include "base/own.h"

struct http_link {
    CURL *curl;
    char *ca_bundle;
};

static void start_once(void)
{
    ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

void http_start_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, start_once);
}

void http_link_open(const struct http_link_options *options, struct http_link **ret)
{
    struct http_link *link;

    http_start_once();
    link = own_alloc(sizeof *link);
    link->curl = curl_easy_init();
    ASSERT(link->curl != NULL);
    if (options->ca_bundle != NULL)
        link->ca_bundle = own_strdup(options->ca_bundle);
    *ret = link;
}

void http_link_close(struct http_link *link)
{
    if (link == NULL)
        return;
    curl_easy_cleanup(link->curl);
    free(link->ca_bundle);
    free(link);
}

void http_link_closep(struct http_link **link)
{
    http_link_close(*link);
    *link = NULL;
}

void http_reply_done(struct http_reply *reply)
{
    if (reply->headers.bytes_max > 0)
        str_done(&reply->headers);
    if (reply->body.bytes_max > 0)
        str_done(&reply->body);
}

bool http_reply_header(const struct http_reply *reply, const char *name, char *ret, size_t size)
{
    const char *line = reply->headers.length > 0 ? reply->headers.text : "";
    size_t length = strlen(name);

    for (; *line != '\0'; line += strcspn(line, "\n") + 1) {
        size_t value_length;

        if (strncmp(line, name, length) != 0 || line[length] != ':')
            continue;
        line += length + 1;
        value_length = strcspn(line, "\n");
        value_length = value_length < size ? value_length : size - 1;
        (void)memcpy(ret, line, value_length);
        ret[value_length] = '\0';
        return true;
    }
    return false;
}

static size_t take_header(char *bytes, size_t unit, size_t length, void *argument)
{
    struct exchange *exchange = argument;
    struct str *out = &exchange->reply->headers;
    const char *colon = memchr(bytes, ':', length);
    bool first_line = length >= 5 && memcmp(bytes, "HTTP/", 5) == 0;
    size_t end = length, from;

    (void)unit;
    if (first_line) /* the last answer counts: a proxy's or a 100 comes before */
        str_clear(out);
    if (first_line || colon == NULL)
        return length;
    while (end > 0 && bytes[end - 1] != '\0' && strchr("\r\n \t", bytes[end - 1]) != NULL)
        end--;
    for (const char *at = bytes; at < colon; at++)
        str_add_char(out, (char)(*at >= 'A' && *at <= 'Z' ? *at - 'A' + 'a' : *at));
    str_add_char(out, ':');
    from = (size_t)(colon - bytes) + 1;
    while (from < end && (bytes[from] == ' ' || bytes[from] == '\t'))
        from++;
    if (end > from)
        str_add_bytes(out, bytes + from, end - from);
    str_add_char(out, '\n');
    exchange->too_large |= out->failed;
    return out->failed ? 0 : length;
}

static bool write_all(struct exchange *exchange, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = write(exchange->request.file, bytes, length);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            exchange->file_errno = errno;
            return false;
        }
        bytes += count;
        length -= (size_t)count;
    }
    return true;
}

static size_t take_body(char *bytes, size_t unit, size_t length, void *argument)
{
    struct exchange *exchange = argument;
    struct http_reply *reply = exchange->reply;
    long status = 0;

    (void)unit;
    (void)curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status / 100 != 2) { /* an error's text: what fits is enough */
        size_t room = reply->body.length < HTTP_ERROR_BODY_BYTES_MAX
                          ? HTTP_ERROR_BODY_BYTES_MAX - reply->body.length
                          : 0;

        str_add_bytes(&reply->body, bytes, length < room ? length : room);
        return length;
    }
    if (length > exchange->request.reply_bytes_max - reply->file_bytes - reply->body.length) {
        exchange->too_large = true;
        return 0;
    }
    if (exchange->request.file < 0) {
        str_add_bytes(&reply->body, bytes, length);
        return length;
    }
    reply->file_bytes += length;
    return write_all(exchange, bytes, length) ? length : 0;
}

static int watch(void *argument, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct http_request *request = &((struct exchange *)argument)->request;

    (void)a, (void)b, (void)c, (void)d;
    return request->stop != NULL && atomic_load(request->stop) ? 1 : 0;
}

static enum err_code set_headers(const struct http_request *request, struct curl_slist **ret,
                                 struct err *err)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:"); /* no waiting for a 100 */

    ASSERT(list != NULL && request->header_count <= HTTP_HEADERS_MAX);
    *ret = list;
    for (size_t i = 0; i < request->header_count; i++) {
        if (strpbrk(request->headers[i], "\r\n") != NULL)
            return err_set(err, ERR_INVALID, "a request header holds a line break");
        ASSERT(curl_slist_append(list, request->headers[i]) != NULL);
    }
    return ERR_NONE;
}

static void set_options(struct exchange *exchange, const char *ca_bundle)
{
    const struct http_request *request = &exchange->request;
    CURL *curl = exchange->curl;

    curl_easy_reset(curl); /* connections stay */
    (void)curl_easy_setopt(curl, CURLOPT_URL, request->url);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, exchange->headers);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, exchange->error);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    (void)curl_easy_setopt(
        curl, CURLOPT_CONNECTTIMEOUT_MS,
        (long)(request->connect_ms > 0 ? request->connect_ms : HTTP_CONNECT_MS_MAX));
    (void)curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "pairwatch/" PAIRWATCH_VERSION);
    if (ca_bundle != NULL)
        (void)curl_easy_setopt(curl, CURLOPT_CAINFO, ca_bundle);
    if (request->stall_s > 0) {
        (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)request->stall_s);
    }
    if (request->no_proxy)
        (void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    if (request->body != NULL) {
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
    }
    (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, exchange);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
    (void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, watch);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, exchange);
}

static enum err_code failure(const struct exchange *exchange, CURLcode code, struct err *err)
{
    const char *text = exchange->error[0] != '\0' ? exchange->error : curl_easy_strerror(code);

    if (exchange->too_large)
        return err_set(err, ERR_TOO_LARGE, "the answer is larger than its limit of %llu bytes",
                       (unsigned long long)exchange->request.reply_bytes_max);
    if (exchange->file_errno != 0) {
        errno = exchange->file_errno;
        return err_errno(err, ERR_IO, "keeping the answer");
    }
    switch ((int)code) {
    case CURLE_ABORTED_BY_CALLBACK:
        return err_set(err, ERR_CANCELLED, "a stop was asked for");
    case CURLE_PEER_FAILED_VERIFICATION: /* asking again changes nothing */
    case CURLE_SSL_CACERT_BADFILE:
        return err_set(err, ERR_FORBIDDEN, "%s", text);
    case CURLE_OPERATION_TIMEDOUT:
        return err_set(err, ERR_TIMEOUT, "%s", text);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return err_set(err, ERR_INVALID, "%s", text);
    default:
        return err_set(err, ERR_UNAVAILABLE, "%s", text);
    }
}

static void reply_clear(struct http_reply *reply, const struct http_request *request)
{
    size_t body_max = request->reply_bytes_max > HTTP_ERROR_BODY_BYTES_MAX
                          ? (size_t)request->reply_bytes_max
                          : (size_t)HTTP_ERROR_BODY_BYTES_MAX;

    http_reply_done(reply);
    *reply = (struct http_reply){0};
    str_init(&reply->headers, HTTP_HEADER_BLOCK_BYTES_MAX);
    str_init(&reply->body, body_max);
}

enum err_code exchange_prepare(struct exchange *exchange, const char *ca_bundle, struct err *err)
{
    const struct http_request *request = &exchange->request;

    ASSERT(request->timeout_ms > 0);
    reply_clear(exchange->reply, request);
    if (request->stop != NULL && atomic_load(request->stop))
        return err_set(err, ERR_CANCELLED, "a stop was asked for");
    if (request->file >= 0 &&
        (ftruncate(request->file, 0) != 0 || lseek(request->file, 0, SEEK_SET) != 0))
        return err_errno(err, ERR_IO, "making room for the answer");
    TRY(set_headers(request, &exchange->headers, err));
    exchange->error[0] = '\0';
    set_options(exchange, ca_bundle);
    return ERR_NONE;
}

enum err_code exchange_conclude(struct exchange *exchange, CURLcode code, struct err *err)
{
    long status = 0;

    if (code != CURLE_OK)
        return failure(exchange, code, err);
    (void)curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &status);
    exchange->reply->status = (int)status;
    return ERR_NONE;
}

void exchange_done(struct exchange *exchange)
{
    curl_slist_free_all(exchange->headers);
    exchange->headers = NULL;
}

enum err_code http_exchange(struct http_link *link, const struct http_request *request,
                            struct http_reply *reply, struct err *err)
{
    AUTO(exchange_done)
    struct exchange exchange = {.curl = link->curl, .request = *request, .reply = reply};

    TRY(exchange_prepare(&exchange, link->ca_bundle, err));
    return exchange_conclude(&exchange, curl_easy_perform(link->curl), err);
}

bool http_date_parse(const char *text, int64_t *ret_ms)
{
    time_t seconds = curl_getdate(text, NULL);

    if (seconds < 0)
        return false;
    *ret_ms = (int64_t)seconds * 1000;
    return true;
}
