/* What an object's key, pairs and times tell, and the counters that grow with it. */
#include "fixture.h"

#include "store/arrival_view.h"

TEST(the_key_says_source_region_and_account)
{
    static const struct {
        const char *key, *source, *region, *account;
    } CASES[] = {
        {"aws/VPC_FLOW/2.0/region=eu-west-1/accountId=111122223333/eventDay=20260102/a.gz.parquet",
         "VPC_FLOW", "eu-west-1", "111122223333"},
        {"ext/fire-wall/region=us-east-1/accountId=1/eventDay=20260102/a.parquet", "fire-wall",
         "us-east-1", "1"},
        {"aws/a.parquet", "", "", ""},
        {"logs/VPC_FLOW/region=x/a", "", "x", ""},
        {"aws/VPC_FLOW/region=", "VPC_FLOW", "", ""},
        {"aws/0123456789012345678901234567890123456789012345678901234567890123456789/a", "", "",
         ""},
        {"", "", "", ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct arrival_place place;

        arrival_place_of(CASES[i].key, &place);
        CHECK_CASE(CASES[i].key, strcmp(place.source, CASES[i].source) == 0);
        CHECK_CASE(CASES[i].key, strcmp(place.region, CASES[i].region) == 0);
        CHECK_CASE(CASES[i].key, strcmp(place.account, CASES[i].account) == 0);
    }
}

TEST(the_bounds_belong_to_the_bin_below)
{
    CHECK(arrival_lag_bin(0) == 0 && arrival_lag_bin(10000) == 0 && arrival_lag_bin(10001) == 1);
    CHECK(arrival_lag_bin(21600000) == ARRIVAL_LAG_BINS - 2);
    CHECK(arrival_lag_bin(INT64_MAX) == ARRIVAL_LAG_BINS - 1);
}

TEST(the_hours_of_the_pairs)
{
    struct scored_pair pairs[] = {usual("a", "192.0.2.1"), usual("a", "192.0.2.2"),
                                  usual("a", "192.0.2.3")};
    struct arrival_span span = arrival_span_of(pairs, 0);

    CHECK(span.first_ms == FIELD_NULL_INT && span.last_ms == FIELD_NULL_INT && span.hours == 0);
    pairs[1].first_ms = pairs[1].last_ms = T0 - 2 * HOUR_MS;
    pairs[2].first_ms = pairs[2].last_ms = T0 - 200 * (int64_t)HOUR_MS;
    span = arrival_span_of(pairs, 3);
    CHECK(span.first_ms == T0 - 200 * (int64_t)HOUR_MS && span.last_ms == T0);
    CHECK(span.hours == 5); /* bits 0 and 2; what is too long ago is left out */
}

#define KEY "aws/VPC_FLOW/2.0/region=eu-west-1/accountId=111122223333/eventDay=20260102/"

static void given(const char *name, int64_t now_ms, int64_t made_ms, const char *error)
{
    struct scored_pair pair = usual("a", "192.0.2.1");
    struct ingest_object object = {
        .bucket = "lake",
        .key = arena_printf(&store.arena, KEY "%s.gz.parquet", name),
        .etag = "e1",
        .size_bytes = 7,
        .rows = 10,
        .pairs = 1,
        .scored = 1,
        .unscored_json = "{\"no_entity\": 3, \"filtered\": 6}",
        .made_ms = made_ms,
        .error_code = error != NULL ? "corrupt" : NULL,
        .error = error,
    };
    struct ingest_batch batch = batch_of(&pair, error == NULL);
    struct ingest_job job = {.batch = &batch};

    batch.object = &object;
    clock_set_for_test(now_ms);
    CHECK_OK(run_job(ingest_job, &job));
}

static int64_t counter(const char *name)
{
    return sql_int(arena_printf(
        &store.arena, "SELECT COALESCE(SUM(value), 0) FROM counter WHERE name = '%s'", name));
}

TEST(objects_are_counted_once)
{
    given_model("m1");
    given("a", T0 + 45000, T0, NULL);
    given("a", T0 + 95000, T0, NULL); /* known: nothing */
    given("b", T0 + 400000, T0, NULL);
    given("c", T0 + 400000, 0, NULL);
    given("d", T0 + 500000, T0, "no magic number");
    CHECK(counter("objects_stored") == 3 && counter("objects_failed") == 1);
    CHECK(counter("objects_rows") == 30 && counter("objects_scored") == 3);
    CHECK(counter("unscored_no_entity") == 9 && counter("unscored_filtered") == 18);
    CHECK(counter("lag_bin_2") == 1 && counter("lag_bin_5") == 1 && counter("lag_ms") == 445000);
    CHECK(sql_int("SELECT SUM(stored) FROM arrival_lag") == 3);
    CHECK(sql_int("SELECT SUM(failed) FROM arrival_lag") == 1);
    CHECK(sql_int("SELECT MAX(max_ms) FROM arrival_lag") == 400000);
    CHECK(sql_int("SELECT objects FROM arrival_hour") == 3);
    CHECK(sql_int("SELECT error_ms FROM arrival_source WHERE source = 'VPC_FLOW'") == T0 + 500000);
    CHECK(sql_int("SELECT event_ms FROM arrival_source WHERE source = 'VPC_FLOW'") == T0);
    CHECK(sql_int("SELECT COUNT(*) FROM object WHERE source = 'VPC_FLOW' AND account ="
                  " '111122223333' AND region = 'eu-west-1'") == 4);
}

TEST(quantiles_lie_within_their_bin)
{
    struct arrival_lag lag = {.max_ms = 25000, .bins = {10, 10}};

    CHECK(arrival_lag_quantile_ms(&lag, 0.5) == 10000);
    CHECK(arrival_lag_quantile_ms(&lag, 0.25) == 5000);
    CHECK(arrival_lag_quantile_ms(&lag, 0.95) == 25000); /* 28 s by the bin, but none was so late */
    lag = (struct arrival_lag){.max_ms = 90000000};
    CHECK(isnan(arrival_lag_quantile_ms(&lag, 0.5)));
    lag.bins[ARRIVAL_LAG_BINS - 1] = 4;
    CHECK(arrival_lag_quantile_ms(&lag, 1) == 90000000);
    CHECK(arrival_lag_quantile_ms(&lag, 0.5) == (21600000.0 + 90000000) / 2);
}

TEST(lag_by_hour_and_source)
{
    struct arrival_lag_list list;
    struct arrival_source_list sources;
    int64_t hour = T0 - T0 % HOUR_MS;

    given_model("m1");
    given("a", T0 + 5000, T0, NULL);
    given("b", T0 + 20000, T0, NULL);
    given("c", T0 + 2 * HOUR_MS, T0, NULL);
    given("d", T0 + 2 * HOUR_MS + 1, T0, "no magic number");
    CHECK_OK(arrival_lag_series(store.reader, &store.arena, NULL, hour, hour + 3 * HOUR_MS, &list,
                                &err));
    CHECK(list.count == 2 && list.items[0].hour == hour && list.items[0].stored == 2);
    CHECK(list.items[0].bins[0] == 1 && list.items[0].bins[1] == 1);
    CHECK(list.items[1].failed == 1 && list.items[1].max_ms == 2 * HOUR_MS);
    CHECK_OK(arrival_lag_series(store.reader, &store.arena, "WAF", hour, hour + 3 * HOUR_MS, &list,
                                &err));
    CHECK(list.count == 0);
    CHECK_OK(arrival_sources(store.reader, &store.arena, hour + HOUR_MS, &sources, &err));
    CHECK(sources.count == 1 && sources.items[0].stored == 1 && sources.items[0].failed == 1);
    CHECK(sources.items[0].lag_ms == 2 * HOUR_MS && sources.items[0].newest_event == T0);
    CHECK_STR(sources.items[0].error, "no magic number");
}

/* Events of one account in hours after a base; "." none. */
static void given_hours(const char *account, const char *pattern, int64_t base_ms)
{
    for (size_t i = 0; pattern[i] != '\0'; i++)
        if (pattern[i] != '.')
            sql_run(arena_printf(&store.arena,
                                 "INSERT INTO arrival_hour VALUES (%lld, 'VPC_FLOW', 'eu-west-1',"
                                 " '%s', 1)",
                                 (long long)(base_ms + (int64_t)i * HOUR_MS), account));
}

TEST(missing_hours)
{
    int64_t base = T0 - T0 % HOUR_MS, week = 7 * (int64_t)DAY_MS;
    struct arrival_gap_list list;

    CHECK_OK(arrival_gaps(store.reader, &store.arena, T0, &list, &err));
    CHECK(list.gaps == 0 && list.since_ms == list.until_ms);
    given_hours("1", "xx.x..x.", base);    /* one hour between two; a longer hole is none */
    given_hours("2", "xxxx", base - week); /* the week before it had these */
    given_hours("2", "x..x....", base);
    given_hours("3", ".......x", base);            /* the newest hour */
    given_hours("4", "xxxxxxx.", base - 2 * week); /* too long ago */
    CHECK_OK(arrival_gaps(store.reader, &store.arena, base + 8 * HOUR_MS, &list, &err));
    CHECK(list.until_ms == base + 7 * HOUR_MS && list.since_ms == list.until_ms - week);
    CHECK(list.gaps == 2 && list.count == 2 && list.hours == 3 && !list.more);
    CHECK_STR(list.items[0].account, "1");
    CHECK(list.items[0].since_ms == base + 2 * HOUR_MS);
    CHECK(list.items[0].until_ms == base + 3 * HOUR_MS);
    CHECK_STR(list.items[1].account, "2");
    CHECK_STR(list.items[1].region, "eu-west-1");
    CHECK(list.items[1].since_ms == base + HOUR_MS && list.items[1].until_ms == base + 3 * HOUR_MS);
    given_hours("5", "x", base + 3 * 24 * HOUR_MS); /* of a time to come: not looked at */
    CHECK_OK(arrival_gaps(store.reader, &store.arena, base + 8 * HOUR_MS, &list, &err));
    CHECK(list.until_ms == base + 7 * HOUR_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_says_source_region_and_account),
        cmocka_unit_test(the_bounds_belong_to_the_bin_below),
        cmocka_unit_test(the_hours_of_the_pairs),
        STORE_TEST(objects_are_counted_once),
        cmocka_unit_test(quantiles_lie_within_their_bin),
        STORE_TEST(lag_by_hour_and_source),
        STORE_TEST(missing_hours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
