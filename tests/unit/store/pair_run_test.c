/* Runs of pairs: whatever was merged how far, a look-up tells what counting one by one tells. */
#include "fixture.h"

#include "base/hash.h"
#include "store/observation_chunk.h"
#include "store/pair.h"
#include "store/pair_run.h"

enum { ENTITIES = 7, ADDRESSES = 400, SPECS = 2, BATCH = 1200, ROUNDS = 40, STEPS_MAX = 10000 };
static const struct pair_sizes SMALL = {
    .run_rows = 2500, .fan = 3, .step_rows = 700, .chunk_rows = 16};
static const char *const SPEC_NAMES[SPECS] = {"vpc-egress", "dns-answer"};

static struct counted { /* one by one */
    int64_t sightings, events, first, last;
    double score;
} counted[ENTITIES][ADDRESSES][SPECS];
static struct scored_pair pairs[BATCH];
static struct rng rng;

static struct pair_progress progress;

static enum err_code step_job(struct db *db, void *sizes, struct err *failure)
{
    return pair_step(db, sizes, &progress, failure);
}

static bool step_of(struct pair_sizes sizes)
{
    CHECK_OK(run_job(step_job, &sizes));
    return progress.more;
}

static bool step(void)
{
    return step_of(SMALL);
}

static void merge_all(void)
{
    int steps = 0;

    while (step())
        CHECK(++steps < STEPS_MAX);
}

/* Every third address is of IPv6. */
static struct ip address(size_t n)
{
    struct ip ip = {.bytes = {0x20, 0x01, 0x0d, 0xb8, [14] = (uint8_t)(n >> 8), [15] = (uint8_t)n}};

    return n % 3 != 0 ? ip_from_v4(0x0a000000u + (uint32_t)n * 77) : ip;
}

static const char *entity(size_t n)
{
    static char names[ENTITIES][8];

    (void)snprintf(names[n], sizeof names[n], "i-%d", (int)n);
    return names[n];
}

static void count(size_t e, size_t a, size_t s, const struct scored_pair *pair)
{
    struct counted *c = &counted[e][a][s];

    if (c->sightings++ == 0 || pair->first_ms < c->first)
        c->first = pair->first_ms;
    c->events += (int64_t)pair->count;
    if (pair->last_ms > c->last) {
        c->last = pair->last_ms;
        c->score = pair->score;
    }
}

/* Some addresses often, most seldom; times all different, on three days. */
static void given_batch(int round)
{
    for (int i = 0; i < BATCH; i++) {
        size_t e = (size_t)rng_below(&rng, ENTITIES), s = (size_t)rng_below(&rng, SPECS);
        size_t a = (size_t)rng_below(&rng, rng_below(&rng, 2) == 0 ? 5 : ADDRESSES);
        int64_t n = (int64_t)round * BATCH + i;

        pairs[i] = usual(entity(e), "10.0.0.0");
        pairs[i].spec = SPEC_NAMES[s];
        pairs[i].ip = address(a);
        pairs[i].first_ms = T0 + n + (int64_t)rng_below(&rng, 3) * DAY_MS;
        pairs[i].last_ms = pairs[i].first_ms + (int64_t)rng_below(&rng, 1000) * BATCH * ROUNDS;
        pairs[i].count = 1 + rng_below(&rng, 9);
        pairs[i].score = -1 - (double)n / 7;
        count(e, a, s, &pairs[i]);
    }
    (void)ingest(pairs, BATCH);
}

static struct pair_lookup look(size_t e, size_t a)
{
    struct ip ip = address(a);
    struct pair_lookup found;

    CHECK_OK(pair_look_up(store.reader, &store.arena, entity(e), &ip, clock_mono_ms() + 60000,
                          &found, &err));
    CHECK(!found.partial);
    return found;
}

static void check_pair(size_t e, size_t a)
{
    struct pair_lookup found = look(e, a);
    size_t specs = 0;

    for (size_t s = 0; s < SPECS; s++) {
        const struct counted *c = &counted[e][a][s];
        const struct pair_seen *seen = NULL;

        for (size_t i = 0; i < found.count; i++)
            if (strcmp(found.items[i].spec, SPEC_NAMES[s]) == 0)
                seen = &found.items[i];
        specs += c->sightings > 0;
        CHECK((seen != NULL) == (c->sightings > 0));
        if (seen != NULL)
            CHECK(seen->sightings == c->sightings && seen->observations == c->events &&
                  seen->first == c->first && seen->last == c->last && seen->score == c->score);
    }
    CHECK(found.count == specs);
}

static void check_all(void)
{
    for (size_t e = 0; e < ENTITIES; e++)
        for (size_t a = 0; a < ADDRESSES; a++)
            check_pair(e, a);
    arena_reset(&store.arena);
}

static const char *fault(void)
{
    static char text[256];

    text[0] = '\0';
    CHECK_OK(pair_check(store.reader, text, &err));
    return text;
}

