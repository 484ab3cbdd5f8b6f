/* Records in memory and in files: the same records come back, in the same order. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/own.h"
#include "base/spool.h"

struct number {
    uint64_t key;
    uint32_t place, twice;
};

static int by_key(const void *a, const void *b, void *context)
{
    const struct number *x = a, *y = b;

    ++*(uint64_t *)context;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

static const uint8_t DIGITS[] = {0, 1, 2, 3, 4, 5, 6, 7};

/* Keys of which many are equal; places are their numbers. */
static void fill(struct spool *spool, struct spool_pool *pool, uint32_t count)
{
    struct rng rng;
    struct err err = {0};

    rng_init(&rng, count);
    spool_init(spool, pool, sizeof(struct number));
    for (uint32_t i = 0; i < count; i++) {
        struct number number = {rng_below(&rng, count / 3 + 1) << 20, i, 2 * i};

        CHECK_OK(spool_add(spool, &number, &err));
    }
    CHECK(spool->count == count);
}

static void check_order(struct spool *spool, uint32_t count, bool sorted)
{
    AUTO(spool_reader_done) struct spool_reader reader;
    AUTO(own_freep) uint8_t *seen = own_alloc(count + 1);
    struct number last = {0};
    struct err err = {0};
    const void *next;

    spool_reader_init(&reader, spool);
    for (uint32_t i = 0; i < count; i++) {
        const struct number *number;

        CHECK_OK(spool_next(&reader, &next, &err));
        CHECK(next != NULL);
        number = next;
        CHECK(number->twice == 2 * number->place && seen[number->place]++ == 0);
        if (sorted)
            CHECK(i == 0 || last.key < number->key ||
                  (last.key == number->key && last.place < number->place));
        else
            CHECK(number->place == i);
        last = *number;
    }
    CHECK_OK(spool_next(&reader, &next, &err));
    CHECK(next == NULL);
}

/* 2 MiB of the least pool hold records: 131,072 of these. */
TEST(what_goes_in_comes_out_in_order)
{
    static const uint32_t COUNTS[] = {0, 1, 2, 1000, 100 * 1000, 140 * 1000, 400 * 1000};

    for (size_t i = 0; i < ARRAY_LEN(COUNTS); i++)
        for (int digits = 0; digits < 2; digits++) {
            uint64_t compared = 0;
            const struct spool_order order = {.compare = by_key,
                                              .context = &compared,
                                              .digits = digits == 1 ? DIGITS : NULL,
                                              .digit_count = sizeof DIGITS};
            AUTO(spool_done) struct spool spool;
            struct spool_pool pool;
            struct number some[3], extra = {UINT64_MAX, COUNTS[i], 2 * COUNTS[i]};
            struct err err = {0};

            spool_pool_init(&pool, 0, "/tmp");
            fill(&spool, &pool, COUNTS[i]);
            CHECK(spool.filed == (COUNTS[i] > 131072) && pool.bytes_held <= pool.bytes_max / 2);
            check_order(&spool, COUNTS[i], false);
            if (COUNTS[i] >= 1000) {
                CHECK_OK(spool_read(&spool, 997, 3, some, &err));
                CHECK(some[0].place == 997 && some[2].place == 999);
            }
            CHECK_OK(spool_sort(&spool, &order, &err));
            check_order(&spool, COUNTS[i], true);
            CHECK(digits == 0 || spool.filed || compared == 0);
            CHECK_OK(spool_add(&spool, &extra, &err)); /* a sorted one grows on */
            check_order(&spool, COUNTS[i] + 1, true);
            spool_done(&spool);
            CHECK(pool.bytes_held == 0);
        }
}

/* The second one has what the first leaves. */
TEST(spools_share_the_memory_of_their_pool)
{
    AUTO(spool_done) struct spool first, second;
    struct spool_pool pool;

    spool_pool_init(&pool, 0, "/tmp");
    fill(&first, &pool, 80 * 1000);
    fill(&second, &pool, 80 * 1000);
    CHECK(!first.filed && second.filed && pool.bytes_held <= pool.bytes_max / 2);
    check_order(&first, 80 * 1000, false);
    check_order(&second, 80 * 1000, false);
    spool_done(&first);
    CHECK(pool.bytes_held == 0);
}

TEST(a_folder_that_takes_no_files_is_an_error)
{
    static const char *const FOLDERS[] = {"/nonexistent", "/proc"};

    for (size_t i = 0; i < ARRAY_LEN(FOLDERS); i++) {
        AUTO(spool_done) struct spool spool;
        enum err_code code = ERR_NONE;
        struct spool_pool pool;
        struct number number = {0};
        struct err err = {0};

        spool_pool_init(&pool, 0, FOLDERS[i]);
        spool_init(&spool, &pool, sizeof number);
        for (uint32_t n = 0; n < 200 * 1000 && code == ERR_NONE; n++)
            code = spool_add(&spool, &number, &err);
        CHECK(code != ERR_NONE);
        CHECK_HAS(err.text, FOLDERS[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out_in_order),
        cmocka_unit_test(spools_share_the_memory_of_their_pool),
        cmocka_unit_test(a_folder_that_takes_no_files_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
