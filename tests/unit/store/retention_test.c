/* What goes, what stays, and that the store is sound at every step in between. */
#include "fixture.h"

#include "store/archive_unit.h"
#include "store/check.h"
#include "store/note.h"
#include "store/retention.h"
#include "store/rollup.h"

enum { ROUNDS_MAX = 1000 };

static struct err why; /* of the check that failed */

static void tell(UNUSED void *context, const struct check_line *line)
{
    if (!line->sound) {
        print_error("%s: %s\n", line->name, line->text);
        (void)snprintf(why.text, sizeof why.text, "%s", line->text);
    }
}

static int faults(void)
{
    int count = -1;

    CHECK_OK(check_store(store.reader, tell, NULL, &count, &err));
    return count;
}

/* days before T0 */
static struct scored_pair at(struct scored_pair pair, int days)
{
    pair.first_ms -= days * (int64_t)DAY_MS;
    pair.last_ms -= days * (int64_t)DAY_MS;
    return pair;
}

/* A thousand unflagged ones on a day, half a minute apart: more than stay rows. */
static void given_day(int days)
{
    static struct scored_pair pairs[1000];

    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        pairs[i] = at(usual(i % 2 == 0 ? "i-1" : "i-2", "198.51.100.1"), days);
        pairs[i].last_ms += (int64_t)i * 30000;
        pairs[i].ip.bytes[15] = (uint8_t)i;
    }
    CHECK(ingest(pairs, ARRAY_LEN(pairs)).observations == ARRAY_LEN(pairs));
}

static void given_few(int days, int count)
{
    for (int i = 0; i < count; i++) {
        struct scored_pair pair = at(usual("i-3", "198.51.100.2"), days);

        CHECK(ingest(&pair, 1).observations == 1);
    }
}

static int64_t given_old_finding(const char *entity, int days, enum finding_status status)
{
    struct scored_pair pair = at(flagged(entity, "203.0.113.9"), days);
    int64_t id;

    clock_set_for_test(T0 - days * (int64_t)DAY_MS);
    CHECK(ingest(&pair, 1).findings_new == 1);
    id = sql_int("SELECT MAX(id) FROM finding");
    if (status != FINDING_NEW) {
        struct finding_patch_item item = {
            .id = id, .version = 1, .patch = {.has_status = true, .status = status}};
        struct finding_patch_job job = {.arena = &store.arena,
                                        .actor = "user:ann",
                                        .now_ms = clock_now_ms(),
                                        .items = &item,
                                        .count = 1};

        CHECK_OK(run_job(finding_patch_job_run, &job));
    }
    clock_set_for_test(T0);
    return id;
}

/* Runs a kind to its end; the store is sound after each step. Rows (or pages) that went. */
static int64_t let_go(enum retention_kind kind, const struct retention_rules *rules, bool archive)
{
    struct retention_step step = {
        .kind = kind, .cutoffs = retention_cutoffs(rules, T0), .archive = archive};
    int64_t gone = 0;

    for (int i = 0; i < ROUNDS_MAX; i++) {
        CHECK_OK(run_job(retention_step_run, &step));
        gone += step.gone;
        CHECK(faults() == 0);
        if (!step.more)
            return gone;
    }
    print_error("%s does not end\n", RETENTION_KIND_WORDS[kind]);
    fail();
    return 0;
}

static int64_t observation_rows(void)
{
    return sql_int("SELECT COUNT(*) FROM observation") +
           sql_int("SELECT COALESCE(SUM(rows), 0) FROM observation_chunk");
}

TEST(nothing_goes_unless_it_is_asked_for)
{
    struct retention_rules rules = {0};

    given_model("m1");
    given_day(1000);
    for (int kind = 0; kind < RETENTION_SPACE; kind++)
        CHECK(let_go((enum retention_kind)kind, &rules, false) == 0);
    CHECK(observation_rows() == 1000);
}

