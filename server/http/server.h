#pragma once
/* libmicrohttpd ends here: an epoll thread pool that routes, reads bodies within limits, asks the
 * program who is calling, runs handlers and answers. Built-in answers: 404, 405 with Allow, 413,
 * 415, 400 for a malformed request, 401/403 by the route's role, problem+json for every error.
 * One log line a request (method, route template, status, ms, bytes, actor). */
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

struct http_options {
    const char *listen;                       /* "127.0.0.1:8080", "[::1]:8080"; port 0 picks one */
    int threads;                              /* 4 unless set */
    int connections_max;                      /* 1000 unless set */
    const char *tls_cert_path, *tls_key_path; /* both or none */
    const char *web_dir; /* serve web files from here instead of the built-in ones; NULL */
    void *app;
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
int http_server_port(const struct http_server *server);
void http_server_metrics(const struct http_server *server, struct http_metrics *ret);
void http_server_stop(struct http_server *server); /* waits for running requests; frees */
