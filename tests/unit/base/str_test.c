/* The capped buffer and the strict readers. */
#include "check.h"

#include <float.h>
#include <math.h>

#include "base/str.h"

TEST(buffer_grows_and_stays_terminated)
{
    AUTO(str_done) struct str str = {0};
    struct err err = {0};

    str_init(&str, 10000);
    for (int i = 0; i < 1000; i++)
        str_addf(&str, "%d,", i % 10);
    str_add(&str, "ab");
    str_add_char(&str, 'c');
    str_add_bytes(&str, "de", 2);
    CHECK(str.length == 2005 && str.text[2005] == '\0');
    CHECK_STR(str.text + 1998, "9,abcde");
    CHECK_OK(str_check(&str, "the text", &err));
    str_clear(&str);
    CHECK(str.length == 0);
    CHECK_STR(str.text, "");
}

TEST(the_limit_is_exact_and_sticky)
{
    AUTO(str_done) struct str str = {0};
    struct err err = {0};

    str_init(&str, 4);
    str_add(&str, "abcd");
    CHECK(!str.failed);
    str_add_char(&str, 'e');
    CHECK(str.failed);
    CHECK_STR(str.text, "abcd");
    str_add(&str, "");
    CHECK_ERR(ERR_TOO_LARGE, str_check(&str, "the reply", &err));
    CHECK_STR(err.text, "the reply is larger than 4 bytes");
    str_clear(&str);
    str_addf(&str, "%s", "12345");
    CHECK(str.failed && str.length == 0);
}

TEST(take_empties)
{
    struct str str;
    char *text;

    str_init(&str, 100);
    text = str_take(&str);
    CHECK_STR(text, "");
    own_freep(&text);
    str_add(&str, "mine");
    text = str_take(&str);
    CHECK_STR(text, "mine");
    CHECK(str.text == NULL && str.length == 0 && str.bytes_max == 100);
    own_freep(&text);
}

TEST(whole_numbers)
{
    static const struct {
        const char *text;
        bool fine;
        int64_t value;
    } CASES[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"007", true, 7},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"99999999999999999999", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1.0", false, 0},
        {"0x10", false, 0},
        {"--1", false, 0},
        {"1e3", false, 0},
        {"\xd9\xa1", false, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        int64_t value = 77;

        CHECK_CASE(CASES[i].text, str_to_i64(CASES[i].text, &value) == CASES[i].fine);
        CHECK_CASE(CASES[i].text, value == (CASES[i].fine ? CASES[i].value : 77));
    }
}

TEST(unsigned_numbers)
{
    uint64_t value = 77;

    CHECK(str_to_u64("18446744073709551615", &value) && value == UINT64_MAX);
    value = 77;
    CHECK(!str_to_u64("18446744073709551616", &value) && !str_to_u64("-1", &value) &&
          !str_to_u64("", &value));
    CHECK(value == 77);
}

TEST(decimal_numbers)
{
    static const struct {
        const char *text;
        bool fine;
        double value;
    } CASES[] = {
        {"0", true, 0},      {"-1.5", true, -1.5}, {"1e3", true, 1000}, {"1E-2", true, 0.01},
        {"1e+2", true, 100}, {"0.1", true, 0.1},   {"", false, 0},      {".5", false, 0},
        {"5.", false, 0},    {"1e", false, 0},     {"1e+", false, 0},   {"nan", false, 0},
        {"inf", false, 0},   {"1e999", false, 0},  {"0x1p3", false, 0}, {"1,5", false, 0},
        {" 1", false, 0},    {"1 ", false, 0},     {"+1", false, 0},    {"1_0", false, 0},
        {"-", false, 0},     {"1e5e5", false, 0},  {"--1", false, 0},   {"1.2.3", false, 0},
    };
    char longer[500];
    double value = 77;

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        value = 77;
        CHECK_CASE(CASES[i].text, str_to_double(CASES[i].text, &value) == CASES[i].fine);
        CHECK_CASE(CASES[i].text, value == (CASES[i].fine ? CASES[i].value : 77.0));
    }
    (void)memset(longer, '1', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    CHECK(!str_to_double(longer, &value));
}

TEST(yes_and_no)
{
    static const char *const GOOD[] = {"true", "yes", "on", "1", "false", "no", "off", "0"};
    static const char *const BAD[] = {"", "TRUE", "y", "2", "true ", "none"};
    bool value;

    for (size_t i = 0; i < ARRAY_LEN(GOOD); i++)
        CHECK_CASE(GOOD[i], str_to_bool(GOOD[i], &value) && value == (i < 4));
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        CHECK_CASE(BAD[i], !str_to_bool(BAD[i], &value));
}

