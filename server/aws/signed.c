/* Puts a call together, signs it, sends it once. */
#include "aws/signed.h"

#include <stdio.h>
#include <string.h>

#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "aws/sigv4.h"
#include "base/arena.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/own.h"

enum { CALL_ARENA_BYTES_MAX = 1 << 20, HOST_BYTES_MAX = 512 };

bool xml_text(const char *xml, const char *name, char *ret, size_t size)
{
    static const struct {
        const char *entity;
        char plain;
    } ENTITIES[] = {
        {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    char open[64], close[64];
    const char *from, *to;
    size_t length = 0;

    (void)snprintf(open, sizeof open, "<%s>", name);
    (void)snprintf(close, sizeof close, "</%s>", name);
    from = strstr(xml, open);
    to = from != NULL ? strstr(from, close) : NULL;
    if (to == NULL)
        return false;
    for (from += strlen(open); from < to;) {
        size_t step = 1;

        if (length + 1 >= size)
            return false;
        ret[length] = *from;
        for (size_t i = 0; i < ARRAY_LEN(ENTITIES); i++)
            if (strncmp(from, ENTITIES[i].entity, strlen(ENTITIES[i].entity)) == 0) {
                ret[length] = ENTITIES[i].plain;
                step = strlen(ENTITIES[i].entity);
            }
        length++;
        from += step;
    }
    ret[length] = '\0';
    return true;
}

/* "com.amazonaws.sqs#QueueDoesNotExist" and "ValidationError:http://…" hold the code within. */
static void set_code(struct aws_reply *reply, const char *text)
{
    const char *hash = strrchr(text, '#');
    const char *from = hash != NULL ? hash + 1 : text;
    size_t length = strcspn(from, ":;");

    length = length < sizeof reply->code ? length : sizeof reply->code - 1;
    (void)memcpy(reply->code, from, length);
    reply->code[length] = '\0';
}

void reply_read_code(struct aws_reply *reply)
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    const struct str *body = &reply->http.body;
    char text[AWS_CODE_BYTES * 2] = "";
    const char *code;
    struct err unused;

    if (http_reply_header(&reply->http, "x-amzn-errortype", text, sizeof text) ||
        (body->length > 0 && body->text[0] == '<' &&
         xml_text(body->text, "Code", text, sizeof text)))
        set_code(reply, text);
    if (reply->code[0] != '\0' || body->length == 0 || body->text[0] != '{' ||
        json_parse(body->text, body->length, &doc, &unused) != ERR_NONE)
        return;
    code = json_text_of(json_member(json_root(doc), "__type"));
    if (code == NULL)
        code = json_text_of(json_member(json_root(doc), "code"));
    if (code != NULL)
        set_code(reply, code);
}

static void clean(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ')
            *text = ' ';
}

void reply_message(const struct aws_reply *reply, char *ret, size_t size)
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    const struct str *body = &reply->http.body;
    const char *text = NULL;
    struct err unused;

    ret[0] = '\0';
    if (body->length == 0)
        return;
    if (body->text[0] == '<')
        (void)xml_text(body->text, "Message", ret, size);
    if (body->text[0] == '{' && json_parse(body->text, body->length, &doc, &unused) == ERR_NONE) {
        text = json_text_of(json_member(json_root(doc), "message"));
        if (text == NULL)
            text = json_text_of(json_member(json_root(doc), "Message"));
        if (text != NULL)
            (void)snprintf(ret, size, "%s", text);
    }
    clean(ret);
}

/* The header lines, and the same as names and values to sign. */
struct outgoing {
    struct arena *arena;
    struct sigv4_header signed_[SIGV4_HEADERS_MAX];
    size_t signed_count;
    const char **lines;
    size_t line_count;
};

static void add_line(struct outgoing *out, const char *name, const char *value)
{
    ASSERT(out->line_count < HTTP_HEADERS_MAX);
    out->lines[out->line_count++] = arena_printf(out->arena, "%s: %s", name, value);
}

