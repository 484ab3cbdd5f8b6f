/* Values that are in files, and the generator that training repeats. The golden numbers were made
 * by a second implementation with arbitrary-precision integers; SplitMix64's are the published
 * ones (seed 1234567). */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "base/hash.h"

TEST(hash_values_never_change)
{
    static const struct {
        const char *text;
        size_t length;
        uint64_t seed, wanted;
    } CASES[] = {
        {"", 0, 0, UINT64_C(0x48218226ff3cd4bf)},
        {"a", 1, 0, UINT64_C(0x7a9d2e0bacfc05c3)},
        {"abcdefg", 7, 0, UINT64_C(0xbc7065dda2690f26)},
        {"abcdefgh", 8, 0, UINT64_C(0x787bf8a647ecc24b)},
        {"abcdefghi", 9, 0, UINT64_C(0x9e903a963aa74b5c)},
        {"i-0123456789abcdef0", 19, 0, UINT64_C(0x9fe57cf0a2595292)},
        {"i-0123456789abcdef0", 19, 1, UINT64_C(0x141586a732547e98)},
        {"\0", 1, 0, UINT64_C(0x1cd364143cce4aae)},
        {"\0\0", 2, 0, UINT64_C(0x671708e28042ff96)},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        CHECK_CASE(CASES[i].text,
                   hash_bytes(CASES[i].text, CASES[i].length, CASES[i].seed) == CASES[i].wanted);
    CHECK(hash_mix(1) == UINT64_C(0x5692161d100b05e5) && hash_mix(0) == 0);
}

/* Numbered names, as instance ids are, fall evenly into a table: chi squared of 64 slots. */
TEST(hash_spreads_neighbours)
{
    enum { SLOTS = 64, NAMES = 64000 };
    unsigned counts[2][SLOTS] = {{0}};
    double chi[2] = {0};

    for (unsigned i = 0; i < NAMES; i++) {
        char name[32];
        int length = snprintf(name, sizeof name, "i-%08x", i);
        uint64_t hash = hash_bytes(name, (size_t)length, 0);

        counts[0][hash % SLOTS]++;
        counts[1][hash >> 58]++;
    }
    for (int ends = 0; ends < 2; ends++) {
        for (int i = 0; i < SLOTS; i++)
            chi[ends] += pow(counts[ends][i] - 1000.0, 2) / 1000.0;
        CHECK(chi[ends] > 25 && chi[ends] < 120); /* 63 degrees of freedom */
    }
}

TEST(every_input_bit_matters)
{
    unsigned char bytes[13] = {0};
    uint64_t base = hash_bytes(bytes, sizeof bytes, 5);

    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        int flipped;

        bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
        flipped = __builtin_popcountll(base ^ hash_bytes(bytes, sizeof bytes, 5));
        CHECK(flipped >= 12 && flipped <= 52);
        bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
    }
}

TEST(splitmix_is_the_published_one)
{
    static const uint64_t WANTED[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                      UINT64_C(9817491932198370423), UINT64_C(4593380528125082431),
                                      UINT64_C(16408922859458223821)};
    struct rng rng;

    rng_init(&rng, 1234567);
    for (size_t i = 0; i < ARRAY_LEN(WANTED); i++)
        CHECK(rng_u64(&rng) == WANTED[i]);
    rng_init(&rng, 42);
    CHECK(rng_unit(&rng) == 0.7415648787718233 && rng_unit(&rng) == 0.1599103928769201);
}

TEST(bounded_numbers_are_even)
{
    unsigned counts[3] = {0};
    struct rng rng;

    rng_init(&rng, 7);
    for (int i = 0; i < 30000; i++)
        counts[rng_below(&rng, 3)]++;
    for (int i = 0; i < 3; i++)
        CHECK(counts[i] > 9700 && counts[i] < 10300);
    for (int i = 0; i < 100; i++) {
        CHECK(rng_below(&rng, 1) == 0);
        CHECK(rng_below(&rng, UINT64_C(1) << 63) < UINT64_C(1) << 63);
    }
    CHECK_ABORTS(rng_below(&rng, 0));
}

TEST(unit_and_normal_have_their_moments)
{
    enum { DRAWS = 100000 };
    double sum = 0, sum_normal = 0, squares = 0, fourth = 0;
    struct rng rng;

    rng_init(&rng, 11);
    for (int i = 0; i < DRAWS; i++) {
        double unit = rng_unit(&rng), normal = rng_normal(&rng);

        CHECK(unit >= 0 && unit < 1 && isfinite(normal));
        sum += unit;
        sum_normal += normal;
        squares += normal * normal;
        fourth += normal * normal * normal * normal;
    }
    CHECK(fabs(sum / DRAWS - 0.5) < 0.005 && fabs(sum_normal / DRAWS) < 0.015);
    CHECK(fabs(squares / DRAWS - 1) < 0.02 && fabs(fourth / DRAWS - 3) < 0.15);
}

TEST(the_process_seed_stays)
{
    CHECK(hash_seed() == hash_seed());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_values_never_change),
        cmocka_unit_test(hash_spreads_neighbours),
        cmocka_unit_test(every_input_bit_matters),
        cmocka_unit_test(splitmix_is_the_published_one),
        cmocka_unit_test(bounded_numbers_are_even),
        cmocka_unit_test(unit_and_normal_have_their_moments),
        cmocka_unit_test(the_process_seed_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
