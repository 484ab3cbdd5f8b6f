#pragma once
/* Why a pair was flagged, as the JSON that is kept with a finding: schema Explanation of
 * api/openapi.yaml. */
#include "model/model.h"

struct arena;

/* The text lives in arena. pair's spec is the model's own name of it. */
const char *explain_pair(const struct model *model, const struct model_pair *pair,
                         struct arena *arena);
