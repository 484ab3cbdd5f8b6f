/* What an object's key, pairs and times tell, and the counters that grow with it. */
#include "fixture.h"

#include "store/arrival.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_says_source_region_and_account),
        cmocka_unit_test(the_bounds_belong_to_the_bin_below),
        cmocka_unit_test(the_hours_of_the_pairs),
        STORE_TEST(objects_are_counted_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
