/* Counts by hour: what charts read is what was written, however it is cut. */
#include "fixture.h"

#include "store/rollup.h"

#define HOUR0 (T0 - T0 % HOUR_MS)

/* The days the tests write in. */
static const struct rollup_filter ALL = {.since_ms = HOUR0 - DAY_MS,
                                         .until_ms = HOUR0 + INT64_C(9) * DAY_MS};
static const struct rollup_filter EVER = {.since_ms = 0, .until_ms = INT64_C(4102444800000)};

static struct scored_pair at(int64_t time_ms, double score)
{
    struct scored_pair pair = usual("i-1", "10.1.2.3");

    pair.first_ms = time_ms - 1000;
    pair.last_ms = time_ms;
    pair.score = score;
    return pair;
}

static struct rollup_list series(const struct rollup_filter *filter, int64_t bucket_ms)
{
    struct rollup_list list;

    CHECK_OK(rollup_series(store.reader, &store.arena, filter, bucket_ms, &list, &err));
    return list;
}

static struct rollup sum_of(const struct rollup_filter *filter)
{
    struct rollup sum;

    CHECK_OK(rollup_sum(store.reader, filter, &sum, &err));
    return sum;
}

static uint64_t total(const struct rollup *rollup)
{
    uint64_t sum = 0;

    for (int i = 0; i < ROLLUP_BINS; i++)
        sum += rollup->bins[i];
    return sum;
}

