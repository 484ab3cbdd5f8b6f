#pragma once
/* A server on a free port of 127.0.0.1 with a few routes, and a client that writes bytes as they
 * are given and reads one answer at a time. Waits are bounded; a failed one fails the test. */
#include "temp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "http/reply.h"
#include "http/request.h"
#include "http/server.h"
#include "http/session.h"

enum { LIVE_WAIT_MS = 10000, LIVE_BYTES_MAX = 16 << 20, LIVE_ECHO_BYTES_MAX = 100000 };

/* ---- handlers ---- */

static enum err_code live_echo(struct request *req, struct reply *reply, struct err *err)
{
    (void)err;
    json_object(&reply->json, NULL);
    json_int(&reply->json, "length", (int64_t)req->body_length);
    json_text(&reply->json, "type", req->content_type);
    json_text(&reply->json, "start",
              arena_strndup(req->arena, req->body, req->body_length < 20 ? req->body_length : 20));
    json_end(&reply->json);
    return ERR_NONE;
}

static enum err_code live_item(struct request *req, struct reply *reply, struct err *err)
{
    int64_t id;

    TRY(path_int(req, "id", &id, err));
    reply_etag(reply, "v%lld", (long long)id);
    json_object(&reply->json, NULL);
    json_int(&reply->json, "id", id);
    json_end(&reply->json);
    return ERR_NONE;
}

static enum err_code live_name(struct request *req, struct reply *reply, struct err *err)
{
    (void)err;
    json_object(&reply->json, NULL);
    json_text(&reply->json, "name", path_text(req, "name"));
    json_text(&reply->json, "actor", req->actor);
    json_end(&reply->json);
    return ERR_NONE;
}

static enum err_code live_query(struct request *req, struct reply *reply, struct err *err)
{
    int64_t limit = 50;

    query_int(req, "limit", 1, 500, &limit);
    TRY(query_check(req, err));
    json_object(&reply->json, NULL);
    json_int(&reply->json, "limit", limit);
    json_end(&reply->json);
    return ERR_NONE;
}

static enum err_code live_body(struct request *req, struct reply *reply, struct err *err)
{
    static const char *const TYPES[] = {"application/json", NULL};
    const struct json *root;

    (void)reply;
    TRY(body_json(req, TYPES, &root, err));
    if (json_member(root, "good") == NULL)
        json_fault(&req->faults, "/good", "is missing");
    return json_faults_check(&req->faults, err);
}

static enum err_code live_big(struct request *req, struct reply *reply, struct err *err)
{
    (void)req;
    (void)err;
    json_array(&reply->json, NULL);
    for (int i = 0; i < 10000; i++)
        json_text(&reply->json, NULL, "0123456789");
    json_end(&reply->json);
    return ERR_NONE;
}

static enum err_code live_fail(struct request *req, struct reply *reply, struct err *err)
{
    const char *how = path_text(req, "how");

    json_object(&reply->json, NULL);
    reply_header(reply, "X-Half-Made", "yes");
    if (strcmp(how, "io") == 0)
        return err_set(err, ERR_IO, "reading /secret/place: it broke");
    if (strcmp(how, "busy") == 0) {
        reply_retry_after(reply, 7);
        return err_set(err, ERR_BUSY, "256 writes are waiting");
    }
    if (strcmp(how, "open") == 0)
        return ERR_NONE;
    return ERR_CONFLICT;
}

static enum err_code live_slow(struct request *req, struct reply *reply, struct err *err)
{
    (void)req;
    (void)err;
    clock_sleep_ms(300);
    json_object(&reply->json, NULL);
    json_end(&reply->json);
    return ERR_NONE;
}

/* Until somebody asks for it, or the test has failed. */
static atomic_int live_held, live_released;

static enum err_code live_hold(UNUSED struct request *req, struct reply *reply,
                               UNUSED struct err *err)
{
    int64_t until_ms = clock_mono_ms() + LIVE_WAIT_MS;

    (void)atomic_fetch_add(&live_held, 1);
    while (atomic_load(&live_released) == 0 && clock_mono_ms() < until_ms)
        clock_sleep_ms(1);
    json_object(&reply->json, NULL);
    json_bool(&reply->json, "released", atomic_load(&live_released) != 0);
    json_end(&reply->json);
    return ERR_NONE;
}

