/* From files to pairs, by JSON, which needs no library, and by Parquet from several threads, each
 * with its lake, when DuckDB is there. */
#include "check.h"
#include "folder.h"

#include <pthread.h>

#include "base/arena.h"
#include "base/clock.h"
#include "lake/duckdb_api.h"
#include "lake/pairs.h"

#define FLOW(more)                                                                                 \
    "{\"class_uid\":4001,\"time\":1764158400000,\"cloud\":{\"account\":{\"uid\":\"1\"}},"          \
    "\"src_endpoint\":{\"ip\":\"192.0.2.1\"},\"dst_endpoint\":{\"instance_uid\":\"i-1\"}" more     \
    "}\n"

enum { THREADS = 3, READS = 5 };

static const char *const INGRESS[] = {"vpc-ingress", NULL};
static struct arena ARENA;
static struct lake_result RESULT;
static struct lake *LAKE; /* of the last read: names of specs in RESULT are its own */

static int set_up(void **state)
{
    arena_init(&ARENA, 64 << 20);
    return folder_make(state);
}

static int tear_down(void **state)
{
    lake_closep(&LAKE);
    arena_done(&ARENA);
    return folder_drop(state);
}

static enum err_code read_with(const struct lake_options *options, const char *text,
                               struct err *err)
{
    lake_closep(&LAKE);
    TRY(lake_open(options, &LAKE, err));
    return lake_read(LAKE, folder_write("x.json", text), &ARENA, &RESULT, err);
}

TEST(rows_become_counted_pairs)
{
    struct lake_options options = {.spec_names = INGRESS};
    struct err err = {0};

    CHECK_OK(read_with(&options,
                       FLOW("") FLOW(",\"status_code\":\"OK\"") FLOW(",\"disposition_id\":2")
                           FLOW(",\"action_id\":2") FLOW(",\"status_code\":\"SKIPDATA\""),
                       &err));
    CHECK(RESULT.rows == 5 && RESULT.pair_count == 1 && RESULT.spec_count == 1);
    CHECK(RESULT.pairs[0].count == 2 && !RESULT.pairs[0].rejected);
    CHECK_STR(RESULT.pairs[0].entity, "i-1");
    CHECK_STR(RESULT.pairs[0].account, "1");
    CHECK_STR(RESULT.pairs[0].region, "");
    CHECK(RESULT.specs[0].rows == 5 && RESULT.specs[0].pairs == 1);
    CHECK(RESULT.specs[0].unscored[UNSCORED_REJECTED] == 2);
    CHECK(RESULT.specs[0].unscored[UNSCORED_FILTERED] == 1);
}

TEST(a_byte_order_mark_is_passed_over)
{
    struct lake_options options = {.spec_names = INGRESS};
    struct err err = {0};

    CHECK_OK(read_with(&options, "\xef\xbb\xbf" FLOW("") FLOW(""), &err));
    CHECK(RESULT.rows == 2 && RESULT.pair_count == 1);
    CHECK_OK(read_with(&options, "\xef\xbb\xbf [" FLOW("") "]", &err));
    CHECK(RESULT.rows == 1);
    CHECK_ERR(ERR_CORRUPT, read_with(&options, FLOW("") "\xef\xbb\xbf" FLOW(""), &err));
    CHECK_ERR(ERR_CORRUPT, read_with(&options, "\xef\xbb\xbf", &err));
}

TEST(rows_of_no_spec_are_counted)
{
    struct lake_options options = {.spec_names = INGRESS};
    struct err err = {0};

    CHECK_OK(
        read_with(&options, "{\"class_uid\":2004,\"time\":1}{\"no\":\"class\"}" FLOW(""), &err));
    CHECK(RESULT.rows == 3 && RESULT.rows_unclaimed == 2 && RESULT.pair_count == 1);
    CHECK_OK(read_with(&options, "{\"class_uid\":2004,\"time\":1}", &err));
    CHECK(RESULT.rows == 1 && RESULT.rows_unclaimed == 1);
    CHECK(RESULT.pair_count == 0 && RESULT.spec_count == 0);
}

