/* Runs of pairs: whatever was merged how far, a look-up tells what counting one by one tells, and
 * so does what is known of an entity and of an address. */
#include "pair_fixture.h"

TEST(a_look_up_tells_what_counting_tells)
{
    forget();
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
        if (round % 10 == 4)
            check_profiles();
    }
    merge_all();
    check_all();
    check_profiles();
    for (enum pair_order order = PAIRS_BY_ENTITY; order <= PAIRS_BY_ADDRESS; order++)
        CHECK(held(order) == sql_int("SELECT CAST(SUM(rows) AS BIGINT) FROM observation_chunk"));
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

/* A chunk is read again by the step after, when this one comes to its first entity only. */
TEST(a_step_that_ends_amid_a_chunk_tells_its_days_once)
{
    forget();
    rng_init(&rng, 13);
    given_model("m1");
    given_batch_of(0, 0, 1);
    given_batch_of(1, 0, 2);
    given_batch_of(2, 1, 1);
    merge_all();
    CHECK(sql_int("SELECT COUNT(*) FROM pair_run WHERE by_address = 1") >= 2);
    check_profiles();
}

/* What was let go of is not told, wherever it is kept. */
TEST(pairs_of_days_that_were_let_go_are_not_told)
{
    struct scored_pair old = usual("i-0", "192.0.2.1");
    int64_t gone;

    forget();
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
    forget();
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

    forget();
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
    CHECK(sql_int("SELECT COUNT(*) FROM pair_run WHERE into_id IS NOT NULL AND id IN"
                  " (SELECT id FROM pair_run WHERE by_address = 0 ORDER BY id LIMIT 3)") == 3);
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
    forget();
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
    while (sql_int("SELECT COUNT(*) FROM pair_run WHERE into_id IS NULL AND state = 1"
                   " AND by_address = 0") < 2)
        CHECK(step());
    sql_run("CREATE TABLE kept_pairs AS SELECT id, body FROM pair_chunk WHERE run_id ="
            " (SELECT MIN(id) FROM pair_run WHERE state = 1 AND level = 1 AND by_address = 0)");
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
    for (enum pair_order order = PAIRS_BY_ENTITY; order <= PAIRS_BY_ADDRESS; order++)
        CHECK(held(order) == sql_int("SELECT CAST(SUM(rows) AS BIGINT) FROM observation_chunk"));
}

/* As if somebody had taken it away. */
TEST(a_source_without_its_chunk_is_damage_that_is_told)
{
    struct ip ip = address(0);
    struct profile profile;

    forget();
    rng_init(&rng, 11);
    given_model("m1");
    for (int round = 0; round < 5; round++)
        given_batch(round);
    CHECK_STR(fault(), "");
    sql_run("DELETE FROM observation_chunk WHERE id = 3");
    CHECK_STR(fault(), "1 pair_source name an observation_chunk that is missing");
    CHECK_ERR(ERR_CORRUPT, profile_of_ip(store.reader, &store.arena, &ip, clock_mono_ms() + 60000,
                                         &profile, &err));
    CHECK_STR(err.text, "observation_chunk 3 is missing");
    CHECK(merge_around_damage() == 1);
    CHECK(sql_int("SELECT run_id FROM pair_source WHERE chunk_id = 3") == -1);
    CHECK(sql_int("SELECT COUNT(*) FROM pair_run WHERE state = 1") >= 2);
}

/* What migration 0013 does to a store of before. */
TEST(runs_that_are_let_go_of_are_made_again_of_the_observations)
{
    forget();
    rng_init(&rng, 12);
    given_model("m1");
    for (int round = 0; round < 10; round++)
        given_batch(round);
    merge_all();
    sql_run("UPDATE pair_run SET state = 2");
    sql_run("DELETE FROM pair_source");
    sql_run("INSERT INTO pair_source (chunk_id, day_ms, rows, entity_low, entity_high, filter)"
            " SELECT id, day_ms, rows, entity_low, entity_high, filter"
            " FROM observation_chunk");
    for (int steps = 0; steps < 30; steps++) {
        if (steps % 10 == 1)
            check_profiles();
        (void)step();
    }
    merge_all();
    check_all();
    check_profiles();
    for (enum pair_order order = PAIRS_BY_ENTITY; order <= PAIRS_BY_ADDRESS; order++)
        CHECK(held(order) == sql_int("SELECT CAST(SUM(rows) AS BIGINT) FROM observation_chunk"));
    CHECK(sql_int("SELECT COUNT(*) FROM pair_run WHERE state <> 1") == 0);
    CHECK_STR(fault(), "");
}

