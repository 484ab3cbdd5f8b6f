#pragma once
/* What a shadow makes of the pairs that the active model has scored. */
#include <stddef.h>
#include <stdint.h>

struct arena;
struct comparison;
struct model_set;
struct remote;
struct scored_pair;

enum {
    SHADOW_ANSWER_MS_MAX = 10 * 1000, /* an endpoint that is a shadow is waited for no longer */
    SHADOW_REST_MS = 60 * 1000, /* and left out for so long when it did not answer: it keeps nobody
                                   from their work */
};
struct shadow_link {        /* a thread's own */
    struct remote *remote;  /* NULL when the shadow is a file, or cannot be asked */
    int64_t rests_until_ms; /* on the monotonic clock */
};

/* pairs come ordered by spec, at least one; the result lives in arena. Pairs of a spec that the
 * shadow does not know, or that it refused, are not compared. NULL: an endpoint did not answer, as
 * the log says. */
const struct comparison *shadow_compare(const struct model_set *set, struct shadow_link *link,
                                        const struct scored_pair *pairs, size_t count,
                                        struct arena *arena);