TEST(observations_go_by_their_day_and_rollups_stay)
{
    struct retention_rules rules = {.observations_ms = 10 * (int64_t)DAY_MS};
    struct retention_cutoffs cutoffs = retention_cutoffs(&rules, T0);
    struct retention_sums sums;
    int64_t hours;

    given_model("m1");
    given_day(30);
    given_day(11);
    given_day(9);
    given_few(20, 5);
    given_few(1, 1);
    hours = sql_int("SELECT COUNT(*) FROM rollup_hour");
    CHECK_OK(retention_sum(store.reader, &cutoffs, &sums, &err));
    CHECK(sums.observations == 2005 && sums.observation_bytes > 0 && sums.used_bytes > 0);
    CHECK(let_go(RETENTION_OBSERVATIONS, &rules, false) == 2005);
    CHECK(observation_rows() == 1001);
    CHECK(sql_int("SELECT COUNT(*) FROM rollup_hour") == hours);
    CHECK(sql_int("SELECT value FROM counter WHERE name = 'observations'") == 3006);
    CHECK(sql_int("SELECT value FROM counter WHERE name = 'whole_since_ms'") ==
          cutoffs.observations_ms);
    CHECK(let_go(RETENTION_OBSERVATIONS, &rules, false) == 0);
    given_day(1);
    CHECK(faults() == 0);
}

TEST(sightings_stay_with_their_findings)
{
    struct retention_rules rules = {.observations_ms = DAY_MS};

    given_model("m1");
    (void)given_old_finding("i-7", 30, FINDING_RESOLVED);
    given_few(1, 1);
    CHECK(let_go(RETENTION_OBSERVATIONS, &rules, true) == 0);
    CHECK(sql_int("SELECT COUNT(*) FROM observation WHERE finding_id IS NOT NULL") == 1);
}

TEST(what_goes_to_the_archive_is_all_there)
{
    struct retention_rules rules = {.observations_ms = 10 * (int64_t)DAY_MS};
    struct archive_unit unit;
    struct archive_names names;
    struct archive_done_job done = {.path = "x/y.parquet", .sha256 = "00"};
    struct archive_sums sums;
    size_t rows = 0;

    given_model("m1");
    given_day(30);
    given_day(29);
    given_few(20, 3);
    given_few(1, 1);
    CHECK(let_go(RETENTION_OBSERVATIONS, &rules, true) == 2003);
    CHECK_OK(archive_sum(store.reader, &sums, &err));
    CHECK(sums.pending == 3 && sums.pending_rows == 2003 && sums.objects == 0);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(archive_unit_next(store.reader, &store.arena, &unit, &err));
        CHECK(unit.id > 0 && unit.count > 0);
        for (size_t k = 0; k < unit.count; k++) {
            CHECK(unit.rows[k].last_ms / DAY_MS == unit.day_ms / DAY_MS);
            CHECK(k == 0 || unit.rows[k].last_ms >= unit.rows[k - 1].last_ms);
            CHECK(unit.rows[k].score == -3.25);
        }
        CHECK_OK(archive_names(store.reader, &store.arena, &unit.rows[0], &names, &err));
        CHECK_STR(names.spec, "vpc-egress");
        CHECK_STR(names.model, "m1");
        CHECK(strncmp(names.entity, "i-", 2) == 0 && names.bucket == NULL);
        rows += unit.count;
        done.id = unit.id;
        CHECK_OK(run_job(archive_done_job_run, &done));
    }
    CHECK(rows == 2003);
    CHECK_OK(archive_unit_next(store.reader, &store.arena, &unit, &err));
    CHECK(unit.id == 0);
    CHECK_OK(archive_sum(store.reader, &sums, &err));
    CHECK(sums.pending == 0 && sums.objects == 3 && sums.rows == 2003);
}

