#include "worker/post.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/http.h"
#include "aws/provider.h"
#include "aws/retry.h"
#include "aws/sigv4.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/gzip.h"
#include "base/json.h"
#include "base/log.h"
#include "store/ingest.h"
#include "worker/post_body.h"

enum {
    BODY_ROOM_BYTES = POST_BODY_BYTES_MAX + 128 * 1024, /* a line more */
    REPLY_BYTES_MAX = 64 * 1024,
    URL_BYTES_MAX = 4096,
    TOKEN_ARENA_BYTES = 1 << 20,
    REASON_BYTES = 256,
    GZIP_LEVEL = 3,
    PAUSE_SLICE_MS = 100,
    RETRY_AFTER_SECONDS_MAX = 24 * 3600,
};

struct post {
    struct post_options options;
    char *url;                         /* without a slash at the end */
    _Atomic int64_t ask_again_mono_ms; /* no link asks before: the server said so to one */
    pthread_mutex_t lock;              /* guards what follows */
    char token[POST_TOKEN_BYTES_MAX + 1];
    uint64_t token_number; /* another one has another number */
};

struct post_link {
    struct post *post;
    struct http_link *http;
    size_t rows_max; /* fewer after a 413: what stands in between takes less */
};

/* A request on its way. */
struct call {
    const char *url, *key; /* key "" = none */
    const struct str *body;
    int64_t end_mono_ms;
};

/* The token goes nowhere without TLS, but to this machine. */
static bool is_own_machine(const char *host)
{
    static const char *const NAMES[] = {"127.0.0.1", "localhost", "[::1]"};

    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        size_t length = strlen(NAMES[i]);

        if (strncmp(host, NAMES[i], length) == 0 && strchr(":/", host[length]) != NULL)
            return true;
    }
    return false;
}

static enum err_code read_url(const char *url, char **ret, struct err *err)
{
    static const char HTTP[] = "http://", HTTPS[] = "https://";
    bool tls = str_starts(url, HTTPS);
    size_t length = strlen(url);

    if ((!tls && !str_starts(url, HTTP)) || length > URL_BYTES_MAX / 2 ||
        url[strlen(tls ? HTTPS : HTTP)] == '\0' || strpbrk(url, "@?# \"<>\\") != NULL ||
        !str_is_clean_utf8(url, length))
        return err_set(err, ERR_USAGE,
                       "a server to post to is https://HOST[:PORT][/PREFIX], not \"%.200s\"", url);
    if (!tls && !is_own_machine(url + strlen(HTTP)))
        return err_set(err, ERR_USAGE,
                       "\"%.200s\" would send the token unencrypted: http:// is for this machine "
                       "only, use https://",
                       url);
    *ret = own_strdup(url);
    while (length > 0 && (*ret)[length - 1] == '/')
        (*ret)[--length] = '\0';
    return ERR_NONE;
}

static bool token_is_valid(const char *token)
{
    size_t length = strlen(token);

    for (size_t i = 0; i < length; i++)
        if (token[i] <= ' ' || token[i] > '~')
            return false;
    return length > 0 && length <= POST_TOKEN_BYTES_MAX;
}

/* *ret_changed: it is another one than before. */
static enum err_code read_token(struct post *post, bool *ret_changed, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    const char *token = post->options.token;

    arena_init(&arena, TOKEN_ARENA_BYTES);
    if (post->options.token_file != NULL)
        TRY(token_file_read(post->options.token_file, &arena, &token, err));
    if (!token_is_valid(token))
        return err_set(err, ERR_INVALID, "%s holds no token: 1 to %d visible ASCII characters",
                       post->options.token_file != NULL ? post->options.token_file
                                                        : "PAIRWATCH_TOKEN",
                       POST_TOKEN_BYTES_MAX);
    (void)pthread_mutex_lock(&post->lock);
    *ret_changed = strcmp(post->token, token) != 0;
    if (*ret_changed) {
        (void)snprintf(post->token, sizeof post->token, "%s", token);
        post->token_number++;
    }
    (void)pthread_mutex_unlock(&post->lock);
    return ERR_NONE;
}

static void post_closep(struct post **post)
{
    post_close(*post);
}

enum err_code post_open(const struct post_options *options, struct post **ret, struct err *err)
{
    AUTO(post_closep) struct post *post = own_alloc(sizeof *post);
    bool changed;