static int64_t held(void)
{
    return sql_int("SELECT COALESCE(CAST(SUM(sightings) AS BIGINT), 0) FROM pair_run"
                   " WHERE state = 1") +
           sql_int("SELECT COALESCE(CAST(SUM(rows) AS BIGINT), 0) FROM pair_source");
}

TEST(a_look_up_tells_what_counting_tells)
{
    (void)memset(counted, 0, sizeof counted);
    rng_init(&rng, 5);
    given_model("m1");
    for (int round = 0; round < ROUNDS; round++) {
        given_batch(round);
        for (uint64_t steps = rng_below(&rng, 6); steps > 0; steps--)
            (void)step();
        for (int i = 0; i < 20; i++)
            check_pair((size_t)rng_below(&rng, ENTITIES), (size_t)rng_below(&rng, ADDRESSES));
        if (round % 10 == 9)
            check_all();
    }
    merge_all();
    check_all();
    CHECK(held() == sql_int("SELECT CAST(SUM(rows) AS BIGINT) FROM observation_chunk"));
    CHECK(sql_int("SELECT MAX(level) FROM pair_run") >= 3);
    CHECK(sql_int("SELECT COUNT(*) FROM pair_run WHERE state <> 1") == 0);
    CHECK(sql_int("SELECT COUNT(*) FROM pair_chunk WHERE run_id NOT IN"
                  " (SELECT id FROM pair_run)") == 0);
    CHECK(sql_int("SELECT COUNT(*) FROM pair_source WHERE run_id IS NOT NULL") == 0);
    CHECK_STR(fault(), "");
    sql_run(
        "UPDATE pair_run SET sightings = sightings + 1 WHERE id = (SELECT MAX(id) FROM pair_run)");
    CHECK_HAS(fault(), "the pair_run ");
}

/* What was let go of is not told, wherever it is kept. */
TEST(pairs_of_days_that_were_let_go_are_not_told)
{
    struct scored_pair old = usual("i-0", "192.0.2.1");
    int64_t gone;

    (void)memset(counted, 0, sizeof counted);
    rng_init(&rng, 6);
    given_model("m1");
    old.first_ms = old.last_ms = T0 - 5 * (int64_t)DAY_MS;
    for (int i = 0; i < BATCH; i++)
        pairs[i] = old;
    (void)ingest(pairs, BATCH);
    for (int round = 0; round < 10; round++)
        given_batch(round);
    merge_all();
    for (int again = 0; again < 2; again++) {
        struct pair_lookup found;
        AUTO(tx_done) struct tx tx = {0};

        CHECK_OK(pair_look_up(store.reader, &store.arena, "i-0", &old.ip, clock_mono_ms() + 60000,
                              &found, &err));
        CHECK(found.count == (again == 0 ? 1 : 0));
        CHECK_OK(db_begin(store.db, &tx, &err));
        CHECK_OK(chunk_drop(store.db, T0 - DAY_MS, 100, &gone, &err));
        CHECK_OK(tx_commit(&tx, &err));
        check_all();
    }
}

/* A run is made of chunks, one of which goes meanwhile. */
TEST(a_chunk_may_go_while_a_run_is_made_of_it)
{
    (void)memset(counted, 0, sizeof counted);
    rng_init(&rng, 7);
    given_model("m1");
    for (int round = 0; round < 5; round++)
        given_batch(round);
    CHECK(step() && sql_int("SELECT COUNT(*) FROM pair_run WHERE state = 0") == 1);
    sql_run("DELETE FROM observation_chunk WHERE id = 3");
    sql_run("DELETE FROM pair_source WHERE chunk_id = 3");
    merge_all();
    CHECK(sql_int("SELECT COUNT(*) FROM pair_run WHERE state = 1") >= 1);
    CHECK_STR(fault(), "");
}

/* Sources that each are a run, more of them than are merged at once. */
TEST(many_runs_that_wait_are_merged_before_new_ones_are_made)
{
    static const struct pair_sizes ALONE = {
        .run_rows = 1, .fan = 1000, .step_rows = 700, .chunk_rows = 16};

    (void)memset(counted, 0, sizeof counted);
    rng_init(&rng, 8);
    given_model("m1");
    for (int round = 0; round < ROUNDS; round++)
        given_batch(round);
    while (step_of(ALONE))
        continue;
    CHECK(sql_int("SELECT COUNT(*) FROM pair_run WHERE state = 1 AND level = 1") > 70);
    for (int round = 0; round < 5; round++)
        given_batch(round);
    (void)step();
    CHECK(sql_int("SELECT level FROM pair_run WHERE state = 0") == 2);
    CHECK(sql_int("SELECT COUNT(*) FROM pair_run WHERE into_id IS NOT NULL") == (int)SMALL.fan);
    CHECK(sql_int("SELECT COUNT(*) FROM pair_run WHERE into_id IS NOT NULL AND id <= 3") == 3);
    merge_all();
    check_all();
    CHECK(sql_int("SELECT COUNT(*) FROM pair_run") < 20);
    CHECK_STR(fault(), "");
}