TEST(a_damaged_unit_is_refused)
{
    struct retention_rules rules = {.observations_ms = DAY_MS};
    struct archive_unit unit;

    given_model("m1");
    given_day(30);
    CHECK(let_go(RETENTION_OBSERVATIONS, &rules, true) == 1000);
    sql_run("UPDATE archive SET rows = rows - 1");
    CHECK_ERR(ERR_CORRUPT, archive_unit_next(store.reader, &store.arena, &unit, &err));
    sql_run("UPDATE archive SET rows = rows + 1, body = x'0400000001020304'");
    CHECK_ERR(ERR_CORRUPT, archive_unit_next(store.reader, &store.arena, &unit, &err));
    sql_run("UPDATE archive SET body = x'ffffffff01020304'");
    CHECK_ERR(ERR_CORRUPT, archive_unit_next(store.reader, &store.arena, &unit, &err));
}

TEST(closed_findings_go_and_open_ones_never)
{
    struct retention_rules rules = {.findings_ms = 100 * (int64_t)DAY_MS};
    struct note_job note = {
        .arena = &store.arena, .author = "user:ann", .text = "seen before", .now_ms = T0};
    int64_t open, old, working, young;

    given_model("m1");
    open = given_old_finding("i-1", 900, FINDING_NEW);
    old = given_old_finding("i-2", 900, FINDING_RESOLVED);
    (void)given_old_finding("i-3", 900, FINDING_SUPPRESSED);
    working = given_old_finding("i-4", 900, FINDING_IN_PROGRESS);
    young = given_old_finding("i-5", 50, FINDING_RESOLVED);
    (void)given_old_finding("i-6", 0, FINDING_RESOLVED);
    note.finding_id = old;
    CHECK_OK(run_job(note_add_job, &note));
    CHECK(let_go(RETENTION_FINDINGS, &rules, false) == 2);
    CHECK(sql_int("SELECT COUNT(*) FROM finding") == 4);
    CHECK(finding_now(open).id == open && finding_now(working).id == working);
    CHECK(finding_now(young).id == young);
    CHECK(sql_int("SELECT COUNT(*) FROM note") == 0);
    CHECK(sql_int("SELECT COUNT(*) FROM explanation") == 4);
    CHECK(sql_int("SELECT COUNT(*) FROM observation") == 4);
    CHECK(sql_int("SELECT COUNT(*) FROM change WHERE kind = 10") == 2);
}

TEST(a_finding_of_many_sightings_goes_in_steps)
{
    struct retention_rules rules = {.findings_ms = 100 * (int64_t)DAY_MS};
    static struct scored_pair pairs[2500];
    struct retention_step step = {.kind = RETENTION_FINDINGS,
                                  .cutoffs = retention_cutoffs(&rules, T0)};
    int64_t id;

    given_model("m1");
    id = given_old_finding("i-1", 900, FINDING_RESOLVED);
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        pairs[i] = at(flagged("i-1", "203.0.113.9"), 899);
    clock_set_for_test(T0 - 899 * (int64_t)DAY_MS);
    CHECK(ingest(pairs, ARRAY_LEN(pairs)).findings_updated == 1);
    sql_run("UPDATE finding SET status = 3");
    clock_set_for_test(T0);
    (void)given_old_finding("i-9", 0, FINDING_NEW);
    CHECK_OK(run_job(retention_step_run, &step));
    CHECK(step.gone == 1000 && step.more);
    CHECK(finding_now(id).sightings == 1501);
    CHECK(let_go(RETENTION_FINDINGS, &rules, false) == 1001);
    CHECK(sql_int("SELECT COUNT(*) FROM finding") == 1);
}

