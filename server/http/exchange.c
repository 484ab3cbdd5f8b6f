/* The phases of a request, and everything that is decided before and after its handler. */
#include "http/exchange.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/thread.h"
#include "http/accept.h"
#include "http/bulk.h"
#include "http/head_watch.h"
#include "http/problem.h"
#include "http/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char METHODS_OF_FILES[] = "GET, HEAD, OPTIONS";

void *exchange_new(void *cls, const char *target, struct MHD_Connection *connection)
{
    struct http_server *server = cls;
    struct exchange *x = own_alloc(sizeof *x);
    uint64_t number = atomic_fetch_add(&server->id_next, 1);

    thread_answers_soon();
    x->server = server;
    x->connection = connection;
    x->started_ms = clock_mono_ms();
    arena_init(&x->arena, EXCHANGE_ARENA_BYTES_MAX);
    request_init(&x->request, &x->arena);
    reply_init(&x->reply, &x->arena);
    str_init(&x->body, 1);
    str_init(&x->piece, REPLY_PIECE_BYTES_MAX);
    (void)snprintf(x->id, sizeof x->id, "%016" PRIx64, hash_mix(server->id_base + number));
    x->request.id = x->id;
    x->target = arena_strdup(&x->arena, target);
    (void)atomic_fetch_add(&server->in_flight, 1);
    return x;
}

/* This thread's own context, made on first use; the key's destructor frees it with the thread. What
 * cannot be made now is tried again with the next request: a handler that needs it says so. */
static void enter_thread(struct exchange *x)
{
    const struct http_options *options = &x->server->options;
    void *context = pthread_getspecific(x->server->thread_contexts);

    if (context == NULL && options->thread_context_new != NULL) {
        context = options->thread_context_new(options->app);
        if (context != NULL && pthread_setspecific(x->server->thread_contexts, context) != 0) {
            options->thread_context_free(context);
            context = NULL;
        }
    }
    x->request.thread_context = context;
}

static enum err_code check_role(struct exchange *x)
{
    struct request *req = &x->request;

    if (x->route->role != ROLE_NONE) {
        if (x->server->options.authenticate != NULL)
            TRY(x->server->options.authenticate(req, &x->err));
        if (req->role == ROLE_NONE)
            return err_set(&x->err, ERR_UNAUTHORIZED, "sign in, or send an API token");
        if (!role_allows(req->role, x->route->role))
            return err_set(&x->err, ERR_FORBIDDEN, "this needs the role %s, and %s has %s",
                           ROLE_WORDS[x->route->role], req->actor, ROLE_WORDS[req->role]);
    }
    return session_check_forgery(req, &x->err);
}

static enum err_code no_such_path(struct exchange *x)
{
    return err_set(&x->err, ERR_NOT_FOUND, "there is nothing at %.200s", x->uri.path);
}

/* The answer to OPTIONS; a wrong method gets the same header with its 405. */
static enum err_code wrong_method(struct exchange *x, const char *allow)
{
    reply_header(&x->reply, "Allow", "%s", allow);
    if (strcmp(x->request.method, "OPTIONS") == 0) {
        x->reply.status = 204;
        return ERR_NONE;
    }
    x->refusal_status = 405;
    return err_set(&x->err, ERR_INVALID, "%.20s is not a method of this path; %s are",
                   x->request.method, allow);
}

static enum err_code find_file(struct exchange *x)
{
    bool reads = strcmp(x->request.method, "GET") == 0 || strcmp(x->request.method, "HEAD") == 0;

    if (x->server->options.no_files || !static_find(x->server->files, &x->uri, &x->file))
        return no_such_path(x);
    if (reads)
        return ERR_NONE;
    own_freep(&x->file.owned);
    x->file = (struct static_file){.bytes = NULL};
    return wrong_method(x, METHODS_OF_FILES);
}

