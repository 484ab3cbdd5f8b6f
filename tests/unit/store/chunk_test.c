/* The packed form of observations: what is read back is what was written, whatever it is. */
#include "fixture.h"

#include <limits.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "store/chunk.h"

static struct observation rows[CHUNK_ROWS_MAX];
static const struct observation *sorted[CHUNK_ROWS_MAX];

static struct observation observation_of(struct rng *rng, bool wild)
{
    struct observation row = {
        .entity_id = (int64_t)(wild ? rng_u64(rng) >> 1 : rng_below(rng, 50) + 1),
        .ip = ip_from_v4((uint32_t)rng_u64(rng)),
        .spec_id = (int64_t)rng_below(rng, 3) + 1,
        .model_id = wild ? INT64_MAX - 1 : 1,
        .object_id = rng_below(rng, 4) == 0 ? FIELD_NULL_INT : (int64_t)rng_below(rng, 1000),
        .first_ms = T0 + (int64_t)rng_below(rng, DAY_MS),
        .count = wild ? rng_u64(rng) : 1,
        .unanswered = rng_below(rng, 5) == 0,
        .score = wild ? rng_normal(rng) * 1e300 : (double)(float)rng_normal(rng),
        .percentile = rng_below(rng, 3) == 0 ? NAN : 100 * rng_unit(rng),
    };

    if (rng_below(rng, 3) == 0)
        (void)memcpy(row.ip.bytes, "\x20\x01\x0d\xb8", 4);
    row.last_ms = row.first_ms + (wild ? (int64_t)rng_u64(rng) / 4 : (int64_t)rng_below(rng, 9));
    return row;
}

static int compare(const void *a, const void *b)
{
    return observation_compare(*(const struct observation *const *)a,
                               *(const struct observation *const *)b);
}

static void given_rows(size_t count, uint64_t seed, bool wild)
{
    struct rng rng;

    rng_init(&rng, seed);
    for (size_t i = 0; i < count; i++) {
        rows[i] = observation_of(&rng, wild);
        sorted[i] = &rows[i];
    }
    qsort(sorted, count, sizeof sorted[0], compare);
}