TEST(the_chain_goes_on_from_what_is_kept)
{
    struct retention_rules rules = {.changes_ms = 100 * (int64_t)DAY_MS};
    AUTO(tx_done) struct tx tx = {0};
    struct change_list list;
    int64_t first, last;

    clock_set_for_test(T0 - 500 * (int64_t)DAY_MS);
    given_model("m1");
    CHECK_OK(db_begin(store.db, &tx, &err));
    for (int i = 0; i < 2300; i++) {
        clock_set_for_test(T0 - 500 * (int64_t)DAY_MS + i);
        CHECK_OK(
            change_add(store.db, CHANGE_USER_UPDATED, "test", FIELD_NULL_INT, "{}", NULL, &err));
    }
    clock_set_for_test(T0);
    for (int i = 0; i < 10; i++)
        CHECK_OK(
            change_add(store.db, CHANGE_USER_UPDATED, "test", FIELD_NULL_INT, "{}", NULL, &err));
    CHECK_OK(tx_commit(&tx, &err));
    CHECK(let_go(RETENTION_CHANGES, &rules, false) > 0);
    CHECK_OK(change_first_seq(store.reader, &first, &err));
    CHECK_OK(change_last_seq(store.reader, &last, &err));
    CHECK(first > 1 && last > 2311);
    CHECK_OK(change_list(store.reader, &store.arena, 0, 5, &list, &err));
    CHECK(list.items[0].seq == first);
    CHECK_OK(change_verify(store.reader, &err));
    sql_run("UPDATE change_start SET seq = seq - 1");
    CHECK_ERR(ERR_CORRUPT, change_verify(store.reader, &err));
    sql_run("UPDATE change_start SET seq = seq + 1");
    CHECK(faults() == 0);
    sql_run("UPDATE change SET actor = 'mallory' WHERE seq = (SELECT MIN(seq) FROM change)");
    CHECK_ERR(ERR_CORRUPT, change_verify(store.reader, &err));
}

TEST(all_changes_may_be_old)
{
    struct retention_rules rules = {.changes_ms = 100 * (int64_t)DAY_MS};
    int64_t last;

    clock_set_for_test(T0 - 500 * (int64_t)DAY_MS);
    given_model("m1");
    clock_set_for_test(T0);
    CHECK(let_go(RETENTION_CHANGES, &rules, false) == 1);
    CHECK_OK(change_last_seq(store.reader, &last, &err));
    CHECK(last == 2);
    CHECK(let_go(RETENTION_CHANGES, &rules, false) == 0);
}

static void given_object(const char *key, int days, bool with_finding)
{
    struct ingest_object object = {
        .bucket = "b", .key = key, .etag = "e", .unscored_json = "{}", .scored = 1};
    struct scored_pair pair =
        at(with_finding ? flagged(key, "203.0.113.9") : usual(key, "203.0.113.8"), days);
    struct ingest_batch batch = batch_of(&pair, 1);
    struct ingest_job job = {.batch = &batch};

    clock_set_for_test(T0 - days * (int64_t)DAY_MS);
    batch.object = &object;
    CHECK_OK(ingest_job(store.db, &job, &err));
    clock_set_for_test(T0);
}

TEST(the_ledger_keeps_what_findings_came_from)
{
    struct retention_rules rules = {.observations_ms = DAY_MS, .objects_ms = 100 * (int64_t)DAY_MS};
    AUTO(tx_done) struct tx tx = {0};
    char key[16];

    given_model("m1");
    CHECK_OK(db_begin(store.db, &tx, &err));
    for (int i = 0; i < 1200; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        given_object(key, 200, i % 100 == 0);
    }
    given_object("young", 50, false);
    given_object("new", 0, false);
    CHECK_OK(tx_commit(&tx, &err));
    (void)let_go(RETENTION_OBSERVATIONS, &rules, false);
    CHECK(let_go(RETENTION_OBJECTS, &rules, false) == 1200 - 12);
    CHECK(sql_int("SELECT COUNT(*) FROM object") == 14);
    rules.observations_ms = 0; /* kept for good, and so is what they came from */
    rules.objects_ms = 1;
    CHECK(let_go(RETENTION_OBJECTS, &rules, false) == 0);
}

