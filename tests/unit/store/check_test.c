/* A store that is used is sound; each thing that must hold shows when it does not. */
#include "fixture.h"

#include "store/check.h"

static char said[16][ERR_TEXT_BYTES];
static struct check_line lines[16];
static int line_count;

static void tell(UNUSED void *context, const struct check_line *line)
{
    CHECK(line_count < (int)ARRAY_LEN(lines));
    CHECK(line->text[0] != '\0');
    (void)snprintf(said[line_count], sizeof said[0], "%s", line->text);
    lines[line_count++] = *line;
}

static int faults_now(void)
{
    int faults = -1;

    line_count = 0;
    CHECK_OK(check_store(store.reader, tell, NULL, &faults, &err));
    return faults;
}

static const char *said_of(const char *name)
{
    for (int i = 0; i < line_count; i++)
        if (strcmp(lines[i].name, name) == 0 && !lines[i].sound)
            return said[i];
    return "";
}

static void given_life(void)
{
    struct scored_pair pairs[20];
    struct ingest_object object = {.bucket = "b",
                                   .key = "k",
                                   .etag = "e",
                                   .unscored_json = "{}",
                                   .rows = 20,
                                   .pairs = 20,
                                   .scored = 20};
    struct ingest_batch batch;
    struct ingest_job job = {.batch = &batch};

    given_model("m1");
    CHECK(given_finding("i-1", "198.51.100.7") == 1);
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        pairs[i] = i % 5 == 0 ? flagged("i-2", "198.51.100.8") : usual("i-3", "198.51.100.9");
        pairs[i].last_ms += (int64_t)i * HOUR_MS / 4;
    }
    batch = batch_of(pairs, ARRAY_LEN(pairs));
    batch.object = &object;
    CHECK_OK(run_job(ingest_job, &job));
    triage(1, FINDING_RESOLVED, verdict_of("benign"));
}

TEST(an_empty_store_is_sound)
{
    CHECK(faults_now() == 0);
    CHECK(line_count >= 9);
}

TEST(a_store_that_is_used_is_sound)
{
    given_life();
    CHECK(faults_now() == 0);
}

TEST(each_fault_is_told)
{
    static const struct {
        const char *sql, *name, *words, *undo;
    } CASES[] = {
        {"UPDATE change SET actor = 'mallory' WHERE seq = 2", "chain", "change 2 ",
         "UPDATE change SET actor = 'worker' WHERE seq = 2"},
        {"UPDATE counter SET value = value + 1 WHERE name = 'flagged'", "counters", "flagged is 6",
         "UPDATE counter SET value = value - 1 WHERE name = 'flagged'"},
        {"UPDATE finding SET sightings = sightings + 1 WHERE id = 1", "findings", "1 findings",
         "UPDATE finding SET sightings = sightings - 1 WHERE id = 1"},
        {"UPDATE finding SET seq = seq + 1 WHERE id = 1", "findings", "last change",
         "UPDATE finding SET seq = seq - 1 WHERE id = 1"},
        {"UPDATE object SET scored = 21", "ledger", "the ledger says 21",
         "UPDATE object SET scored = 20"},
        {"UPDATE observation SET entity_id = entity_id + 70", "references", "the entity 7",
         "UPDATE observation SET entity_id = entity_id - 70"},
        {"UPDATE observation SET finding_id = 99 WHERE finding_id = 1", "references", "sightings",
         "UPDATE observation SET finding_id = 1 WHERE finding_id = 99"},
        {"UPDATE observation SET score = score + 3 WHERE id = 1", "rollups", "the rollup counts",
         "UPDATE observation SET score = score - 3 WHERE id = 1"},
        {"UPDATE rollup_hour SET observations = observations + 1, flagged = flagged + 1", "rollups",
         "2026-01-02T03:00",
         "UPDATE rollup_hour SET observations = observations - 1,"
         " flagged = flagged - 1"},
        {"DROP INDEX finding_of_ip_by_time", "indexes", "finding_of_ip_by_time",
         "CREATE INDEX finding_of_ip_by_time ON finding (ip, last_seen_ms, id)"},
    };

    given_life();
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        sql_run(CASES[i].sql);
        CHECK_CASE(CASES[i].sql, faults_now() > 0);
        if (strstr(said_of(CASES[i].name), CASES[i].words) == NULL)
            print_error("%s: \"%s\"\n", CASES[i].sql, said_of(CASES[i].name));
        CHECK_HAS(said_of(CASES[i].name), CASES[i].words);
        sql_run(CASES[i].undo);
        CHECK_CASE(CASES[i].undo, faults_now() == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(an_empty_store_is_sound),
        STORE_TEST(a_store_that_is_used_is_sound),
        STORE_TEST(each_fault_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
