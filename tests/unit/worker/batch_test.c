/* One object through the pipeline: what is stored of it, what the ledger says. */
#include "folder.h"
#include "kit.h"

#include <math.h>

#include "base/arena.h"
#include "base/clock.h"
#include "lake/notice.h"
#include "store/db.h"
#include "store/finding.h"
#include "store/ingest.h"
#include "store/migrate.h"
#include "store/model_row.h"
#include "store/object_row.h"
#include "store/rollup.h"
#include "store/writer.h"
#include "worker/batch.h"
#include "worker/endpoints.h"
#include "worker/models.h"
#include "worker/register.h"
#include "worker/windows.h"

enum { BENCH_ARENA_BYTES = 256 << 20, BENCH_OBJECT_BYTES_MAX = 1 << 20 };

static struct err err;
static struct bench {
    struct arena arena;
    struct model *model;
    struct writer *writer;
    struct db *db;
    struct lake *lake;
    struct model_info info;
    struct model_set set;
    struct batch_context context;
    struct endpoints endpoints; /* none */
    struct worker_totals totals;
    atomic_bool stop;
    char url[FOLDER_PATH_BYTES * 2];
} bench;

/* A model of pairs of one spec ("" for bare ones), its threshold at a score. */
static void bench_train(const char *spec, double threshold)
{
    AUTO(kit_freep) struct kit *kit = kit_new();

    for (size_t i = 0; i < KIT_PAIRS; i++)
        kit->pairs[i].spec = spec;
    kit->options.threshold = (struct threshold_rule){THRESHOLD_SCORE, threshold};
    kit_write(kit);
    CHECK_OK(model_load(kit->path, &bench.model, &err));
    model_info(bench.model, &bench.info);
}

static int bench_make(void **state)
{
    assert_int_equal(folder_make(state), 0);
    err = (struct err){0};
    bench = (struct bench){.totals = {0}};
    arena_init(&bench.arena, BENCH_ARENA_BYTES);
    (void)snprintf(bench.url, sizeof bench.url, "sqlite:%s", folder_path("store.db"));
    CHECK_OK(migrate_run(bench.url, &err));
    CHECK_OK(writer_start(bench.url, &bench.writer, &err));
    CHECK_OK(db_open(bench.url, DB_READ, &bench.db, &err));
    return 0;
}

static int bench_drop(void **state)
{
    clock_set_for_test(0);
    writer_stop(bench.writer);
    db_close(bench.db);
    lake_close(bench.lake);
    model_free(bench.model);
    arena_done(&bench.arena);
    return folder_drop(state);
}

static void bench_open(const char *const *spec_names)
{
    struct lake_options options = {.spec_names = spec_names};

    CHECK_OK(lake_open(&options, &bench.lake, &err));
    CHECK_OK(register_model(bench.writer, bench.model, spec_names, &err));
    bench.set = (struct model_set){.model = bench.model};
    (void)memcpy(bench.set.model_id, bench.info.id, sizeof bench.set.model_id);
    bench.context = (struct batch_context){
        .lake = bench.lake,
        .set = &bench.set,
        .endpoints = &bench.endpoints,
        .db = bench.db,
        .writer = bench.writer,
        .object_bytes_max = BENCH_OBJECT_BYTES_MAX,
        .explanation_bytes_max = BENCH_ARENA_BYTES,
        .stop = &bench.stop,
    };
}

/* Writes the object and runs it through. */
static enum err_code bench_run(const char *name, const char *text)
{
    struct notice notice = {
        .bucket = "b", .key = name, .path = folder_write(name, text), .size_bytes = strlen(text)};

    return batch_run(&bench.context, &notice, &bench.arena, &bench.totals, &err);
}

/* The newest entry of the ledger. */
static struct object_row bench_ledger(void)
{
    struct object_page page;

    CHECK_OK(object_list(bench.db, &bench.arena, &(struct object_filter){.state = OBJECT_ANY},
                         INT64_MAX, 1, &page, &err));
    CHECK(page.count == 1);
    return page.items[0];
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, bench_make, bench_drop)

/* An event of VPC flows out of an instance. */
#define FLOW(entity, ip)                                                                           \
    "{\"class_uid\":4001,\"time\":1764158400000,\"src_endpoint\":{\"instance_uid\":\"" entity      \
    "\",\"ip\":\"10.0.0.9\"},\"dst_endpoint\":{\"ip\":\"" ip "\"}}\n"
#define OTHER_CLASS "{\"class_uid\":2004,\"time\":1764158400000}\n"

static const char *const EGRESS[] = {"vpc-egress", NULL};
static const char *const BOTH[] = {"vpc-egress", "vpc-ingress", NULL};

