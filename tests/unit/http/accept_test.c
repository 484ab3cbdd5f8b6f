/* Which content types an Accept header takes. */
#include "check.h"

#include "http/accept.h"
#include "http/request.h"

#include "base/own.h"

TEST(the_most_specific_range_decides)
{
    static const struct {
        const char *accept, *type;
        bool allowed;
    } CASES[] = {
        {"*/*", "application/json", true},
        {"application/*", "application/json", true},
        {"application/json", "application/json; charset=utf-8", true},
        {"Application/JSON;charset=utf-8", "application/json", true},
        {"text/html, application/json;q=0.9", "application/json", true},
        {"", "application/json", true},
        {" , ,", "application/json", true},
        {"text/csv", "application/json", false},
        {"text/*", "application/json", false},
        {"app/*", "application/json", false},
        {"application/jso", "application/json", false},
        {"application/jsonx", "application/json", false},
        {"*/*;q=0", "application/json", false},
        {"*/*;q=0.000", "application/json", false},
        {"*/*; q=0.001", "application/json", true},
        {"application/json;q=0, */*", "application/json", false},
        {"*/*, application/json ; Q=0", "application/json", false},
        {"application/*;q=0, application/json", "application/json", true},
        {"application/json;version=1;q=0", "application/json", false},
        {"*", "application/json", false},
        {"*/json", "application/json", false},
        {";q=1", "application/json", true},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct name_value headers[] = {{"Host", "x"}, {"accept", CASES[i].accept}, {NULL, NULL}};

        CHECK_CASE(CASES[i].accept, accept_allows(headers, CASES[i].type) == CASES[i].allowed);
    }
}

TEST(headers_add_up)
{
    struct name_value none[] = {{"Host", "x"}, {NULL, NULL}};
    struct name_value two[] = {{"Accept", "text/csv"}, {"Accept", "text/html"}, {NULL, NULL}};

    CHECK(accept_allows(none, "application/json"));
    CHECK(accept_allows(two, "text/html; charset=utf-8"));
    CHECK(!accept_allows(two, "application/json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_specific_range_decides),
        cmocka_unit_test(headers_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
