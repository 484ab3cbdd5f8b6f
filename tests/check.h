#pragma once
/* The test kit: cmocka with the project's ways to fail. cmocka wants its headers in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"

/* The call succeeds; otherwise its sentence is shown. */
#define CHECK_OK(call) check_code_((call), ERR_NONE, &err, #call, __FILE__, __LINE__)
/* The call fails with this code; its sentence is in err.text. A `struct err err` is in scope. */
#define CHECK_ERR(code, call) check_code_((call), (code), &err, #call, __FILE__, __LINE__)

#define CHECK(condition)        assert_true(condition)
#define CHECK_STR(text, wanted) assert_string_equal((text), (wanted))
/* wanted is somewhere in text */
#define CHECK_HAS(text, wanted) check_has_((text), (wanted), __FILE__, __LINE__)
/* In table-driven tests: says which case failed. */
#define CHECK_CASE(name, condition)                                                                \
    check_case_((name), (condition) != 0, #condition, __FILE__, __LINE__)

/* cmocka hands every test a state; ours need none. */
#define TEST(name) static void name(UNUSED void **state)
/* The call ends the program with SIGABRT: a child makes it, silently. */
#define CHECK_ABORTS(call)                                                                         \
    do {                                                                                           \
        pid_t child_ = check_fork_();                                                              \
        if (child_ == 0) {                                                                         \
            (void)(call);                                                                          \
            _exit(0);                                                                              \
        }                                                                                          \
        check_aborted_(child_, #call, __FILE__, __LINE__);                                         \
    } while (0)

static inline void check_code_(enum err_code got, enum err_code wanted, const struct err *err,
                               const char *call, const char *file, int line)
{
    if (got == wanted)
        return;
    print_error("%s gave %s, not %s: %s\n", call, err_word(got), err_word(wanted), err->text);
    _fail(file, line);
}

static inline void check_has_(const char *text, const char *wanted, const char *file, int line)
{
    if (text != NULL && strstr(text, wanted) != NULL)
        return;
    print_error("\"%s\" is not in \"%s\"\n", wanted, text != NULL ? text : "(null)");
    _fail(file, line);
}

static inline void check_case_(const char *name, int holds, const char *condition, const char *file,
                               int line)
{
    if (holds)
        return;
    print_error("case \"%s\": not %s\n", name, condition);
    _fail(file, line);
}

static inline pid_t check_fork_(void)
{
    pid_t child = fork();

    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);

        (void)signal(SIGABRT, SIG_DFL);
        (void)dup2(nowhere, STDERR_FILENO);
    }
    return child;
}

static inline void check_aborted_(pid_t child, const char *call, const char *file, int line)
{
    int status = 0;

    if (child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
        WTERMSIG(status) == SIGABRT)
        return;
    print_error("%s did not abort (status %d)\n", call, status);
    _fail(file, line);
}
