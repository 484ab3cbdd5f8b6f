#pragma once
/* Which of a model's specs pairs are judged by that come without one. */
#include "base/err.h"

struct model;

/* asked: what --spec says, "" without it; that or the model's only one goes to *ret. ERR_USAGE,
 * naming the model's, when it knows no such spec, or several and none was asked for. */
NODISCARD enum err_code model_spec_choose(const struct model *model, const char *asked,
                                          const char **ret, struct err *err);
