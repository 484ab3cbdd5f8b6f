/* Whatever is sorted is in order, equal keys stay as they came, and nothing is lost. */
#include "check.h"

#include <stdbool.h>

#include "base/hash.h"
#include "base/radix.h"

enum { ITEMS = 3000, ROUNDS = 200 };

static void check_sorted(const struct radix_item *items, size_t count, const uint64_t *keys)
{
    bool seen[ITEMS] = {false};

    for (size_t i = 0; i < count; i++) {
        CHECK(items[i].index < count && !seen[items[i].index]);
        seen[items[i].index] = true;
        CHECK(items[i].key == keys[items[i].index]);
        CHECK(i == 0 || items[i - 1].key < items[i].key ||
              (items[i - 1].key == items[i].key && items[i - 1].index < items[i].index));
    }
}

TEST(items_are_in_order_and_equal_ones_stay_as_they_came)
{
    static struct radix_item items[ITEMS], spare[ITEMS];
    static uint64_t keys[ITEMS];
    struct rng rng;

    rng_init(&rng, 1);
    for (int round = 0; round < ROUNDS; round++) {
        size_t count = (size_t)rng_below(&rng, ITEMS);
        uint64_t mask = rng_u64(&rng) & rng_u64(&rng) & rng_u64(&rng); /* some bytes of nothing */

        for (size_t i = 0; i < count; i++) {
            keys[i] = rng_u64(&rng) & mask;
            items[i] = (struct radix_item){keys[i], (uint32_t)i};
        }
        radix_sort(items, spare, count);
        check_sorted(items, count, keys);
    }
}

TEST(nothing_and_one_are_sorted)
{
    struct radix_item one[1] = {{7, 3}}, spare[1];

    radix_sort(one, spare, 0);
    radix_sort(one, spare, 1);
    CHECK(one[0].key == 7 && one[0].index == 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_in_order_and_equal_ones_stay_as_they_came),
        cmocka_unit_test(nothing_and_one_are_sorted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