static bool same_real(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static bool same(const struct observation *a, const struct observation *b)
{
    return a->entity_id == b->entity_id && ip_equal(&a->ip, &b->ip) && a->spec_id == b->spec_id &&
           a->model_id == b->model_id && a->object_id == b->object_id &&
           a->first_ms == b->first_ms && a->last_ms == b->last_ms && a->count == b->count &&
           a->unanswered == b->unanswered && same_real(a->score, b->score) &&
           same_real(a->percentile, b->percentile);
}

static void check_round_trip(size_t count)
{
    AUTO(str_done) struct str text = {0};
    struct observation *back;
    size_t back_count;

    str_init(&text, CHUNK_BYTES_MAX);
    chunk_encode(sorted, count, &text);
    CHECK_OK(str_check(&text, "a chunk", &err));
    CHECK_OK(chunk_decode(text.text, text.length, &store.arena, &back, &back_count, &err));
    CHECK(back_count == count);
    for (size_t i = 0; i < count; i++)
        CHECK(same(&back[i], sorted[i]));
}

TEST(what_is_read_back_is_what_was_written)
{
    static const size_t COUNTS[] = {1, 2, 3, 100, CHUNK_ROWS_MAX};

    for (size_t i = 0; i < ARRAY_LEN(COUNTS); i++) {
        given_rows(COUNTS[i], i, false);
        check_round_trip(COUNTS[i]);
        given_rows(COUNTS[i], i, true);
        check_round_trip(COUNTS[i]);
    }
}

/* Scores that were read from text, and those that only look so. */
TEST(decimals_are_read_back_to_the_last_bit)
{
    static const double ODD[] = {0.0, -0.0, NAN,       INFINITY, -1e6, 1073.741824, 1e15,
                                 0.1, 1.0,  1.0 / 3.0, 5e-324,   -7.5, 0.30000001,  1073741824};
    struct rng rng;

    rng_init(&rng, 11);
    given_rows(1000, 1, false);
    for (int digits = 0; digits <= 8; digits++) {
        for (size_t i = 0; i < 1000;
             i++) { /* a whole number by a power of ten is what text is read as */
            rows[i].score = round(20 * rng_normal(&rng) * pow(10, digits)) / pow(10, digits);
            rows[i].percentile = i % 7 == 0 ? NAN : round(100 * rng_unit(&rng) * 1000) / 1000;
        }
        check_round_trip(1000);
    }
    for (size_t i = 0; i < ARRAY_LEN(ODD); i++) { /* alone, and among decimals */
        rows[0].score = ODD[i];
        check_round_trip(1000);
        given_rows(1, 1, false);
        rows[0].score = ODD[i];
        check_round_trip(1);
        given_rows(1000, 1, false);
    }
}

TEST(a_large_decimal_is_kept_beside_a_fine_one)
{
    static const double LARGE[] = {5000.1, -1074, 1073741823, 2000};

    for (size_t i = 0; i < ARRAY_LEN(LARGE); i++) {
        given_rows(3, 1, false);
        rows[0].score = rows[2].score = LARGE[i];
        rows[1].score = 0.123456;
        check_round_trip(3);
    }
}

/* One row, written out as the format's comment has it; the first format knew of no unanswered. */
TEST(a_chunk_of_the_first_format_is_read)
{
    static const uint8_t ROW[] = {5, 6 << 1, 1 + 1, 1, 2 + 1, 1, 0, 1},
                         REST[] = {0xa0, 0x1f, 0, 9 << 1, 4, 4,    0,   0,
                                   0x80, 0x3f, 4, 0,      0, 0xc0, 0x7f};
    struct observation *back;
    size_t count;

    for (uint8_t format = 1; format <= 2; format++) {
        uint8_t bytes[64] = {format, 1};
        size_t length = 2;
        uint64_t sum;

        (void)memcpy(bytes + length, ROW, sizeof ROW);
        length += sizeof ROW;
        if (format == 2) {
            bytes[length++] = 1 + 1;
            bytes[length++] = 1;
        }
        (void)memcpy(bytes + length, REST, sizeof REST);
        length += sizeof REST;
        sum = hash_bytes(bytes, length, 0);
        (void)memcpy(bytes + length, &sum, sizeof sum);
        CHECK_OK(chunk_decode(bytes, length + sizeof sum, &store.arena, &back, &count, &err));
        CHECK(count == 1 && back->entity_id == 5 && ip_v4(&back->ip) == 6 && back->spec_id == 1 &&
              back->model_id == 2 && back->object_id == FIELD_NULL_INT);
        CHECK(back->first_ms == 2000 && back->last_ms == 2009 && back->count == 4);
        CHECK(back->score == 1 && isnan(back->percentile) && back->unanswered == format - 1);
    }
}

TEST(usual_rows_take_less_than_fifty_bytes)
{
    AUTO(str_done) struct str text = {0};

    str_init(&text, CHUNK_BYTES_MAX);
    given_rows(CHUNK_ROWS_MAX, 1, false);
    chunk_encode(sorted, CHUNK_ROWS_MAX, &text);
    CHECK(text.length < 50 * CHUNK_ROWS_MAX);
}

/* Every byte altered and every length cut is told; nothing outside is touched (see asan). */
TEST(a_damaged_chunk_is_refused)
{
    AUTO(str_done) struct str text = {0};
    struct observation *back;
    size_t count;

    str_init(&text, CHUNK_BYTES_MAX);
    given_rows(40, 1, true);
    chunk_encode(sorted, 40, &text);
    for (size_t i = 0; i < text.length; i++) {
        char *cut = own_alloc(i + 1);

        (void)memcpy(cut, text.text, i);
        CHECK_ERR(ERR_CORRUPT, chunk_decode(cut, i, &store.arena, &back, &count, &err));
        free(cut);
        text.text[i] ^= 0x41;
        CHECK_ERR(ERR_CORRUPT,
                  chunk_decode(text.text, text.length, &store.arena, &back, &count, &err));
        text.text[i] ^= 0x41;
    }
    CHECK_OK(chunk_decode(text.text, text.length, &store.arena, &back, &count, &err));
}

/* As a file that was made to be read: the sum is right, what it says is not. */
TEST(a_chunk_made_up_is_refused)
{
    struct rng rng;

    rng_init(&rng, 7);
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[64] = {(uint8_t)(1 + round % 3), 5};
        size_t length = 2 + rng_below(&rng, 54), count;
        struct observation *back;
        uint64_t sum;

        for (size_t i = 2; i < length; i++)
            bytes[i] = (uint8_t)(rng_below(&rng, 2) == 0 ? rng_below(&rng, 6) : rng_u64(&rng));
        sum = hash_bytes(bytes, length, 0);
        for (int i = 0; i < 8; i++)
            bytes[length + (size_t)i] = (uint8_t)(sum >> (8 * i));
        if (chunk_decode(bytes, length + 8, &store.arena, &back, &count, &err) == ERR_NONE)
            CHECK(count == 5);
        arena_reset(&store.arena);
    }
}

TEST(a_filter_holds_its_pairs_and_few_others)
{
    struct rng rng;
    uint8_t *filter;
    size_t length;
    int wrong = 0;

    given_rows(CHUNK_ROWS_MAX, 3, false);
    filter = chunk_filter(&store.arena, sorted, CHUNK_ROWS_MAX, &length);
    for (size_t i = 0; i < CHUNK_ROWS_MAX; i++)
        CHECK(chunk_may_hold(filter, length, rows[i].entity_id, &rows[i].ip));
    rng_init(&rng, 4);
    for (int i = 0; i < 10000; i++) {
        struct ip ip = ip_from_v4((uint32_t)rng_u64(&rng));

        wrong += chunk_may_hold(filter, length, 60, &ip); /* an entity that is not there */
    }
    CHECK(wrong < 200);
    CHECK(chunk_may_hold(NULL, 0, 1, &rows[0].ip)); /* without a filter anything may be */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(what_is_read_back_is_what_was_written),
        STORE_TEST(decimals_are_read_back_to_the_last_bit),
        STORE_TEST(a_large_decimal_is_kept_beside_a_fine_one),
        STORE_TEST(a_chunk_of_the_first_format_is_read),
        STORE_TEST(usual_rows_take_less_than_fifty_bytes),
        STORE_TEST(a_damaged_chunk_is_refused),
        STORE_TEST(a_chunk_made_up_is_refused),
        STORE_TEST(a_filter_holds_its_pairs_and_few_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
