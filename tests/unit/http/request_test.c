/* What handlers read: query, cookies, preconditions, body. No socket. */
#include "check.h"

#include "base/arena.h"
#include "base/ip.h"
#include "http/request.h"

#include <math.h>

static struct arena arena;
static struct request req;

static int setup(UNUSED void **state)
{
    arena_init(&arena, 1 << 20);
    request_init(&req, &arena);
    return 0;
}

static int teardown(UNUSED void **state)
{
    request_done(&req);
    arena_done(&arena);
    return 0;
}

static const char *const COLOURS[] = {"red", "green", "blue", NULL};

TEST(good_parameters_are_read)
{
    const struct name_value query[] = {
        {"text", "abc"},    {"int", "-5"},       {"real", "2.5"}, {"time", "2026-01-02T03:04:05Z"},
        {"colour", "blue"}, {"set", "red,blue"}, {"yes", "true"}, {"net", "10.0.0.0/8"},
        {NULL, NULL}};
    const char *text = NULL;
    int64_t number = 0, time = 0, colour = 0, absent = 42;
    double real = 0;
    uint64_t set = 0;
    bool yes = false, given = false;
    struct cidr net;
    struct err err;

    req.query = query;
    query_text(&req, "text", 3, &text);
    query_int(&req, "int", -5, 5, &number);
    query_real(&req, "real", 0, 2.5, &real);
    query_time(&req, "time", &time);
    query_enum(&req, "colour", COLOURS, &colour);
    query_enum_set(&req, "set", COLOURS, &set);
    query_bool(&req, "yes", &yes);
    query_cidr(&req, "net", &net, &given);
    query_int(&req, "absent", 0, 1, &absent);
    CHECK_OK(query_check(&req, &err));
    CHECK_STR(text, "abc");
    CHECK(number == -5 && fabs(real - 2.5) < 1e-12 && time == INT64_C(1767323045000));
    CHECK(colour == 2 && set == 5 && yes && given && net.prefix_length == 8 && absent == 42);
}

TEST(every_bad_parameter_is_a_fault)
{
    const struct name_value query[] = {
        {"text", "abcd"}, {"empty", ""},         {"int", "6"},       {"word", "six"},
        {"real", "nan"},  {"time", "yesterday"}, {"colour", "pink"}, {"set", "red,,blue"},
        {"yes", "1"},     {"net", "10.0.0.1/8"}, {"stray", "x"},     {NULL, NULL}};
    const char *text = "old";
    int64_t number = 42, time = 42, colour = 42;
    double real = 42;
    uint64_t set = 42;
    bool yes = false, given = false;
    struct cidr net;
    struct err err;

    req.query = query;
    query_text(&req, "text", 3, &text);
    query_text(&req, "empty", 3, &text);
    query_int(&req, "int", -5, 5, &number);
    query_int(&req, "word", -5, 5, &number);
    query_real(&req, "real", 0, 3, &real);
    query_time(&req, "time", &time);
    query_enum(&req, "colour", COLOURS, &colour);
    query_enum_set(&req, "set", COLOURS, &set);
    query_bool(&req, "yes", &yes);
    query_cidr(&req, "net", &net, &given);
    CHECK_ERR(ERR_INVALID, query_check(&req, &err));
    assert_int_equal(req.faults.total, 11);
    for (size_t i = 0; i < req.faults.count; i++) {
        CHECK(req.faults.items[i].pointer[0] == '?');
        CHECK_STR(req.faults.items[i].pointer + 1, query[i].name);
    }
    CHECK_STR(req.faults.items[6].detail, "is not one of red, green, blue");
    CHECK_STR(text, "old");
    CHECK(number == 42 && time == 42 && colour == 42 && real > 41 && set == 42 && !yes && !given);
}

TEST(cookies_are_found_among_others)
{
    const struct name_value headers[] = {
        {"COOKIE", "a=1; session=s3cret ;b=2;empty="}, {"Cookie", "c=x=y; d=1; d=2"}, {NULL, NULL}};

    req.headers = headers;
    CHECK_STR(request_cookie(&req, "session"), "s3cret");
    CHECK_STR(request_cookie(&req, "a"), "1");
    CHECK_STR(request_cookie(&req, "b"), "2");
    CHECK_STR(request_cookie(&req, "c"), "x=y");
    CHECK_STR(request_cookie(&req, "empty"), "");
    CHECK(request_cookie(&req, "d") == NULL);
    CHECK(request_cookie(&req, "sess") == NULL);
    CHECK(request_cookie(&req, "ession") == NULL);
}

