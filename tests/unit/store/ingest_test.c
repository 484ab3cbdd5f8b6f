/* One batch is one transaction, and the same object counts once. */
#include "fixture.h"

#include <math.h>

#include "store/observation.h"
#include "store/rollup.h"

static const struct finding_filter ALL = {.min_score = NAN,
                                          .min_percentile = NAN,
                                          .since_ms = FIELD_NULL_INT,
                                          .until_ms = FIELD_NULL_INT,
                                          .limit = 100};

TEST(a_flagged_pair_becomes_a_finding)
{
    AUTO(fixture_done) struct fixture f;
    struct sighting_list sightings;
    struct ingest_result result;
    struct scored_pair pairs[3];
    struct finding_page page;

    fixture_open(&f);
    pairs[0] = given_pair("alice", "198.51.100.7", 9.0, FIXTURE_NOW_MS);
    pairs[1] = given_pair("bob", "203.0.113.9", -2.0, FIXTURE_NOW_MS);
    pairs[2] = given_pair("alice", "198.51.100.7", 9.5, FIXTURE_NOW_MS + FIXTURE_HOUR_MS);
    result = given_batch(&f, "a", pairs, 3);
    CHECK(result.observations == 3 && result.flagged == 2);
    CHECK(result.findings_new == 1 && result.findings_updated == 0 && !result.repeated);

    page = listed(&f, &ALL);
    CHECK(page.count == 1 && !page.more);
    CHECK_STR(page.items[0].entity, "alice");
    CHECK(page.items[0].sightings == 2 && page.items[0].observations == 4);
    CHECK(page.items[0].score == 9.5 && page.items[0].status == FINDING_NEW);
    CHECK(page.items[0].first_seen == FIXTURE_NOW_MS && page.items[0].verdict == -1);
    CHECK_OK(sighting_list(f.db, &f.arena, page.items[0].id, 10, &sightings, &err));
    CHECK(sightings.count == 2);
    CHECK_STR(sightings.items[0].key, "a");
}

TEST(the_same_object_counts_once)
{
    AUTO(fixture_done) struct fixture f;
    struct scored_pair pair;
    struct rollup sum;
    struct rollup_filter filter = {.since_ms = 0, .until_ms = INT64_MAX / 2};

    fixture_open(&f);
    pair = given_pair("alice", "198.51.100.7", 9.0, FIXTURE_NOW_MS);
    CHECK(!given_batch(&f, "a", &pair, 1).repeated);
    CHECK(given_batch(&f, "a", &pair, 1).repeated);
    CHECK(given_batch(&f, "b", &pair, 1).findings_updated == 1);
    CHECK_OK(rollup_sum(f.db, &filter, &sum, &err));
    CHECK(sum.observations == 2 && sum.events == 4 && sum.flagged == 2);
    CHECK(sum.bins[rollup_bin(9.0)] == 2);
}

TEST(a_failed_object_may_succeed_later)
{
    AUTO(fixture_done) struct fixture f;
    struct ingest_object object = {.bucket = "lake",
                                   .key = "a",
                                   .etag = "e",
                                   .unscored_json = "{}",
                                   .error_code = "corrupt",
                                   .error = "cut off"};
    struct ingest_batch batch = {.object = &object, .model_id = "m1", .origin = "worker"};
    struct ingest_job job = {.batch = &batch};
    struct scored_pair pair;
    bool done;

    fixture_open(&f);
    CHECK_OK(in_transaction(f.db, ingest_job, &job));
    CHECK_OK(ingest_object_done(f.db, "lake", "a", "e", &done, &err));
    CHECK(!done);
    pair = given_pair("alice", "198.51.100.7", 9.0, FIXTURE_NOW_MS);
    CHECK(given_batch(&f, "a", &pair, 1).findings_new == 1);
    CHECK_OK(ingest_object_done(f.db, "lake", "a", "e", &done, &err));
    CHECK(done);
}