/* Less than a run, but not as little as leaves more to read than there was. */
TEST(what_is_left_is_made_into_runs_when_nothing_else_is_to_do)
{
    forget();
    rng_init(&rng, 13);
    given_model("m1");
    given_batch(0);
    merge_all();
    CHECK(sql_int("SELECT COUNT(*) FROM pair_run") == 0);
    rest = true;
    merge_all();
    CHECK(sql_int("SELECT COUNT(*) FROM pair_run WHERE state = 1 AND by_address = 0") == 1);
    CHECK(sql_int("SELECT COUNT(*) FROM pair_source") == 0);
    check_all();
    check_profiles();
    for (int i = 0; i < BATCH; i++)
        pairs[i] = usual("i-0", "192.0.2.1");
    (void)ingest(pairs, BATCH / 2);
    CHECK(sql_int("SELECT SUM(rows) FROM pair_source") == BATCH / 2);
    merge_all();
    CHECK(sql_int("SELECT COUNT(*) FROM pair_source") > 0);
    CHECK_STR(fault(), "");
}

/* Days before the thirty newest are in no run, but for pairs that have just that day. */
TEST(days_of_long_ago_go_when_runs_are_merged)
{
    static const struct pair_sizes ONE = {
        .run_rows = BATCH, .fan = 2, .step_rows = 700, .chunk_rows = 16};

    forget();
    given_model("m1");
    for (int64_t day = 0; day < 64; day++) {
        for (int i = 0; i < BATCH; i++) {
            pairs[i] = usual(entity((size_t)i % ENTITIES), "10.0.0.0");
            pairs[i].ip = address((size_t)i % 100);
            pairs[i].first_ms = pairs[i].last_ms = T0 + day * DAY_MS + i;
            pairs[i].count = 1;
        }
        (void)ingest(pairs, BATCH);
        while (step_of(ONE))
            continue;
        if (day % 9 == 8 || day == 63) {
            struct ip ip = address(7);
            struct profile profile;

            CHECK_OK(profile_of_ip(store.reader, &store.arena, &ip, clock_mono_ms() + 60000,
                                   &profile, &err));
            CHECK(profile.sightings == (day + 1) * BATCH / 100);
            for (int64_t i = 0; i < PROFILE_DAYS; i++)
                CHECK(profile.events[i] == (PROFILE_DAYS - 1 - i <= day ? BATCH / 100 : 0));
            arena_reset(&store.arena);
        }
    }
    CHECK(sql_int("SELECT COUNT(*) FROM pair_run WHERE state = 1") == 2);
    CHECK_STR(fault(), "");
}

TEST(a_limit_of_sources_tells_the_day_it_cuts)
{
    struct pair_places found;
    int64_t entity_id, sources;

    forget();
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
        STORE_TEST(a_step_that_ends_amid_a_chunk_tells_its_days_once),
        STORE_TEST(pairs_of_days_that_were_let_go_are_not_told),
        STORE_TEST(a_chunk_may_go_while_a_run_is_made_of_it),
        STORE_TEST(many_runs_that_wait_are_merged_before_new_ones_are_made),
        STORE_TEST(what_is_damaged_is_set_apart_and_the_rest_merged),
        STORE_TEST(a_source_without_its_chunk_is_damage_that_is_told),
        STORE_TEST(runs_that_are_let_go_of_are_made_again_of_the_observations),
        STORE_TEST(what_is_left_is_made_into_runs_when_nothing_else_is_to_do),
        STORE_TEST(days_of_long_ago_go_when_runs_are_merged),
        STORE_TEST(a_limit_of_sources_tells_the_day_it_cuts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
