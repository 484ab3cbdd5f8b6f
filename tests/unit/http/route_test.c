/* Targets into segments and parameters, and those to rows of a route table. */
#include "check.h"

#include "base/arena.h"
#include "base/own.h"
#include "http/route.h"
#include "http/server.h"
#include "http/uri.h"

static enum err_code never(UNUSED struct request *req, UNUSED struct reply *reply,
                           UNUSED struct err *err)
{
    return ERR_INTERNAL;
}

static const struct route TABLE[] = {
    {"GET", "/a/b/d", "abd", never, ROLE_READ, 0},
    {"GET", "/a/{x}/c", "axc", never, ROLE_READ, 0},
    {"POST", "/f", "post_f", never, ROLE_READ, 0},
    {"POST", "/f/bulk", "bulk", never, ROLE_READ, 0},
    {"DELETE", "/f/{id}", "delete_f", never, ROLE_READ, 0},
    {"GET", "/f/{id}", "get_f", never, ROLE_READ, 0},
    {"GET", "/f/{id}/n/{n}", "get_n", never, ROLE_READ, 0},
};

TEST(rows_are_found_by_whole_segments)
{
    static const struct {
        const char *method, *target;
        enum route_outcome outcome;
        const char *operation, *allow, *first, *second;
    } CASES[] = {
        {"GET", "/a/b/d", ROUTE_FOUND, "abd", "GET, HEAD, OPTIONS", NULL, NULL},
        {"GET", "/a/b/c", ROUTE_FOUND, "axc", "GET, HEAD, OPTIONS", "b", NULL},
        {"GET", "/a/b/e", ROUTE_UNKNOWN, NULL, "", NULL, NULL},
        {"HEAD", "/f/7", ROUTE_FOUND, "get_f", "DELETE, GET, HEAD, OPTIONS", "7", NULL},
        {"DELETE", "/f/7", ROUTE_FOUND, "delete_f", "DELETE, GET, HEAD, OPTIONS", "7", NULL},
        {"GET", "/f/bulk", ROUTE_WRONG_METHOD, NULL, "POST, OPTIONS", NULL, NULL},
        {"HEAD", "/f", ROUTE_WRONG_METHOD, NULL, "POST, OPTIONS", NULL, NULL},
        {"get", "/f/7", ROUTE_WRONG_METHOD, NULL, "DELETE, GET, HEAD, OPTIONS", NULL, NULL},
        {"GET", "/f/", ROUTE_UNKNOWN, NULL, "", NULL, NULL},
        {"GET", "/f//n/1", ROUTE_UNKNOWN, NULL, "", NULL, NULL},
        {"GET", "/f/1/n/2", ROUTE_FOUND, "get_n", "GET, HEAD, OPTIONS", "1", "2"},
        {"GET", "/f/a%2Fb/n/%7B", ROUTE_FOUND, "get_n", "GET, HEAD, OPTIONS", "a/b", "{"},
        {"GET", "/%66/7", ROUTE_FOUND, "get_f", "DELETE, GET, HEAD, OPTIONS", "7", NULL},
        {"GET", "/f%2F7", ROUTE_UNKNOWN, NULL, "", NULL, NULL},
        {"GET", "/f/1/n/2/", ROUTE_UNKNOWN, NULL, "", NULL, NULL},
        {"GET", "/ff/7", ROUTE_UNKNOWN, NULL, "", NULL, NULL},
        {"GET", "/", ROUTE_UNKNOWN, NULL, "", NULL, NULL},
        {"GET", "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17", ROUTE_UNKNOWN, NULL, "", NULL, NULL},
    };
    AUTO(arena_done) struct arena arena;
    struct err err = {.text = ""};

    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct route_match match;
        struct uri uri;

        CHECK_OK(uri_parse(&arena, CASES[i].target, &uri, &err));
        route_find(TABLE, ARRAY_LEN(TABLE), CASES[i].method, &uri, &arena, &match);
        CHECK_CASE(CASES[i].target, match.outcome == CASES[i].outcome);
        CHECK_CASE(CASES[i].target, strcmp(match.allow, CASES[i].allow) == 0);
        if (match.outcome != ROUTE_FOUND)
            continue;
        CHECK_STR(TABLE[match.index].operation, CASES[i].operation);
        if (CASES[i].first == NULL)
            CHECK(match.parameters[0].name == NULL);
        else
            CHECK_STR(match.parameters[0].value, CASES[i].first);
        if (CASES[i].second != NULL)
            CHECK_STR(match.parameters[1].value, CASES[i].second);
        CHECK(match.parameters[2].name == NULL);
    }
}

TEST(queries_are_decoded)
{
    AUTO(arena_done) struct arena arena;
    struct err err;
    struct uri uri;

    arena_init(&arena, 1 << 20);
    CHECK_OK(uri_parse(&arena, "/x?a=1&b=c+d%2B%26e%3D&flag&empty=&eq=a=b", &uri, &err));
    CHECK_STR(uri.path, "/x");
    CHECK_STR(uri.query[1].name, "b");
    CHECK_STR(uri.query[1].value, "c d+&e=");
    CHECK_STR(uri.query[2].name, "flag");
    CHECK_STR(uri.query[2].value, "");
    CHECK_STR(uri.query[3].value, "");
    CHECK_STR(uri.query[4].value, "a=b");
    CHECK(uri.query[5].name == NULL);
    CHECK_OK(uri_parse(&arena, "/x+y", &uri, &err));
    CHECK_STR(uri.segments[0], "x+y");
}

TEST(bad_targets_are_refused)
{
    static const char *const BAD[] = {
        "",       "x",       "*",        "//evil\x01",  "/a b",   "/a#b",   "/a\xc3\xa4",
        "/%",     "/%4",     "/%zz",     "/%00",        "/%0a",   "/%ff",   "/%c0%80",
        "/?a&a",  "/?a=1&&", "/?=1",     "/?&a=1",      "/?a=1&", "/?a=%1", "/?a=%00",
        "/?a=%0", "ftp://x", "http://x", "/?%61=1&a=2",
    };
    AUTO(arena_done) struct arena arena;
    struct err err;
    struct uri uri;

    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        CHECK_CASE(BAD[i], uri_parse(&arena, BAD[i], &uri, &err) == ERR_INVALID);
}

TEST(parameters_are_bounded)
{
    AUTO(arena_done) struct arena arena;
    char target[QUERY_PARAMETERS_MAX * 8 + 16] = "/?p=1";
    struct err err;
    struct uri uri;

    arena_init(&arena, 1 << 20);
    for (int i = 1; i < QUERY_PARAMETERS_MAX; i++) {
        size_t length = strlen(target);

        (void)snprintf(target + length, sizeof target - length, "&p%d=1", i);
    }
    CHECK_OK(uri_parse(&arena, target, &uri, &err));
    (void)memcpy(target + strlen(target), "&q=1", 5);
    CHECK_ERR(ERR_INVALID, uri_parse(&arena, target, &uri, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_found_by_whole_segments),
        cmocka_unit_test(queries_are_decoded),
        cmocka_unit_test(bad_targets_are_refused),
        cmocka_unit_test(parameters_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