/* Everything that can be known before the body: the route, the caller, the cap. */
static enum err_code read_head(struct exchange *x, const char *method, const char *version)
{
    const struct http_options *options = &x->server->options;

    x->close = true; /* after a head that was not understood nothing can be */
    TRY(intake_head(x, method, version));
    x->close = false;
    route_find(options->routes, options->route_count, x->request.method, &x->uri, &x->arena,
               &x->match);
    if (x->match.outcome == ROUTE_WRONG_METHOD)
        return wrong_method(x, x->match.allow);
    if (x->match.outcome == ROUTE_UNKNOWN)
        return find_file(x);
    x->route = &options->routes[x->match.index];
    x->request.path_parameters = x->match.parameters;
    enter_thread(x);
    TRY(check_role(x));
    x->body_cap = (size_t)x->route->body_bytes_max;
    if (x->body_cap > 0)
        str_init(&x->body, x->body_cap);
    return ERR_NONE;
}

static enum err_code check_length(struct exchange *x)
{
    uint64_t length = intake_body_length(x);

    if (length > 0 && length <= x->body_cap && length <= EXCHANGE_BODY_AHEAD_MAX)
        (void)str_room(&x->body, length); /* so that it is not moved as it grows */
    if (length == 0 || (length == UINT64_MAX && x->body_cap > 0) || length <= x->body_cap)
        return ERR_NONE;
    if (x->body_cap == 0)
        return err_set(&x->err, ERR_TOO_LARGE, "this takes no body");
    return err_set(&x->err, ERR_TOO_LARGE, "the body is larger than %zu bytes", x->body_cap);
}

static enum MHD_Result answer(struct exchange *x, enum err_code code)
{
    if (code != ERR_NONE && x->err.code != code)
        (void)err_set(&x->err, code, "%s", err_word(code));
    if (code != ERR_NONE) { /* a body where a file takes none */
        own_freep(&x->file.owned);
        x->file = (struct static_file){.bytes = NULL};
    }
    if (code != ERR_NONE && x->refusal_status != 0)
        problem_write_status(&x->reply, x->refusal_status, &x->err);
    else if (code != ERR_NONE)
        problem_write(&x->reply, &x->err, &x->request.faults, x->id);
    x->answered = true;
    return respond(x);
}

/* The first call. A refusal is told at once when the head was not understood (who knows where the
 * body ends), when the body is long or the client waits for a go (Expect); a short body is read and
 * dropped, so that the client is there to hear it and its connection stays good. */
static enum MHD_Result begin(struct exchange *x, const char *method, const char *version)
{
    enum err_code code = read_head(x, method, version);

    head_watch_pause(x->server->heads, x->connection);
    x->head_read = true;
    if (code == ERR_NONE)
        code = check_length(x);
    x->refused = code;
    if (code == ERR_NONE || (!x->body_expected && !x->close))
        return MHD_YES;
    if (!x->close && request_header(&x->request, "Expect") == NULL &&
        intake_body_length(x) <= EXCHANGE_DRAIN_BYTES_MAX)
        return MHD_YES;
    x->close = true;
    return answer(x, code);
}

/* MHD takes no answer while a body comes in: a refused rest is dropped, and past the limit the
 * connection. */
static enum MHD_Result take_body(struct exchange *x, const char *bytes, size_t length)
{
    if (clock_mono_ms() - x->started_ms > (int64_t)x->server->options.upload_s_max * 1000)
        return MHD_NO;
    (void)atomic_fetch_add(&x->server->body_bytes, length);
    if (x->refused == ERR_NONE)
        x->refused = intake_body(x, bytes, length);
    if (x->refused == ERR_NONE)
        return MHD_YES;
    x->drained += length;
    return x->drained > EXCHANGE_DRAIN_BYTES_MAX ? MHD_NO : MHD_YES;
}

/* What a change did is told in any case; only a reading is refused. */
static enum err_code check_accept(struct exchange *x)
{
    const char *method = x->request.method;

