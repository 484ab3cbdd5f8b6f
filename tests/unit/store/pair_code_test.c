/* The packed form of pairs in both orders: what is read back is what was written. */
#include "fixture.h"

#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "store/pair_code.h"

enum { MANY = 600 };
static struct observation rows[MANY];
static const struct observation *sorted[MANY];
static enum pair_order order;

static struct observation pair_of(struct rng *rng)
{
    struct observation row = {
        .entity_id = (int64_t)rng_below(rng, 40) + 1,
        .ip = ip_from_v4((uint32_t)rng_below(rng, 1000) * 7919),
        .spec_id = (int64_t)rng_below(rng, 3) + 1,
        .model_id = 1,
        .object_id = (int64_t)rng_below(rng, 1000) + 1,
        .first_ms = T0 + (int64_t)rng_below(rng, DAY_MS),
        .count = 1 + rng_below(rng, 1 << 20),
        .score = (double)(float)rng_normal(rng),
        .percentile = rng_below(rng, 3) == 0 ? NAN : (double)rng_below(rng, 100001) / 1000,
    };

    if (rng_below(rng, 4) == 0)
        (void)memcpy(row.ip.bytes, "\x20\x01\x0d\xb8", 4);
    row.last_ms = row.first_ms + (int64_t)rng_below(rng, 40) * DAY_MS / 3;
    return row;
}

static struct observation day_of(struct rng *rng)
{
    struct observation row = pair_of(rng);

    return (struct observation){.entity_id = row.entity_id,
                                .ip = row.ip,
                                .spec_id = PAIR_DAY,
                                .first_ms = pair_day_of(row.last_ms) * DAY_MS,
                                .last_ms = pair_day_of(row.last_ms) * DAY_MS,
                                .count = row.count,
                                .score = NAN,
                                .percentile = NAN};
}

static int compare(const void *a, const void *b)
{
    return pair_compare(order, *(const struct observation *const *)a,
                        *(const struct observation *const *)b);
}

/* One row in days_in is of a day, of 0 none is. */
static void given_rows(size_t count, uint64_t seed, uint64_t days_in)
{
    struct rng rng;

    rng_init(&rng, seed);
    for (size_t i = 0; i < count; i++) {
        bool is_day = days_in > 0 && rng_below(&rng, days_in) == 0;

        rows[i] = is_day ? day_of(&rng) : pair_of(&rng);
        sorted[i] = &rows[i];
    }
    qsort(sorted, count, sizeof sorted[0], compare);
}

