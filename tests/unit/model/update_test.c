/* Learning on from a model. */
#include "kit.h"

#include <math.h>

#include "model/parts.h"

static struct trained *updated(const struct model *base, struct train_pair *pairs, size_t count,
                               const struct train_pair *forgotten, size_t forgotten_count,
                               const struct kit *kit)
{
    struct trained *trained = NULL;
    struct err err = {0};

    CHECK_OK(train_update(base, pairs, count, forgotten, forgotten_count, &kit->options, &trained,
                          &err));
    return trained;
}

static struct train_pair pair_of(const char *entity, const char *ip)
{
    struct train_pair pair = {
        .spec = "", .entity = entity, .time_ms = 1700000000000 + 1000 * KIT_PAIRS, .count = 5};

    CHECK(ip_parse(ip, &pair.ip));
    return pair;
}

static struct kit *prefix_kit(void)
{
    struct kit *kit = kit_new();

    kit->options.detector = DETECTOR_PREFIX;
    return kit;
}

TEST(what_is_learned_is_usual_and_the_rest_stays)
{
    AUTO(kit_freep) struct kit *kit = prefix_kit();
    AUTO(model_freep) struct model *base = kit_model(kit);
    AUTO(trained_freep) struct trained *trained = NULL;
    AUTO(model_freep) struct model *again = NULL;
    struct train_pair pairs[] = {pair_of("host-4", "203.0.113.9"),
                                 pair_of("newcomer", "203.0.113.9")};
    struct model_network networks[MODEL_NETWORKS_MAX];
    struct model_info before, after;
    struct model_score score;
    struct err err = {0};
    bool listed = false;

    CHECK(kit_score(base, "", "host-4", "203.0.113.9").flagged);
    trained = updated(base, pairs, ARRAY_LEN(pairs), NULL, 0, kit);
    CHECK_OK(trained_write(trained, kit->path, &err));
    CHECK_OK(model_load(kit->path, &again, &err));
    score = kit_score(again, "", "host-4", "203.0.113.9");
    CHECK(!score.flagged && score.known_bits == 32 && score.bearers == 1);
    CHECK(score.dot_product == kit_score(base, "", "host-4", "203.0.113.9").dot_product);
    score = kit_score(again, "", "newcomer", "203.0.113.8");
    CHECK(score.entity_known && score.known_bits == 31);
    CHECK(score.dot_product == kit_score(base, "", "newcomer", "203.0.113.8").dot_product);
    for (size_t i = 0; i < KIT_PAIRS; i += 7) {
        struct model_pair pair = {"", kit->pairs[i].entity, kit->pairs[i].ip};
        struct model_score a, b;

        model_score_pairs(base, &pair, 1, &a);
        model_score_pairs(again, &pair, 1, &b);
        CHECK(a.known_bits == b.known_bits && a.dot_product == b.dot_product);
        CHECK(b.entity_known && !b.flagged);
    }
    model_info(base, &before);
    model_info(again, &after);
    CHECK(after.entities == before.entities + 1);
    CHECK(after.training_pairs == before.training_pairs + 10);
    CHECK(after.trained_until_ms == before.trained_until_ms + 1000);
    CHECK_HAS(after.metrics_json, before.id);
    for (size_t i = 0; i < model_entity_networks(again, "", "newcomer", networks); i++)
        listed = listed || networks[i].share == 1;
    CHECK(listed);
}

TEST(a_day_at_a_time_makes_the_tree_of_all_days_at_once)
{
    AUTO(kit_freep) struct kit *kit = prefix_kit();
    AUTO(model_freep) struct model *whole = kit_model(kit);
    AUTO(kit_freep) struct kit *half = prefix_kit();
    AUTO(trained_freep) struct trained *first = NULL;
    AUTO(trained_freep) struct trained *second = NULL;
    struct err err = {0};

    CHECK_OK(train_run(half->pairs, KIT_PAIRS / 2, &half->options, &first, &err));
    second =
        updated(trained_model(first), half->pairs + KIT_PAIRS / 2, KIT_PAIRS / 2, NULL, 0, half);
    for (size_t i = 0; i < KIT_PAIRS; i += 5) {
        struct model_pair pair = {"", kit->pairs[i].entity, kit->pairs[i].ip};
        struct model_explanation a, b;

        model_explain(whole, &pair, &a);
        model_explain(trained_model(second), &pair, &b);
        CHECK(fabs(a.both - b.both) < 1e-9 && fabs(a.others - b.others) < 1e-9);
        CHECK(a.score.bearers == b.score.bearers);
    }
}

TEST(what_is_forgotten_is_unusual_again)
{
    AUTO(kit_freep) struct kit *kit = prefix_kit();
    AUTO(model_freep) struct model *base = NULL;
    AUTO(trained_freep) struct trained *trained = NULL;
    struct train_pair bad = pair_of("host-4", "203.0.113.9"), more = pair_of("host-5", "10.5.0.1");

    kit->pairs[KIT_PAIRS - 1] = bad;
    base = kit_model(kit);
    CHECK(kit_score(base, "", "host-4", "203.0.113.9").known_bits == 32);
    trained = updated(base, &more, 1, &bad, 1, kit);
    CHECK(kit_score(trained_model(trained), "", "host-4", "203.0.113.9").known_bits < 8);
    CHECK(kit_score(trained_model(trained), "", "host-4", "203.0.113.9").flagged);
}