    if (x->reply.status != 200 || (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) ||
        accept_allows(x->request.headers, x->reply.content_type))
        return ERR_NONE;
    return err_set(&x->err, ERR_NOT_ACCEPTABLE, "this is %s, which Accept does not take",
                   x->reply.content_type);
}

static enum err_code run(struct exchange *x)
{
    TRY(x->refused);
    if (x->route == NULL)
        return ERR_NONE;
    TRY(intake_body_end(x));
    TRY(x->route->handler(&x->request, &x->reply, &x->err));
    if (x->reply.json.depth != 0)
        return err_set(&x->err, ERR_INTERNAL, "%s left its JSON open", x->route->operation);
    if (x->reply.body.failed)
        return err_set(&x->err, ERR_INTERNAL, "the reply of %s is larger than %d bytes",
                       x->route->operation, REPLY_BYTES_MAX);
    return check_accept(x);
}

void exchange_handle(struct exchange *x)
{
    enter_thread(x);
    x->outcome = run(x);
    x->handled = true;
}

enum MHD_Result exchange_step(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_length, void **context)
{
    struct exchange *x = *context;
    size_t length = *upload_length;

    (void)cls;
    (void)connection;
    (void)url;
    if (x == NULL || x->answered)
        return MHD_NO;
    if (!x->head_read)
        return begin(x, method, version);
    *upload_length = 0;
    if (length > 0)
        return take_body(x, upload, length);
    if (x->handled) {
        enter_thread(x); /* what is streamed is read on this thread */
        return answer(x, x->outcome);
    }
    if (x->refused == ERR_NONE && x->body.length >= BULK_BODY_BYTES_MIN &&
        bulk_take(x->server->bulk, x))
        return MHD_YES;
    return answer(x, run(x));
}

static void count(struct exchange *x, int64_t ms)
{
    struct http_server *server = x->server;

    (void)atomic_fetch_add(&server->requests[x->status / 100 <= 5 ? x->status / 100 : 5], 1);
    if (x->route != NULL)
        (void)atomic_fetch_add(&server->by_route[x->match.index], 1);
    if (!x->reply.stream.feed) /* which lasts as long as its client likes */
        (void)atomic_fetch_add(&server->request_ms_sum, (uint64_t)ms);
    (void)atomic_fetch_add(&server->reply_bytes, x->sent_bytes);
}

static void tell(const struct exchange *x, int64_t ms)
{
    const struct http_options *options = &x->server->options;
    struct http_access access = {
        .method = x->request.method,
        .route = x->route != NULL        ? x->route->path
                 : x->file.bytes != NULL ? "static"
                                         : "-",
        .remote = x->request.remote,
        .actor = x->request.actor,
        .id = x->id,
        .status = x->status,
        .reply_bytes = x->sent_bytes,
        .ms = ms,
        .error = x->err.text,
    };

    if (options->access_log != NULL)
        options->access_log(options->app, &access);
}

void exchange_end(void *cls, struct MHD_Connection *connection, void **context,
                  enum MHD_RequestTerminationCode how)
{
    struct exchange *x = *context;
    int64_t ms;

    (void)cls;
    if (x == NULL)
        return; /* MHD refused the request line by itself */
    *context = NULL;
    head_watch_begin(x->server->heads, connection);
    ms = clock_mono_ms() - x->started_ms;
    if (how != MHD_REQUEST_TERMINATED_COMPLETED_OK)
        x->status = 0;
    count(x, ms);
    tell(x, ms);
    request_done(&x->request);
    reply_done(&x->reply);
    str_done(&x->body);
    str_done(&x->piece);
    own_freep(&x->file.owned);
    (void)atomic_fetch_sub(&x->server->bodies_held, x->held);
    (void)atomic_fetch_sub(&x->server->in_flight, 1);
    arena_done(&x->arena);
    free(x);
}
