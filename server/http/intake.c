/* The strict reading of a request's head and body. Two readings of one head are how requests are
 * smuggled past a proxy, so whatever could be read in two ways is refused. */
#include "base/gzip.h"
#include "base/ip.h"
#include "http/exchange.h"

#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum { CONTENT_TYPE_BYTES_MAX = 128, REMOTE_BYTES = 80 };

struct collecting {
    struct exchange *x;
    struct name_value *items;
    size_t count, bytes;
    bool broken, too_many;
};

/* tchar of RFC 9110: a name with a blank before its colon is read in two ways by two servers. */
static bool is_token(const char *text, size_t length)
{
    static const char MARKS[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!letter && (c == '\0' || strchr(MARKS, c) == NULL))
            return false;
    }
    return length > 0;
}

static bool is_clean(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
            return false;
    return true;
}

static enum MHD_Result collect(void *cls, enum MHD_ValueKind kind, const char *name,
                               size_t name_length, const char *value, size_t value_length)
{
    struct collecting *collecting = cls;
    struct name_value *item = &collecting->items[collecting->count];

    (void)kind;
    collecting->too_many = collecting->count == HTTP_HEADERS_MAX;
    collecting->broken =
        !is_token(name, name_length) || (value != NULL && !is_clean(value, value_length));
    if (collecting->too_many || collecting->broken)
        return MHD_NO;
    item->name = arena_strndup(&collecting->x->arena, name, name_length);
    item->value = value != NULL ? arena_strndup(&collecting->x->arena, value, value_length) : "";
    collecting->count++;
    collecting->bytes += name_length + value_length;
    return MHD_YES;
}

static enum err_code too_large_head(struct exchange *x, int status, const char *what, int limit)
{
    x->refusal_status = status;
    return err_set(&x->err, ERR_TOO_LARGE, "%s %d", what, limit);
}

static enum err_code read_headers(struct exchange *x)
{
    struct collecting collecting = {
        .x = x,
        .items = ARENA_ARRAY(&x->arena, struct name_value, HTTP_HEADERS_MAX + 1),
    };

    (void)MHD_get_connection_values_n(x->connection, MHD_HEADER_KIND, collect, &collecting);
    x->request.headers = collecting.items;
    if (collecting.too_many)
        return too_large_head(x, 431, "the headers are more than", HTTP_HEADERS_MAX);
    if (collecting.broken)
        return err_set(&x->err, ERR_INVALID, "a header holds a character that may not be there");
    if (strlen(x->target) > HTTP_HEAD_BYTES_MAX)
        return too_large_head(x, 414, "the bytes of the target are more than", HTTP_HEAD_BYTES_MAX);
    if (collecting.bytes + strlen(x->target) > HTTP_HEAD_BYTES_MAX)
        return too_large_head(x, 431, "the bytes of the head are more than", HTTP_HEAD_BYTES_MAX);
    return ERR_NONE;
}

static size_t count_of(const struct exchange *x, const char *name)
{
    size_t count = 0;

    for (const struct name_value *at = x->request.headers; at->name != NULL; at++)
        count += strcasecmp(at->name, name) == 0;
    return count;
}

static enum err_code check_framing(struct exchange *x, const char *version)
{
    const char *length = request_header(&x->request, "Content-Length");
    const char *coding = request_header(&x->request, "Transfer-Encoding");
    uint64_t number;

    if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
        return err_set(&x->err, ERR_INVALID, "the version is not HTTP/1.1: %.20s", version);
    if (strcmp(version, "HTTP/1.1") == 0 && count_of(x, "Host") == 0)
        return err_set(&x->err, ERR_INVALID, "the Host header is missing");
    if (count_of(x, "Host") > 1 || count_of(x, "Content-Length") > 1 ||
        count_of(x, "Transfer-Encoding") > 1 || count_of(x, "Content-Type") > 1 ||
        count_of(x, "Authorization") > 1)
        return err_set(&x->err, ERR_INVALID, "a header that may come once comes twice");
    if (length != NULL && coding != NULL)
        return err_set(&x->err, ERR_INVALID, "Content-Length beside Transfer-Encoding");
    if (length != NULL && !str_to_u64(length, &number))
        return err_set(&x->err, ERR_INVALID, "Content-Length is no number: %.40s", length);
    if (coding != NULL && strcmp(version, "HTTP/1.0") == 0) /* RFC 9112 section 6.1 */
        return err_set(&x->err, ERR_INVALID, "Transfer-Encoding in an HTTP/1.0 request");
    if (coding != NULL && strcasecmp(coding, "chunked") != 0)
        return err_set(&x->err, ERR_INVALID, "Transfer-Encoding is not chunked: %.40s", coding);
    x->body_expected = coding != NULL || (length != NULL && strcmp(length, "0") != 0);
    return ERR_NONE;
}

uint64_t intake_body_length(const struct exchange *x)
{
    const char *text = request_header(&x->request, "Content-Length");
    uint64_t length = UINT64_MAX;

    if (!x->body_expected)
        return 0;
    if (text != NULL && !str_to_u64(text, &length))
        return UINT64_MAX;
    return length;
}

