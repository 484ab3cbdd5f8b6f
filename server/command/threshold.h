#pragma once
/* The three settings that say where a threshold goes. */
#include "model/train.h"

/* NAN = not given; without any, THRESHOLD_BUDGET_DEFAULT. ERR_USAGE: more than one. */
NODISCARD enum err_code threshold_choose(double alerts_per_day, double percentile, double score,
                                         struct threshold_rule *ret, struct err *err);
