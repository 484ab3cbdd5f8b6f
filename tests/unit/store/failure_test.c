/* What is acknowledged is stored, and what is not leaves no trace: the n-th step fails, the disk is
 * full, the process is killed. */
#include "fixture.h"

#include <sys/resource.h>

#include "base/hash.h"
#include "store/note.h"
#include "store/user.h"

enum { STEPS_MAX = 5000, KILLS = 12, KILL_BATCHES = 40, BATCH_PAIRS = 200 };

/* Every table a batch may touch; the model and its first change are there before. */
static int64_t rows(void)
{
    return sql_int("SELECT (SELECT COUNT(*) FROM observation) + (SELECT COUNT(*) FROM finding)"
                   " + (SELECT COUNT(*) FROM change) + (SELECT COUNT(*) FROM entity)"
                   " + (SELECT COUNT(*) FROM rollup_hour) + (SELECT COUNT(*) FROM object)"
                   " + (SELECT COUNT(*) FROM request) + (SELECT COUNT(*) FROM note)"
                   " + (SELECT COUNT(*) FROM \"user\")");
}

/* The n-th step fails, for every n until nothing fails any more. */
static void fail_each_step(const char *name, writer_job *job, void *argument)
{
    int64_t before = rows(), n;

    for (n = 1; n < STEPS_MAX; n++) {
        enum err_code code;

        db_fail_after(store.db, n);
        code = run_job(job, argument);
        db_fail_after(store.db, 0);
        if (code == ERR_NONE)
            break;
        CHECK_CASE(name, code == ERR_IO && rows() == before);
        CHECK_CASE(name, strcmp(err.text, "the step was made to fail") == 0);
    }
    CHECK_CASE(name, n > 3 && n < STEPS_MAX); /* begin, something, commit */
    CHECK_CASE(name, rows() > before);
    CHECK_OK(change_verify(store.reader, &err));
}

static struct ingest_object object_of(const char *key)
{
    return (struct ingest_object){
        .bucket = "lake", .key = key, .etag = "e", .rows = 9, .unscored_json = "{}"};
}

TEST(each_step_of_a_batch_may_fail)
{
    struct scored_pair pairs[] = {usual("i-1", "10.1.2.3"), flagged("i-1", "203.0.113.9"),
                                  flagged("i-2", "203.0.113.9"), usual("i-3", "10.1.2.3")};
    struct ingest_object object = object_of("a");
    struct ingest_batch batch = batch_of(pairs, ARRAY_LEN(pairs));
    struct ingest_job job = {.batch = &batch};

    given_model("m1");
    batch.object = &object;
    fail_each_step("new findings", ingest_job, &job);
    CHECK(job.result.observations == 4 && job.result.findings_new == 2);
    object = object_of("b");
    fail_each_step("known findings", ingest_job, &job);
    CHECK(job.result.findings_updated == 2);
    CHECK(sql_int("SELECT COUNT(*) FROM observation") == 8);
    CHECK(sql_int("SELECT SUM(sightings) FROM finding") == 4);
    CHECK(sql_int("SELECT SUM(observations) FROM rollup_hour") == 8);
    batch.object = NULL;
    batch.idempotency_key = "k";
    batch.request_digest = "d";
    fail_each_step("a request", ingest_job, &job);
    CHECK(!job.result.repeated);
}

TEST(each_step_of_triage_may_fail)
{
    struct finding_patch_item item = {.patch = {.has_status = true, .status = FINDING_RESOLVED}};
    struct finding_patch_job patch = {
        .arena = &store.arena, .actor = "user:ann", .now_ms = T0, .items = &item, .count = 1};
    struct note_job note = {
        .arena = &store.arena, .author = "user:ann", .now_ms = T0, .text = "asked the owner"};

    given_model("m1");
    item.id = note.finding_id = given_finding("i-1", "203.0.113.9");
    item.version = 1;
    fail_each_step("a patch", finding_patch_job_run, &patch);
    CHECK(item.outcome == FINDING_CHANGED && finding_now(item.id).version == 2);
    fail_each_step("a note", note_add_job, &note);
}

TEST(each_step_of_a_new_user_may_fail)
{
    struct user_create_job job = {
        .actor = "cli", .now_ms = T0, .name = "ann", .password_hash = "x", .role = 4};

    fail_each_step("a user", user_create_job_run, &job);
}

