#pragma once
/* What `pairwatch serve` makes once and every request may use. Handlers get it as req->app; its
 * members do not change while requests run, but for the server's pointer, which is set when the
 * server has started. Each HTTP thread has a read-only struct db of its own: req->thread_context.
 * Writes go through app->writer. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "http/request.h"

struct arena;
struct db;
struct http_access;
struct http_server;
struct limiter;
struct writer;

enum {
    SIGN_IN_BURST = 10,        /* attempts at once per remote and name */
    SIGN_IN_REFILL_MS = 30000, /* then one each */
    PASSWORD_CHECKS_MAX = 2,   /* scrypt runs at once: 32 MiB and a processor each */
    SESSION_MS_MAX = 12 * 3600 * 1000,
    QUERY_MS_MAX = 10000,     /* a read runs no longer */
    WRITER_FULL_PERCENT = 90, /* of the queue: not ready from here on */
};

struct app {
    const char *database_url; /* that is read: the writer's, or a replica of it */
    const char *version;
    int64_t started_ms;
    struct writer *writer;
    struct limiter *sign_ins;
    _Atomic(struct http_server *) server; /* NULL until it runs */
    atomic_int password_checks;           /* running now */
    atomic_int streams;                   /* open now */
    char dummy_hash[192];                 /* of a random password: verified for unknown users */
};

/* Fills app; the writer is the caller's. ERR_… when no password can be hashed. */
NODISCARD enum err_code app_init(struct app *app, const char *database_url, struct writer *writer,
                                 struct err *err);
void app_done(struct app *app); /* accepts a zeroed one */

/* For struct http_options. */
void *app_thread_new(void *app); /* NULL when the database cannot be opened */
void app_thread_free(void *context);
enum err_code app_authenticate(struct request *req, struct err *err);
void app_access_log(void *app, const struct http_access *access);

struct app *app_of(const struct request *req);
/* This thread's connection with the deadline of a request set. ERR_UNAVAILABLE without one. */
NODISCARD enum err_code app_db(const struct request *req, struct db **ret, struct err *err);