    post->options = *options;
    (void)pthread_mutex_init(&post->lock, NULL);
    if (post->options.rows_max == 0)
        post->options.rows_max = POST_ROWS_DEFAULT;
    if ((options->token_file == NULL) == (options->token == NULL))
        return err_set(err, ERR_USAGE, "--post needs either --token-file or PAIRWATCH_TOKEN");
    TRY(read_url(options->url, &post->url, err));
    TRY(read_token(post, &changed, err));
    *ret = TAKE(post);
    return ERR_NONE;
}

void post_close(struct post *post)
{
    if (post == NULL)
        return;
    (void)pthread_mutex_destroy(&post->lock);
    explicit_bzero(post->token, sizeof post->token);
    free(post->url);
    free(post);
}

void post_link_open(struct post *post, struct post_link **ret)
{
    struct post_link *link = own_alloc(sizeof *link);

    *link = (struct post_link){.post = post, .rows_max = post->options.rows_max};
    http_link_open(&(struct http_link_options){.ca_bundle = post->options.ca_bundle}, &link->http);
    *ret = link;
}

void post_link_close(struct post_link *link)
{
    if (link == NULL)
        return;
    http_link_close(link->http);
    free(link);
}

static bool is_stopped(const struct post *post)
{
    return post->options.stop != NULL && atomic_load(post->options.stop);
}

static enum err_code wait_until(const struct post *post, int64_t mono_ms, struct err *err)
{
    for (int64_t left; (left = mono_ms - clock_mono_ms()) > 0;) {
        if (is_stopped(post))
            return err_set(err, ERR_CANCELLED, "stopped while the server was waited for");
        clock_sleep_ms(left < PAUSE_SLICE_MS ? left : PAUSE_SLICE_MS);
    }
    return ERR_NONE;
}

/* One exchange. *ret_token: the number of the token it went with. */
static enum err_code exchange(struct post_link *link, const struct call *call,
                              struct http_reply *reply, uint64_t *ret_token, struct err *err)
{
    char authorization[sizeof "Authorization: Bearer " + POST_TOKEN_BYTES_MAX];
    char key[sizeof "Idempotency-Key: \"\"" + SHA256_HEX_BYTES];
    const char *headers[] = {"Content-Type: application/x-ndjson", "Content-Encoding: gzip",
                             "Accept: application/json, application/problem+json", authorization,
                             key};
    int64_t left_ms = call->end_mono_ms - clock_mono_ms();
    struct http_request request = {
        .method = "POST",
        .url = call->url,
        .headers = headers,
        .header_count = *call->key != '\0' ? ARRAY_LEN(headers) : ARRAY_LEN(headers) - 1,
        .body = call->body->text,
        .body_length = call->body->length,
        .timeout_ms = left_ms < 1             ? 1
                      : left_ms < POST_TRY_MS ? left_ms
                                              : POST_TRY_MS,
        .reply_bytes_max = REPLY_BYTES_MAX,
        .file = -1,
    };
    enum err_code code;

    (void)snprintf(key, sizeof key, "Idempotency-Key: \"%s\"", call->key);
    (void)pthread_mutex_lock(&link->post->lock);
    (void)snprintf(authorization, sizeof authorization, "Authorization: Bearer %s",
                   link->post->token);
    *ret_token = link->post->token_number;
    (void)pthread_mutex_unlock(&link->post->lock);
    code = http_exchange(link->http, &request, reply, err);
    explicit_bzero(authorization, sizeof authorization);
    return code;
}

/* What the server says is wrong, from its problem document; "" when it says nothing. */
static void read_reason(const struct http_reply *reply, char ret[static REASON_BYTES])
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    const char *detail, *pointer, *what;
    const struct json *root, *first;

    *ret = '\0';
    if (reply->body.length == 0 ||
        json_parse(reply->body.text, reply->body.length, &doc, NULL) != ERR_NONE)
        return;
    root = json_root(doc);
    first = json_first(json_member(root, "errors"));
    detail = json_text_of(json_member(root, "detail"));
    if (detail == NULL)
        detail = json_text_of(json_member(root, "title"));
    pointer = json_text_of(json_member(first, "pointer"));
    what = json_text_of(json_member(first, "detail"));
    (void)snprintf(ret, REASON_BYTES, "%.120s%s%.40s%s%.80s", detail != NULL ? detail : "",
                   pointer != NULL ? ", first " : "", pointer != NULL ? pointer : "",
                   what != NULL ? " " : "", what != NULL ? what : "");
}