/* The n-th step fails, for every n, until nothing does: after each failure nothing is stored. */
TEST(all_or_nothing)
{
    AUTO(fixture_done) struct fixture f;
    struct scored_pair pairs[2];
    int64_t failures = 0;

    fixture_open(&f);
    pairs[0] = given_pair("alice", "198.51.100.7", 9.0, FIXTURE_NOW_MS);
    pairs[1] = given_pair("bob", "203.0.113.9", -2.0, FIXTURE_NOW_MS);
    for (int64_t n = 1; n < 1000; n++) {
        struct ingest_object object = {
            .bucket = "lake", .key = "a", .etag = "e", .unscored_json = "{}"};
        struct ingest_batch batch = {
            .object = &object, .model_id = "m1", .origin = "worker", .pairs = pairs, .count = 2};
        struct ingest_job job = {.batch = &batch};
        enum err_code code;
        int64_t first, last;

        db_fail_after(f.db, n);
        code = in_transaction(f.db, ingest_job, &job);
        db_fail_after(f.db, 0);
        if (code == ERR_NONE)
            break;
        failures++;
        CHECK(code == ERR_IO);
        CHECK(listed(&f, &ALL).count == 0);
        CHECK_OK(rollup_range(f.db, &first, &last, &err));
        CHECK(first == FIELD_NULL_INT);
    }
    CHECK(failures > 10 && failures < 999);
    CHECK(listed(&f, &ALL).count == 1);
    CHECK_OK(change_verify(f.db, &err));
}

TEST(an_idempotency_key_is_answered_from_the_first_outcome)
{
    AUTO(fixture_done) struct fixture f;
    struct scored_pair pair;
    struct ingest_batch batch = {.model_id = "m1",
                                 .origin = "token:soar",
                                 .idempotency_key = "k",
                                 .request_digest = "d1",
                                 .pairs = &pair,
                                 .count = 1};
    struct ingest_job job = {.batch = &batch};

    fixture_open(&f);
    pair = given_pair("alice", "198.51.100.7", 9.0, FIXTURE_NOW_MS);
    CHECK_OK(in_transaction(f.db, ingest_job, &job));
    CHECK_OK(in_transaction(f.db, ingest_job, &job));
    CHECK(job.result.repeated && job.result.findings_new == 1 && job.result.flagged == 1);
    batch.request_digest = "d2";
    CHECK(in_transaction(f.db, ingest_job, &job) == ERR_CONFLICT);
    batch.origin = "token:other";
    CHECK_OK(in_transaction(f.db, ingest_job, &job));
    CHECK(!job.result.repeated && job.result.findings_updated == 1);
}

TEST(an_unregistered_model_stores_nothing)
{
    AUTO(fixture_done) struct fixture f;
    struct scored_pair pair;
    struct ingest_batch batch = {.model_id = "m2", .origin = "worker", .pairs = &pair, .count = 1};
    struct ingest_job job = {.batch = &batch};

    fixture_open(&f);
    pair = given_pair("alice", "198.51.100.7", 9.0, FIXTURE_NOW_MS);
    CHECK(in_transaction(f.db, ingest_job, &job) == ERR_NOT_FOUND);
    CHECK(listed(&f, &ALL).count == 0);
}

/* The process is killed before the commit: as if it had never begun. */
TEST(a_kill_leaves_nothing_half_done)
{
    AUTO(fixture_done) struct fixture f;
    struct scored_pair pair;
    pid_t child;
    int status;

    fixture_open(&f);
    pair = given_pair("alice", "198.51.100.7", 9.0, FIXTURE_NOW_MS);
    db_close(f.db);
    f.db = NULL;
    child = fork();
    if (child == 0) {
        struct ingest_object object = {
            .bucket = "lake", .key = "a", .etag = "e", .unscored_json = "{}"};
        struct ingest_batch batch = {
            .object = &object, .model_id = "m1", .origin = "worker", .pairs = &pair, .count = 1};
        struct ingest_job job = {.batch = &batch};
        struct tx tx;

        if (db_open(f.url, DB_WRITE, &f.db, &err) == ERR_NONE &&
            db_begin(f.db, &tx, &err) == ERR_NONE && ingest_job(f.db, &job, &err) == ERR_NONE)
            (void)kill(getpid(), SIGKILL);
        _exit(1);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CHECK_OK(db_open(f.url, DB_WRITE, &f.db, &err));
    CHECK(listed(&f, &ALL).count == 0);
    CHECK(given_batch(&f, "a", &pair, 1).findings_new == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flagged_pair_becomes_a_finding),
        cmocka_unit_test(the_same_object_counts_once),
        cmocka_unit_test(a_failed_object_may_succeed_later),
        cmocka_unit_test(all_or_nothing),
        cmocka_unit_test(an_idempotency_key_is_answered_from_the_first_outcome),
        cmocka_unit_test(an_unregistered_model_stores_nothing),
        cmocka_unit_test(a_kill_leaves_nothing_half_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