/* "Application/JSON; charset=utf-8" → "application/json" */
static void read_content_type(struct exchange *x)
{
    const char *text = request_header(&x->request, "Content-Type");
    char *type;
    size_t length;

    if (text == NULL)
        return;
    length = strcspn(text, "; \t");
    if (length > CONTENT_TYPE_BYTES_MAX)
        length = CONTENT_TYPE_BYTES_MAX;
    type = arena_strndup(&x->arena, text, length);
    for (char *c = type; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    x->request.content_type = type;
}

static enum err_code read_content_encoding(struct exchange *x)
{
    const char *coding = request_header(&x->request, "Content-Encoding");

    if (!x->body_expected || coding == NULL || strcasecmp(coding, "identity") == 0)
        return ERR_NONE;
    x->body_gzip = strcasecmp(coding, "gzip") == 0;
    if (!x->body_gzip)
        return err_set(&x->err, ERR_MEDIA_TYPE, "Content-Encoding may be gzip, not %.40s", coding);
    return ERR_NONE;
}

static void read_remote(struct exchange *x)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char text[REMOTE_BYTES];
    socklen_t length;

    x->request.remote = "unknown";
    if (info == NULL || info->client_addr == NULL)
        return;
    length = info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                      : sizeof(struct sockaddr_in);
    if (getnameinfo(info->client_addr, length, text, sizeof text, NULL, 0, NI_NUMERICHOST) == 0)
        x->request.remote = arena_strdup(&x->arena, text);
}

/* What the proxy says of its client. Of several hops only the last is the proxy's own word; a port
 * or brackets around the address are cut off. */
static void read_forwarded(struct exchange *x)
{
    const char *hops = NULL, *proto = request_header(&x->request, "X-Forwarded-Proto");
    char text[IP_TEXT_BYTES];
    struct ip ip;
    size_t length;

    for (const struct name_value *at = x->request.headers; at->name != NULL; at++)
        if (strcasecmp(at->name, "X-Forwarded-For") == 0)
            hops = at->value;
    if (hops != NULL && strrchr(hops, ',') != NULL)
        hops = strrchr(hops, ',') + 1;
    x->request.tls = x->request.tls || (proto != NULL && strcasecmp(proto, "https") == 0);
    if (hops == NULL)
        return;
    hops += strspn(hops, " \t[");
    length = strcspn(hops, " \t]");
    if (length >= sizeof text)
        return;
    (void)memcpy(text, hops, length);
    text[length] = '\0';
    if (!ip_parse(text, &ip))
        return;
    (void)ip_format(text, &ip);
    x->request.remote = arena_strdup(&x->arena, text);
}

enum err_code intake_head(struct exchange *x, const char *method, const char *version)
{
    x->request.method = arena_strdup(&x->arena, method);
    x->request.tls = x->server->tls;
    x->request.app = x->server->options.app;
    read_remote(x);
    TRY(read_headers(x));
    if (x->server->options.behind_proxy)
        read_forwarded(x);
    TRY(check_framing(x, version));
    TRY(uri_parse(&x->arena, x->target, &x->uri, &x->err));
    x->request.path = x->uri.path;
    x->request.query = x->uri.query;
    read_content_type(x);
    return read_content_encoding(x);
}

static enum err_code too_large(struct exchange *x)
{
    return err_set(&x->err, ERR_TOO_LARGE, "the body is larger than %zu bytes", x->body_cap);
}

/* Counts bytes against what all bodies together may hold. */
static enum err_code hold(struct exchange *x, size_t length)
{
    int64_t more = (int64_t)length;

    if (atomic_fetch_add(&x->server->bodies_held, more) + more >
        x->server->options.bodies_bytes_max) {
        (void)atomic_fetch_sub(&x->server->bodies_held, more);
        return err_set(&x->err, ERR_BUSY, "too much is being uploaded at once; try again");
    }
    x->held += more;
    return ERR_NONE;
}

enum err_code intake_body(struct exchange *x, const char *bytes, size_t length)
{
    if (length > x->body_cap - x->body.length)
        return too_large(x);
    TRY(hold(x, length));
    str_add_bytes(&x->body, bytes, length);
    return str_check(&x->body, "the body", &x->err);
}

static enum err_code inflate_body(struct exchange *x)
{
    AUTO(str_done) struct str inflated = {.bytes_max = x->body_cap};
    enum err_code code = gzip_inflate(x->body.text, x->body.length, &inflated, &x->err);

    if (code == ERR_TOO_LARGE)
        return too_large(x);
    TRY(code);
    TRY(hold(x, inflated.length));
    str_done(&x->body);
    x->body = inflated;
    inflated = (struct str){.bytes_max = x->body_cap};
    return ERR_NONE;
}

enum err_code intake_body_end(struct exchange *x)
{
    if (x->body_gzip && x->body.length > 0)
        TRY(inflate_body(x));
    x->request.body = x->body.text != NULL ? x->body.text : "";
    x->request.body_length = x->body.length;
    x->request.body_store = &x->body;
    return ERR_NONE;
}
