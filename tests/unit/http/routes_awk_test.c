/* The generator of the route table: what it makes of a contract, and what it refuses. Run from the
 * top of the tree. */
#include "temp.h"

#include "base/own.h"

#include <stdlib.h>

#define HEAD  "openapi: 3.1.0\npaths:\n"
#define GET_A "  /a:\n    get:\n      operationId: get_a\n      summary: A.\n      x-role: read\n"

static char folder[] = "/tmp/pairwatch-routes-XXXXXX";
static char said[4096];

static int setup(UNUSED void **state)
{
    (void)temp_folder(folder);
    return 0;
}

static int teardown(UNUSED void **state)
{
    return temp_folder_drop(folder);
}

/* The exit status; what was said is in said. */
static int generate(const char *yaml)
{
    char path[256], command[512];
    FILE *file, *pipe;
    size_t length;
    int status;

    (void)snprintf(path, sizeof path, "%s/openapi.yaml", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(yaml, file) >= 0 && fclose(file) == 0);
    (void)snprintf(command, sizeof command, "awk -v dir=%s -f server/tools/routes.awk %s 2>&1",
                   folder, path);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    length = fread(said, 1, sizeof said - 1, pipe);
    said[length] = '\0';
    status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *made(const char *name)
{
    static char text[8192];
    char path[256];
    FILE *file;
    size_t length;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "r");
    assert_non_null(file);
    length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    assert_int_equal(fclose(file), 0);
    return text;
}

TEST(a_contract_becomes_a_sorted_table)
{
    static const char YAML[] =
        "openapi: 3.1.0\n"
        "info:\n  title: x\n  description: |\n    paths:\n      x-role: none\n"
        "paths:\n"
        "  # a comment\n"
        "  /f/{id}:\n"
        "    summary: Both.\n"
        "    parameters:\n      - $ref: '#/x'\n"
        "    patch:\n      x-body-bytes-max: 1000 # bytes\n      operationId: update_f\n"
        "      x-role: triage\n      description: |\n        operationId: nonsense\n"
        "    get:\n      operationId: get_f\n      x-role: read\n"
        "      responses:\n        '200':\n          description: x\n\n"
        "  /f/bulk:\n    post:\n      operationId: bulk\n      x-role: admin\n"
        "      x-body-bytes-max: 0\n"
        "  /a:\n    get:\n      operationId: get_a\n      x-role: none\n"
        "components:\n  schemas:\n    get:\n      operationId: nothing\n";
    const char *table, *a, *bulk, *get, *patch;

    if (generate(YAML) != 0)
        fail_msg("%s", said);
    CHECK_HAS(made("routes.h"), "#pragma once\n");
    CHECK_HAS(made("routes.h"), "enum err_code update_f(struct request *req, struct reply *reply, "
                                "struct err *err);\n");
    table = made("routes.c");
    a = strstr(table, "{\"GET\", \"/a\", \"get_a\", get_a, ROLE_NONE, 0},\n");
    bulk = strstr(table, "{\"POST\", \"/f/bulk\", \"bulk\", bulk, ROLE_ADMIN, 0},\n");
    get = strstr(table, "{\"GET\", \"/f/{id}\", \"get_f\", get_f, ROLE_READ, 0},\n");
    patch = strstr(table, "{\"PATCH\", \"/f/{id}\", \"update_f\", update_f, ROLE_TRIAGE, 1000},\n");
    CHECK(a != NULL && a < bulk && bulk < get && get < patch);
    CHECK(strstr(table, "nothing") == NULL && strstr(table, "nonsense") == NULL);
}

TEST(what_is_not_understood_is_refused)
{
    static const struct {
        const char *name, *yaml, *says;
    } CASES[] = {
        {"empty", "openapi: 3.1.0\n", "no operations"},
        {"no operations", HEAD, "no operations"},
        {"no operationId", HEAD "  /a:\n    get:\n      x-role: read\n",
         "GET /a has no operationId"},
        {"no role", HEAD "  /a:\n    get:\n      operationId: get_a\n", "get_a has no x-role"},
        {"no role, not the last", HEAD "  /b:\n    get:\n      operationId: get_b\n" GET_A,
         "get_b has no x-role"},
        {"unknown role", HEAD "  /a:\n    get:\n      operationId: get_a\n      x-role: root\n",
         "x-role is none"},
        {"two roles", HEAD GET_A "      x-role: none\n", "x-role is none"},
        {"empty role", HEAD "  /a:\n    get:\n      operationId: get_a\n      x-role:\n",
         "x-role is none"},
        {"a cap in words", HEAD GET_A "      x-body-bytes-max: 4k\n", "number of bytes"},
        {"an id in camel case", HEAD "  /a:\n    get:\n      operationId: getA\n", "lower case"},
        {"an id twice",
         HEAD GET_A "  /b:\n    get:\n      operationId: get_a\n      x-role: read\n",
         "used twice: get_a"},
        {"a path twice", HEAD GET_A GET_A, "there already"},
        {"a method twice", HEAD GET_A "    get:\n      operationId: get_b\n      x-role: read\n",
         "twice for one path"},
        {"one shape, two names",
         HEAD "  /a/{x}:\n    get:\n      operationId: a\n      x-role: read\n"
              "  /a/{y}:\n    get:\n      operationId: b\n      x-role: read\n",
         "there already, as /a/{x}"},
        {"no leading slash", HEAD "  a:\n", "begins with /"},
        {"a slash at the end", HEAD "  /a/:\n", "empty segment"},
        {"half a segment", HEAD "  /a/{x}.json:\n", "whole segment"},
        {"one name twice", HEAD "  /a/{x}/{x}:\n", "twice in one path"},
        {"five parameters", HEAD "  /{a}/{b}/{c}/{d}/{e}:\n", "more than 4"},
        {"a quoted path", HEAD "  '/a':\n", "begins with /"},
        {"a method that routes lack", HEAD "  /a:\n    trace:\n", "not a method"},
        {"flow style", HEAD "  /a:\n    get: {operationId: a, x-role: none}\n", "flow style"},
        {"a path in flow style", HEAD "  /a: {get: {operationId: a}}\n", "flow style"},
        {"a tab", HEAD "  /a:\n\tget:\n", "a tab"},
        {"windows lines", HEAD "  /a:\r\n", "carriage return"},
        {"three blanks", HEAD "  /a:\n   get:\n", "indentation"},
        {"five blanks", HEAD "  /a:\n    get:\n     operationId: a\n", "indentation"},
        {"paths twice", HEAD GET_A HEAD, "once"},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        CHECK_CASE(CASES[i].name, generate(CASES[i].yaml) == 1);
        if (strstr(said, CASES[i].says) == NULL)
            print_error("%s: %s", CASES[i].name, said);
        CHECK_CASE(CASES[i].name, strstr(said, CASES[i].says) != NULL);
        CHECK_CASE(CASES[i].name, strstr(said, "openapi.yaml:") != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_contract_becomes_a_sorted_table),
        cmocka_unit_test(what_is_not_understood_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