TEST(doubles_come_back_the_same)
{
    static const struct {
        double value;
        const char *text;
    } CASES[] = {
        {0.1, "0.1"},
        {1e300, "1e+300"},
        {-2.5, "-2.5"},
        {0, "0"},
        {100, "100"},
        {1.0 / 3, "0.3333333333333333"},
        {0.1 + 0.2, "0.30000000000000004"},
        {9007199254740991.0, "9007199254740991"},
    };
    static const double HARD[] = {DBL_MAX, DBL_MIN,  DBL_EPSILON,
                                  5e-324,  -DBL_MAX, 2.2250738585072011e-308};
    char text[32];
    double back;

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        CHECK(str_from_double(text, CASES[i].value) == strlen(CASES[i].text));
        CHECK_STR(text, CASES[i].text);
    }
    for (size_t i = 0; i < ARRAY_LEN(HARD); i++) {
        CHECK(str_from_double(text, HARD[i]) == strlen(text));
        CHECK_CASE(text, str_to_double(text, &back) && back == HARD[i]);
    }
}

TEST(beginnings_ends_equality)
{
    CHECK(str_starts("abc", "ab") && str_starts("abc", "") && !str_starts("a", "ab"));
    CHECK(str_ends("abc", "bc") && str_ends("abc", "") && !str_ends("c", "bc"));
    CHECK(str_equal("a", "a") && !str_equal("a", "b") && str_equal(NULL, NULL) &&
          !str_equal("a", NULL) && !str_equal(NULL, "a"));
}

TEST(clean_utf8)
{
    static const struct {
        const char *name, *text;
        bool clean;
    } CASES[] = {
        {"empty", "", true},
        {"ascii", "abc ~", true},
        {"two bytes", "\xc3\xbc", true},
        {"three bytes", "\xe2\x82\xac", true},
        {"four bytes", "\xf0\x9f\x98\x80", true},
        {"last code point", "\xf4\x8f\xbf\xbf", true},
        {"after the last", "\xf4\x90\x80\x80", false},
        {"overlong two", "\xc0\xaf", false},
        {"overlong three", "\xe0\x80\xaf", false},
        {"overlong four", "\xf0\x80\x80\xaf", false},
        {"surrogate", "\xed\xa0\x80", false},
        {"before surrogates", "\xed\x9f\xbf", true},
        {"lone continuation", "\x80", false},
        {"cut off", "\xe2\x82", false},
        {"wrong continuation", "\xe2\x28\xa1", false},
        {"fifth byte", "\xf8\x88\x80\x80\x80", false},
        {"newline", "a\nb", false},
        {"tab", "a\tb", false},
        {"delete", "a\x7f", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        CHECK_CASE(CASES[i].name,
                   str_is_clean_utf8(CASES[i].text, strlen(CASES[i].text)) == CASES[i].clean);
    CHECK(!str_is_clean_utf8("a\0b", 3));
}

TEST(percent_decoding)
{
    static const struct {
        const char *text;
        bool form, fine;
        const char *wanted;
    } CASES[] = {
        {"a%20b", false, true, "a b"},
        {"a+b", true, true, "a b"},
        {"a+b", false, true, "a+b"},
        {"%2B", true, true, "+"},
        {"%e2%82%AC", false, true, "\xe2\x82\xac"},
        {"%", false, false, ""},
        {"%2", false, false, ""},
        {"%zz", false, false, ""},
        {"%00", false, false, ""},
        {"%%41", false, false, ""},
        {"", false, true, ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char ret[32];
        bool fine = str_percent_decode(CASES[i].text, strlen(CASES[i].text), CASES[i].form, ret);

        CHECK_CASE(CASES[i].text, fine == CASES[i].fine);
        if (fine)
            CHECK_STR(ret, CASES[i].wanted);
    }
    /* In place, and not beyond the given length. */
    char text[] = "%41%42";

    CHECK(str_percent_decode(text, strlen(text), false, text));
    CHECK_STR(text, "AB");
    CHECK(!str_percent_decode("%41", 2, false, text));
}

TEST(globs)
{
    static const struct {
        const char *pattern, *text;
        bool match;
    } CASES[] = {
        {"", "", true},
        {"*", "", true},
        {"*", "abc", true},
        {"a*c", "abbc", true},
        {"a*c", "abb", false},
        {"?", "a", true},
        {"?", "", false},
        {"a?c", "abc", true},
        {"a", "ab", false},
        {"ab", "a", false},
        {"*b*", "abc", true},
        {"**", "x", true},
        {"*a*b*c", "aXbXc", true},
        {"[a]", "a", false},
        {"[a]", "[a]", true},
        {"A", "a", false},
        {"*.txt", "a.txt.gz", false},
    };
    char many[2000];

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        CHECK_CASE(CASES[i].pattern, str_glob(CASES[i].pattern, CASES[i].text) == CASES[i].match);
    (void)memset(many, 'a', sizeof many - 1);
    many[sizeof many - 1] = '\0';
    CHECK(!str_glob("*a*a*a*a*a*a*a*a*a*a*b", many)); /* exponential matchers never end here */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffer_grows_and_stays_terminated),
        cmocka_unit_test(the_limit_is_exact_and_sticky),
        cmocka_unit_test(take_empties),
        cmocka_unit_test(whole_numbers),
        cmocka_unit_test(unsigned_numbers),
        cmocka_unit_test(decimal_numbers),
        cmocka_unit_test(yes_and_no),
        cmocka_unit_test(doubles_come_back_the_same),
        cmocka_unit_test(beginnings_ends_equality),
        cmocka_unit_test(clean_utf8),
        cmocka_unit_test(percent_decoding),
        cmocka_unit_test(globs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
