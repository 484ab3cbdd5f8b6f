#pragma once
/* What the model knows of a pair's entity, as the JSON that is kept with a finding:
 * {"known_bits": 12, "networks": [{"network": "198.51.100.0/24", "observations": 310, "share":
 * 0.62}]} */
#include "model/model.h"

struct arena;

/* The text lives in arena. model_spec is the model's own name of the spec. */
const char *explain_pair(const struct model *model, const char *model_spec, const char *entity,
                         const struct model_score *score, struct arena *arena);
