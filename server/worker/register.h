#pragma once
/* Makes the model known to the store, with calibration and threshold of every spec it scores. */
#include "base/err.h"

struct model;
struct writer;

/* spec_names: NULL-terminated; those the model knows nothing of are left out. */
NODISCARD enum err_code register_model(struct writer *writer, const struct model *model,
                                       const char *const *spec_names, struct err *err);