static enum err_code set_apart_job(struct db *db, void *damage, struct err *failure)
{
    return pair_set_apart(db, damage, failure);
}

/* As the writer does; how often something was damaged. */
static int merge_around_damage(void)
{
    struct pair_sizes sizes = SMALL;
    int steps = 0, damaged = 0;

    do {
        CHECK(++steps < STEPS_MAX);
        if (run_job(step_job, &sizes) == ERR_NONE)
            continue;
        CHECK(err.code == ERR_CORRUPT && progress.damage.run_id != 0);
        damaged++;
        CHECK_OK(run_job(set_apart_job, &progress.damage));
        progress.more = true;
    } while (progress.more);
    return damaged;
}

/* The damage is repaired in the end, to see that nothing is told twice. */
TEST(what_is_damaged_is_set_apart_and_the_rest_merged)
{
    (void)memset(counted, 0, sizeof counted);
    rng_init(&rng, 9);
    given_model("m1");
    for (int round = 0; round < 10; round++)
        given_batch(round);
    CHECK(step() && sql_int("SELECT entity_at FROM pair_run WHERE state = 0") < ENTITIES);
    sql_run("CREATE TABLE kept AS SELECT id, body FROM observation_chunk WHERE id = 3");
    sql_run("UPDATE observation_chunk SET body = x'00' WHERE id = 3");
    CHECK(merge_around_damage() == 1);
    CHECK(sql_int("SELECT run_id FROM pair_source WHERE chunk_id = 3") == -1);
    CHECK(sql_int("SELECT MAX(level) FROM pair_run") >= 2);
    for (int round = 10; round < 14; round++)
        given_batch(round);
    while (sql_int("SELECT COUNT(*) FROM pair_run WHERE into_id IS NULL AND state = 1") < 2)
        CHECK(step());
    sql_run("CREATE TABLE kept_pairs AS SELECT id, body FROM pair_chunk WHERE run_id ="
            " (SELECT MIN(id) FROM pair_run WHERE state = 1 AND level = 1)");
    sql_run("UPDATE pair_chunk SET body = x'00' WHERE id IN (SELECT id FROM kept_pairs)");
    for (int round = 14; round < 24; round++)
        given_batch(round);
    CHECK(merge_around_damage() == 1);
    CHECK(sql_int("SELECT COUNT(*) FROM pair_run WHERE into_id = -1") == 1);
    CHECK(sql_int("SELECT COUNT(*) FROM pair_run WHERE state <> 1") == 0);
    sql_run("UPDATE observation_chunk SET body = (SELECT body FROM kept) WHERE id = 3");
    sql_run("UPDATE pair_chunk SET body = (SELECT k.body FROM kept_pairs k"
            " WHERE k.id = pair_chunk.id) WHERE id IN (SELECT id FROM kept_pairs)");
    check_all();
    CHECK_STR(fault(), "");
    CHECK(held() == sql_int("SELECT CAST(SUM(rows) AS BIGINT) FROM observation_chunk"));
}

TEST(a_limit_of_sources_tells_the_day_it_cuts)
{
    struct pair_places found;
    int64_t entity_id, sources;

    (void)memset(counted, 0, sizeof counted);
    rng_init(&rng, 10);
    given_model("m1");
    given_batch(0);
    entity_id = sql_int("SELECT MIN(entity_low) FROM pair_source");
    sources = sql_int("SELECT COUNT(*) FROM pair_source");
    sql_run("INSERT INTO pair_run (level, state, entity_at, ip_at, pairs, sightings, last_ms)"
            " VALUES (1, 1, 0, zeroblob(16), 0, 0, 86400000)");
    CHECK_OK(pair_places(store.reader, &store.arena, entity_id, 100, &found, &err));
    CHECK(found.count == (size_t)sources + 1 && found.cut_ms == INT64_MIN);
    CHECK_OK(pair_places(store.reader, &store.arena, entity_id, 2, &found, &err));
    CHECK(found.count == 3 && found.items[2].is_run && found.items[2].day_ms == DAY_MS);
    CHECK(found.cut_ms == found.items[1].day_ms && found.cut_ms > DAY_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_look_up_tells_what_counting_tells),
        STORE_TEST(pairs_of_days_that_were_let_go_are_not_told),
        STORE_TEST(a_chunk_may_go_while_a_run_is_made_of_it),
        STORE_TEST(many_runs_that_wait_are_merged_before_new_ones_are_made),
        STORE_TEST(what_is_damaged_is_set_apart_and_the_rest_merged),
        STORE_TEST(a_limit_of_sources_tells_the_day_it_cuts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
