#pragma once
/* Private to the HTTP layer: the server's state and one request on its way through it.
 *
 * An exchange is made when the request line was read and ends in exchange_end; MHD calls all its
 * steps on one thread, and while it is suspended a thread of bulk.h has it. Its phases: request
 * line → head (routed, caller known, cap known) → body pieces → answered → end. */
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "http/reply.h"
#include "http/request.h"
#include "http/route.h"
#include "http/server.h"
#include "http/static.h"
#include "http/uri.h"
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    EXCHANGE_ROUTES_MAX = 256, /* as by_route in struct http_metrics */
    EXCHANGE_ID_BYTES = 17,
    EXCHANGE_BODY_AHEAD_MAX = 4 << 20,  /* room made before a byte of the body came */
    EXCHANGE_DRAIN_BYTES_MAX = 1 << 20, /* of a refused body that is read so the client hears why */
};
/* What handlers may build from the largest body a route takes; their input bounds it. */
#define EXCHANGE_ARENA_BYTES_MAX ((size_t)1 << 30)

struct bulk;
struct head_watch;

struct http_server {
    struct http_options options; /* defaults filled in; texts are the server's own */
    struct MHD_Daemon *daemon;
    struct static_files *files;
    int port;
    bool tls;
    pthread_key_t thread_contexts;
    struct bulk *bulk;
    struct head_watch *heads;
    atomic_bool stopping;
    atomic_bool starting; /* MHD's messages are kept only then, by the starting thread */
    char message[ERR_TEXT_BYTES / 2];
    uint64_t id_base; /* ids are hash_mix(id_base + n): unique here, unlikely elsewhere */
    atomic_uint_least64_t id_next;

    atomic_uint_least64_t requests[6], by_route[EXCHANGE_ROUTES_MAX];
    atomic_uint_least64_t request_ms_sum, body_bytes, reply_bytes, in_flight;
    atomic_int_least64_t bodies_held; /* bytes, at most options.bodies_bytes_max */

    /* Feeds that have nothing to send: suspended, so they cost no thread. */
    pthread_mutex_t feeds_lock; /* guards the list and what suspends and resumes */
    struct exchange *resting;
    atomic_uint_least64_t wakes;
};

struct exchange {
    struct http_server *server;
    struct MHD_Connection *connection;
    struct arena arena;
    struct request request;
    struct reply reply;
    struct err err;
    const char *target; /* as sent */
    struct uri uri;
    struct route_match match;
    const struct route *route; /* NULL: none */
    struct static_file file;   /* bytes set: answers instead of the reply's body */
    bool head_read, answered, body_expected, body_gzip;
    bool handled;          /* by a thread of bulk.h; answered by the exchange's own */
    enum err_code outcome; /* then */
    int refusal_status;    /* 405, 414 or 431, which no error code stands for; 0: by the code */
    bool close;            /* the connection is not used again */
    enum err_code refused; /* of the head or the body: told when the body is over */
    size_t body_cap, drained;
    int64_t held; /* of server->bodies_held */
    struct str body;
    struct str piece; /* of a streamed reply, sent up to piece_at */
    size_t piece_at;
    struct exchange *resting_next;
    uint64_t sent_bytes;
    int status;
    int64_t started_ms;
    char id[EXCHANGE_ID_BYTES];
};

/* ---- exchange.c: what MHD calls; cls is the server ---- */
void exchange_handle(struct exchange *x); /* for bulk.h */
void *exchange_new(void *cls, const char *target, struct MHD_Connection *connection);
enum MHD_Result exchange_step(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_length, void **context);
void exchange_end(void *cls, struct MHD_Connection *connection, void **context,
                  enum MHD_RequestTerminationCode how);

/* ---- intake.c: from MHD's values to a struct request ---- */
/* Headers, target, framing, content type and encoding. */
NODISCARD enum err_code intake_head(struct exchange *x, const char *method, const char *version);
/* The declared length; UINT64_MAX for a chunked body, 0 for none. */
uint64_t intake_body_length(const struct exchange *x);
/* Appends a piece within the route's cap and the server's; ERR_TOO_LARGE or ERR_BUSY. */
NODISCARD enum err_code intake_body(struct exchange *x, const char *bytes, size_t length);
/* The whole body into the request, inflated. */
NODISCARD enum err_code intake_body_end(struct exchange *x);

/* ---- respond.c: the only maker of MHD responses ---- */
/* Sends the reply, or the file when there is one. */
enum MHD_Result respond(struct exchange *x);
bool respond_accepts_gzip(const char *accept_encoding); /* NULL: no */