TEST(an_entity_of_which_nothing_is_left_is_a_newcomer)
{
    AUTO(kit_freep) struct kit *kit = prefix_kit();
    AUTO(model_freep) struct model *base = NULL;
    AUTO(trained_freep) struct trained *trained = NULL;
    struct train_pair later = pair_of("host-5", "10.5.0.1");

    base = kit_model(kit);
    CHECK(kit_score(base, "", "host-4", "10.4.0.9").entity_known);
    later.time_ms += INT64_C(200) * 24 * 3600 * 1000; /* over six half-lives of 30 days */
    trained = updated(base, &later, 1, NULL, 0, kit);
    CHECK(!kit_score(trained_model(trained), "", "host-4", "10.4.0.9").entity_known);
    CHECK(kit_score(trained_model(trained), "", "host-5", "10.5.0.1").entity_known);
}

TEST(few_pairs_keep_the_calibration_and_many_make_their_own)
{
    AUTO(kit_freep) struct kit *kit = prefix_kit();
    AUTO(model_freep) struct model *base = NULL;
    AUTO(trained_freep) struct trained *few = NULL;
    AUTO(trained_freep) struct trained *many = NULL;
    struct train_pair one = pair_of("host-5", "10.5.0.1");
    struct model_calibration before, after;

    base = kit_model(kit);
    CHECK(model_calibration(base, "", &before));
    few = updated(base, &one, 1, NULL, 0, kit);
    CHECK(model_calibration(trained_model(few), "", &after));
    CHECK(after.sample_size == before.sample_size);
    many = updated(base, kit->pairs, KIT_PAIRS, NULL, 0, kit);
    CHECK(model_calibration(trained_model(many), "", &after));
    CHECK(after.sample_size >= TRAIN_UPDATE_SAMPLE_MIN && after.sample_size > before.sample_size);
}

TEST(a_spec_that_the_model_does_not_know_is_refused)
{
    AUTO(kit_freep) struct kit *kit = prefix_kit();
    AUTO(model_freep) struct model *base = kit_model(kit);
    AUTO(trained_freep) struct trained *trained = NULL;
    struct train_pair pair = pair_of("host-5", "10.5.0.1");
    struct err err = {0};

    pair.spec = "eks-user";
    CHECK_ERR(ERR_INVALID, train_update(base, &pair, 1, NULL, 0, &kit->options, &trained, &err));
    CHECK_HAS(err.text, "eks-user");
    CHECK_ERR(ERR_INVALID, train_update(base, &pair, 0, NULL, 0, &kit->options, &trained, &err));
}

/* Of whatever version: the model stays of it, and what an entity did is what it was. */
TEST(a_model_of_each_version_learns_on)
{
    static const struct {
        const char *path;
        enum model_form form;
    } FILES[] = {{"tests/data/model-1.model", FORM_FIRST},
                 {"tests/data/model-2.model", FORM_RATIO},
                 {"tests/data/model-3.model", FORM_COUNTED}};
    AUTO(kit_freep) struct kit *kit = prefix_kit();

    for (size_t i = 0; i < ARRAY_LEN(FILES); i++) {
        AUTO(model_freep) struct model *base = NULL;
        AUTO(trained_freep) struct trained *trained = NULL;
        struct train_pair more = pair_of("i-001d35d6093216e3e", "203.0.113.9");
        struct model_pair other = {"vpc-egress", "i-00309d094ba4d7d2e", {{0}}};
        struct model_explanation before, after;
        struct err err = {0};

        CHECK_OK(model_load(FILES[i].path, &base, &err));
        more.spec = "vpc-egress";
        more.time_ms = base->parts.trained_until_ms;
        trained = updated(base, &more, 1, NULL, 0, kit);
        CHECK(trained_model(trained)->parts.form == FILES[i].form);
        CHECK(kit_score(trained_model(trained), "vpc-egress", more.entity, "203.0.113.9")
                  .known_bits == 32);
        for (const char *const *ip = (const char *const[]){"10.240.1.39", "54.81.200.1", NULL};
             *ip != NULL; ip++) {
            CHECK(ip_parse(*ip, &other.ip));
            model_explain(base, &other, &before);
            model_explain(trained_model(trained), &other, &after);
            CHECK(before.entity > 0 && fabs(before.entity - after.entity) < 0.02);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_learned_is_usual_and_the_rest_stays),
        cmocka_unit_test(a_day_at_a_time_makes_the_tree_of_all_days_at_once),
        cmocka_unit_test(what_is_forgotten_is_unusual_again),
        cmocka_unit_test(an_entity_of_which_nothing_is_left_is_a_newcomer),
        cmocka_unit_test(few_pairs_keep_the_calibration_and_many_make_their_own),
        cmocka_unit_test(a_spec_that_the_model_does_not_know_is_refused),
        cmocka_unit_test(a_model_of_each_version_learns_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