static enum err_code live_release(UNUSED struct request *req, struct reply *reply,
                                  UNUSED struct err *err)
{
    (void)atomic_fetch_add(&live_released, 1);
    json_object(&reply->json, NULL);
    json_end(&reply->json);
    return ERR_NONE;
}

struct live_stream {
    int at, end, fail_at;
};
static atomic_int live_streams;

static enum err_code live_stream_next(void *context, struct str *out, struct err *err)
{
    struct live_stream *stream = context;

    if (stream->at == stream->fail_at)
        return err_set(err, ERR_IO, "the export broke");
    if (stream->at < stream->end)
        str_addf(out, "line %d of the export, long enough to fill some blocks\n", stream->at++);
    return ERR_NONE;
}

static void live_stream_free(void *context)
{
    (void)atomic_fetch_sub(&live_streams, 1);
    free(context);
}

static enum err_code live_export(struct request *req, struct reply *reply, struct err *err)
{
    struct live_stream *stream = own_alloc(sizeof *stream);

    (void)err;
    (void)atomic_fetch_add(&live_streams, 1);
    *stream = (struct live_stream){.end = 5000,
                                   .fail_at = strcmp(path_text(req, "how"), "bad") == 0 ? 100 : -1};
    reply->content_type = "application/x-ndjson";
    reply->stream = (struct reply_stream){
        .next = live_stream_next, .free = live_stream_free, .context = stream};
    return ERR_NONE;
}

/* A feed of numbers up to live_feed_last; a negative one ends it. */
static atomic_int live_feed_last;

static enum err_code live_feed_next(void *context, struct str *out, struct err *err)
{
    int *at = context, last = atomic_load(&live_feed_last);

    (void)err;
    if (last < 0)
        return ERR_CANCELLED;
    if (*at < last)
        str_addf(out, "number %d\n", ++*at);
    return ERR_NONE;
}

static enum err_code live_feed(struct request *req, struct reply *reply, struct err *err)
{
    (void)err;
    reply->content_type = "text/event-stream";
    reply->stream = (struct reply_stream){
        .next = live_feed_next, .context = ARENA_NEW(req->arena, int), .feed = true};
    return ERR_NONE;
}

static const struct route LIVE_ROUTES[] = {
    {"GET", "/api/big", "live_big", live_big, ROLE_NONE, 0},
    {"POST", "/api/body", "live_body", live_body, ROLE_NONE, 1000},
    {"POST", "/api/echo", "live_echo", live_echo, ROLE_NONE, LIVE_ECHO_BYTES_MAX},
    {"GET", "/api/export/{how}", "live_export", live_export, ROLE_NONE, 0},
    {"GET", "/api/fail/{how}", "live_fail", live_fail, ROLE_NONE, 0},
    {"GET", "/api/feed", "live_feed", live_feed, ROLE_NONE, 0},
    {"POST", "/api/hold", "live_hold", live_hold, ROLE_NONE, LIVE_ECHO_BYTES_MAX},
    {"POST", "/api/item/bulk", "live_echo", live_echo, ROLE_NONE, 1000},
    {"DELETE", "/api/item/{id}", "live_item", live_item, ROLE_TRIAGE, 0},
    {"GET", "/api/item/{id}", "live_item", live_item, ROLE_NONE, 0},
    {"PATCH", "/api/item/{id}", "live_item", live_item, ROLE_TRIAGE, 1000},
    {"GET", "/api/name/{name}", "live_name", live_name, ROLE_READ, 0},
    {"POST", "/api/name/{name}", "live_name", live_name, ROLE_READ, 4 << 20},
    {"GET", "/api/query", "live_query", live_query, ROLE_NONE, 0},
    {"GET", "/api/release", "live_release", live_release, ROLE_NONE, 0},
    {"GET", "/api/slow", "live_slow", live_slow, ROLE_NONE, 0},
};

/* "Bearer ROLE" has that role; the session cookie "c2VjcmV0" is ana's. */
static enum err_code live_authenticate(struct request *req, struct err *err)
{
    const char *header = request_header(req, "Authorization");
    const char *secret = session_secret(req);

    ASSERT(req->thread_context != NULL);
    if (header != NULL) {
        if (strcmp(header, "Bearer read") != 0 && strcmp(header, "Bearer triage") != 0)
            return err_set(err, ERR_UNAUTHORIZED, "the token is not known");
        req->role = strcmp(header, "Bearer read") == 0 ? ROLE_READ : ROLE_TRIAGE;
        req->actor = "token:test";
    } else if (secret != NULL && strcmp(secret, "c2VjcmV0") == 0) {
        req->role = ROLE_TRIAGE;
        req->actor = "user:ana";
        req->session_id = "1";
    }
    return ERR_NONE;
}

