#include "command/threshold.h"

#include <math.h>

enum err_code threshold_choose(double alerts_per_day, double percentile, double score,
                               struct threshold_rule *ret, struct err *err)
{
    const struct threshold_rule rules[] = {
        {THRESHOLD_BUDGET, alerts_per_day},
        {THRESHOLD_PERCENTILE, percentile},
        {THRESHOLD_SCORE, score},
    };
    int given = 0;

    *ret = (struct threshold_rule){THRESHOLD_BUDGET, THRESHOLD_BUDGET_DEFAULT};
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (!isnan(rules[i].value)) {
            *ret = rules[i];
            given++;
        }
    if (given > 1)
        return err_set(
            err, ERR_USAGE,
            "--alerts-per-day, --threshold-percentile and --threshold-score exclude each "
            "other");
    return ERR_NONE;
}