TEST(every_score_has_its_bin)
{
    static const struct {
        const char *name;
        double score;
        int bin;
    } CASES[] = {
        {"lowest", -64, 0},
        {"below", -1e300, 0},
        {"minus infinity", -INFINITY, 0},
        {"zero", 0, 128},
        {"just under zero", -1e-9, 127},
        {"first edge", -63.5, 1},
        {"in the first", -63.51, 0},
        {"last", 63.5, 255},
        {"above", 1e300, 255},
        {"infinity", INFINITY, 255},
        {"not a number", NAN, 0},
        {"middle of a bin", 7.25, 142},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        CHECK_CASE(CASES[i].name, rollup_bin(CASES[i].score) == CASES[i].bin);
}

TEST(hours_and_days_add_up)
{
    struct scored_pair pairs[] = {
        at(HOUR0, 1),
        at(HOUR0 + HOUR_MS - 1, 1),
        at(HOUR0 + HOUR_MS, -70),
        at(HOUR0 + 30 * INT64_C(3600000), 90),
    };
    struct rollup_list hours, days;
    struct rollup sum;

    given_model("m1");
    pairs[1].count = 10;
    pairs[3].flagged = true;
    (void)ingest(pairs, ARRAY_LEN(pairs));
    hours = series(&ALL, HOUR_MS);
    CHECK(hours.count == 3);
    CHECK(hours.items[0].time_ms == HOUR0 && hours.items[0].observations == 2);
    CHECK(hours.items[0].events == 11 && hours.items[0].bins[rollup_bin(1)] == 2);
    CHECK(hours.items[1].time_ms == HOUR0 + HOUR_MS && hours.items[1].bins[0] == 1);
    CHECK(hours.items[2].flagged == 1 && hours.items[2].bins[ROLLUP_BINS - 1] == 1);
    days = series(&ALL, DAY_MS);
    CHECK(days.count == 2 && days.items[0].time_ms % DAY_MS == 0);
    CHECK(days.items[0].observations == 3 && days.items[1].observations == 1);
    sum = sum_of(&ALL);
    CHECK(sum.observations == 4 && sum.events == 13 && sum.flagged == 1 && total(&sum) == 4);
}

/* The same pairs in one batch or in many come to the same. */
TEST(batches_add_to_what_is_there)
{
    enum { PAIRS = 60 };
    static struct scored_pair pairs[PAIRS];
    struct rollup_list once, again;

    given_model("m1");
    for (int i = 0; i < PAIRS; i++) {
        pairs[i] = at(HOUR0 + (i * 37 % 60) * (HOUR_MS / 15), i - 30);
        pairs[i].count = (uint64_t)i + 1;
    }
    (void)ingest(pairs, PAIRS);
    once = series(&ALL, HOUR_MS);
    for (int i = 0; i < PAIRS; i += 7)
        (void)ingest(pairs + i, PAIRS - i < 7 ? (size_t)(PAIRS - i) : 7);
    again = series(&ALL, HOUR_MS);
    CHECK(once.count == 4 && again.count == 4);
    for (size_t i = 0; i < 4; i++) {
        CHECK(again.items[i].observations == 2 * once.items[i].observations);
        CHECK(again.items[i].events == 2 * once.items[i].events);
        for (int b = 0; b < ROLLUP_BINS; b++)
            CHECK(again.items[i].bins[b] == 2 * once.items[i].bins[b]);
    }
}

TEST(specs_models_and_periods_are_filters)
{
    struct scored_pair pairs[] = {at(HOUR0, 1), at(HOUR0, 2), at(HOUR0 + HOUR_MS, 3)};
    struct ingest_batch batch = batch_of(pairs, 3);
    struct ingest_job job = {.batch = &batch};
    struct rollup_filter filter = ALL;
    const char *text;

    given_model("m1");
    given_model("m2");
    pairs[1].spec = "dns-answer";
    (void)ingest(pairs, 3);
    batch.model_id = "m2";
    batch.count = 2;
    CHECK_OK(run_job(ingest_job, &job));
    CHECK(sum_of(&filter).observations == 5);
    filter.spec = "vpc-egress";
    CHECK(sum_of(&filter).observations == 3);
    filter.model = "m2";
    CHECK(sum_of(&filter).observations == 1);
    CHECK_OK(rollup_last_model(store.reader, &store.arena, &ALL, &text, &err));
    CHECK_STR(text, "m1"); /* the only one in the last hour */
    filter = ALL;
    filter.since_ms = HOUR0 + HOUR_MS;
    CHECK(sum_of(&filter).observations == 1);
    CHECK(sum_of(&filter).time_ms == HOUR0 + HOUR_MS);
    filter.since_ms = HOUR0;
    filter.until_ms = HOUR0 + HOUR_MS;
    CHECK(sum_of(&filter).observations == 4 && series(&filter, HOUR_MS).count == 1);
    CHECK_OK(rollup_last_model(store.reader, &store.arena, &filter, &text, &err));
    CHECK_STR(text, "m2");
    CHECK_OK(rollup_main_spec(store.reader, &store.arena, &ALL, &text, &err));
    CHECK_STR(text, "vpc-egress");
    filter.until_ms = filter.since_ms;
    CHECK(series(&filter, HOUR_MS).count == 0);
}

TEST(an_empty_store_has_no_range)
{
    int64_t first, last;
    const char *text = "";

    CHECK_OK(rollup_range(store.reader, &first, &last, &err));
    CHECK(first == FIELD_NULL_INT && last == FIELD_NULL_INT);
    CHECK(series(&ALL, DAY_MS * 10).count == 0 && sum_of(&ALL).observations == 0);
    CHECK_OK(rollup_main_spec(store.reader, &store.arena, &ALL, &text, &err));
    CHECK(text == NULL);
    CHECK_OK(rollup_last_model(store.reader, &store.arena, &ALL, &text, &err));
    CHECK(text == NULL);
}

TEST(the_range_is_of_what_is_there)
{
    struct scored_pair pairs[] = {at(HOUR0 + 5 * INT64_C(3600000), 1), at(HOUR0 + 1, 1)};
    int64_t first, last;

    given_model("m1");
    (void)ingest(pairs, 2);
    CHECK_OK(rollup_range(store.reader, &first, &last, &err));
    CHECK(first == HOUR0 && last == HOUR0 + 5 * INT64_C(3600000));
}

TEST(too_many_buckets_are_refused)
{
    struct rollup_list list;

    CHECK_ERR(ERR_TOO_LARGE,
              rollup_series(store.reader, &store.arena, &EVER, HOUR_MS, &list, &err));
}

TEST(a_damaged_histogram_is_said_to_be_one)
{
    struct scored_pair pair = at(HOUR0, 1);
    struct rollup sum;
    struct ingest_batch batch = batch_of(&pair, 1);
    struct ingest_job job = {.batch = &batch};

    given_model("m1");
    (void)ingest(&pair, 1);
    sql_run("UPDATE rollup_hour SET histogram = x'01'");
    CHECK_ERR(ERR_CORRUPT, rollup_sum(store.reader, &ALL, &sum, &err));
    CHECK_ERR(ERR_CORRUPT, run_job(ingest_job, &job));
    CHECK(sql_int("SELECT COUNT(*) FROM observation") == 1);
}

/* A count at its largest stays there. */
TEST(a_count_does_not_start_again)
{
    struct scored_pair pair = at(HOUR0, 1);
    char full[ROLLUP_BINS * 8 + 1];

    (void)memset(full, 'f', sizeof full - 1);
    full[sizeof full - 1] = '\0';
    given_model("m1");
    (void)ingest(&pair, 1);
    sql_run(arena_printf(&store.arena, "UPDATE rollup_hour SET histogram = x'%s'", full));
    (void)ingest(&pair, 1);
    CHECK(sum_of(&ALL).bins[rollup_bin(1)] == UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_score_has_its_bin),
        STORE_TEST(hours_and_days_add_up),
        STORE_TEST(batches_add_to_what_is_there),
        STORE_TEST(specs_models_and_periods_are_filters),
        STORE_TEST(an_empty_store_has_no_range),
        STORE_TEST(the_range_is_of_what_is_there),
        STORE_TEST(too_many_buckets_are_refused),
        STORE_TEST(a_damaged_histogram_is_said_to_be_one),
        STORE_TEST(a_count_does_not_start_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
