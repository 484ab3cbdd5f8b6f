/* Sightings of a finding, and the ledger's pages. */
#include "fixture.h"

#include "store/object_row.h"
#include "store/observation.h"

#define HOUR0 (T0 - T0 % HOUR_MS)

static void given_sighting(int64_t last_ms, uint64_t count, const char *key)
{
    struct scored_pair pair = flagged("i-1", "203.0.113.9");
    struct ingest_object object = {.bucket = "lake", .etag = "e", .unscored_json = "{}"};
    struct ingest_batch batch = batch_of(&pair, 1);
    struct ingest_job job = {.batch = &batch};

    pair.first_ms = last_ms - 5;
    pair.last_ms = last_ms;
    pair.count = count;
    object.key = key;
    if (key != NULL)
        batch.object = &object;
    CHECK_OK(run_job(ingest_job, &job));
}

TEST(sightings_are_listed_newest_first_with_their_object)
{
    struct sighting_list list;

    given_model("m1");
    given_sighting(T0, 2, "a.parquet");
    given_sighting(T0 + 2000, 3, NULL);
    given_sighting(T0 + 1000, 4, "b.parquet");
    (void)given_finding("i-2", "203.0.113.9"); /* another's are not among them */
    CHECK_OK(sighting_list(store.reader, &store.arena, 1, 10, &list, &err));
    CHECK(list.count == 3);
    CHECK(list.items[0].last == T0 + 2000 && list.items[0].first == T0 + 1995);
    CHECK(list.items[0].count == 3 && list.items[0].score == 7.5);
    CHECK(list.items[0].percentile == 99.9 && list.items[0].bucket == NULL);
    CHECK_STR(list.items[1].key, "b.parquet");
    CHECK_STR(list.items[2].bucket, "lake");
    CHECK_OK(sighting_list(store.reader, &store.arena, 1, 2, &list, &err));
    CHECK(list.count == 2 && list.items[1].last == T0 + 1000);
    CHECK_ERR(ERR_NOT_FOUND, sighting_list(store.reader, &store.arena, 9, 10, &list, &err));
}

TEST(sightings_are_counted_by_hour_and_day)
{
    struct sighting_buckets buckets;

    given_model("m1");
    given_sighting(HOUR0 + 3 * INT64_C(3600000), 1, NULL);
    given_sighting(HOUR0, 2, NULL);
    given_sighting(HOUR0 + HOUR_MS - 1, 5, NULL);
    CHECK_OK(sighting_by_time(store.reader, &store.arena, 1, HOUR_MS, &buckets, &err));
    CHECK(buckets.count == 2);
    CHECK(buckets.items[0].time == HOUR0 && buckets.items[0].count == 7);
    CHECK(buckets.items[1].time == HOUR0 + 3 * INT64_C(3600000) && buckets.items[1].count == 1);
    CHECK_OK(sighting_by_time(store.reader, &store.arena, 1, DAY_MS, &buckets, &err));
    CHECK(buckets.count == 1 && buckets.items[0].count == 8);
    CHECK(buckets.items[0].time == T0 - T0 % DAY_MS);
    CHECK_OK(sighting_by_time(store.reader, &store.arena, 9, DAY_MS, &buckets, &err));
    CHECK(buckets.count == 0);
}

TEST(the_newest_buckets_are_kept)
{
    struct sighting_buckets buckets;

    given_model("m1");
    given_sighting(HOUR0, 1, NULL);
    sql_run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2005)"
            " INSERT INTO observation (entity_id, ip, spec_id, model_id, first_ms, last_ms, count,"
            " score, finding_id) SELECT 1, ip, 1, 1, 0, i * CAST(3600000 AS BIGINT), i, 7.5, 1 "
            "FROM n, finding");
    CHECK_OK(sighting_by_time(store.reader, &store.arena, 1, HOUR_MS, &buckets, &err));
    CHECK(buckets.count == SIGHTING_BUCKETS_MAX);
    CHECK(buckets.items[0].time == 7 * INT64_C(3600000)); /* of 2,006 hours */
    CHECK(buckets.items[SIGHTING_BUCKETS_MAX - 1].time == HOUR0);
}

static void given_object(int number, const char *error)
{
    char key[16];
    struct ingest_object object = {.bucket = "lake", .etag = "e", .unscored_json = "{}"};
    struct ingest_batch batch = {.origin = "worker", .object = &object};
    struct ingest_job job = {.batch = &batch};

    (void)snprintf(key, sizeof key, "o%d", number);
    object.key = key;
    object.error_code = error != NULL ? "corrupt" : NULL;
    object.error = error;
    clock_set_for_test(T0 + number);
    CHECK_OK(run_job(ingest_job, &job));
}

TEST(the_ledger_is_read_in_pages)
{
    struct object_page page;
    struct object_counts counts;
    int64_t before = INT64_MAX;
    int seen = 0;

    for (int i = 1; i <= 7; i++)
        given_object(i, i % 3 == 0 ? "cut short" : NULL);
    do {
        CHECK_OK(object_list(store.reader, &store.arena,
                             &(struct object_filter){.state = OBJECT_ANY}, before, 3, &page, &err));
        for (size_t i = 0; i < page.count; i++)
            CHECK(page.items[i].id == 7 - seen++);
        before = page.items[page.count - 1].id;
    } while (page.more);
    CHECK(seen == 7 && before == 1);
    CHECK_OK(object_list(store.reader, &store.arena,
                         &(struct object_filter){.state = OBJECT_FAILED}, INT64_MAX, 2, &page,
                         &err));
    CHECK(page.count == 2 && !page.more && page.items[0].id == 6);
    CHECK(page.items[0].finished == T0 + 6);
    CHECK_OK(object_list(store.reader, &store.arena,
                         &(struct object_filter){.state = OBJECT_STORED}, INT64_MAX, 9, &page,
                         &err));
    CHECK(page.count == 5 && page.items[0].error_code == NULL);
    CHECK_OK(object_count(store.reader, &counts, &err));
    CHECK(counts.stored == 5 && counts.failed == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(sightings_are_listed_newest_first_with_their_object),
        STORE_TEST(sightings_are_counted_by_hour_and_day),
        STORE_TEST(the_newest_buckets_are_kept),
        STORE_TEST(the_ledger_is_read_in_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