static void add_signed(struct outgoing *out, const char *name, const char *value)
{
    ASSERT(out->signed_count < SIGV4_HEADERS_MAX);
    out->signed_[out->signed_count++] = (struct sigv4_header){name, value};
    add_line(out, name, value);
}

static const char *host_of(const char *url, struct arena *arena)
{
    const char *host = strstr(url, "://");

    host = host != NULL ? host + 3 : url;
    return arena_strndup(arena, host, strcspn(host, "/?"));
}

static enum err_code sign(const struct signing *signing, const struct aws_call *call,
                          const char *path, const char *date, const char *hash,
                          struct outgoing *out, struct err *err)
{
    struct sigv4_scope scope = {
        .region = signing->region,
        .service = endpoint_signing_name(call->service),
        .date = date,
        .path_as_is = call->service == AWS_S3,
    };
    struct sigv4_request request = {
        .method = call->method,
        .path = path,
        .query = call->query,
        .headers = out->signed_,
        .header_count = out->signed_count,
        .payload_hash = hash,
    };
    const char *authorization = NULL;

    TRY(sigv4_authorization(&scope, &request, signing->keys->id, signing->keys->secret, out->arena,
                            &authorization, err));
    add_line(out, "Authorization", authorization);
    return ERR_NONE;
}

static void add_headers(const struct signing *signing, const struct aws_call *call, const char *url,
                        const char *date, const char *hash, struct outgoing *out)
{
    add_signed(out, "Host", host_of(url, out->arena));
    add_signed(out, "X-Amz-Date", date);
    if (call->service == AWS_S3)
        add_signed(out, "X-Amz-Content-Sha256", hash);
    if (signing->keys != NULL && signing->keys->token != NULL)
        add_signed(out, "X-Amz-Security-Token", signing->keys->token);
    for (const char *const *at = call->headers; at != NULL && at[0] != NULL; at += 2)
        add_signed(out, at[0], at[1]);
}

void signed_request_done(struct signed_request *request)
{
    arena_done(&request->arena);
}

enum err_code signed_build(const struct signing *signing, const struct aws_call *call,
                           struct signed_request *ret, struct err *err)
{
    struct outgoing out = {.arena = &ret->arena, .lines = ret->lines};
    char date[SIGV4_DATE_BYTES], hash[SHA256_HEX_BYTES];
    const char *base, *path, *url;
    bool bucket_in_host;

    arena_init(&ret->arena, CALL_ARENA_BYTES_MAX);
    base = endpoint_url(signing->endpoints, call->service, signing->region, call->bucket,
                        &ret->arena, &bucket_in_host);
    path = call->bucket != NULL && !bucket_in_host
               ? arena_printf(&ret->arena, "/%s%s", call->bucket, call->path)
               : call->path;
    url = arena_printf(&ret->arena, "%s%s%s%s", base, path, call->query != NULL ? "?" : "",
                       call->query != NULL ? call->query : "");
    sigv4_date(signing->now_ms, date);
    sha256_hex(call->body != NULL ? call->body : "", call->body_length, hash);
    add_headers(signing, call, base, date, hash, &out);
    if (signing->keys != NULL)
        TRY(sign(signing, call, path, date, hash, &out, err));
    ret->http = (struct http_request){
        .method = call->method,
        .url = url,
        .headers = ret->lines,
        .header_count = out.line_count,
        .body = call->body,
        .body_length = call->body_length,
        .timeout_ms = call->try_timeout_ms,
        .stall_s = call->stall_s,
        .reply_bytes_max = call->reply_bytes_max,
        .file = call->file,
        .stop = call->stop,
    };
    return ERR_NONE;
}

enum err_code signed_exchange(struct http_link *link, const struct signing *signing,
                              const struct aws_call *call, struct aws_reply *reply, struct err *err)
{
    AUTO(signed_request_done) struct signed_request request = {0};

    reply->code[0] = '\0';
    TRY(signed_build(signing, call, &request, err));
    TRY(http_exchange(link, &request.http, &reply->http, err));
    if (reply->http.status / 100 != 2)
        reply_read_code(reply);
    return ERR_NONE;
}
