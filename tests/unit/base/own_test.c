/* Allocation and ownership. */
#include "check.h"

#include <stdlib.h>

#include "base/own.h"

TEST(alloc_is_zeroed_and_never_null)
{
    AUTO(own_freep) unsigned char *bytes = own_alloc(1000);
    AUTO(own_freep) void *empty = own_alloc(0);

    for (int i = 0; i < 1000; i++)
        CHECK(bytes[i] == 0);
    CHECK(empty != NULL);
}

TEST(array_overflow_aborts)
{
    AUTO(own_freep) void *memory = own_array(10, 8);

    CHECK_ABORTS(own_array(SIZE_MAX / 4, 8));
    CHECK_ABORTS(own_resize(memory, SIZE_MAX / 4, 8));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they end it their own way   \
                                                                     */
    CHECK_ABORTS(own_alloc(SIZE_MAX / 2));
#endif
}

TEST(resize_keeps_what_was_there)
{
    AUTO(own_freep) char *text = own_strdup("abc");

    text = own_resize(text, 1000, 1);
    CHECK_STR(text, "abc");
}

TEST(assert_aborts_only_when_false)
{
    ASSERT(1 + 1 == 2);
    CHECK_ABORTS(ASSERT(1 + 1 == 3));
}

TEST(take_moves_and_nulls)
{
    char *text = own_strdup("mine");
    AUTO(own_freep) char *taken = TAKE(text);

    CHECK(text == NULL);
    CHECK_STR(taken, "mine");
}

TEST(free_nulls_and_accepts_null)
{
    char *text = own_strdup("x");

    own_freep(&text);
    CHECK(text == NULL);
    own_freep(&text);
}

static enum err_code fail_with(enum err_code code, int *after)
{
    TRY(code);
    *after = 1;
    return ERR_NONE;
}

TEST(try_returns_failures_only)
{
    int after = 0;

    CHECK(fail_with(ERR_BUSY, &after) == ERR_BUSY && after == 0);
    CHECK(fail_with(ERR_NONE, &after) == ERR_NONE && after == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alloc_is_zeroed_and_never_null),
        cmocka_unit_test(array_overflow_aborts),
        cmocka_unit_test(resize_keeps_what_was_there),
        cmocka_unit_test(assert_aborts_only_when_false),
        cmocka_unit_test(take_moves_and_nulls),
        cmocka_unit_test(free_nulls_and_accepts_null),
        cmocka_unit_test(try_returns_failures_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
