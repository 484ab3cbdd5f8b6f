#pragma once
/* Makes the model known to the store, with calibration and threshold of every spec it scores. */
#include "base/err.h"
#include "store/window.h"

struct model;
struct threshold_rule;
struct writer;

/* spec_names: NULL-terminated; those the model knows nothing of are left out. */
NODISCARD enum err_code register_model(struct writer *writer, const struct model *model,
                                       const char *const *spec_names, struct err *err);
/* A model's rule as the store has it. least: of struct model_calibration, or NAN. */
struct window_rule register_rule(const struct threshold_rule *rule, double least);
