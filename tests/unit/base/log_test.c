/* Log lines and progress, as they arrive on standard error (here a pipe). */
#include "check.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

enum { TEXT_BYTES = 65536 };

static char text[TEXT_BYTES]; /* what was written last */
static int saved, ends[2];

static void capture(void)
{
    saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    (void)dup2(ends[1], STDERR_FILENO);
    (void)close(ends[1]);
}

static void release(void)
{
    size_t length = 0;
    ssize_t part;

    (void)dup2(saved, STDERR_FILENO); /* closes the last writing end */
    (void)close(saved);
    while (length < TEXT_BYTES - 1 &&
           (part = read(ends[0], text + length, TEXT_BYTES - 1 - length)) > 0)
        length += (size_t)part;
    text[length] = '\0';
    (void)close(ends[0]);
}

static int enter(UNUSED void **state)
{
    (void)unsetenv("JOURNAL_STREAM");
    log_set_level(LOG_LEVEL_INFO);
    clock_set_for_test(INT64_C(1795507200000));
    return 0;
}

TEST(a_line)
{
    capture();
    log_info("object read", "key=%s rows=%d", log_quote("a b\"c\\d\ne"), 7);
    log_warn("nothing to add", "%s", "");
    release();
    CHECK_STR(text, "time=2026-11-24T08:00:00.000Z level=info msg=\"object read\" "
                    "key=\"a b\\\"c\\\\d\\x0ae\" rows=7\n"
                    "time=2026-11-24T08:00:00.000Z level=warn msg=\"nothing to add\" \n");
}

TEST(levels)
{
    enum log_level level;

    capture();
    log_debug("hidden", "a=1");
    log_set_level(LOG_LEVEL_ERROR);
    log_warn("hidden", "a=1");
    log_error("shown", "a=1");
    release();
    CHECK(strstr(text, "hidden") == NULL);
    CHECK_HAS(text, "level=error msg=\"shown\" a=1\n");
    CHECK(log_level_parse("debug", &level) && level == LOG_LEVEL_DEBUG);
    CHECK(!log_level_parse("loud", &level) && !log_level_parse("", &level));
}

TEST(the_journal_gets_priorities)
{
    (void)setenv("JOURNAL_STREAM", "8:1", 1);
    capture();
    log_error("broken", "a=1");
    log_info("fine", "a=1");
    release();
    CHECK_STR(text, "<3>level=error msg=\"broken\" a=1\n<6>level=info msg=\"fine\" a=1\n");
}

TEST(a_line_stays_one_line_and_is_cut)
{
    static char longer[20000];

    (void)memset(longer, 'x', sizeof longer - 1);
    capture();
    log_info("cut", "a=%s", longer);
    log_info("forged", "a=%s", "1\nlevel=error msg=\"never happened\"");
    release();
    CHECK(strchr(text, '\n') - text < 8192);
    CHECK_HAS(text, "xxx\n");
    CHECK_HAS(text, "a=1 level=error");
}

TEST(quotes_live_in_a_ring)
{
    static char longer[5000];
    const char *first = log_quote("first"), *null = log_quote(NULL);

    for (int i = 0; i < 6; i++)
        (void)log_quote("other");
    CHECK_STR(first, "\"first\"");
    CHECK_STR(null, "\"\"");
    (void)memset(longer, '"', sizeof longer - 1);
    CHECK(strlen(log_quote(longer)) < 1024 && str_ends(log_quote(longer), "\""));
}

static void *write_lines(void *letter)
{
    char words[200];

    (void)memset(words, *(const char *)letter, sizeof words - 1);
    words[sizeof words - 1] = '\0';
    for (int i = 0; i < 50; i++)
        log_info("t", "w=%s", words);
    return NULL;
}

TEST(lines_of_threads_do_not_mix)
{
    static const char LETTERS[] = "abcd";
    pthread_t threads[4];
    size_t lines = 0;

    capture();
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, write_lines, (void *)(uintptr_t)&LETTERS[i]), 0);
    for (size_t i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
    release();
    for (char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        char *word = strstr(line, " w=") + 3;

        CHECK(strspn(word, (char[]){*word, '\0'}) == 199 && word[199] == '\n');
        lines++;
    }
    CHECK(lines == 200);
}

TEST(progress_without_a_terminal_is_log_lines)
{
    struct progress progress;

    capture();
    progress_start(&progress, "training", "pairs", 100);
    progress_add(&progress, 40); /* too soon for a line */
    progress_add(&progress, 20);
    progress_end(&progress);
    release();
    CHECK(progress.done == 60 && !progress.terminal);
    CHECK_HAS(text, "msg=\"training\" progress=\"60 ");
    CHECK(strchr(text, '\n') == strrchr(text, '\n') && strchr(text, '\r') == NULL);
}

#define CASE(test) cmocka_unit_test_setup(test, enter)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_line),
        CASE(levels),
        CASE(the_journal_gets_priorities),
        CASE(a_line_stays_one_line_and_is_cut),
        CASE(quotes_live_in_a_ring),
        CASE(lines_of_threads_do_not_mix),
        CASE(progress_without_a_terminal_is_log_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
