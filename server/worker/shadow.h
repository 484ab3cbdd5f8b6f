#pragma once
/* What a shadow makes of the pairs that the active model has scored. */
#include <stddef.h>

struct arena;
struct comparison;
struct model_set;
struct scored_pair;

/* pairs come ordered by spec, at least one; the result lives in arena. Pairs of a spec that the
 * shadow does not know are not compared. */
const struct comparison *shadow_compare(const struct model_set *set,
                                        const struct scored_pair *pairs, size_t count,
                                        struct arena *arena);