static bool same_real(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool same(const struct observation *a, const struct observation *b)
{
    bool whole = order == PAIRS_BY_ENTITY || a->spec_id == PAIR_DAY;

    return a->entity_id == b->entity_id && ip_equal(&a->ip, &b->ip) && a->spec_id == b->spec_id &&
           a->object_id == b->object_id && a->first_ms == b->first_ms && a->last_ms == b->last_ms &&
           a->count == b->count && same_real(a->percentile, b->percentile) &&
           (!whole || (a->model_id == b->model_id && same_real(a->score, b->score)));
}

static void check_round_trip(size_t count)
{
    AUTO(str_done) struct str text = {0};
    struct pair_rows back;
    size_t pairs = 0, days = 0;

    str_init(&text, CHUNK_BYTES_MAX);
    pair_encode(order, sorted, count, &text);
    CHECK_OK(str_check(&text, "a chunk", &err));
    CHECK_OK(pair_decode(order, text.text, text.length, true, &store.arena, &back, &err));
    for (size_t i = 0; i < count; i++) {
        bool is_day = sorted[i]->spec_id == PAIR_DAY;

        CHECK(is_day ? days < back.day_count : pairs < back.pair_count);
        CHECK(same(is_day ? &back.days[days++] : &back.pairs[pairs++], sorted[i]));
    }
    CHECK(pairs == back.pair_count && days == back.day_count);
    CHECK_OK(pair_decode(order, text.text, text.length, false, &store.arena, &back, &err));
    CHECK(back.pair_count == pairs && back.day_count == 0);
    for (size_t i = 0, n = 0; i < count; i++)
        if (sorted[i]->spec_id != PAIR_DAY)
            CHECK(same(&back.pairs[n++], sorted[i]));
    arena_reset(&store.arena);
}

static void each_order(void (*check)(void))
{
    for (order = PAIRS_BY_ENTITY; order <= PAIRS_BY_ADDRESS; order++)
        check();
}

static void check_round_trips(void)
{
    static const size_t COUNTS[] = {1, 2, 3, 100, MANY};

    for (size_t i = 0; i < ARRAY_LEN(COUNTS); i++)
        for (uint64_t days_in = 0; days_in < 4; days_in++) {
            given_rows(COUNTS[i], i, days_in);
            check_round_trip(COUNTS[i]);
        }
}

TEST(what_is_read_back_is_what_was_written)
{
    each_order(check_round_trips);
}

/* Every byte altered and every length cut is told; nothing outside is touched (see asan). */
static void check_damage(void)
{
    AUTO(str_done) struct str text = {0};
    struct pair_rows back;

    str_init(&text, CHUNK_BYTES_MAX);
    given_rows(20, 1, 3);
    pair_encode(order, sorted, 20, &text);
    for (size_t i = 0; i < text.length; i++) {
        char *cut = own_alloc(i + 1);

        (void)memcpy(cut, text.text, i);
        CHECK_ERR(ERR_CORRUPT, pair_decode(order, cut, i, true, &store.arena, &back, &err));
        free(cut);
        text.text[i] ^= 0x41;
        CHECK_ERR(ERR_CORRUPT,
                  pair_decode(order, text.text, text.length, false, &store.arena, &back, &err));
        text.text[i] ^= 0x41;
    }
    CHECK_OK(pair_decode(order, text.text, text.length, true, &store.arena, &back, &err));
    order = PAIRS_BY_ENTITY + PAIRS_BY_ADDRESS - order;
    CHECK_ERR(ERR_CORRUPT,
              pair_decode(order, text.text, text.length, true, &store.arena, &back, &err));
    order = PAIRS_BY_ENTITY + PAIRS_BY_ADDRESS - order;
}

TEST(a_damaged_chunk_is_refused_and_one_of_the_other_order)
{
    each_order(check_damage);
}

/* The sum is right, what it says is not. */
static void check_made_up(void)
{
    struct rng rng;

    rng_init(&rng, 7);
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[96] = {1, (uint8_t)order, (uint8_t)rng_below(&rng, 4),
                             (uint8_t)rng_below(&rng, 4)};
        size_t length = 5 + rng_below(&rng, 60);
        struct pair_rows back;
        uint64_t sum;

        for (size_t i = 4; i < length; i++)
            bytes[i] = (uint8_t)(rng_below(&rng, 2) == 0 ? rng_below(&rng, 6) : rng_u64(&rng));
        bytes[4] = (uint8_t)(order == PAIRS_BY_ENTITY ? length - 5 : rng_below(&rng, length - 4));
        sum = hash_bytes(bytes, length, 0);
        for (int i = 0; i < 8; i++)
            bytes[length + (size_t)i] = (uint8_t)(sum >> (8 * i));
        if (pair_decode(order, bytes, length + 8, true, &store.arena, &back, &err) == ERR_NONE)
            CHECK(back.pair_count == bytes[2] && back.day_count == bytes[3]);
        arena_reset(&store.arena);
    }
}

TEST(a_chunk_made_up_is_refused)
{
    each_order(check_made_up);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(what_is_read_back_is_what_was_written),
        STORE_TEST(a_damaged_chunk_is_refused_and_one_of_the_other_order),
        STORE_TEST(a_chunk_made_up_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
