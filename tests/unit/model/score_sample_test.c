/* Calibration by scores alone. */
#include "check.h"

#include <stdlib.h>

#include "base/own.h"
#include "model/score_sample.h"

enum { SCORES = 1000 };
static const int64_t DAY = INT64_C(24) * 3600 * 1000;

static struct err err;

/* 0 … 999 in another order. */
static void fill(double scores[static SCORES])
{
    for (int i = 0; i < SCORES; i++)
        scores[i] = (i * 379) % SCORES;
}

static struct score_sample take(enum threshold_kind kind, double value, size_t distinct,
                                int64_t span_ms)
{
    const struct threshold_rule rule = {kind, value};
    struct score_sample sample;
    double scores[SCORES];

    fill(scores);
    CHECK_OK(score_sample_take(scores, SCORES, distinct, span_ms, &rule, &sample, &err));
    CHECK(sample.size == SCORES && sample.quantiles[0] == 0 && sample.quantiles[1000] == 999);
    CHECK(sample.quantiles[500] > 499 && sample.quantiles[500] < 500);
    return sample;
}

static void by_score_and_percentile(void **state)
{
    struct score_sample sample = take(THRESHOLD_SCORE, 899.5, SCORES, DAY);

    (void)state;
    CHECK(sample.threshold == 899.5 && sample.threshold_percentile == 90);
    sample = take(THRESHOLD_PERCENTILE, 75, SCORES, DAY);
    CHECK(sample.threshold == 749 && sample.threshold_percentile == 75);
    sample = take(THRESHOLD_PERCENTILE, 75, 8 * SCORES, DAY); /* a sample stands for all */
    CHECK(sample.threshold == 749);
}

static void by_budget(void **state)
{
    (void)state;
    CHECK(take(THRESHOLD_BUDGET, 5, SCORES, DAY).threshold == 994);
    CHECK(take(THRESHOLD_BUDGET, 5, SCORES, 2 * DAY).threshold ==
          989); /* ten in two days, the most */
    CHECK(take(THRESHOLD_BUDGET, 500, SCORES, DAY).threshold == 989); /* one pair in a hundred */
    CHECK(take(THRESHOLD_BUDGET, 20, 10 * SCORES, DAY).threshold == 997); /* two of a tenth */
    CHECK(take(THRESHOLD_BUDGET, 1, 10 * SCORES, DAY).threshold == 999);  /* none of it */
}

static void of_nothing(void **state)
{
    const struct threshold_rule rule = {THRESHOLD_BUDGET, 1};
    struct score_sample sample;
    double none = 0;

    (void)state;
    CHECK(score_sample_take(&none, 0, 1, 0, &rule, &sample, &err) == ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_score_and_percentile),
        cmocka_unit_test(by_budget),
        cmocka_unit_test(of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