TEST(headers_are_found_in_any_case)
{
    const struct name_value headers[] = {{"x-One", "1"}, {"X-ONE", "2"}, {NULL, NULL}};

    req.headers = headers;
    CHECK_STR(request_header(&req, "X-one"), "1");
    CHECK(request_header(&req, "X-on") == NULL);
}

TEST(minimal_answers_are_preferred)
{
    static const struct {
        const char *value;
        bool minimal;
    } CASES[] = {
        {"return=minimal", true},
        {"Return=Minimal", true},
        {"respond-async, return=minimal ", true},
        {"return=minimal; foo=bar", true},
        {"return=representation", false},
        {"return=minimalist", false},
        {"x; return=minimal", false},
        {"", false},
        {",,;", false},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const struct name_value headers[] = {{"Prefer", CASES[i].value}, {NULL, NULL}};

        req.headers = headers;
        CHECK_CASE(CASES[i].value, request_prefers_minimal(&req) == CASES[i].minimal);
    }
    req.headers = (const struct name_value[]){{NULL, NULL}};
}

TEST(changes_are_guarded)
{
    const struct name_value good[] = {{"If-Match", "\"3\""}, {NULL, NULL}};
    const struct name_value old[] = {{"If-Match", "\"2\""}, {NULL, NULL}};
    const struct name_value weak[] = {{"If-Match", "W/\"3\""}, {NULL, NULL}};
    struct err err;

    CHECK_ERR(ERR_PRECONDITION_REQUIRED, request_if_match(&req, "3", &err));
    req.headers = good;
    CHECK_OK(request_if_match(&req, "3", &err));
    req.headers = old;
    CHECK_ERR(ERR_PRECONDITION, request_if_match(&req, "3", &err));
    req.headers = weak;
    CHECK_ERR(ERR_PRECONDITION, request_if_match(&req, "3", &err));
}

TEST(path_parameters_are_read)
{
    const struct name_value parameters[] = {{"id", "12"}, {"name", "x"}, {NULL, NULL}};
    int64_t id = 0;
    struct err err;

    req.path_parameters = parameters;
    CHECK_OK(path_int(&req, "id", &id, &err));
    CHECK(id == 12);
    CHECK_STR(path_text(&req, "name"), "x");
    CHECK_ERR(ERR_NOT_FOUND, path_int(&req, "name", &id, &err));
    CHECK_ABORTS(path_text(&req, "other"));
}

TEST(bodies_are_json_of_a_known_type)
{
    static const char *const TYPES[] = {"application/json", "application/merge-patch+json", NULL};
    const struct json *root = NULL;
    struct err err;

    req.body = "{\"a\":1}";
    req.body_length = 7;
    CHECK_ERR(ERR_MEDIA_TYPE, body_json(&req, TYPES, &root, &err));
    CHECK_HAS(err.text, "no type");
    req.content_type = "application/merge-patch+json";
    CHECK_OK(body_json(&req, TYPES, &root, &err));
    CHECK(json_member(root, "a") != NULL);
}

TEST(roles_contain_one_another_as_said)
{
    static const char ALLOWED[ROLE__MAX][ROLE__MAX + 1] = {
        /* have none */ "1.....", /* ingest */ "11...1", /* read */ "1.1...",
        /* triage */ "1.11..",    /* admin */ "111111",  /* notify */ "1....1"};

    for (int have = 0; have < ROLE__MAX; have++)
        for (int need = 0; need < ROLE__MAX; need++)
            CHECK_CASE(ROLE_WORDS[have], role_allows((enum role)have, (enum role)need) ==
                                             (ALLOWED[have][need] == '1'));
    CHECK(ROLE_WORDS[ROLE__MAX] == NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(good_parameters_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(every_bad_parameter_is_a_fault, setup, teardown),
        cmocka_unit_test_setup_teardown(cookies_are_found_among_others, setup, teardown),
        cmocka_unit_test_setup_teardown(headers_are_found_in_any_case, setup, teardown),
        cmocka_unit_test_setup_teardown(minimal_answers_are_preferred, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_are_guarded, setup, teardown),
        cmocka_unit_test_setup_teardown(path_parameters_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(bodies_are_json_of_a_known_type, setup, teardown),
        cmocka_unit_test(roles_contain_one_another_as_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
