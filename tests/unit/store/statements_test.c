/* The generator of the statements: what it makes of .sql files, and what it refuses. Run from the
 * top of the tree. */
#include "temp.h"

#include "base/own.h"

#include <stdlib.h>

static char folder[] = "/tmp/pairwatch-statements-XXXXXX";
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
static int generate(const char *sql)
{
    char path[256], command[512];
    FILE *file, *pipe;
    size_t length;
    int status;

    (void)snprintf(path, sizeof path, "%s/x.sql", folder);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(sql, file) >= 0 && fclose(file) == 0);
    (void)snprintf(command, sizeof command,
                   "LC_ALL=C awk -v dir=%s -f server/tools/statements.awk %s 2>&1", folder, path);
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
    file = fopen(path, "re");
    assert_non_null(file);
    length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    assert_int_equal(fclose(file), 0);
    return text;
}

TEST(statements_become_an_enum_and_texts)
{
    CHECK(generate("-- name: A_GET\nSELECT a,\n       b FROM a WHERE id = $1 OR $1 = $2;\n\n"
                   "-- A remark.\n-- name: A_PUT\n-- mode: write\n"
                   "INSERT INTO a VALUES ('\"', '\\', $1);\n") == 0);
    CHECK_HAS(made("statements.h"), "    SQL_A_GET,\n    SQL_A_PUT,\n    SQL__MAX\n");
    CHECK_HAS(
        made("statements.c"),
        "{\"A_GET\",\n     \"SELECT a,\\n\"\n     \"       b FROM a WHERE id = $1 OR $1 = $2\",\n"
        "     NULL, 2, false}");
    CHECK_HAS(made("statements.c"), "'\\\"', '\\\\', $1)\",\n     NULL, 1, true}");
    CHECK(strstr(made("statements.c"), "remark") == NULL);
}

TEST(parameters_may_be_many_and_repeat)
{
    CHECK(generate("-- name: A\nSELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $1, $10\n") ==
          0);
    CHECK_HAS(made("statements.c"), "     NULL, 11, false}");
}

TEST(a_statement_may_have_another_text_for_postgresql)
{
    CHECK(generate("-- name: A\nINSERT INTO a VALUES ($1);\n-- postgres:\nCOPY a FROM STDIN;\n"
                   "-- name: B\nSELECT 1;\n") == 0);
    CHECK_HAS(made("statements.c"), "VALUES ($1)\",\n     \"COPY a FROM STDIN\", 1, false}");
    CHECK_HAS(made("statements.c"), "\"SELECT 1\",\n     NULL, 0, false}");
}

TEST(mistakes_are_refused_with_their_place)
{
    static const struct {
        const char *sql, *said;
    } CASES[] = {
        {"-- name: A\nSELECT $2, $1;\n", "A: $2 appears before $1"},
        {"-- name: A\nSELECT $1, $3;\n", "A: $3 appears before $2"},
        {"-- name: A\nSELECT $1;\n-- name: B\nSELECT $2;\n", "B: $2 appears before $1"},
        {"-- name: lower\nSELECT 1;\n", "a statement's name is upper case: lower"},
        {"-- name: A\nSELECT 1;\n-- name: A\nSELECT 2;\n", "the name is used twice: A"},
        {"-- name: A\n\n-- name: B\nSELECT 2;\n", "A: the statement is empty"},
        {"-- name: A\n-- mode: write\n", "A: the statement is empty"},
        {"SELECT 1;\n", "text before the first"},
        {"-- postgres:\nSELECT 1;\n", "it is of no statement"},
        {"-- name: A\nSELECT 1;\n-- postgres:\n", "A: the statement for PostgreSQL is empty"},
        {"-- name: A\nSELECT $1;\n-- postgres:\nSELECT $2;\n", "A: $2 appears before $1"},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        CHECK_CASE(CASES[i].sql, generate(CASES[i].sql) == 1);
        CHECK_CASE(CASES[i].sql, strstr(said, CASES[i].said) != NULL);
        CHECK_CASE(CASES[i].sql, strstr(said, "x.sql:") != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_become_an_enum_and_texts),
        cmocka_unit_test(parameters_may_be_many_and_repeat),
        cmocka_unit_test(a_statement_may_have_another_text_for_postgresql),
        cmocka_unit_test(mistakes_are_refused_with_their_place),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
