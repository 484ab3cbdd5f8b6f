/* Codes, words, sentences. */
#include "check.h"

#include <errno.h>

TEST(set_formats_and_returns)
{
    struct err err = {0};

    CHECK_ERR(ERR_BUSY, err_set(&err, ERR_BUSY, "the queue %s holds %d", "a", 7));
    CHECK(err.code == ERR_BUSY);
    CHECK_STR(err.text, "the queue a holds 7");
    CHECK(err_set(NULL, ERR_RATE, "nobody reads this") == ERR_RATE);
}

TEST(a_sentence_is_one_line_and_bounded)
{
    struct err err = {0};
    char longer[2 * ERR_TEXT_BYTES];

    (void)err_set(&err, ERR_INVALID, "a\nb\rc\td");
    CHECK_STR(err.text, "a b c d");
    (void)memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    (void)err_set(&err, ERR_INVALID, "%s", longer);
    CHECK(strlen(err.text) == ERR_TEXT_BYTES - 1);
}

TEST(the_old_sentence_may_be_an_argument)
{
    struct err err = {0};

    (void)err_set(&err, ERR_IO, "reading");
    (void)err_set(&err, ERR_CORRUPT, "object 7: %s failed", err.text);
    CHECK_STR(err.text, "object 7: reading failed");
}

TEST(prefix_keeps_code_and_sentence)
{
    struct err err = {0};

    (void)err_set(&err, ERR_NOT_FOUND, "no such row");
    CHECK(err_prefix(&err, "table %d", 3) == ERR_NOT_FOUND);
    CHECK_STR(err.text, "table 3: no such row");
}

TEST(errno_chooses_the_code_of_io_errors)
{
    static const struct {
        const char *name;
        int number;
        enum err_code given, wanted;
    } CASES[] = {
        {"ENOENT", ENOENT, ERR_IO, ERR_NOT_FOUND},    {"ENOTDIR", ENOTDIR, ERR_IO, ERR_NOT_FOUND},
        {"ENOSPC", ENOSPC, ERR_IO, ERR_FULL},         {"EROFS", EROFS, ERR_IO, ERR_FULL},
        {"EDQUOT", EDQUOT, ERR_IO, ERR_FULL},         {"EACCES", EACCES, ERR_IO, ERR_IO},
        {"kept", ENOENT, ERR_INTERNAL, ERR_INTERNAL},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct err err = {0};

        errno = CASES[i].number;
        CHECK_CASE(CASES[i].name,
                   err_errno(&err, CASES[i].given, "opening %s", "a.db") == CASES[i].wanted);
        CHECK_HAS(err.text, "opening a.db: ");
        CHECK_HAS(err.text, strerror(CASES[i].number));
    }
}

TEST(every_code_has_its_own_word)
{
    for (int a = 0; a < ERR__MAX; a++) {
        CHECK(err_word((enum err_code)a) != NULL);
        for (int b = 0; b < a; b++)
            CHECK(strcmp(err_word((enum err_code)a), err_word((enum err_code)b)) != 0);
    }
    CHECK_STR(err_word(ERR_NOT_FOUND), "not_found");
    CHECK_STR(err_word(ERR__MAX), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_formats_and_returns),
        cmocka_unit_test(a_sentence_is_one_line_and_bounded),
        cmocka_unit_test(the_old_sentence_may_be_an_argument),
        cmocka_unit_test(prefix_keeps_code_and_sentence),
        cmocka_unit_test(errno_chooses_the_code_of_io_errors),
        cmocka_unit_test(every_code_has_its_own_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
