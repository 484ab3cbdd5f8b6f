/* The table of notices: what is taken in once, handed out once, tried so often and no more. */
#include "fixture.h"

#include "store/notice.h"
#include "store/object_row.h"

#define FOREVER INT64_MAX

static struct notice_put named(const char *key)
{
    return (struct notice_put){.bucket = "lake", .key = key, .etag = "e1", .size_bytes = 7};
}

static struct notice_put_job put_on(const struct notice_put *items, size_t count, int64_t max)
{
    struct notice_put_job job = {
        .origin = "token:lake", .now_ms = T0, .waiting_max = max, .items = items, .count = count};

    CHECK_OK(run_job(notice_put_job_run, &job));
    return job;
}

static struct notice_claim_job claim(const char *holder, int64_t now_ms, size_t max,
                                     const struct notice_settled *settled, size_t settled_count)
{
    struct notice_claim_job job = {
        .holder = holder,
        .now_ms = now_ms,
        .settled = settled,
        .settled_count = settled_count,
        .max = max,
        .arena = &store.arena,
        .rows = ARENA_ARRAY(&store.arena, struct notice_row, NOTICE_CLAIM_MAX),
    };

    CHECK_OK(run_job(notice_claim_job_run, &job));
    return job;
}

static struct notice_settled settled(const struct notice_row *row, enum notice_outcome outcome)
{
    return (struct notice_settled){row->id, row->attempts, outcome, row->bucket, row->key};
}

static struct notice_counts counts(void)
{
    struct notice_counts ret;

    CHECK_OK(notice_count(store.reader, &ret, &err));
    return ret;
}

/* One ledger entry; error NULL: stored. */
static void given_object(const char *key, const char *error)
{
    struct ingest_object object = {.bucket = "lake",
                                   .key = key,
                                   .etag = "e1",
                                   .size_bytes = 7,
                                   .unscored_json = "{}",
                                   .error_code = error != NULL ? "corrupt" : NULL,
                                   .error = error};
    struct ingest_batch batch = {.object = &object, .model_id = "m1", .origin = "worker"};
    struct ingest_job job = {.batch = &batch};

    CHECK_OK(run_job(ingest_job, &job));
}

TEST(a_notice_waits_once)
{
    struct notice_put items[] = {named("aws/a"), named("aws/b"), named("aws/a")};
    struct notice_put_job job = put_on(items, 3, 10);

    CHECK(job.queued == 2 && job.repeated == 1 && job.stored == 0);
    job = put_on(items, 3, 10);
    CHECK(job.queued == 0 && job.repeated == 3);
    items[0].etag = NULL; /* another object, as far as one knows */
    job = put_on(items, 1, 10);
    CHECK(job.queued == 1);
    CHECK(counts().waiting == 3 && counts().oldest == T0);
}

TEST(what_is_stored_is_not_taken_in)
{
    struct notice_put item = named("aws/a");
    struct notice_put_job job;

    given_object("aws/a", NULL);
    job = put_on(&item, 1, 10);
    CHECK(job.stored == 1 && job.queued == 0 && counts().waiting == 0);
}

TEST(more_than_fit_are_refused_whole)
{
    struct notice_put items[] = {named("aws/a"), named("aws/b"), named("aws/c")};
    struct notice_put_job job = {
        .origin = "token:lake", .now_ms = T0, .waiting_max = 2, .items = items, .count = 3};

    CHECK_ERR(ERR_BUSY, run_job(notice_put_job_run, &job));
    CHECK(counts().waiting == 0);
    (void)put_on(items, 2, 2);
    CHECK_ERR(ERR_BUSY, run_job(notice_put_job_run, &job));
    (void)put_on(items, 2, 2); /* nothing new needs no room */
}

TEST(each_is_handed_out_once_until_its_lease_ends)
{
    struct notice_put items[] = {named("aws/a"), named("aws/b"), named("aws/c")};
    struct notice_claim_job first, second;
    bool ready;

    (void)put_on(items, 3, 10);
    first = claim("w1", T0, 2, NULL, 0);
    second = claim("w2", T0, 2, NULL, 0);
    CHECK(first.count == 2 && second.count == 1 && counts().in_hand == 3);
    CHECK(first.rows[0].attempts == 1);
    CHECK_STR(first.rows[0].origin, "token:lake");
    CHECK_OK(notice_is_ready(store.reader, T0 + NOTICE_LEASE_MS - 1, NULL, &ready, &err));
    CHECK(!ready);
    CHECK_OK(notice_renew(store.db, "w1", T0 + 2 * NOTICE_LEASE_MS, &err));
    second = claim("w3", T0 + NOTICE_LEASE_MS, 9, NULL, 0); /* w2 is gone */
    CHECK(second.count == 1 && second.rows[0].attempts == 2);
}

