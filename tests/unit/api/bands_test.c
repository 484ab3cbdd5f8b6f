/* api/bands: quantiles of binned counts against counting by hand. */
#include "api/bands.h"

#include <math.h>

#include "check.h"

TEST(nothing_has_no_quantile)
{
    const uint64_t counts[4] = {0};

    CHECK(isnan(bands_quantile(counts, 4, 0, 1, 0.5)));
}

TEST(inside_a_bin_it_is_interpolated)
{
    const uint64_t counts[4] = {0, 10, 0, 30};

    CHECK(bands_quantile(counts, 4, -2, 0.5, 0.125) == -1.25); /* 5 of 10 in [-1.5, -1) */
    CHECK(bands_quantile(counts, 4, -2, 0.5, 0.25) == -1);     /* all 10 of it */
    CHECK(bands_quantile(counts, 4, -2, 0.5, 0.625) == -0.25); /* 15 of 30 in [-0.5, 0) */
    CHECK(bands_quantile(counts, 4, -2, 0.5, 1) == 0);
    CHECK(bands_quantile(counts, 4, -2, 0.5, 0) == -1.5);
}

TEST(it_never_falls_as_the_share_grows)
{
    const uint64_t counts[6] = {1, 0, 100000, 3, 0, 1};
    double before = -HUGE_VAL;

    for (int i = 0; i <= 1000; i++) {
        double at = bands_quantile(counts, 6, 0, 1, i / 1000.0);

        CHECK(at >= before);
        CHECK(at >= 0 && at <= 6);
        before = at;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_has_no_quantile),
        cmocka_unit_test(inside_a_bin_it_is_interpolated),
        cmocka_unit_test(it_never_falls_as_the_share_grows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
