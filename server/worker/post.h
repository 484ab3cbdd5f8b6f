#pragma once
/* Results over HTTP: a worker that has no database gives what it scored to a server's
 * POST /api/v1/scores, an object in as many requests as it takes, each tried again by one policy
 * until it is acknowledged or its time is over. What is sent twice is stored once: the server knows
 * the object by its ledger, and the request by its Idempotency-Key.
 *
 * struct post is shared by all threads: address, token, and when the server wants to be asked
 * again. struct post_link is one thread's: its connection. */
#include "base/err.h"
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct ingest_batch;
struct ingest_result;
struct post;
struct post_link;

enum {
    POST_ROWS_DEFAULT = 20000, /* of one request; a server takes at most POST_ROWS_MAX */
    POST_ROWS_MAX = 100000,
    POST_BODY_BYTES_MAX = 8 << 20, /* before gzip; a server takes four times as much */
    POST_TOKEN_BYTES_MAX = 512,
    POST_TRY_MS = 60 * 1000,   /* of one exchange */
    POST_WAIT_MS = 120 * 1000, /* of all tries of a request, with the pauses between them */
};

struct post_options {
    const char *url;        /* https://HOST[:PORT][/PREFIX]; http:// to this machine only */
    const char *token_file; /* read at the start and again when the server refuses the token */
    const char *token;      /* instead of a file */
    const char *ca_bundle;  /* file of certificates; NULL = the system's */
    size_t rows_max;        /* of one request; POST_ROWS_DEFAULT unless set */
    const atomic_bool *stop;
};
/* Texts of the options outlive the post. ERR_USAGE for the address; ERR_NOT_FOUND, ERR_INVALID …
 * for the token. Nothing is sent. */
NODISCARD enum err_code post_open(const struct post_options *options, struct post **ret,
                                  struct err *err);
void post_close(struct post *post); /* after its links; accepts NULL */
void post_link_open(struct post *post, struct post_link **ret);
void post_link_close(struct post_link *link); /* accepts NULL */

struct post_spec { /* what a model that the server does not know yet is registered with */
    const char *spec;
    double threshold;
};
struct post_model {
    const char *detector;
    const struct post_spec *specs;
    size_t spec_count;
};
/* An object with its pairs, in runs of one spec, or with its error. ERR_NONE: acknowledged to the
 * last. ERR_INVALID: the server will not have this object, whatever else it takes. Otherwise it is
 * the server's or the way's fault, and another object would meet it too: ERR_UNAUTHORIZED,
 * ERR_FORBIDDEN, ERR_NOT_FOUND (no such API there), ERR_BUSY, ERR_UNAVAILABLE, ERR_TIMEOUT,
 * ERR_CANCELLED. */
NODISCARD enum err_code post_batch(struct post_link *link, const struct ingest_batch *batch,
                                   const struct post_model *model, struct ingest_result *ret,
                                   struct err *err);
