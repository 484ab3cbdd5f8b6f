/* Times as text and as numbers. */
#include "check.h"

#include "base/clock.h"

TEST(times_that_are_right)
{
    static const struct {
        const char *text;
        int64_t ms;
    } CASES[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-24T08:00:00.000Z", INT64_C(1795507200000)},
        {"2026-11-24t08:00:00z", INT64_C(1795507200000)},
        {"2026-11-24 08:00:00Z", INT64_C(1795507200000)},
        {"2026-11-24T10:00:00+02:00", INT64_C(1795507200000)},
        {"2026-11-24T00:30:00-07:30", INT64_C(1795507200000)},
        {"2026-11-23T23:59:60Z", INT64_C(1795478399000)},
        {"2000-02-29T12:34:56.789Z", INT64_C(951827696789)},
        {"2000-02-29T12:34:56.789999999Z", INT64_C(951827696789)},
        {"2000-02-29T12:34:56.7Z", INT64_C(951827696700)},
        {"2099-12-31T23:59:59.999Z", TIME_MS_MAX},
        {"1969-12-31T23:00:00-01:00", 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        int64_t ms = -1;

        CHECK_CASE(CASES[i].text, time_parse(CASES[i].text, &ms) && ms == CASES[i].ms);
    }
}

TEST(times_that_are_wrong)
{
    static const char *const BAD[] = {
        "",
        "2026-11-24",
        "2026-11-24T08:00:00",
        "2026-11-24T08:00Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T08:60:00Z",
        "2026-11-24T08:00:61Z",
        "2026-11-24T08:00:00.Z",
        "2026-11-24T08:00:00.1234567890Z",
        "2026-11-24T08:00:00,5Z",
        "2026-11-24T08:00:00+2:00",
        "2026-11-24T08:00:00+24:00",
        "2026-11-24T08:00:00+0200",
        "2026-11-24T08:00:00Z ",
        " 2026-11-24T08:00:00Z",
        "2026-11-31T08:00:00Z",
        "2026-02-29T08:00:00Z",
        "2100-02-28T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "1969-12-31T23:59:59Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "26-11-24T08:00:00Z",
        "2026-11-24_08:00:00Z",
        "0000-01-01T00:00:00Z",
    };
    int64_t ms = 7;

    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        CHECK_CASE(BAD[i], !time_parse(BAD[i], &ms));
    CHECK(ms == 7);
}

TEST(times_come_back)
{
    char text[TIME_TEXT_BYTES];
    int64_t back;

    CHECK(time_format(text, INT64_C(951827696789)) == strlen("2000-02-29T12:34:56.789Z"));
    CHECK_STR(text, "2000-02-29T12:34:56.789Z");
    /* Every day of the range, at a moment of its own. */
    for (int64_t ms = 0; ms <= TIME_MS_MAX; ms += DAY_MS + 12345) {
        (void)time_format(text, ms);
        CHECK_CASE(text, time_parse(text, &back) && back == ms);
    }
    (void)time_format(text, -1);
    CHECK_STR(text, "invalid");
    (void)time_format(text, TIME_MS_MAX + 1);
    CHECK_STR(text, "invalid");
}

TEST(durations)
{
    static const struct {
        const char *text;
        int64_t ms;
    } CASES[] = {
        {"1s", 1000},
        {"90s", 90000},
        {"15m", 900000},
        {"36h", INT64_C(129600000)},
        {"7d", INT64_C(604800000)},
        {"2w", INT64_C(1209600000)},
        {"3653d", INT64_C(3653) * DAY_MS},
    };
    static const char *const BAD[] = {"",
                                      "0s",
                                      "1",
                                      "s",
                                      "-1s",
                                      "1.5h",
                                      "1y",
                                      "1h30m",
                                      " 1s",
                                      "1s ",
                                      "1 s",
                                      "1S",
                                      "+1s",
                                      "4000d",
                                      "3654d",
                                      "99999999999999999999s",
                                      "999999999999w"};
    int64_t ms = 7;

    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        CHECK_CASE(BAD[i], !duration_parse(BAD[i], &ms) && ms == 7);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        CHECK_CASE(CASES[i].text, duration_parse(CASES[i].text, &ms) && ms == CASES[i].ms);
}

TEST(the_clock_can_be_set)
{
    int64_t before_ms = clock_mono_ms();

    CHECK(clock_now_ms() > INT64_C(1700000000000));
    clock_set_for_test(1234);
    CHECK(clock_now_ms() == 1234);
    clock_set_for_test(0);
    CHECK(clock_now_ms() > INT64_C(1700000000000));
    clock_sleep_ms(15);
    clock_sleep_ms(-5);
    CHECK(clock_mono_ms() - before_ms >= 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_that_are_right), cmocka_unit_test(times_that_are_wrong),
        cmocka_unit_test(times_come_back),      cmocka_unit_test(durations),
        cmocka_unit_test(the_clock_can_be_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
