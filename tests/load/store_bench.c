/* Observations a second that the store takes, against a bare COPY of the same rows into a table of
 * the same columns and indexes, in turns of the same run:
 *
 *     make store-bench        PostgreSQL of its own, with fsync
 *
 * A batch is what a worker makes of an object: 20,000 pairs of some thousand entities, one in a
 * hundred flagged, with its findings, changes, rollups and its entry in the ledger. */
#include "fixture.h"

#include <inttypes.h>

enum { BATCHES = 20, BATCH_PAIRS = 20000, BENCH_ENTITIES = 5000, FLAGGED_ONE_IN = 100 };

static char names[BENCH_ENTITIES][24];
static struct scored_pair pairs[BATCH_PAIRS];

static void make_batch(int number)
{
    for (int i = 0; i < BATCH_PAIRS; i++) {
        int entity = (i / 4 + number * 31) % BENCH_ENTITIES;
        bool is_flagged = i % FLAGGED_ONE_IN == 0;

        pairs[i] =
            is_flagged ? flagged(names[entity], "203.0.113.9") : usual(names[entity], "10.1.2.3");
        pairs[i].ip.bytes[14] = (uint8_t)(i * 7 + number);
        pairs[i].ip.bytes[15] = (uint8_t)i;
        pairs[i].score = is_flagged ? 7.5 : -3.25 + (double)i / BATCH_PAIRS;
        pairs[i].first_ms = pairs[i].last_ms = T0 + number * HOUR_MS + i;
    }
}

static int64_t store_batch(int number)
{
    char key[16];
    struct ingest_object object = {
        .bucket = "lake", .key = key, .etag = "e", .unscored_json = "{}", .rows = BATCH_PAIRS};
    struct ingest_batch batch = batch_of(pairs, BATCH_PAIRS);
    struct ingest_job job = {.batch = &batch};
    int64_t began_ms = clock_mono_ms();

    (void)snprintf(key, sizeof key, "o%d", number);
    batch.object = &object;
    CHECK_OK(run_job(ingest_job, &job));
    return clock_mono_ms() - began_ms;
}

/* The same columns of the same rows, and nothing else. */
static int64_t copy_batch(void)
{
    static const char COPY[] = "COPY plain (entity_id, ip, spec_id, model_id, object_id, first_ms,"
                               " last_ms, count, score, percentile, finding_id) FROM STDIN";
    const struct db_backend *backend = db_backend(store.db);
    AUTO(tx_done) struct tx tx = {0};
    void *statement = NULL;
    int64_t began_ms = clock_mono_ms();

    CHECK_OK(db_begin(store.db, &tx, &err));
    CHECK_OK(backend->prepare(db_handle(store.db), "plain", COPY, &statement, &err));
    for (int i = 0; i < BATCH_PAIRS; i++) {
        CHECK_OK(
            backend->bind(db_handle(store.db), statement,
                          PARAMS(P_INT(i % BENCH_ENTITIES), P_IP(&pairs[i].ip), P_INT(1), P_INT(1),
                                 P_INT(1), P_INT(pairs[i].first_ms), P_INT(pairs[i].last_ms),
                                 P_INT((int64_t)pairs[i].count), P_REAL(pairs[i].score),
                                 P_REAL(pairs[i].percentile), pairs[i].flagged ? P_INT(i) : P_NULL),
                          &err));
        CHECK(backend->step(db_handle(store.db), statement, &err) == DB_STEP_END);
    }
    CHECK_OK(tx_commit(&tx, &err));
    backend->finalize(statement);
    return clock_mono_ms() - began_ms;
}

static void show(const char *name, int64_t took_ms)
{
    (void)printf("  %-36s %10.0f observations/s\n", name,
                 (double)BATCHES * BATCH_PAIRS * 1000 / (double)(took_ms > 0 ? took_ms : 1));
}

TEST(observations_a_second)
{
    int64_t stored_ms = 0, copied_ms = 0;

    for (int i = 0; i < BENCH_ENTITIES; i++)
        (void)snprintf(names[i], sizeof names[i], "i-%08d", i);
    given_model("m1");
    if (store.postgres != NULL)
        sql_run("CREATE TABLE plain (LIKE observation INCLUDING ALL)");
    for (int i = 0; i < BATCHES; i++) {
        make_batch(i);
        stored_ms += store_batch(i);
        if (store.postgres != NULL)
            copied_ms += copy_batch();
    }
    CHECK(sql_int("SELECT (SELECT COUNT(*) FROM observation)"
                  " + (SELECT CAST(SUM(rows) AS BIGINT) FROM observation_chunk)") ==
          BATCHES * BATCH_PAIRS);
    show("stored, with everything", stored_ms);
    if (store.postgres == NULL)
        return;
    show("COPY of the same rows", copied_ms);
    (void)printf("  ratio %.2f\n", (double)copied_ms / (double)stored_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {STORE_TEST(observations_a_second)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