/* ---- the program's side ---- */

struct live {
    struct http_server *server;
    int port;
    atomic_int contexts;  /* of threads, alive */
    pthread_mutex_t lock; /* guards the rest */
    int logged;
    int last_status;
    char last_route[64], last_remote[64], last_error[ERR_TEXT_BYTES];
};

static void *live_context_new(void *app)
{
    (void)atomic_fetch_add(&((struct live *)app)->contexts, 1);
    return app;
}

static void live_context_free(void *context)
{
    (void)atomic_fetch_sub(&((struct live *)context)->contexts, 1);
}

static void live_log(void *app, const struct http_access *access)
{
    struct live *live = app;

    (void)pthread_mutex_lock(&live->lock);
    live->logged++;
    live->last_status = access->status;
    (void)snprintf(live->last_route, sizeof live->last_route, "%s", access->route);
    (void)snprintf(live->last_remote, sizeof live->last_remote, "%s", access->remote);
    (void)snprintf(live->last_error, sizeof live->last_error, "%s", access->error);
    (void)pthread_mutex_unlock(&live->lock);
}

static void live_start_with(struct live *live, struct http_options options)
{
    struct err err = {.text = ""};

    *live = (struct live){.port = 0};
    (void)pthread_mutex_init(&live->lock, NULL);
    options.listen = "127.0.0.1:0";
    options.routes = LIVE_ROUTES;
    options.route_count = ARRAY_LEN(LIVE_ROUTES);
    options.threads = 2;
    options.app = live;
    options.access_log = live_log;
    options.thread_context_new = live_context_new;
    options.thread_context_free = live_context_free;
    options.authenticate = live_authenticate;
    CHECK_OK(http_server_start(&options, &live->server, &err));
    live->port = http_server_port(live->server);
}

static inline void live_start(struct live *live)
{
    live_start_with(live, (struct http_options){.threads = 0});
}

static void live_stop(struct live *live)
{
    http_server_stop(live->server);
    assert_int_equal(atomic_load(&live->contexts), 0);
    assert_int_equal(atomic_load(&live_streams), 0);
    (void)pthread_mutex_destroy(&live->lock);
}

/* Waits until count requests are over (the answer reaches the client before that). */
static inline void live_wait_logged(struct live *live, int count)
{
    int64_t until_ms = clock_mono_ms() + LIVE_WAIT_MS;
    int logged = 0;

    while (logged < count && clock_mono_ms() < until_ms) {
        (void)pthread_mutex_lock(&live->lock);
        logged = live->logged;
        (void)pthread_mutex_unlock(&live->lock);
        if (logged < count)
            clock_sleep_ms(1);
    }
    assert_true(logged >= count);
}

/* ---- the client ---- */

struct client {
    int fd;
    struct str in; /* received and not yet taken */
    bool closed;   /* by the server */
};

struct answer {
    int status;
    char *head, *body; /* NUL-terminated */
    size_t body_length;
    bool cut; /* a chunked or counted body that did not come whole */
};

static void answer_done(struct answer *answer)
{
    free(answer->head);
    free(answer->body);
    *answer = (struct answer){.status = 0};
}

static inline void client_open(struct client *client, int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };

    *client = (struct client){.fd = socket(AF_INET, SOCK_STREAM, 0)};
    assert_true(client->fd >= 0);
    str_init(&client->in, LIVE_BYTES_MAX);
    assert_int_equal(connect(client->fd, (struct sockaddr *)&address, sizeof address), 0);
}

static inline void client_close(struct client *client)
{
    (void)close(client->fd);
    str_done(&client->in);
}

/* What the server does not take any more is not sent. */
static inline void client_send(struct client *client, const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length > 0) {
        ssize_t count = send(client->fd, at, length, MSG_NOSIGNAL);

        if (count <= 0)
            return;
        at += count;
        length -= (size_t)count;
    }
}

static inline void client_say(struct client *client, const char *text)
{
    client_send(client, text, strlen(text));
}