TEST(refused_flows_are_kept_when_asked_for)
{
    struct lake_options options = {.spec_names = INGRESS, .keep_rejected = true};
    struct err err = {0};

    CHECK_OK(read_with(&options, FLOW(",\"action_id\":2") FLOW(",\"activity_id\":5"), &err));
    CHECK(RESULT.pair_count == 1 && RESULT.pairs[0].count == 2 && RESULT.pairs[0].rejected);
    CHECK_OK(read_with(&options, FLOW(",\"action_id\":2") FLOW(""), &err));
    CHECK(RESULT.pair_count == 1 && RESULT.pairs[0].count == 2 && !RESULT.pairs[0].rejected);
}

#define REPLY(more)                                                                                \
    "{\"class_uid\":4001,\"time\":1764158400000,\"src_endpoint\":{\"ip\":\"10.0.0.1\","            \
    "\"instance_uid\":\"i-1\"},\"dst_endpoint\":{\"ip\":\"192.0.2.1\"}" more "}\n"
#define TCP(flags) ",\"connection_info\":{\"protocol_num\":6,\"tcp_flags\":" flags "}"
#define UDP        ",\"connection_info\":{\"protocol_num\":17,\"tcp_flags\":0}"

TEST(a_call_that_nobody_answered_is_told)
{
    static const struct {
        const char *name, *text;
        bool one_way;
    } CASES[] = {
        {"a SYN", FLOW(TCP("2")), true},
        {"SYNs", FLOW(TCP("2")) FLOW(TCP("2")), true},
        {"a SYN that is answered", FLOW(TCP("2")) REPLY(TCP("18")), false},
        {"and the answer comes first", REPLY(TCP("18")) FLOW(TCP("2")), false},
        {"a closed port", FLOW(TCP("2")) REPLY(TCP("4")), true},
        {"an answer that is refused", FLOW(TCP("2")) REPLY(TCP("18") ",\"action_id\":2"), true},
        {"a connection that goes on", FLOW(TCP("0")), false},
        {"one that began and ended", FLOW(TCP("2")) FLOW(TCP("3")), false},
        {"a datagram", FLOW(UDP), true},
        {"datagrams both ways", FLOW(UDP) REPLY(UDP), false},
        {"nothing is told", FLOW(""), false},
        {"nothing came back", FLOW(",\"traffic\":{\"bytes_in\":0}"), true},
        {"something came back", FLOW(",\"traffic\":{\"bytes_in\":9}"), false},
        {"another's answer",
         FLOW(TCP("2")) "{\"class_uid\":4001,\"time\":1764158400000,\"src_endpoint\":{"
                        "\"instance_uid\":\"i-2\"},\"dst_endpoint\":{\"ip\":\"192.0.2.1\"}}",
         true},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        for (int all = 0; all < 2; all++) { /* the other spec asked for, or only listened to */
            struct lake_options options = {.spec_names = all == 1 ? NULL : INGRESS};
            size_t pair = 0;
            struct err err = {0};

            CHECK_OK(read_with(&options, CASES[i].text, &err));
            while (pair < RESULT.pair_count && strcmp(RESULT.pairs[pair].spec, INGRESS[0]) != 0)
                pair++;
            CHECK_CASE(CASES[i].name,
                       pair < RESULT.pair_count && RESULT.pairs[pair].one_way == CASES[i].one_way);
            CHECK_CASE(CASES[i].name,
                       all == 1 || (RESULT.pair_count == 1 && RESULT.spec_count == 1 &&
                                    lake_spec_count_of(LAKE) == 1));
        }
}

/* A call of one hour is answered in the next; later ones are others. */
TEST(an_answer_is_looked_for_in_the_hours_beside)
{
    static const char *const REPLIES[] = {
        "{\"class_uid\":4001,\"time\":1764161999000,\"src_endpoint\":{\"instance_uid\":\"i-1\"},"
        "\"dst_endpoint\":{\"ip\":\"192.0.2.1\"}}",
        "{\"class_uid\":4001,\"time\":1764165600000,\"src_endpoint\":{\"instance_uid\":\"i-1\"},"
        "\"dst_endpoint\":{\"ip\":\"192.0.2.1\"}}"};
    struct lake_options options = {.spec_names = INGRESS};
    char text[1024];
    struct err err = {0};

    for (int i = 0; i < 2; i++) {
        (void)snprintf(text, sizeof text, "%s%s", FLOW(TCP("2")), REPLIES[i]);
        CHECK_OK(read_with(&options, text, &err));
        CHECK(RESULT.pair_count == 1 && RESULT.pairs[0].one_way == (i == 1));
    }
}

TEST(pairs_come_by_spec_then_by_first_sighting)
{
    static const char *const BOTH[] = {"workshop", "vpc-ingress", NULL};
    struct lake_options options = {.spec_names = BOTH, .bucket_ms = DAY_MS};
    struct err err = {0};

    CHECK_OK(read_with(&options,
                       "[{\"class_uid\":4001,\"time\":1764158400000,\"src_endpoint\":"
                       "{\"ip\":\"10.0.0.1\",\"instance_uid\":\"i-2\"}}," FLOW("") "]",
                       &err));
    CHECK(RESULT.pair_count == 2 && RESULT.spec_count == 2);
    CHECK_STR(RESULT.pairs[0].spec, "vpc-ingress");
    CHECK_STR(RESULT.pairs[1].spec, "workshop");
}

TEST(too_many_pairs_are_refused)
{
    struct lake_options options = {.spec_names = INGRESS, .pairs_max = 1};
    struct err err = {0};

    CHECK_OK(read_with(&options, FLOW("") FLOW(""), &err));
    CHECK_ERR(
        ERR_TOO_LARGE,
        read_with(&options,
                  FLOW("") FLOW(
                      ",\"time_dt\":1") "{\"class_uid\":4001,\"time\":0,"
                                        "\"src_endpoint\":{\"ip\":\"192.0.2.1\"},\"dst_endpoint\":"
                                        "{\"instance_uid\":\"i-1\"}}",
                  &err));
    CHECK(RESULT.pair_count == 0);
    options = (struct lake_options){.spec_names = INGRESS};
    arena_done(&ARENA);
    arena_init(&ARENA, 64 << 10); /* full before it begins: refused, not aborted */
    CHECK_ERR(ERR_TOO_LARGE, read_with(&options, FLOW(""), &err));
}

static void normalise_to(const char *normaliser, const char *entity, const char *wanted)
{
    static const char *const OWN[] = {"own", NULL};
    struct lake_options options = {.spec_names = OWN, .spec_dir = FOLDER};
    char text[512];
    struct err err = {0};

    (void)snprintf(text, sizeof text,
                   "name = own\nclasses = 1\nentity = e\nip = i\ntime = t\nnormaliser = %s\n",
                   normaliser);
    (void)folder_write("own.spec", text);
    (void)snprintf(text, sizeof text,
                   "{\"class_uid\":1,\"e\":\"%s\",\"i\":\"::1\",\"t\":\"2026-01-01T00:00:00Z\"}",
                   entity);
    CHECK_OK(read_with(&options, text, &err));
    CHECK(RESULT.pair_count == 1);
    CHECK_STR(RESULT.pairs[0].entity, wanted);
}

TEST(entities_are_normalised)
{
    normalise_to("none", "AROA:S", "AROA:S");
    normalise_to("lower", "Ab.C", "ab.c");
    normalise_to("strip_session", "AROA:session@x", "AROA");
    normalise_to("strip_session", ":x", ":x");
    normalise_to("strip_session", "arn:aws:sts::1:assumed-role/R/s",
                 "arn:aws:sts::1:assumed-role/R");
    normalise_to("strip_session", "arn:aws:sts::1:assumed-role/R", "arn:aws:sts::1:assumed-role/R");
    normalise_to("strip_session", "arn:aws:iam::1:user/a/b", "arn:aws:iam::1:user/a/b");
}

TEST(times_are_read_in_every_form)
{
    static const struct {
        const char *json;
        int64_t wanted_ms; /* -1: none */
    } CASES[] = {
        {"1764158400123", 1764158400123},
        {"1764158400", 1764158400000},
        {"1764158400.5", 1764158400000},
        {"\"1764158400123\"", 1764158400123},
        {"\"2025-11-26T12:00:00.123Z\"", 1764158400123},
        {"\"2025-11-26T13:00:00.123+01:00\"", 1764158400123},
        {"-1", -1},
        {"\"tomorrow\"", -1},
        {"4102444800000", -1},
        {"1e300", -1},
        {"null", -1},
        {"{}", -1},
    };
    struct lake_options options = {.spec_names = INGRESS};

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct err err = {0};
        char text[512];

        (void)snprintf(text, sizeof text,
                       "{\"class_uid\":\"4001\",\"time\":%s,\"src_endpoint\":{\"ip\":\"::1\"},"
                       "\"dst_endpoint\":{\"instance_uid\":\"i\"}}",
                       CASES[i].json);
        CHECK_OK(read_with(&options, text, &err));
        CHECK_CASE(CASES[i].json, RESULT.pair_count == (CASES[i].wanted_ms >= 0));
        CHECK_CASE(CASES[i].json,
                   RESULT.specs[0].unscored[UNSCORED_NO_TIME] == (CASES[i].wanted_ms < 0));
        if (RESULT.pair_count > 0)
            CHECK_CASE(CASES[i].json, RESULT.pairs[0].first_ms == CASES[i].wanted_ms);
    }
}

