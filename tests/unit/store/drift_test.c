/* How far the days of now are from those of training. */
#include "fixture.h"

#include "store/drift.h"
#include "store/rollup.h"

static float quantiles[MODEL_ROW_QUANTILES];

/* Scores spread evenly from -10 to 10, as in training and moved. */
static struct rollup moved(double by)
{
    struct rollup now = {.observations = 2000, .unknown_entities = 20, .unseen_networks = 100};

    for (int i = 0; i < 2000; i++)
        now.bins[rollup_bin(-10 + 0.01 * i + by)]++;
    return now;
}

static struct model_spec_row trained(void)
{
    for (int i = 0; i < MODEL_ROW_QUANTILES; i++)
        quantiles[i] = (float)(-10 + 0.02 * i);
    return (struct model_spec_row){.spec = "vpc-egress", .usual_quantiles = quantiles};
}

TEST(the_same_days_have_not_drifted_and_others_have)
{
    struct model_spec_row spec = trained();
    struct rollup same = moved(0), near = moved(1), far = moved(8);

    CHECK(drift_of(&spec, &same).psi < 0.01);
    CHECK(drift_of(&spec, &near).psi > drift_of(&spec, &same).psi);
    CHECK(drift_of(&spec, &far).psi > 0.25);
    CHECK(drift_of(&spec, &far).unknown_share == 0.01);
    CHECK(drift_of(&spec, &far).unseen_share == 0.05);
}

/* Nearly all pairs were seen before, half a bit apart at an edge between two bins. */
TEST(a_model_that_is_a_little_surer_has_not_drifted)
{
    struct model_spec_row spec = {.spec = "vpc-egress", .usual_quantiles = quantiles};
    struct rollup surer = {.observations = 2000}, odd = {.observations = 2000};

    for (int i = 0; i < MODEL_ROW_QUANTILES; i++)
        quantiles[i] = (float)(i < 980 ? -36.1 + 0.0003 * i : -20 + 0.01 * i);
    for (int i = 0; i < 2000; i++) {
        double score = i < 1960 ? -36.4 + 0.00015 * i : -15 + 0.005 * i;

        surer.bins[rollup_bin(score)]++;
        odd.bins[rollup_bin(i < 1200 ? score : 5)]++;
    }
    CHECK(drift_of(&spec, &surer).psi < 0.01);
    CHECK(drift_of(&spec, &odd).psi > 0.25);
}

TEST(what_is_not_known_is_not_claimed)
{
    struct model_spec_row spec = {.spec = "outside"};
    struct rollup none = {.observations = 0}, some = moved(0);

    CHECK(isnan(drift_of(&spec, &none).psi) && isnan(drift_of(&spec, &none).unknown_share));
    CHECK(isnan(drift_of(&spec, &some).psi) && drift_of(&spec, &some).unknown_share == 0.01);
}

TEST(a_models_week_is_that_of_its_own_rollups)
{
    struct model_spec_row spec = trained();
    struct model_register_job job = {
        .actor = "worker",
        .now_ms = T0,
        .model = {.id = "m9", .detector = "prefix", .info = "{}", .specs = &spec, .spec_count = 1}};
    struct scored_pair pairs[] = {usual("i-1", "203.0.113.9"), usual("i-2", "203.0.113.9"),
                                  usual("i-3", "203.0.113.9"), usual("i-4", "2001:db8::1")};
    struct ingest_batch batch = batch_of(pairs, ARRAY_LEN(pairs));
    struct ingest_job ingested = {.batch = &batch};
    struct model_row model;
    struct drift_list list;

    spec.unknown_share = 0.5;
    pairs[0].entity_known = false;
    pairs[1].known_bits = 15;
    pairs[2].known_bits = 16;
    pairs[3].known_bits = 31;
    batch.model_id = "m9";
    CHECK_OK(run_job(model_register_job_run, &job));
    CHECK_OK(run_job(ingest_job, &ingested));
    CHECK_OK(model_row_get(store.reader, &store.arena, "m9", &model, &err));
    CHECK(model.specs[0].unknown_share == 0.5 && model.specs[0].usual_quantiles[0] == -10);
    CHECK_OK(drift_list(store.reader, &store.arena, &model, T0 - DAY_MS, T0 + DAY_MS, &list, &err));
    CHECK(list.count == 1 && list.items[0].drift.observations == 4);
    CHECK(list.items[0].drift.unknown_share == 0.25);
    CHECK(list.items[0].drift.unseen_share == 0.5);
    CHECK_OK(
        drift_list(store.reader, &store.arena, &model, T0 + DAY_MS, T0 + 2 * DAY_MS, &list, &err));
    CHECK(list.items[0].drift.observations == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(the_same_days_have_not_drifted_and_others_have),
        STORE_TEST(a_model_that_is_a_little_surer_has_not_drifted),
        STORE_TEST(what_is_not_known_is_not_claimed),
        STORE_TEST(a_models_week_is_that_of_its_own_rollups),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