/* One more read; false at the end. */
static bool client_more(struct client *client)
{
    struct pollfd wait = {.fd = client->fd, .events = POLLIN};
    char buffer[65536];
    ssize_t count;

    if (client->closed)
        return false;
    assert_int_equal(poll(&wait, 1, LIVE_WAIT_MS), 1);
    count = recv(client->fd, buffer, sizeof buffer, 0);
    client->closed = count <= 0;
    if (count > 0)
        str_add_bytes(&client->in, buffer, (size_t)count);
    return count > 0;
}

static void client_drop(struct client *client, size_t length)
{
    (void)memmove(client->in.text, client->in.text + length, client->in.length - length + 1);
    client->in.length -= length;
}

/* The value of a header in an answer's head, "" when absent; in a ring of static buffers. */
static inline const char *answer_header(const struct answer *answer, const char *name)
{
    static char values[4][1024];
    static int next;
    const char *line = answer->head;

    while ((line = strstr(line, "\r\n")) != NULL) {
        line += 2;
        if (strncasecmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':') {
            const char *value = line + strlen(name) + 1;
            char *ret = values[next++ % 4];

            value += strspn(value, " ");
            (void)snprintf(ret, sizeof values[0], "%.*s", (int)strcspn(value, "\r"), value);
            return ret;
        }
    }
    return "";
}

static inline void client_take_counted(struct client *client, struct answer *ret, size_t length)
{
    while (client->in.length < length && client_more(client)) {
    }
    ret->cut = client->in.length < length;
    length = ret->cut ? client->in.length : length;
    ret->body = own_array(length + 1, 1);
    if (length > 0)
        (void)memcpy(ret->body, client->in.text, length);
    ret->body_length = length;
    if (length > 0)
        client_drop(client, length);
}

static inline void client_take_chunks(struct client *client, struct answer *ret)
{
    struct str body;

    str_init(&body, LIVE_BYTES_MAX);
    str_add(&body, "");
    for (;;) {
        const char *line;
        size_t length, head;

        while ((line = client->in.length > 0 ? strstr(client->in.text, "\r\n") : NULL) == NULL &&
               client_more(client)) {
        }
        if (line == NULL) {
            ret->cut = true;
            break;
        }
        head = (size_t)(line - client->in.text) + 2;
        assert_int_equal(sscanf(client->in.text, "%zx", &length), 1);
        while (client->in.length < head + length + 2 && client_more(client)) {
        }
        if (client->in.length < head + length + 2) {
            ret->cut = true;
            break;
        }
        str_add_bytes(&body, client->in.text + head, length);
        client_drop(client, head + length + 2);
        if (length == 0)
            break;
    }
    ret->body_length = body.length;
    ret->body = str_take(&body);
}

/* The next answer; status 0 when the connection ended before one. Interim answers (100) count. */
static inline void client_take(struct client *client, bool head_only, struct answer *ret)
{
    const char *end = NULL;
    size_t length;

    *ret = (struct answer){.status = 0};
    while ((end = client->in.length > 0 ? strstr(client->in.text, "\r\n\r\n") : NULL) == NULL)
        if (!client_more(client))
            break;
    length = end != NULL ? (size_t)(end - client->in.text) + 4 : 0;
    ret->head = own_array(length + 1, 1);
    if (length == 0) {
        ret->body = own_strdup("");
        return;
    }
    (void)memcpy(ret->head, client->in.text, length);
    client_drop(client, length);
    (void)sscanf(ret->head, "HTTP/1.1 %d", &ret->status);
    if (head_only || ret->status == 204 || ret->status == 304 || ret->status == 100)
        ret->body = own_strdup("");
    else if (strcasecmp(answer_header(ret, "Transfer-Encoding"), "chunked") == 0)
        client_take_chunks(client, ret);
    else {
        uint64_t counted = 0;

        assert_true(str_to_u64(answer_header(ret, "Content-Length"), &counted));
        client_take_counted(client, ret, (size_t)counted);
    }
}

/* One request on a connection of its own. */
static inline void live_ask(const struct live *live, const char *request, struct answer *ret)
{
    struct client client;

    client_open(&client, live->port);
    client_say(&client, request);
    client_take(&client, strncmp(request, "HEAD ", 5) == 0, ret);
    client_close(&client);
}

/* "GET /x" with more headers ("" or lines that end in \r\n). */
static inline void live_get(const struct live *live, const char *line, const char *headers,
                            struct answer *ret)
{
    char request[8192];

    (void)snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: t\r\n%s\r\n", line, headers);
    live_ask(live, request, ret);
}