static bool write_parquet(const char *path)
{
    const struct duckdb_api *api;
    struct duckdb *database = NULL, *connection = NULL;
    struct duckdb_answer answer = {0};
    char sql[1024];
    bool done;

    if (duckdb_load(&api, NULL) != ERR_NONE)
        return false;
    (void)snprintf(sql, sizeof sql,
                   "COPY (SELECT 4001 AS class_uid, 1764158400000 AS time, {'ip': '10.0.0.' || "
                   "(i %% 200)} AS src_endpoint, {'instance_uid': 'i-' || (i %% 7)} AS "
                   "dst_endpoint FROM range(9000) t(i)) TO '%s' (FORMAT parquet)",
                   path);
    done = api->open_ext(NULL, &database, NULL, NULL) == 0 &&
           api->connect(database, &connection) == 0 && api->query(connection, sql, &answer) == 0;
    api->destroy_result(&answer);
    api->disconnect(&connection);
    api->close(&database);
    return done;
}

/* NULL when every read gave what it must. */
static void *read_often(void *path)
{
    struct lake_options options = {.spec_names = INGRESS, .temp_dir = "/tmp"};
    AUTO(lake_closep) struct lake *lake = NULL;
    AUTO(arena_done) struct arena arena;

    arena_init(&arena, 64 << 20);
    if (lake_open(&options, &lake, NULL) != ERR_NONE)
        return path;
    for (int i = 0; i < READS; i++) {
        struct lake_result result;

        if (lake_read(lake, path, &arena, &result, NULL) != ERR_NONE || result.rows != 9000 ||
            result.pair_count != 1400)
            return path;
        arena_reset(&arena);
    }
    return NULL;
}

TEST(threads_read_side_by_side)
{
    char path[FOLDER_PATH_BYTES * 2];
    pthread_t threads[THREADS];

    (void)snprintf(path, sizeof path, "%s", folder_path("x.parquet"));
    if (!write_parquet(path))
        skip();
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, read_often, path) == 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed = path;

        CHECK(pthread_join(threads[i], &failed) == 0);
        CHECK(failed == NULL);
    }
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test_setup_teardown(rows_become_counted_pairs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_byte_order_mark_is_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_of_no_spec_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refused_flows_are_kept_when_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_call_that_nobody_answered_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_is_looked_for_in_the_hours_beside, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(pairs_come_by_spec_then_by_first_sighting, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(too_many_pairs_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(entities_are_normalised, set_up, tear_down),
        cmocka_unit_test_setup_teardown(times_are_read_in_every_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_read_side_by_side, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("pairs", TESTS, NULL, NULL);
}
