/* Candidates, shadows, the active model, and what a shadow makes of the same pairs. */
#include "fixture.h"

#include <math.h>
#include <string.h>

#include "store/model_life.h"

static enum err_code move(const char *id, enum model_state state, const char *path)
{
    struct model_move_job job = {.actor = "cli",
                                 .id = id,
                                 .path = path,
                                 .state = state,
                                 .now_ms = T0 + sql_int("SELECT MAX(seq) FROM change")};

    return run_job(model_move_job_run, &job);
}

static const char *seated(enum model_state state)
{
    struct model_seat seat;
    enum err_code code = model_seat(store.reader, &store.arena, state, &seat, &err);

    CHECK(code == ERR_NONE || code == ERR_NOT_FOUND);
    return code == ERR_NONE ? seat.id : "nobody";
}

static enum err_code rollback(void)
{
    struct model_rollback_job job = {.actor = "cli", .now_ms = T0 + 1000000};

    return run_job(model_rollback_job_run, &job);
}

TEST(one_is_active_and_one_a_shadow)
{
    given_model("m1");
    given_model("m2");
    given_model("m3");
    CHECK_STR(seated(MODEL_ACTIVE), "nobody");
    CHECK_OK(move("m1", MODEL_ACTIVE, "/models/1"));
    CHECK_OK(move("m2", MODEL_SHADOW, "/models/2"));
    CHECK_STR(seated(MODEL_ACTIVE), "m1");
    CHECK_STR(seated(MODEL_SHADOW), "m2");
    CHECK_OK(move("m3", MODEL_SHADOW, "/models/3"));
    CHECK_STR(seated(MODEL_SHADOW), "m3");
    CHECK(sql_int("SELECT state FROM model WHERE uid = 'm2'") == MODEL_CANDIDATE);
    CHECK_OK(move("m3", MODEL_ACTIVE, NULL));
    CHECK_STR(seated(MODEL_ACTIVE), "m3");
    CHECK_STR(seated(MODEL_SHADOW), "nobody");
    CHECK(sql_int("SELECT state FROM model WHERE uid = 'm1'") == MODEL_RETIRED);
    CHECK(sql_int("SELECT COUNT(*) FROM change WHERE body LIKE '%\"new\":\"active\"%'") == 2);
}

TEST(rolling_back_takes_the_one_before)
{
    given_model("m1");
    given_model("m2");
    CHECK_ERR(ERR_NOT_FOUND, rollback());
    CHECK_OK(move("m1", MODEL_ACTIVE, "/models/1"));
    CHECK_ERR(ERR_NOT_FOUND, rollback());
    CHECK_OK(move("m2", MODEL_ACTIVE, "/models/2"));
    CHECK_OK(rollback());
    CHECK_STR(seated(MODEL_ACTIVE), "m1");
    CHECK(sql_int("SELECT state FROM model WHERE uid = 'm2'") == MODEL_RETIRED);
}

TEST(what_cannot_score_here_is_not_seated)
{
    given_model("outside");
    CHECK_ERR(ERR_INVALID, move("outside", MODEL_ACTIVE, NULL));
    CHECK_HAS(err.text, "no file");
    CHECK_ERR(ERR_INVALID, move("outside", MODEL_SHADOW, NULL));
    CHECK_ERR(ERR_NOT_FOUND, move("nobody", MODEL_ACTIVE, "/x"));
    CHECK_STR(seated(MODEL_ACTIVE), "nobody");
}

