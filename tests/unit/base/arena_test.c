/* The bump allocator. */
#include "check.h"

#include "base/arena.h"

enum { LIMIT = 1 << 20 };

TEST(memory_is_zeroed_aligned_and_apart)
{
    AUTO(arena_done) struct arena arena = {0};
    unsigned char *last = NULL;

    arena_init(&arena, LIMIT);
    for (size_t size = 1; size < 700; size += 13) {
        unsigned char *bytes = arena_alloc(&arena, size);

        CHECK((uintptr_t)bytes % 16 == 0);
        for (size_t i = 0; i < size; i++)
            CHECK(bytes[i] == 0);
        (void)memset(bytes, 0xaa, size);
        if (last != NULL)
            CHECK(*last == 0xaa);
        last = bytes;
    }
}

TEST(reset_gives_zeroed_memory_again)
{
    AUTO(arena_done) struct arena arena = {0};

    arena_init(&arena, LIMIT);
    for (int round = 0; round < 5; round++) {
        unsigned char *bytes = arena_alloc(&arena, 50000);

        for (size_t i = 0; i < 50000; i++)
            CHECK(bytes[i] == 0);
        (void)memset(bytes, 0xff, 50000);
        CHECK(arena.used_bytes >= 50000 && arena.used_bytes < 50100);
        arena_reset(&arena);
        CHECK(arena.used_bytes == 0);
    }
}

TEST(the_limit_aborts_and_is_reachable)
{
    AUTO(arena_done) struct arena arena = {0};

    arena_init(&arena, 1024);
    (void)arena_alloc(&arena, 512);
    CHECK_ABORTS(arena_alloc(&arena, 513));
    CHECK_ABORTS(arena_alloc(&arena, SIZE_MAX));
    CHECK_ABORTS(arena_array(&arena, SIZE_MAX / 2, 4));
    CHECK(arena_alloc(&arena, 512) != NULL);
}

TEST(copies_are_whole)
{
    AUTO(arena_done) struct arena arena = {0};

    arena_init(&arena, LIMIT);
    CHECK_STR(arena_strdup(&arena, "text"), "text");
    CHECK(arena_strdup(&arena, NULL) == NULL);
    CHECK_STR(arena_strndup(&arena, "abcdef", 3), "abc");
    CHECK_STR(arena_strndup(&arena, NULL, 0), "");
    CHECK(memcmp(arena_memdup(&arena, "a\0b", 3), "a\0b", 3) == 0);
    CHECK_STR(arena_printf(&arena, "%s-%d", "x", 42), "x-42");
}

TEST(done_accepts_a_zeroed_arena_twice)
{
    struct arena arena = {0};

    arena_done(&arena);
    arena_init(&arena, LIMIT);
    (void)ARENA_NEW(&arena, struct arena);
    (void)ARENA_ARRAY(&arena, int, 10000);
    arena_done(&arena);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(reset_gives_zeroed_memory_again),
        cmocka_unit_test(the_limit_aborts_and_is_reachable),
        cmocka_unit_test(copies_are_whole),
        cmocka_unit_test(done_accepts_a_zeroed_arena_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
