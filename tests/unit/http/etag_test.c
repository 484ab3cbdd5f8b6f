/* Lists of entity tags, strong and weak. */
#include "check.h"

#include "http/etag.h"

TEST(lists_are_compared)
{
    static const struct {
        const char *header;
        int strong, weak; /* whether they name "a" */
    } CASES[] = {
        {"\"a\"", 1, 1},
        {"\"b\"", 0, 0},
        {"*", 1, 1},
        {" * ", 1, 1},
        {"\"b\", \"a\"", 1, 1},
        {"\"b\",\"a\" ", 1, 1},
        {"W/\"a\"", 0, 1},
        {"W/\"a\", \"a\"", 1, 1},
        {"\"a, b\"", 0, 0},
        {"", 0, 0},
        {"a", 0, 0},
        {"\"a", 0, 0},
        {"\"a\" x", 0, 0},
        {"\"a\",", 0, 0},
        {"\"a\" \"b\"", 0, 0},
        {"w/\"a\"", 0, 0},
        {"\"\"", 0, 0},
        {"\"aa\"", 0, 0},
        {"*, \"a\"", 0, 0},
        {"\"a\", x", 0, 0},
        {"\"A\"", 0, 0},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        CHECK_CASE(CASES[i].header, etag_matches(CASES[i].header, "a") == (CASES[i].strong != 0));
        CHECK_CASE(CASES[i].header,
                   etag_matches_weak(CASES[i].header, "a") == (CASES[i].weak != 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists_are_compared)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
