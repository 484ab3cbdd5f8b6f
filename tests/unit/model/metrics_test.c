/* Metrics against counting by hand, ties included. */
#include "check.h"

#include <math.h>

#include "base/hash.h"
#include "model/metrics.h"

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-12;
}

/* Every positive against every other. */
static double auc_by_pairs(const struct sample *samples, size_t count)
{
    double wins = 0, pairs = 0;

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            if (!samples[i].positive || samples[j].positive)
                continue;
            pairs++;
            wins += samples[i].score > samples[j].score    ? 1
                    : samples[i].score == samples[j].score ? 0.5
                                                           : 0;
        }
    }
    return wins / pairs;
}

TEST(auc_is_the_share_of_pairs_in_order)
{
    struct sample samples[200];
    struct rng rng;

    rng_init(&rng, 1);
    for (int round = 0; round < 50; round++) {
        double wanted;

        for (size_t i = 0; i < ARRAY_LEN(samples); i++)
            samples[i] = (struct sample){.score = (double)rng_below(&rng, 1 + 4 * round),
                                         .positive = i < 2 || rng_below(&rng, 5) == 0};
        samples[2].positive = false;
        wanted = auc_by_pairs(samples, ARRAY_LEN(samples));
        CHECK(near(metrics_auc(samples, ARRAY_LEN(samples)), wanted));
    }
}

TEST(a_missing_class_gives_nan)
{
    struct sample samples[] = {{1, true, 0}, {2, true, 0}};

    CHECK(isnan(metrics_auc(samples, 2)));
    CHECK(isnan(metrics_auc(samples, 0)));
    CHECK(isnan(metrics_macro_auc(samples, 2, NULL)));
    CHECK(isnan(metrics_tpr_at_fpr(samples, 2, 0.5)));
    CHECK(isnan(metrics_precision_at(samples, 0, 10)));
}

TEST(macro_auc_is_the_mean_of_the_groups_with_both_classes)
{
    struct sample samples[] = {{3, true, 7},  {1, false, 7}, /* 1 */
                               {1, true, 9},  {1, false, 9}, /* 1/2 */
                               {5, true, 11}, {9, true, 11}};
    size_t groups = 0;

    CHECK(near(metrics_macro_auc(samples, ARRAY_LEN(samples), &groups), 0.75));
    CHECK(groups == 2);
}

TEST(tpr_takes_equal_scores_together)
{
    struct sample samples[] = {{9, true, 0}, {8, false, 0}, {7, true, 0}, {7, false, 0},
                               {6, true, 0}, {5, false, 0}, {4, true, 0}, {3, false, 0}};

    CHECK(near(metrics_tpr_at_fpr(samples, 8, 0), 0.25));
    CHECK(near(metrics_tpr_at_fpr(samples, 8, 0.25), 0.25)); /* 7 would let two pass */
    CHECK(near(metrics_tpr_at_fpr(samples, 8, 0.5), 0.75));
    CHECK(near(metrics_tpr_at_fpr(samples, 8, 1), 1));
}

TEST(precision_shares_out_a_tie_at_the_edge)
{
    struct sample samples[] = {{9, true, 0}, {5, true, 0}, {5, false, 0}, {5, false, 0}};

    CHECK(near(metrics_precision_at(samples, 4, 1), 1));
    CHECK(near(metrics_precision_at(samples, 4, 2), (1 + 1.0 / 3) / 2));
    CHECK(near(metrics_precision_at(samples, 4, 100), 0.5));
}

/* What is certain has no width; what is drawn from two heaps that overlap holds the true value. */
TEST(the_bootstrap_tells_how_sure_it_is)
{
    enum { COUNT = 4000 };
    static struct sample samples[COUNT];
    struct interval auc, tpr, again;
    struct rng rng;
    double value;

    for (size_t i = 0; i < COUNT; i++)
        samples[i] = (struct sample){.score = i % 2, .positive = i % 2 == 1};
    metrics_bootstrap(samples, COUNT, 0.01, 1, &auc, &tpr);
    CHECK(auc.low == 1 && auc.high == 1 && tpr.low == 1 && tpr.high == 1);
    rng_init(&rng, 3);
    for (size_t i = 0; i < COUNT; i++)
        samples[i] = (struct sample){.score = rng_normal(&rng) + (i % 2 == 1 ? 1 : 0),
                                     .positive = i % 2 == 1};
    metrics_bootstrap(samples, COUNT, 0.01, 1, &auc, &tpr);
    value = metrics_auc(samples, COUNT);
    CHECK(auc.low < value && value < auc.high);
    CHECK(auc.high - auc.low > 0.02 && auc.high - auc.low < 0.05); /* 4 sigma of 0.0076 each */
    metrics_bootstrap(samples, COUNT, 0.01, 1, &again, &tpr);
    CHECK(again.low == auc.low && again.high == auc.high);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auc_is_the_share_of_pairs_in_order),
        cmocka_unit_test(a_missing_class_gives_nan),
        cmocka_unit_test(macro_auc_is_the_mean_of_the_groups_with_both_classes),
        cmocka_unit_test(tpr_takes_equal_scores_together),
        cmocka_unit_test(precision_shares_out_a_tie_at_the_edge),
        cmocka_unit_test(the_bootstrap_tells_how_sure_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
