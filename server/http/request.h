#pragma once
/* What a handler sees of a request. Nothing here knows a socket, so handlers are tested without
 * one. Everything lives in req->arena until the reply was sent. */
#include "base/err.h"
#include "base/json.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct cidr;
struct ip;
struct request;
struct str;

enum role { ROLE_NONE, ROLE_INGEST, ROLE_READ, ROLE_TRIAGE, ROLE_ADMIN, ROLE_NOTIFY, ROLE__MAX };
extern const char *const ROLE_WORDS[ROLE__MAX + 1];
/* admin may do all; triage includes read, ingest includes notify. Stored by number. */
bool role_allows(enum role have, enum role need);

enum { PATH_PARAMETERS_MAX = 4, QUERY_PARAMETERS_MAX = 64 };

struct name_value {
    const char *name, *value;
};

struct request {
    struct arena *arena;
    void *app;            /* the program's own context, given to http_server_start (struct app *) */
    void *thread_context; /* this HTTP thread's own (its struct db *), made lazily by the program */
    const char *method, *path;
    const struct name_value *path_parameters; /* NULL name ends */
    const struct name_value *query;           /* decoded; NULL name ends */
    const struct name_value *headers;         /* names as sent; NULL name ends */
    const char *body; /* inflated when it came as gzip; NUL-terminated beyond body_length */
    size_t body_length;
    const char *content_type;  /* without parameters, lower case; "" when there is none */
    const char *remote;        /* address text */
    const char *id;            /* request id for logs */
    enum role role;            /* who asks: filled in by the program's authenticator */
    int64_t user_id;           /* 0 for a token */
    const char *actor;         /* "user:ana", "token:soar", for the audit trail */
    const char *session_id;    /* set when a cookie session asks */
    struct json_faults faults; /* query and body readers add to it */
    bool tls;                  /* the connection is TLS: cookies get Secure */
    uint64_t query_read;       /* of the query readers: bit i = query[i] was asked for */
    struct json_doc *body_doc; /* of body_json */
    struct str *body_store; /* what body lies in, the HTTP layer's; NULL: it is somebody else's */
};

/* A zeroed request with empty lists and texts instead of NULLs, for the HTTP layer and for tests of
 * handlers; those then set what they need. */
void request_init(struct request *req, struct arena *arena);
void request_done(struct request *req); /* frees the parsed body; the arena is the caller's */

/* For bodies of many megabytes: gives memory back while the handler goes on. Of the first bytes,
 * which are not read again; and of all of it, with what body_json made of it. */
void request_body_read(struct request *req, size_t bytes);
void request_body_done(struct request *req);

const char *request_header(const struct request *req,
                           const char *name); /* NULL; case-insensitive */
/* NULL when there is none or the name comes twice (somebody plants cookies). */
const char *request_cookie(struct request *req, const char *name);
/* Prefer: return=minimal (RFC 7240). */
bool request_prefers_minimal(const struct request *req);
/* The guard of a change: ERR_PRECONDITION_REQUIRED without If-Match, ERR_PRECONDITION unless it
 * names etag, the current version's text as given to reply_etag. */
NODISCARD enum err_code request_if_match(const struct request *req, const char *etag,
                                         struct err *err);
const char *path_text(const struct request *req,
                      const char *name); /* aborts when the route has none */
NODISCARD enum err_code path_int(struct request *req, const char *name, int64_t *ret,
                                 struct err *err); /* ERR_NOT_FOUND when it is no number */

/* Query parameters. Absent ones leave *ret alone. A bad value adds a fault with the pointer
 * "?name"; query_check adds one for every parameter no reader asked for and returns ERR_INVALID
 * when there is any fault. */
void query_text(struct request *req, const char *name, size_t length_max, const char **ret);
void query_int(struct request *req, const char *name, int64_t min, int64_t max, int64_t *ret);
void query_real(struct request *req, const char *name, double min, double max, double *ret);
void query_time(struct request *req, const char *name, int64_t *ret_ms);
void query_enum(struct request *req, const char *name, const char *const *words, int64_t *ret);
/* Comma-separated words to a bit mask (bit i = words[i]). */
void query_enum_set(struct request *req, const char *name, const char *const *words, uint64_t *ret);
void query_bool(struct request *req, const char *name, bool *ret);
void query_cidr(struct request *req, const char *name, struct cidr *ret, bool *ret_given);
NODISCARD enum err_code query_check(struct request *req, struct err *err);

/* ERR_MEDIA_TYPE unless content_type is one of the given (NULL-terminated). */
NODISCARD enum err_code body_type(const struct request *req, const char *const *content_types,
                                  struct err *err);
/* body_type, then parses the body as JSON; once a request. *ret lives as long as req. */
NODISCARD enum err_code body_json(struct request *req, const char *const *content_types,
                                  const struct json **ret, struct err *err);