static const struct {
    int status;
    enum err_code code;
    const char *hint;
} STATUSES[] = {
    {400, ERR_INVALID, ""},
    {401, ERR_UNAUTHORIZED, ": the token is not or no longer known there"},
    {403, ERR_FORBIDDEN, ": the token needs the role ingest"},
    {409, ERR_INVALID, ""},
    {413, ERR_TOO_LARGE, ""},
    {415, ERR_INVALID, ""},
    {422, ERR_INVALID, ""},
    {408, ERR_UNAVAILABLE, ""},
    {429, ERR_BUSY, ""},
};

static enum err_code explain(const struct post *post, const struct http_reply *reply,
                             struct err *err)
{
    enum err_code code = reply->status >= 500 ? ERR_UNAVAILABLE : ERR_NOT_FOUND;
    const char *hint = reply->status >= 500 ? "" : ": is that the address of a pairwatch server?";
    char reason[REASON_BYTES];

    for (size_t i = 0; i < ARRAY_LEN(STATUSES); i++)
        if (STATUSES[i].status == reply->status) {
            code = STATUSES[i].code;
            hint = STATUSES[i].hint;
        }
    read_reason(reply, reason);
    return err_set(err, code, "%.200s answered %d%s%s%s", post->url, reply->status,
                   reason[0] != '\0' ? ": " : "", reason, hint);
}

static enum err_code read_receipt(const struct post *post, const struct http_reply *reply,
                                  struct ingest_result *ret, struct err *err)
{
    static const char *const NAMES[] = {"observations", "flagged", "findings_new",
                                        "findings_updated"};
    uint64_t *const to[] = {&ret->observations, &ret->flagged, &ret->findings_new,
                            &ret->findings_updated};
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    int64_t value;

    if (json_parse(reply->body.length > 0 ? reply->body.text : "", reply->body.length, &doc,
                   NULL) != ERR_NONE ||
        !json_bool_of(json_member(json_root(doc), "repeated"), &ret->repeated))
        return err_set(err, ERR_NOT_FOUND,
                       "%.200s answered %d with something else than a receipt: is that the address "
                       "of a pairwatch server?",
                       post->url, reply->status);
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (json_int_of(json_member(json_root(doc), NAMES[i]), &value) && value >= 0)
            *to[i] = (uint64_t)value;
    return ERR_NONE;
}

/* Whether the refused token was replaced since the request went out. */
static bool has_newer_token(struct post *post, uint64_t used)
{
    struct err reason = {0};
    bool changed = false;

    if (post->options.token_file != NULL && read_token(post, &changed, &reason) != ERR_NONE)
        log_warn("the token stays as it is", "reason=%s", log_quote(reason.text));
    (void)pthread_mutex_lock(&post->lock);
    changed = post->token_number != used;
    (void)pthread_mutex_unlock(&post->lock);
    return changed;
}

/* Seconds only: a date would trust two clocks. 0 = not said. */
static int64_t asked_pause_ms(const struct http_reply *reply)
{
    char text[16];
    int64_t seconds = 0;

    if (!http_reply_header(reply, "retry-after", text, sizeof text) ||
        !str_to_i64(text, &seconds) || seconds < 0)
        return 0;
    return (seconds < RETRY_AFTER_SECONDS_MAX ? seconds : RETRY_AFTER_SECONDS_MAX) * 1000;
}

static enum err_code try_once(struct post_link *link, const struct call *call,
                              struct http_reply *reply, enum retry_class *ret_class,
                              struct err *err)
{
    uint64_t token;
    enum err_code code = exchange(link, call, reply, &token, err);

    *ret_class = RETRY_NO;
    if (code != ERR_NONE) {
        *ret_class = retry_class_of_failure(code);
        return err_prefix(err, "posting to %.200s", link->post->url);
    }
    if (reply->status / 100 == 2)
        return ERR_NONE;
    *ret_class = reply->status == 408 ? RETRY_TRANSIENT : retry_class_of(reply->status, "");
    if (reply->status == 401 && has_newer_token(link->post, token))
        *ret_class = RETRY_CREDENTIALS;
    return explain(link->post, reply, err);
}

/* Until it is acknowledged, refused or out of time; what the server asks for is waited by all. */
static enum err_code post_call(struct post_link *link, struct call *call, struct ingest_result *ret,
                               struct err *err)
{
    struct post *post = link->post;
    AUTO(http_reply_done) struct http_reply reply = {0};
    enum retry_class class_;
    enum err_code code;