TEST(a_clock_that_is_put_back_keeps_nobody_waiting)
{
    struct notice_put items[] = {named("aws/a"), named("aws/b")};
    struct notice_claim_job job;
    bool ready;

    (void)put_on(items, 2, 10);
    job = claim("w1", T0, 1, NULL, 0);
    CHECK(job.count == 1);
    CHECK_OK(notice_is_ready(store.reader, T0 - DAY_MS, NULL, &ready, &err));
    CHECK(ready);
    job = claim("w2", T0 - DAY_MS, 9, NULL, 0); /* and the lease of w1 is over */
    CHECK(job.count == 2);
    job = claim("w3", T0 - DAY_MS + NOTICE_LEASE_MS - 1, 9, NULL, 0);
    CHECK(job.count == 0);
}

TEST(settled_ones_go_wait_or_die)
{
    struct notice_put items[] = {named("aws/a"), named("aws/b"), named("aws/c")};
    struct notice_settled done[3];
    struct notice_claim_job job;
    struct notice_page page;

    (void)put_on(items, 3, 10);
    job = claim("w1", T0, 3, NULL, 0);
    CHECK(job.count == 3);
    done[0] = settled(&job.rows[0], NOTICE_DEALT);
    done[1] = settled(&job.rows[1], NOTICE_KEEP);
    done[2] = settled(&job.rows[2], NOTICE_FAILED);
    job = claim("w1", T0, 3, done, 3);
    CHECK(job.count == 1 && job.rows[0].id == done[1].id); /* kept: at once, and no attempt */
    CHECK(job.rows[0].attempts == 1);
    CHECK(claim("w2", T0 + NOTICE_PAUSE_FIRST_MS - 1, 3, NULL, 0).count == 0);
    CHECK(claim("w2", T0 + NOTICE_PAUSE_FIRST_MS, 3, NULL, 0).count == 1);
    CHECK_OK(notice_list(store.reader, &store.arena, -1, FOREVER, 9, &page, &err));
    CHECK(page.count == 2);
}

TEST(a_worker_that_lost_its_lease_settles_nothing)
{
    struct notice_put item = named("aws/a");
    struct notice_settled late;
    struct notice_claim_job job;

    (void)put_on(&item, 1, 10);
    job = claim("w1", T0, 1, NULL, 0);
    late = settled(&job.rows[0], NOTICE_DEALT);
    CHECK(claim("w2", T0 + NOTICE_LEASE_MS, 1, NULL, 0).count == 1);
    (void)claim("w1", T0 + NOTICE_LEASE_MS, 0, &late, 1);
    CHECK(counts().in_hand == 1);
}

TEST(what_fails_too_often_is_kept_as_dead_with_its_reason)
{
    struct notice_put item = named("aws/a");
    int64_t now_ms = T0;
    struct notice_claim_job job;
    struct notice_page page;

    (void)put_on(&item, 1, 10);
    given_object("aws/a", "no magic number");
    for (int i = 1; i <= NOTICE_ATTEMPTS_MAX; i++) {
        struct notice_settled done;

        now_ms += HOUR_MS;
        job = claim("w1", now_ms, 1, NULL, 0);
        CHECK(job.count == 1 && job.rows[0].attempts == i);
        done = settled(&job.rows[0], NOTICE_FAILED);
        (void)claim("w1", now_ms, 0, &done, 1);
    }
    CHECK(claim("w1", now_ms + HOUR_MS, 1, NULL, 0).count == 0);
    CHECK_OK(notice_list(store.reader, &store.arena, NOTICE_DEAD, FOREVER, 9, &page, &err));
    CHECK(page.count == 1 && page.items[0].attempts == NOTICE_ATTEMPTS_MAX);
    CHECK_STR(page.items[0].error, "no magic number");
    CHECK_STR(page.items[0].error_code, "corrupt");
    CHECK(put_on(&item, 1, 10).queued == 1); /* announced again: from the start */
    CHECK(counts().dead == 0 && counts().waiting == 1);
}