TEST(what_was_seen_guards_a_move)
{
    struct model_move_job job = {
        .actor = "user:ana", .id = "m2", .path = "/models/2", .state = MODEL_ACTIVE, .now_ms = T0};
    char before[MODEL_TAG_BYTES], again[MODEL_TAG_BYTES];

    given_model("m1");
    given_model("m2");
    CHECK_ERR(ERR_NOT_FOUND, model_tag(store.reader, "m9", before, &err));
    CHECK_OK(model_tag(store.reader, "m2", before, &err));
    CHECK_OK(model_tag(store.reader, "m2", again, &err));
    CHECK_STR(before, again);
    CHECK_OK(move("m1", MODEL_ACTIVE, "/models/1")); /* by somebody else */
    job.tag = before;
    CHECK_ERR(ERR_PRECONDITION, run_job(model_move_job_run, &job));
    CHECK_STR(seated(MODEL_ACTIVE), "m1");
    CHECK_OK(model_tag(store.reader, "m2", again, &err));
    CHECK(strcmp(before, again) != 0);
    job.tag = again;
    CHECK_OK(run_job(model_move_job_run, &job));
    CHECK_STR(seated(MODEL_ACTIVE), "m2");
}

static void ingest_compared(int64_t pairs, const struct difference_row *differences, size_t count)
{
    struct comparison_row row = {
        .spec = "vpc-egress", .pairs = pairs, .by_both = 1, .only_shadow = (int64_t)count};
    struct comparison comparison = {.shadow_id = "m2",
                                    .rows = &row,
                                    .count = 1,
                                    .differences = differences,
                                    .difference_count = count};
    struct scored_pair pair = usual("i-1", "203.0.113.9");
    struct ingest_batch batch = batch_of(&pair, 1);
    struct ingest_job job = {.batch = &batch};

    batch.comparison = &comparison;
    CHECK_OK(run_job(ingest_job, &job));
}

TEST(comparisons_add_up_and_the_furthest_apart_come_first)
{
    struct difference_row rows[] = {
        {.spec = "vpc-egress",
         .entity = "i-near",
         .ip = ip_of("203.0.113.9"),
         .time = T0,
         .active_score = -1,
         .shadow_score = 1,
         .active_threshold = 0.5,
         .shadow_threshold = NAN,
         .shadow_flagged = 1},
        {.spec = "vpc-egress",
         .entity = "i-far",
         .ip = ip_of("203.0.113.9"),
         .time = T0,
         .active_score = 20,
         .shadow_score = -30},
    };
    struct comparison_list sums;
    struct difference_list differences;

    given_model("m1");
    given_model("m2");
    ingest_compared(10, rows, 2);
    ingest_compared(30, rows, 2); /* the same pairs once more */
    CHECK_OK(comparison_list(store.reader, &store.arena, "m1", 0, &sums, &err));
    CHECK(sums.count == 1 && sums.items[0].pairs == 40 && sums.items[0].by_both == 2);
    CHECK(sums.items[0].only_shadow == 4 && sums.items[0].only_active == 0);
    CHECK(sums.items[0].first_day == T0 - T0 % DAY_MS);
    CHECK_STR(sums.items[0].shadow, "m2");
    CHECK_OK(comparison_list(store.reader, &store.arena, "m2", T0, &sums, &err));
    CHECK(sums.count == 0); /* of a day before */
    CHECK_OK(difference_list(store.reader, &store.arena, "m2", 10, &differences, &err));
    CHECK(differences.count == 2);
    CHECK_STR(differences.items[0].entity, "i-far");
    CHECK_STR(differences.items[0].active, "m1");
    CHECK(differences.items[1].active_threshold == 0.5);
    CHECK(isnan(differences.items[1].shadow_threshold));
    CHECK(differences.items[0].shadow_flagged == 0 && differences.items[1].shadow_flagged == 1);
    CHECK_OK(difference_list(store.reader, &store.arena, "m2", 1, &differences, &err));
    CHECK(differences.count == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(one_is_active_and_one_a_shadow),
        STORE_TEST(rolling_back_takes_the_one_before),
        STORE_TEST(what_cannot_score_here_is_not_seated),
        STORE_TEST(what_was_seen_guards_a_move),
        STORE_TEST(comparisons_add_up_and_the_furthest_apart_come_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