static void given_pairs(struct scored_pair *pairs, int batch)
{
    static char names[BATCH_PAIRS][16];

    for (int i = 0; i < BATCH_PAIRS; i++) {
        (void)snprintf(names[i], sizeof names[i], "i-%d", (batch * 7 + i) % 90);
        pairs[i] = i % 20 == 0 ? flagged(names[i], "203.0.113.9") : usual(names[i], "10.1.2.3");
        pairs[i].ip.bytes[15] = (uint8_t)(i % 50);
        pairs[i].first_ms = pairs[i].last_ms = T0 + batch * (HOUR_MS / 4);
    }
}

/* As the worker: objects in order, each until it is done. *ret_sum says what was stored. */
static enum err_code ingest_all(const char *url, uint64_t *ret_sum)
{
    AUTO(db_closep) struct db *db = NULL;
    static struct scored_pair pairs[BATCH_PAIRS];

    *ret_sum = 0;
    TRY(db_open(url, DB_WRITE, &db, &err));
    for (int i = 0; i < KILL_BATCHES; i++) {
        AUTO(tx_done) struct tx tx = {0};
        struct ingest_batch batch = batch_of(pairs, BATCH_PAIRS);
        struct ingest_job job = {.batch = &batch};
        char key[16];
        struct ingest_object object;

        (void)snprintf(key, sizeof key, "o%d", i);
        object = object_of(key);
        given_pairs(pairs, i);
        batch.object = &object;
        TRY(db_begin(db, &tx, &err));
        TRY(ingest_job(db, &job, &err));
        TRY(tx_commit(&tx, &err));
        *ret_sum += job.result.observations;
    }
    return ERR_NONE;
}

/* One number over everything that must come out the same, whatever happened on the way. */
static int64_t fingerprint(void)
{
    return sql_int(
        "SELECT (SELECT COUNT(*) * 1000003 + SUM(CAST(substr(e.uid, 3) AS BIGINT) * o.count)"
        " FROM observation o JOIN entity e ON e.id = o.entity_id)"
        " + (SELECT SUM(sightings * 31 + observations * 7 + version) FROM finding) * 17"
        " + (SELECT SUM(observations * 13 + flagged) FROM rollup_hour) * 19"
        " + (SELECT COUNT(*) * 101 + MAX(seq) FROM change) * 23"
        " + (SELECT COUNT(*) * 7 + SUM(attempts) FROM object) * 29"
        " + (SELECT COUNT(*) FROM observation WHERE finding_id IS NOT NULL) * 37");
}

static void kill_one_in(int64_t delay_us)
{
    uint64_t sum;
    pid_t child = fork();
    int status;

    if (child == 0) {
        (void)ingest_all(store.url, &sum);
        _exit(0);
    }
    (void)usleep((useconds_t)delay_us);
    (void)kill(child, SIGKILL);
    CHECK(waitpid(child, &status, 0) == child);
}

TEST(killed_in_the_middle_it_ends_as_if_undisturbed)
{
    struct rng rng;
    int64_t undisturbed, took_us;
    uint64_t sum;

    given_model("m1");
    store_close();
    took_us = clock_mono_ms() * 1000;
    CHECK_OK(ingest_all(store.url, &sum));
    took_us = clock_mono_ms() * 1000 - took_us;
    CHECK(sum == KILL_BATCHES * BATCH_PAIRS);
    store_open();
    undisturbed = fingerprint();
    (void)leave(NULL);

    (void)enter(NULL);
    given_model("m1");
    store_close();
    rng_init(&rng, 7);
    for (int i = 0; i < KILLS; i++) {
        kill_one_in((int64_t)rng_below(&rng, (uint64_t)took_us / 4 + 1000));
        store_open();
        CHECK_OK(change_verify(store.reader, &err));
        CHECK(sql_int("SELECT COUNT(*) FROM observation") ==
              BATCH_PAIRS * sql_int("SELECT COUNT(*) FROM object"));
        store_close();
    }
    CHECK_OK(ingest_all(store.url, &sum));
    store_open();
    CHECK(fingerprint() == undisturbed);
    if (store.postgres == NULL)
        CHECK(sql_int_on(store.db, "SELECT COUNT(*) FROM pragma_integrity_check"
                                   " WHERE integrity_check <> 'ok'") == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(each_step_of_a_batch_may_fail),
        STORE_TEST(each_step_of_triage_may_fail),
        STORE_TEST(each_step_of_a_new_user_may_fail),
        STORE_TEST(killed_in_the_middle_it_ends_as_if_undisturbed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
