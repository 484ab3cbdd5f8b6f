#pragma once
/* libmicrohttpd ends here: an epoll thread pool that routes, reads bodies within limits, asks the
 * program who is calling, runs handlers and answers. Built-in answers: 404, 405 with Allow, 406 for
 * a reading whose type Accept leaves out, 413, 414, 415, 431, 400 for a malformed request, 401/403
 * by the route's role, 304 for a known ETag, gzip either way, problem+json for every error. What is
 * no HTTP at all, and a head far beyond its limit, is answered by MHD's own page.
 *
 * A body counts against its route's body_bytes_max as sent and again as inflated: a gzip body may
 * not grow past what the route takes. An unsafe method of a cookie session needs X-CSRF-Token;
 * one from another site (Sec-Fetch-Site) is refused whoever asks.
 * The layer never logs: access_log is told of every request. */
#include "base/err.h"
#include "http/request.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reply;
struct http_server;

/* The one typedef of a function: prototypes of handlers are generated from it. */
typedef enum err_code http_handler(struct request *req, struct reply *reply, struct err *err);

/* Generated from api/openapi.yaml (server/tools/routes.awk), sorted; build/gen/routes.c */
struct route {
    const char *method;    /* "GET" */
    const char *path;      /* "/api/v1/findings/{id}" */
    const char *operation; /* operationId */
    http_handler *handler;
    enum role role;          /* ROLE_NONE: open */
    uint64_t body_bytes_max; /* 0: no body is taken */
};
extern const struct route ROUTES[];
extern const size_t ROUTE_COUNT;

struct http_metrics {       /* counters since start; read with http_server_metrics */
    uint64_t requests[6];   /* by status class, [0] = aborted */
    uint64_t by_route[256]; /* in ROUTES order */
    uint64_t request_ms_sum;
    uint64_t body_bytes, reply_bytes;
    uint64_t in_flight;
};

struct http_access { /* what there is to say of an answered request; gone after the call */
    const char *method, *route; /* the route's template; "static" for web files, "-" for no route */
    const char *remote, *actor, *id;
    int status; /* 0: the client went away before the answer was sent */
    uint64_t reply_bytes;
    int64_t ms;
    const char *error; /* the sentence of a request that failed, "" otherwise; 5xx ones are for the
                          log only and were not sent */
};

enum {
    HTTP_THREADS = 4,
    HTTP_CONNECTIONS_MAX = 1000,
    HTTP_IDLE_S_MAX = 30,    /* a connection on which no byte moves is closed after this */
    HTTP_HEAD_S_MAX = 60,    /* from a connection's start or last answer to the end of a head */
    HTTP_UPLOAD_S_MAX = 120, /* from a request's head to the end of its body */
    HTTP_HEAD_BYTES_MAX = 24 << 10, /* the target, names and values of headers */
    HTTP_HEADERS_MAX = 100,
};
#define HTTP_BODIES_BYTES_MAX (INT64_C(256) << 20) /* request bodies held at once, inflated too */

struct http_options {
    const char *listen;         /* "127.0.0.1:8080", "[::1]:8080"; port 0 picks one */
    const struct route *routes; /* ROUTES */
    size_t route_count;         /* ROUTE_COUNT */
    int threads;                /* 0: HTTP_THREADS */
    int connections_max;        /* 0: HTTP_CONNECTIONS_MAX */
    int idle_s_max;             /* 0: HTTP_IDLE_S_MAX */
    int head_s_max;             /* 0: HTTP_HEAD_S_MAX */
    int upload_s_max;           /* 0: HTTP_UPLOAD_S_MAX */
    int64_t bodies_bytes_max;   /* 0: HTTP_BODIES_BYTES_MAX; a body that passes it gets 503 */
    const char *tls_cert_path, *tls_key_path; /* both or none */
    /* The last hop of X-Forwarded-For is the remote, X-Forwarded-Proto says whether it is TLS. Only
     * where clients cannot reach the server but through the proxy: they could claim any address. */
    bool behind_proxy;
    const char *web_dir; /* serve web files from here instead of the built-in ones; NULL */
    bool no_files;       /* nothing but the routes is answered; no web_dir */
    void *app;
    /* Called on the request's thread when it is over; the program writes its log line. NULL: no
     * log. */
    void (*access_log)(void *app, const struct http_access *access);
    /* One per HTTP thread, made on its first request; freed at stop. */
    void *(*thread_context_new)(void *app);
    void (*thread_context_free)(void *context);
    /* Fills role, user_id, actor, session_id from headers and cookies. Returns ERR_UNAUTHORIZED
     * for credentials that are wrong; none at all is ERR_NONE with ROLE_NONE. */
    enum err_code (*authenticate)(struct request *req, struct err *err);
};

/* ERR_CONFLICT when the port is in use (says which). */
NODISCARD enum err_code http_server_start(const struct http_options *options,
                                          struct http_server **ret, struct err *err);
/* Any thread: it takes no more requests. False for NULL. */
bool http_server_stops(const struct http_server *server);
int http_server_port(const struct http_server *server);
/* Asks every feed that rests for what is new (struct reply_stream). Any thread; waits for nobody.
 */
void http_server_wake(struct http_server *server);
void http_server_metrics(const struct http_server *server, struct http_metrics *ret);
void http_server_stop(struct http_server *server); /* waits for running requests; frees */
