#pragma once
/* What scores the pairs of an object: the model of a file, or one behind an endpoint. */
#include "base/err.h"
#include "model/model.h"
#include "worker/remote.h"

struct arena;
struct model_set;

struct scorer {
    const struct model_set *set;
    struct remote *remote; /* the thread's, when an endpoint scores */
};
/* The name under which the scorer knows the spec, NULL when it does not. */
const char *scorer_spec(const struct scorer *scorer, const char *spec);
/* ret_why[i] is an enum remote_why; ret[i] counts where it is REMOTE_SCORED. The pairs' specs are
 * those of scorer_spec. Fails as remote_score does; the model of a file never fails. */
NODISCARD enum err_code scorer_run(const struct scorer *scorer, const struct model_pair *pairs,
                                   size_t count, struct arena *arena, struct model_score *ret,
                                   uint8_t *ret_why, struct err *err);