TEST(what_ends_its_workers_is_given_up)
{
    struct notice_put item = named("aws/a");
    int64_t now_ms = T0;
    struct notice_page page;

    (void)put_on(&item, 1, 10);
    for (int i = 0; i < NOTICE_ATTEMPTS_MAX; i++, now_ms += NOTICE_LEASE_MS)
        CHECK(claim("w1", now_ms, 1, NULL, 0).count == 1);
    CHECK(claim("w1", now_ms, 1, NULL, 0).count == 0);
    CHECK_OK(notice_list(store.reader, &store.arena, NOTICE_DEAD, FOREVER, 9, &page, &err));
    CHECK(page.count == 1);
    CHECK_STR(page.items[0].error_code, "lost");
}

TEST(folders_and_buckets_are_for_different_workers)
{
    struct notice_put items[] = {named("aws/a"), named("aws/b")};
    struct notice_claim_job job = {
        .holder = "w1", .now_ms = T0, .folder = "/elsewhere", .max = 9, .arena = &store.arena};
    bool ready;

    job.rows = ARENA_ARRAY(&store.arena, struct notice_row, NOTICE_CLAIM_MAX);
    items[1].folder = true;
    items[1].bucket = "/lake";
    (void)put_on(items, 2, 10);
    CHECK_OK(run_job(notice_claim_job_run, &job));
    CHECK(job.count == 0);
    job.folder = "/lake";
    CHECK_OK(notice_is_ready(store.reader, T0, "/lake", &ready, &err));
    CHECK(ready);
    CHECK_OK(run_job(notice_claim_job_run, &job));
    CHECK(job.count == 1);
    CHECK_STR(job.rows[0].key, "aws/b");
    CHECK(claim("w2", T0, 9, NULL, 0).count == 1);
}

TEST(a_failed_object_is_tried_again_and_audited)
{
    struct notice_retry_job job = {.actor = "user:ann", .now_ms = T0, .waiting_max = 10};
    struct notice_claim_job got;

    given_object("aws/a", "no magic number");
    given_object("aws/b", NULL);
    job.object_id = sql_int("SELECT id FROM object WHERE key = 'aws/b'");
    CHECK_ERR(ERR_CONFLICT, run_job(notice_retry_job_run, &job));
    job.object_id = sql_int("SELECT MAX(id) + 1 FROM object");
    CHECK_ERR(ERR_NOT_FOUND, run_job(notice_retry_job_run, &job));
    job.object_id = sql_int("SELECT id FROM object WHERE key = 'aws/a'");
    CHECK_OK(run_job(notice_retry_job_run, &job));
    CHECK(!job.repeated);
    CHECK_OK(run_job(notice_retry_job_run, &job));
    CHECK(job.repeated);
    CHECK(sql_int("SELECT COUNT(*) FROM change WHERE actor = 'user:ann'") == 1);
    CHECK_OK(change_verify(store.reader, &err));
    got = claim("w1", T0, 9, NULL, 0);
    CHECK(got.count == 1);
    CHECK_STR(got.rows[0].key, "aws/a");
    CHECK_STR(got.rows[0].etag, "e1");
}

TEST(a_dead_notice_is_tried_again)
{
    struct notice_put item = named("aws/a");
    struct notice_retry_job job = {.actor = "user:ann", .now_ms = T0, .waiting_max = 10};

    (void)put_on(&item, 1, 10);
    sql_run("UPDATE notice SET state = 2, attempts = 5");
    job.notice_id = sql_int("SELECT id FROM notice");
    CHECK_OK(run_job(notice_retry_job_run, &job));
    CHECK(!job.repeated && counts().waiting == 1);
    CHECK(sql_int("SELECT attempts FROM notice") == 0);
    job.notice_id++;
    CHECK_ERR(ERR_NOT_FOUND, run_job(notice_retry_job_run, &job));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_notice_waits_once),
        STORE_TEST(what_is_stored_is_not_taken_in),
        STORE_TEST(more_than_fit_are_refused_whole),
        STORE_TEST(each_is_handed_out_once_until_its_lease_ends),
        STORE_TEST(a_clock_that_is_put_back_keeps_nobody_waiting),
        STORE_TEST(settled_ones_go_wait_or_die),
        STORE_TEST(a_worker_that_lost_its_lease_settles_nothing),
        STORE_TEST(what_fails_too_often_is_kept_as_dead_with_its_reason),
        STORE_TEST(what_ends_its_workers_is_given_up),
        STORE_TEST(folders_and_buckets_are_for_different_workers),
        STORE_TEST(a_failed_object_is_tried_again_and_audited),
        STORE_TEST(a_dead_notice_is_tried_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