enum { FLAG_ALL = -1000, FLAG_NONE = 1000 };

static int64_t observations(void)
{
    struct rollup_totals totals;

    CHECK_OK(rollup_totals(bench.db, &totals, &err));
    return totals.observations;
}

/* What the store keeps of 3,000 pairs that scored 1,000 to 3,999. */
static void given_scores(void)
{
    struct scored_pair *pairs = ARENA_ARRAY(&bench.arena, struct scored_pair, 3000);
    struct ingest_batch batch = {
        .model_id = bench.info.id, .origin = "worker", .pairs = pairs, .count = 3000};
    struct ingest_job job = {.batch = &batch};

    for (uint32_t i = 0; i < 3000; i++)
        pairs[i] = (struct scored_pair){.spec = "vpc-egress",
                                        .entity = "host-1",
                                        .ip = ip_from_v4(UINT32_C(10) << 24 | i),
                                        .first_ms = INT64_C(1764158400000),
                                        .last_ms = INT64_C(1764158400000),
                                        .count = 1,
                                        .score = 1000 + i,
                                        .entity_known = true,
                                        .account = "",
                                        .region = ""};
    CHECK_OK(writer_run(bench.writer, ingest_job, &job, &err));
}

static void bench_rule(enum threshold_kind kind, double value)
{
    AUTO(kit_freep) struct kit *kit = kit_new();

    for (size_t i = 0; i < KIT_PAIRS; i++)
        kit->pairs[i].spec = "vpc-egress";
    kit->options.threshold = (struct threshold_rule){kind, value};
    kit_write(kit);
    CHECK_OK(model_load(kit->path, &bench.model, &err));
    model_info(bench.model, &bench.info);
    bench_open(EGRESS);
    bench.set.spec_names[0] = EGRESS[0];
}

static bool window_flags(const struct windows *windows, double score, double *ret_percentile)
{
    /* flagged as the model does: what it was trained on scores far lower */
    struct windows_verdict verdict = {.percentile = -1, .threshold = 0, .flagged = true};
    const struct window *window = windows_judge(windows, "vpc-egress", score, &verdict);

    *ret_percentile = verdict.percentile;
    CHECK((window == NULL) == (verdict.threshold == 0));
    CHECK(verdict.flagged == (score > verdict.threshold));
    return verdict.flagged;
}

/* What was stored until now is of days before. */
static void given_tomorrow(void)
{
    clock_set_for_test(clock_now_ms() + 24 * 3600 * 1000);
    bench.set.generation++;
}

TEST(thresholds_follow_what_is_scored_of_late)
{
    AUTO(windows_freep) struct windows *windows = windows_new();
    double percentile;

    bench_rule(THRESHOLD_BUDGET, 40);
    CHECK_OK(windows_read(windows, bench.db, &bench.set, &err));
    CHECK(window_flags(windows, 1500, &percentile) && percentile == -1); /* nothing is there yet */
    given_scores();
    bench.set.generation++;
    CHECK_OK(windows_read(windows, bench.db, &bench.set, &err));
    CHECK(window_flags(windows, 1500, &percentile) && percentile == -1); /* of today */
    given_tomorrow();
    CHECK_OK(windows_read(windows, bench.db, &bench.set, &err));
    CHECK(!window_flags(windows, 1500, &percentile) && fabs(percentile - 500 / 30.0) < 0.01);
    CHECK(!window_flags(windows, 3969, &percentile)); /* one in a hundred are above it */
    CHECK(window_flags(windows, 3970, &percentile) && percentile < 100);
    CHECK(window_flags(windows, 1e6, &percentile) &&
          fabs(percentile - (100 - 1000 / 3000.0)) < 1e-9);
    CHECK(windows_judge(windows, "vpc-ingress", 1500, &(struct windows_verdict){0}) == NULL);
    CHECK(windows_judge(NULL, "vpc-egress", 1500, &(struct windows_verdict){0}) == NULL);
}

TEST(a_threshold_that_was_given_stays)
{
    AUTO(windows_freep) struct windows *windows = windows_new();
    double percentile;

    bench_rule(THRESHOLD_SCORE, 10);
    given_scores();
    given_tomorrow();
    CHECK_OK(windows_read(windows, bench.db, &bench.set, &err));
    CHECK(window_flags(windows, 1500, &percentile) && fabs(percentile - 500 / 30.0) < 0.01);
}

