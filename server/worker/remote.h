#pragma once
/* Scoring by a SageMaker endpoint. A struct remote is one thread's.
 *
 * A request holds as many pairs as fit its limits and those of its answer. What the service cannot
 * do for now is asked for again, paced by the retry policy of all services, until wait_ms is over.
 * When the model refuses a request (4xx) it is halved until the rows that it refuses stand alone:
 * they go unscored, the others do not. */
#include "model/model.h"
#include <stdatomic.h>

struct aws;
struct remote;

enum {
    REMOTE_ROWS_MAX = 80 * 1000, /* of one request: their answer fits */
    REMOTE_ROWS_DEFAULT = 20 * 1000,
    REMOTE_WAIT_DEFAULT_MS = 10 * 60 * 1000,
    /* Requests made for the sake of refused rows, of one call; what is still refused then goes
     * unscored together. */
    REMOTE_HALVINGS_MAX = 1000,
    /* So many single rows refused and none taken: nothing of these pairs is what the model wants.
     * Of an endpoint that has taken none yet, one is enough. */
    REMOTE_REFUSED_MAX = 32,
    REMOTE_REASON_BYTES = 320,
};

struct remote_options {
    struct aws *aws;
    const char *endpoint; /* kept, not copied */
    bool ipv6;            /* the model takes such addresses; else they are not sent */
    size_t rows_max;      /* of a request, 1..REMOTE_ROWS_MAX */
    int64_t answer_ms;    /* an answer is waited for so long */
    int64_t wait_ms;      /* an endpoint that does not answer is asked for so long */
    const atomic_bool *stop;
};
void remote_open(const struct remote_options *options, struct remote **ret);
void remote_close(struct remote *remote);
void remote_closep(struct remote **remote);

/* Why a row has no number. */
enum remote_why { REMOTE_SCORED, REMOTE_REFUSED, REMOTE_IPV6, REMOTE_WHY__MAX };
struct remote_result {
    double *dot_products; /* count of them, NAN = none; the caller's */
    uint8_t *why;         /* enum remote_why of each; the caller's */
    size_t refused;
    char reason[REMOTE_REASON_BYTES]; /* what the model said of the first refused row */
};
/* Of these pairs only: ERR_INVALID (the model refuses them all), ERR_CORRUPT (an answer that is not
 * one), ERR_UNAVAILABLE (nothing came of it within wait_ms). Of everything: ERR_NOT_FOUND (no such
 * endpoint), ERR_FORBIDDEN. ERR_CANCELLED. */
NODISCARD enum err_code remote_score(struct remote *remote, const struct model_pair *pairs,
                                     size_t count, struct remote_result *ret, struct err *err);