    TRY(wait_until(post, atomic_load(&post->ask_again_mono_ms), err));
    call->end_mono_ms = clock_mono_ms() + POST_WAIT_MS;
    for (int retry = 1;; retry++) {
        int64_t asked_ms, pause_ms;

        TRY(wait_until(post, atomic_load(&post->ask_again_mono_ms), err));
        code = try_once(link, call, &reply, &class_, err);
        if (code == ERR_NONE)
            return read_receipt(post, &reply, ret, err);
        if (class_ == RETRY_NO)
            return code;
        asked_ms = asked_pause_ms(&reply);
        pause_ms = class_ == RETRY_CREDENTIALS ? 0 : retry_pause_ms(class_, retry, 0);
        if (clock_mono_ms() + (asked_ms > pause_ms ? asked_ms : pause_ms) >= call->end_mono_ms)
            return err_prefix(err, "given up after %d tries", retry);
        if (asked_ms > 0)
            atomic_store(&post->ask_again_mono_ms, clock_mono_ms() + asked_ms);
        log_debug("posting again", "try=%d pause_ms=%" PRId64 " reason=%s", retry + 1,
                  asked_ms > pause_ms ? asked_ms : pause_ms, log_quote(err->text));
        TRY(wait_until(post, clock_mono_ms() + pause_ms, err));
    }
}

static void add_query(struct str *url, char mark, const char *name, const char *value)
{
    str_addf(url, "%c%s=", mark, name);
    sigv4_encode(url, value, strlen(value), false);
}

static enum err_code write_url(const struct post *post, const struct ingest_batch *batch,
                               const struct post_model *model, const char *spec, struct str *url,
                               struct err *err)
{
    char threshold[32];

    str_addf(url, "%s/api/v1/scores", post->url);
    add_query(url, '?', "model", batch->model_id);
    add_query(url, '&', "detector", model->detector);
    for (size_t i = 0; spec != NULL && i < model->spec_count; i++)
        if (strcmp(model->specs[i].spec, spec) == 0) {
            (void)str_from_double(threshold, model->specs[i].threshold);
            add_query(url, '&', "spec", spec);
            add_query(url, '&', "threshold", threshold);
        }
    return str_check(url, "the address to post to", err);
}

/* One request with the pairs from ret->from on; ret->count says how many went. */
static enum err_code post_part(struct post_link *link, const struct ingest_batch *batch,
                               const struct post_model *model, struct post_part *ret,
                               struct ingest_result *result, struct err *err)
{
    AUTO(str_done) struct str body = {0}, packed = {0}, url = {0};
    char key[SHA256_HEX_BYTES] = "";
    struct call call = {.key = key, .body = &packed};

    str_init(&body, BODY_ROOM_BYTES);
    str_init(&packed, BODY_ROOM_BYTES);
    str_init(&url, URL_BYTES_MAX);
    *ret = post_body_write(batch, ret->from, link->rows_max, &body);
    TRY(str_check(&body, "a request's scores", err));
    TRY(write_url(link->post, batch, model, ret->count > 0 ? batch->pairs[ret->from].spec : NULL,
                  &url, err));
    if (batch->object->error == NULL) /* every try that failed counts */
        post_body_key(batch, &body, key);
    TRY(gzip_deflate(body.text, body.length, GZIP_LEVEL, &packed, err));
    call.url = url.text;
    return post_call(link, &call, result, err);
}

enum err_code post_batch(struct post_link *link, const struct ingest_batch *batch,
                         const struct post_model *model, struct ingest_result *ret, struct err *err)
{
    struct post_part part = {.from = 0};

    *ret = (struct ingest_result){.repeated = true};
    do {
        struct ingest_result result = {.repeated = false};
        enum err_code code = post_part(link, batch, model, &part, &result, err);

        if (code == ERR_TOO_LARGE && part.count > 1) { /* a proxy's limit is not the server's */
            link->rows_max = part.count / 2;
            part.count = 0;
            log_info("posting smaller requests", "rows_max=%zu", link->rows_max);
            continue;
        }
        if (code == ERR_TOO_LARGE)
            return err_set(err, ERR_INVALID, "a single score is too large for the server");
        TRY(code);
        ret->repeated &= result.repeated;
        ret->observations += result.observations;
        ret->flagged += result.flagged;
        ret->findings_new += result.findings_new;
        ret->findings_updated += result.findings_updated;
        part.from += part.count;
        if (part.from < batch->count && is_stopped(link->post))
            return err_set(err, ERR_CANCELLED, "stopped between two requests of an object");
    } while (part.from < batch->count);
    return ERR_NONE;
}