TEST(hours_become_days_and_days_go)
{
    struct retention_rules rules = {.observations_ms = 10 * (int64_t)DAY_MS,
                                    .hours_ms = 20 * (int64_t)DAY_MS,
                                    .rollups_ms = 40 * (int64_t)DAY_MS};
    struct rollup_filter all = {0, T0 + DAY_MS, NULL, NULL};
    struct rollup before_, after_;

    given_model("m1");
    given_day(60);
    given_day(30);
    given_day(15);
    (void)given_old_finding("i-1", 30, FINDING_NEW);
    given_few(0, 1);
    (void)let_go(RETENTION_OBSERVATIONS, &rules, false);
    CHECK_OK(rollup_sum(store.reader, &all, &before_, &err));
    CHECK(let_go(RETENTION_HOURS, &rules, false) > 10);
    CHECK_OK(rollup_sum(store.reader, &all, &after_, &err));
    CHECK(memcmp(&before_, &after_, sizeof before_) == 0);
    CHECK(sql_int("SELECT COUNT(*) FROM rollup_hour") < 15);
    CHECK(let_go(RETENTION_HOURS, &rules, false) == 0);
    CHECK(let_go(RETENTION_ROLLUPS, &rules, false) == 1);
    CHECK_OK(rollup_sum(store.reader, &all, &after_, &err));
    CHECK(after_.observations == before_.observations - 1000);
    CHECK(sql_int("SELECT value FROM counter WHERE name = 'observations'") == 3002);
}

TEST(rollups_outlive_what_they_count)
{
    struct retention_rules rules = {.hours_ms = 1, .rollups_ms = 1, .objects_ms = 1};
    struct retention_cutoffs cutoffs = retention_cutoffs(&rules, T0);

    CHECK(cutoffs.hours_ms == 0 && cutoffs.rollups_ms == 0 && cutoffs.objects_ms == 0);
    rules.observations_ms = 10 * (int64_t)DAY_MS;
    cutoffs = retention_cutoffs(&rules, T0);
    CHECK(cutoffs.hours_ms == cutoffs.observations_ms &&
          cutoffs.rollups_ms == cutoffs.observations_ms &&
          cutoffs.objects_ms == cutoffs.observations_ms - DAY_MS);
}

TEST(space_is_given_back)
{
    struct retention_rules rules = {.observations_ms = DAY_MS};
    struct db_space before_, after_;

    given_model("m1");
    for (int i = 0; i < 80; i++)
        given_day(30 + i);
    given_few(0, 1);
    CHECK_OK(db_space(store.db, &before_, &err));
    CHECK(let_go(RETENTION_OBSERVATIONS, &rules, false) == 80000);
    (void)let_go(RETENTION_SPACE, &rules, false);
    CHECK_OK(db_space(store.db, &after_, &err));
    CHECK(after_.used_bytes < before_.used_bytes);
    CHECK(after_.file_bytes < before_.file_bytes);
    CHECK(after_.free <= 256);
}

/* Whatever the engine remembers of numbers: those of what is gone do not come again. */
TEST(numbers_are_not_given_again)
{
    struct retention_rules rules = {.observations_ms = DAY_MS, .findings_ms = DAY_MS};
    int64_t finding;

    given_model("m1");
    given_few(30, 3);
    finding = given_old_finding("i-1", 30, FINDING_RESOLVED);
    (void)let_go(RETENTION_OBSERVATIONS, &rules, false);
    (void)let_go(RETENTION_FINDINGS, &rules, false);
    CHECK(given_old_finding("i-2", 0, FINDING_NEW) > finding);
    CHECK(let_go(RETENTION_FINDINGS, &rules, false) == 1);
    CHECK(sql_int("SELECT COUNT(*) FROM finding") == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(nothing_goes_unless_it_is_asked_for),
        STORE_TEST(observations_go_by_their_day_and_rollups_stay),
        STORE_TEST(sightings_stay_with_their_findings),
        STORE_TEST(what_goes_to_the_archive_is_all_there),
        STORE_TEST(a_damaged_unit_is_refused),
        STORE_TEST(closed_findings_go_and_open_ones_never),
        STORE_TEST(a_finding_of_many_sightings_goes_in_steps),
        STORE_TEST(the_chain_goes_on_from_what_is_kept),
        STORE_TEST(all_changes_may_be_old),
        STORE_TEST(the_ledger_keeps_what_findings_came_from),
        STORE_TEST(hours_become_days_and_days_go),
        STORE_TEST(rollups_outlive_what_they_count),
        STORE_TEST(space_is_given_back),
        STORE_TEST(numbers_are_not_given_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
