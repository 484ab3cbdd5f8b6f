/* Registered models: thresholds, calibrations and percentiles survive being stored. */
#include "fixture.h"

static float quantiles[MODEL_ROW_QUANTILES];

static void fill_quantiles(void)
{
    for (int i = 0; i < MODEL_ROW_QUANTILES; i++)
        quantiles[i] = (float)(i - 500) / 100; /* -5 to 5 */
}

static enum err_code put_model(const char *id, const struct model_spec_row *specs, size_t count,
                               int64_t now_ms)
{
    struct model_register_job job = {
        .actor = "worker",
        .model = {.id = id,
                  .detector = "ip_insights",
                  .info = "{\"epochs\":10}",
                  .specs = specs,
                  .spec_count = count},
        .now_ms = now_ms,
    };

    return run_job(model_register_job_run, &job);
}

TEST(a_model_comes_back_as_it_was)
{
    const struct model_spec_row specs[] = {
        {.spec = "vpc-ingress", .threshold = 4.5, .sample_size = 1000, .quantiles = quantiles},
        {.spec = "dns-answer", .threshold = 1.25, .sample_size = 10, .quantiles = NULL},
    };
    struct model_row model;

    fill_quantiles();
    CHECK_OK(put_model("m1", specs, 2, T0));
    CHECK_OK(model_row_get(store.reader, &store.arena, "m1", &model, &err));
    CHECK_STR(model.id, "m1");
    CHECK_STR(model.detector, "ip_insights");
    CHECK_STR(model.info, "{\"epochs\":10}");
    CHECK(model.registered == T0 && model.last_used == FIELD_NULL_INT && model.spec_count == 2);
    CHECK(model_row_spec(&model, "vpc-ingress")->threshold == 4.5);
    CHECK(model_row_spec(&model, "vpc-ingress")->sample_size == 1000);
    CHECK(memcmp(model_row_spec(&model, "vpc-ingress")->quantiles, quantiles, sizeof quantiles) ==
          0);
    CHECK(model_row_spec(&model, "dns-answer")->quantiles == NULL);
    CHECK(model_row_spec(&model, "waf-client") == NULL);
    CHECK_ERR(ERR_NOT_FOUND, model_row_get(store.reader, &store.arena, "m2", &model, &err));
    CHECK_HAS(err.text, "m2 is not registered");
}

TEST(registering_again_adds_what_is_missing_and_changes_nothing)
{
    const struct model_spec_row first[] = {
        {.spec = "vpc-ingress", .threshold = 4.5, .sample_size = 1000, .quantiles = NULL}};
    const struct model_spec_row second[] = {
        {.spec = "vpc-ingress", .threshold = 9, .sample_size = 1, .quantiles = NULL},
        {.spec = "dns-answer", .threshold = 2, .sample_size = 5, .quantiles = NULL}};
    struct model_row model;

    CHECK_OK(put_model("m1", first, 1, T0));
    CHECK_OK(put_model("m1", second, 2, T0 + 1));
    CHECK_OK(model_row_get(store.reader, &store.arena, "m1", &model, &err));
    CHECK(model.registered == T0 && model.spec_count == 2);
    CHECK(model_row_spec(&model, "vpc-ingress")->threshold == 4.5);
    CHECK(model_row_spec(&model, "dns-answer")->threshold == 2);
    CHECK(sql_int("SELECT COUNT(*) FROM change WHERE kind = 4") == 1);
}

TEST(the_last_used_is_listed_first)
{
    const struct model_spec_row specs[] = {
        {.spec = "vpc-egress", .threshold = 4.5, .sample_size = 1000, .quantiles = NULL}};
    struct scored_pair pair = usual("i-1", "10.1.2.3");
    struct model_row_list list;

    CHECK_OK(put_model("m1", specs, 1, T0));
    CHECK_OK(put_model("m2", specs, 1, T0));
    CHECK_OK(model_row_list(store.reader, &store.arena, &list, &err));
    CHECK(list.count == 2);
    CHECK_STR(list.items[0].id, "m2");
    clock_set_for_test(T0 + 5);
    (void)ingest(&pair, 1); /* by m1 */
    CHECK_OK(model_row_list(store.reader, &store.arena, &list, &err));
    CHECK_STR(list.items[0].id, "m1");
    CHECK(list.items[0].last_used == T0 + 5 && list.items[0].spec_count == 1);
    clock_set_for_test(T0 + 3); /* a clock that steps back */
    (void)ingest(&pair, 1);
    CHECK_OK(model_row_list(store.reader, &store.arena, &list, &err));
    CHECK(list.items[0].last_used == T0 + 5);
}

TEST(a_percentile_is_a_place_among_the_quantiles)
{
    const struct model_spec_row spec = {
        .spec = "vpc-egress", .threshold = 4.5, .sample_size = 1000, .quantiles = quantiles};
    const struct model_spec_row none = {
        .spec = "vpc-egress", .threshold = 4.5, .sample_size = 1000, .quantiles = NULL};
    double before = -1;

    fill_quantiles();
    CHECK(model_row_percentile(&spec, -6) == 0 && model_row_percentile(&spec, 6) == 100);
    CHECK(fabs(model_row_percentile(&spec, 0) - 50) < 1e-4);
    CHECK(fabs(model_row_percentile(&spec, 4.995) - 99.95) < 1e-4);
    CHECK(isnan(model_row_percentile(&none, 0)));
    for (double score = -5.5; score < 5.5; score += 0.013) {
        double percentile = model_row_percentile(&spec, score);

        CHECK(percentile >= before && percentile >= 0 && percentile <= 100);
        before = percentile;
    }
}

/* Scores that are all the same, as a model that knows nothing gives them. */
TEST(equal_quantiles_divide_by_nothing)
{
    const struct model_spec_row spec = {
        .spec = "vpc-egress", .threshold = 4.5, .sample_size = 1000, .quantiles = quantiles};

    for (int i = 0; i < MODEL_ROW_QUANTILES; i++)
        quantiles[i] = 1;
    CHECK(model_row_percentile(&spec, 0.5) == 0 && model_row_percentile(&spec, 1.5) == 100);
    CHECK(!isnan(model_row_percentile(&spec, 1)));
    quantiles[MODEL_ROW_QUANTILES - 1] = 2;
    CHECK(!isnan(model_row_percentile(&spec, 1.5)) && model_row_percentile(&spec, 1.5) > 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_model_comes_back_as_it_was),
        STORE_TEST(registering_again_adds_what_is_missing_and_changes_nothing),
        STORE_TEST(the_last_used_is_listed_first),
        STORE_TEST(a_percentile_is_a_place_among_the_quantiles),
        STORE_TEST(equal_quantiles_divide_by_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
