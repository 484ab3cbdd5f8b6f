#pragma once
/* Why a pair was flagged, as the JSON that is kept with a finding: schema Explanation of
 * api/openapi.yaml. */
#include "model/model.h"

struct arena;
struct window;

struct explain_judged { /* what the score was held against */
    double threshold;
    const struct window *window; /* that gave it; NULL = the model's own */
};
/* The text lives in arena. pair's spec is the model's own name of it. judged NULL: nothing was. */
const char *explain_pair(const struct model *model, const struct model_pair *pair,
                         const struct explain_judged *judged, struct arena *arena);