TEST(an_object_is_stored_once)
{
    struct object_row ledger;

    bench_train("vpc-egress", FLAG_NONE);
    bench_open(EGRESS);
    CHECK_OK(bench_run("a.json", FLOW("host-1", "10.1.0.5") FLOW("host-1", "10.1.0.5")
                                     FLOW("host-2", "203.0.113.7")));
    CHECK(bench.totals.objects == 1 && bench.totals.rows == 3 && bench.totals.scored == 2);
    CHECK(bench.totals.flagged == 0 && observations() == 2);
    ledger = bench_ledger();
    CHECK_STR(ledger.key, "a.json");
    CHECK(ledger.rows == 3 && ledger.pairs == 2 && ledger.scored == 2 && ledger.error == NULL);
    CHECK_STR(ledger.unscored, "{}");
    CHECK_OK(bench_run("a.json", FLOW("host-1", "10.1.0.5") FLOW("host-1", "10.1.0.5")
                                     FLOW("host-2", "203.0.113.7")));
    CHECK(bench.totals.objects == 1 && bench.totals.repeated == 1 && observations() == 2);
}

TEST(every_row_that_gave_no_score_has_its_reason)
{
    bench_train("vpc-egress", FLAG_NONE);
    bench_open(BOTH); /* the model knows nothing of the second */
    CHECK_OK(bench_run("b.json", FLOW("host-1", "10.1.0.5") FLOW("host-2", "no address")
                                     FLOW("-", "10.1.0.6") OTHER_CLASS OTHER_CLASS
                       "{\"class_uid\":4001,\"time\":1764158400000,\"src_endpoint\":{\"ip\":"
                       "\"10.0.0.9\"},\"dst_endpoint\":{\"instance_uid\":\"host-3\"}}\n"));
    CHECK_STR(bench_ledger().unscored, "{\"no_entity\":5,\"bad_ip\":1,"
                                       "\"no_model\":1,\"no_spec\":2}");
    CHECK(bench.totals.unscored_no_model == 1 && bench.totals.unscored_no_spec == 2);
    CHECK(bench.totals.scored == 1);
}

TEST(a_broken_object_is_told_and_stops_nothing)
{
    struct object_row ledger;

    bench_train("vpc-egress", FLAG_NONE);
    bench_open(EGRESS);
    CHECK_OK(bench_run("c.json", FLOW("host-1", "10.1.0.5") "{\"class_uid\""));
    CHECK(bench.totals.failed == 1 && bench.totals.scored == 0 && observations() == 0);
    ledger = bench_ledger();
    CHECK_STR(ledger.error_code, "corrupt");
    CHECK_HAS(ledger.error, "record 2");
    CHECK_OK(bench_run("d.json", FLOW("host-1", "10.1.0.5")));
    CHECK(bench.totals.objects == 2 && observations() == 1);
}

TEST(a_model_of_bare_pairs_scores_the_specs_it_is_asked_for)
{
    bench_train("", FLAG_NONE);
    bench_open(EGRESS);
    CHECK_OK(bench_run("e.json", FLOW("host-1", "10.1.0.5")));
    CHECK(bench.totals.scored == 1 && bench.totals.unscored_no_model == 0);
}

static size_t explained(void)
{
    struct finding_filter filter = {.min_score = NAN,
                                    .min_percentile = NAN,
                                    .since_ms = FIELD_NULL_INT,
                                    .until_ms = FIELD_NULL_INT,
                                    .limit = 100};
    struct finding_page page;
    struct finding_why why;
    size_t count = 0;

    CHECK_OK(finding_list(bench.db, &bench.arena, &filter, &page, &err));
    for (size_t i = 0; i < page.count; i++) {
        CHECK_OK(finding_why(bench.db, &bench.arena, page.items[i].id, &why, &err));
        count += why.explanation != NULL;
    }
    return count;
}

TEST(explanations_of_one_object_are_bounded)
{
    static const char THREE[] = FLOW("host-1", "198.51.100.1") FLOW("host-2", "198.51.100.2")
        FLOW("host-3", "198.51.100.3");

    bench_train("vpc-egress", FLAG_ALL);
    bench_open(EGRESS);
    bench.context.explanation_bytes_max = 1;
    CHECK_OK(bench_run("f.json", THREE));
    CHECK(bench.totals.flagged == 3 && bench.totals.findings_new == 3);
    assert_int_equal(explained(), 1);
    bench.context.explanation_bytes_max = BENCH_ARENA_BYTES;
    CHECK_OK(bench_run("g.json", FLOW("host-4", "198.51.100.4")));
    assert_int_equal(explained(), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(thresholds_follow_what_is_scored_of_late),
        BENCH_TEST(a_threshold_that_was_given_stays),
        BENCH_TEST(an_object_is_stored_once),
        BENCH_TEST(every_row_that_gave_no_score_has_its_reason),
        BENCH_TEST(a_broken_object_is_told_and_stops_nothing),
        BENCH_TEST(a_model_of_bare_pairs_scores_the_specs_it_is_asked_for),
        BENCH_TEST(explanations_of_one_object_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
