/* Training from end to end, and scoring with what came of it. */
#include "kit.h"

#include <math.h>

#include "model/baseline.h"

TEST(a_model_knows_what_is_usual)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(model_freep) struct model *model = kit_model(kit);
    struct model_score own = kit_score(model, "", "host-4", "10.4.0.9");
    struct model_score other = kit_score(model, "", "host-4", "10.9.0.9");
    struct model_score foreign = kit_score(model, "", "host-4", "203.0.113.9");
    struct model_calibration calibration;

    CHECK(own.entity_known && own.score == -own.dot_product);
    CHECK(own.score < other.score && own.score < foreign.score);
    CHECK(!own.flagged && foreign.flagged);
    CHECK(model_calibration(model, "", &calibration) && calibration.sample_size > 300);
    CHECK(foreign.percentile == 100 - 1000 / (double)calibration.sample_size);
    CHECK(own.percentile < foreign.percentile);
    CHECK(own.known_bits >= 22 && other.known_bits == 12 && foreign.known_bits == 0);
}

TEST(ipv6_is_learned_apart)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(model_freep) struct model *model = kit_model(kit);
    struct model_score own = kit_score(model, "", "host-5", "2001:db8:5:1::9");
    struct model_score foreign = kit_score(model, "", "host-5", "2a00:1450::1");

    CHECK(own.score < foreign.score);
    CHECK(own.known_bits >= 64 && foreign.known_bits < 8);
    CHECK(kit_score(model, "", "host-4", "2001:db8:5:1::9").known_bits == 0);
}

/* The mean stands in: finite, and no entity's own score. */
TEST(an_unknown_entity_is_said_to_be_one)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(model_freep) struct model *model = kit_model(kit);
    struct model_score score = kit_score(model, "", "stranger", "10.4.0.9");
    struct model_network networks[MODEL_NETWORKS_MAX];
    double sum = 0;

    CHECK(!score.entity_known && score.known_bits == 0 && isfinite(score.score));
    for (unsigned i = 0; i < KIT_ENTITIES; i++)
        sum += kit_score(model, "", kit->names[i], "10.4.0.9").dot_product;
    CHECK(fabs(sum / KIT_ENTITIES - score.dot_product) < 1e-4);
    CHECK(model_entity_networks(model, "", "stranger", networks) == 0);
}

TEST(the_same_pairs_in_any_order_give_the_same_file)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(model_freep) struct model *model = kit_model(kit), *again = NULL, *other = NULL;
    struct model_info first, second, third;
    struct train_pair kept;

    for (size_t i = 0; i < KIT_PAIRS / 2; i++) {
        kept = kit->pairs[i];
        kit->pairs[i] = kit->pairs[KIT_PAIRS - 1 - i];
        kit->pairs[KIT_PAIRS - 1 - i] = kept;
    }
    again = kit_model(kit);
    kit->options.seed = 2;
    other = kit_model(kit);
    model_info(model, &first);
    model_info(again, &second);
    model_info(other, &third);
    CHECK_STR(second.id, first.id);
    CHECK(strcmp(third.id, first.id) != 0);
}

/* What training makes of the same pairs must not change by accident. */
TEST(golden_scores)
{
    static const struct {
        const char *entity, *ip;
        double wanted;
    } CASES[] = {
        {"host-4", "10.4.0.9", 2.898526},
        {"host-4", "10.9.0.9", -2.146486},
        {"host-5", "2001:db8:5:1::9", 2.044468},
        {"stranger", "203.0.113.9", -7.210703},
    };
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(model_freep) struct model *model = kit_model(kit);

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        double got = kit_score(model, "", CASES[i].entity, CASES[i].ip).dot_product;

        if (fabs(got - CASES[i].wanted) >= 1e-4)
            print_error("%s %s: %.7g\n", CASES[i].entity, CASES[i].ip, got);
        CHECK_CASE(CASES[i].ip, fabs(got - CASES[i].wanted) < 1e-4);
    }
}

TEST(a_model_tells_what_it_was_made_of)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(model_freep) struct model *model = kit_model(kit);
    struct model_calibration calibration;
    struct model_info info;

    model_info(model, &info);
    CHECK(strlen(info.id) == MODEL_ID_BYTES - 1);
    CHECK(info.detector == DETECTOR_IP_INSIGHTS);
    CHECK(info.entities == KIT_ENTITIES && info.training_pairs == 3999);
    CHECK(info.trained_until_ms == 1700000000000 + 1000 * (KIT_PAIRS - 1));
    CHECK_HAS(info.hyperparameters_json, "\"num_entity_vectors\":64");
    CHECK_HAS(info.metrics_json, "\"held_out_pairs\":400");
    CHECK(info.spec_count == 1);
    CHECK(model_calibration(model, "", &calibration) && calibration.usual_quantiles != NULL);
    CHECK(calibration.unknown_share == 0 && calibration.unseen_share < 0.01);
    CHECK(model_calibration(model, "", &calibration) && calibration.sample_size > 300);
    CHECK(calibration.threshold >= (double)calibration.quantiles[990]);
    CHECK(calibration.threshold <= (double)calibration.quantiles[1000]);
}

/* They are scored, so a threshold counts them; the model knows nothing of them. */
TEST(what_nobody_answered_is_not_learned)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(model_freep) struct model *plain = kit_model(kit), *model = NULL;
    AUTO(trained_freep) struct trained *trained = NULL;
    AUTO(train_set_freep) struct train_set *set = train_set_new(0, kit->folder);
    struct model_calibration before, after;
    struct model_info info;
    struct err err = {0};

    for (size_t i = 0; i < KIT_PAIRS; i++) {
        struct train_pair call = kit->pairs[i];

        call.ip = ip_from_v4(0xcb007100 + (uint32_t)i % 256);
        call.unanswered = true;
        call.entity = i % 100 == 0 ? "never-answered" : call.entity;
        CHECK_OK(train_set_add(set, &kit->pairs[i], &err));
        CHECK_OK(train_set_add(set, &call, &err));
    }
    CHECK(train_set_count(set) == 2 * KIT_PAIRS && train_set_unanswered(set) == KIT_PAIRS);
    CHECK_OK(train_set_run(set, &kit->options, &trained, &err));
    CHECK_OK(trained_write(trained, kit->path, &err));
    CHECK_OK(model_load(kit->path, &model, &err));
    model_info(model, &info);
    CHECK(info.entities == KIT_ENTITIES && info.training_pairs == 3999);
    CHECK_HAS(info.metrics_json, "\"unanswered_pairs\":2000");
    for (size_t i = 0; i < KIT_PAIRS; i += 50) {
        struct model_pair pair = {"", kit->pairs[i].entity, kit->pairs[i].ip};
        double a, b;

        model_dot_products(plain, &pair, 1, &a);
        model_dot_products(model, &pair, 1, &b);
        CHECK(a == b);
    }
    CHECK(kit_score(model, "", "host-4", "203.0.113.9").known_bits == 0);
    CHECK(model_calibration(plain, "", &before) && model_calibration(model, "", &after));
    CHECK(after.sample_size > before.sample_size && after.threshold > before.threshold);
    trained_freep(&trained);
    CHECK_OK(train_set_update(plain, set, NULL, 0, &kit->options, &trained, &err));
    model_info(trained_model(trained), &info);
    CHECK(info.entities == KIT_ENTITIES && info.training_pairs == 2 * 3999);
    CHECK(kit_score(trained_model(trained), "", "host-4", "203.0.113.9").known_bits == 0);
}

TEST(a_set_that_nobody_answered_is_refused)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(trained_freep) struct trained *trained = NULL;
    struct err err = {0};

    for (size_t i = 0; i < 5; i++)
        kit->pairs[i].unanswered = true;
    CHECK_ERR(ERR_INVALID, train_run(kit->pairs, 5, &kit->options, &trained, &err));
    CHECK_HAS(err.text, "nobody answered");
    CHECK_ERR(ERR_INVALID, train_run(kit->pairs, 6, &kit->options, &trained, &err));
    CHECK_HAS(err.text, "there is one pair only, of \"");
    CHECK_OK(train_run(kit->pairs, 12, &kit->options, &trained, &err));
}

/* What calibrates is not the last entities by name. */
TEST(pairs_without_times_are_held_out_at_random)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(model_freep) struct model *model = NULL;
    struct model_calibration calibration;
    struct model_info info;

    for (size_t i = 0; i < KIT_PAIRS; i++)
        kit->pairs[i].time_ms = 0;
    model = kit_model(kit);
    model_info(model, &info);
    CHECK_HAS(info.metrics_json, "\"held_out_unknown_entities\":0");
    CHECK(model_calibration(model, "", &calibration) && calibration.sample_size > 200);
}

TEST(networks_are_by_use)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(model_freep) struct model *model = kit_model(kit);
    struct model_network networks[MODEL_NETWORKS_MAX];
    size_t count = model_entity_networks(model, "", "host-4", networks);
    double share = 0;
    struct cidr cidr;

    CHECK(count == 4 && cidr_parse("10.4.0.0/22", &cidr));
    for (size_t i = 0; i < count; i++) {
        CHECK(networks[i].cidr.prefix_length == 24);
        CHECK(cidr_contains(&cidr, &networks[i].cidr.low));
        CHECK(i == 0 || networks[i].observations <= networks[i - 1].observations);
        share += networks[i].share;
    }
    CHECK(fabs(share - 1) < 1e-12);
}

TEST(specs_are_kept_apart)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(model_freep) struct model *model = NULL;
    struct model_calibration calibration;

    for (size_t i = 0; i < KIT_PAIRS; i++)
        kit->pairs[i].spec = kit->pairs[i].entity[5] == '4' ? "vpc-egress" : "eks-user";
    kit->options.scoped = true;
    model = kit_model(kit);
    CHECK(kit_score(model, "vpc-egress", "host-4", "10.4.0.9").entity_known);
    CHECK(!kit_score(model, "eks-user", "host-4", "10.4.0.9").entity_known);
    CHECK(!kit_score(model, "", "host-4", "10.4.0.9").entity_known);
    CHECK(isnan(kit_score(model, "dns-answer", "host-4", "10.4.0.9").percentile));
    CHECK(model_calibration(model, "eks-user", &calibration));
    CHECK(!model_calibration(model, "", &calibration));
}

TEST(entities_may_share_vectors)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(model_freep) struct model *model = NULL;
    double first, score;
    bool differ = false;

    kit->options.hyper.num_entity_vectors = 1;
    model = kit_model(kit);
    first = kit_score(model, "", kit->names[0], "10.4.0.9").score;
    for (unsigned i = 1; i < KIT_ENTITIES; i++) {
        score = kit_score(model, "", kit->names[i], "10.4.0.9").score;
        differ = differ || score != first;
        CHECK(kit_score(model, "", kit->names[i], "10.4.0.9").entity_known);
    }
    CHECK(!differ);
}

TEST(what_cannot_be_learned_from_is_refused)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(trained_freep) struct trained *trained = NULL;
    struct err err = {0};

    CHECK_ERR(ERR_INVALID, train_run(kit->pairs, 0, &kit->options, &trained, &err));
    CHECK_HAS(err.text, "no pairs");
    kit->options.threshold.value = 101;
    CHECK_ERR(ERR_INVALID, train_run(kit->pairs, 5, &kit->options, &trained, &err));
    kit->options.threshold.value = 99;
    kit->options.hyper.epochs = 0;
    CHECK_ERR(ERR_INVALID, train_run(kit->pairs, 5, &kit->options, &trained, &err));
    CHECK_HAS(err.text, "epochs");
    kit->options.hyper.epochs = 1;
    CHECK_ERR(ERR_INVALID, train_run(kit->pairs, 1, &kit->options, &trained, &err));
    CHECK_HAS(err.text, "there is one pair only, of \"");
    for (size_t i = 1; i < 3; i++)
        kit->pairs[i] = kit->pairs[0];
    CHECK_ERR(ERR_INVALID, train_run(kit->pairs, 3, &kit->options, &trained, &err));
    CHECK_HAS(err.text, "all 3 pairs are the same, of \"");
    for (size_t i = 0; i < KIT_PAIRS; i++)
        kit->pairs[i].entity = "alone";
    CHECK_ERR(ERR_INVALID, train_run(kit->pairs, KIT_PAIRS, &kit->options, &trained, &err));
    CHECK_HAS(err.text, "there is one entity only, \"alone\"");
    CHECK_HAS(err.text, "shuffled_negative_sampling_rate of 0");
    kit->options.hyper.shuffled_negative_sampling_rate = 0;
    CHECK_OK(train_run(kit->pairs, 4, &kit->options, &trained, &err)); /* too few to calibrate */
    CHECK(isnan(kit_score(trained_model(trained), "", "host-4", "10.4.0.9").percentile));
}

TEST(baselines_look_at_the_past_alone)
{
    static const char *const SEEN[] = {"10.1.2.3", "10.1.2.3", "10.9.0.1", "2001:db8::1"};
    AUTO(baseline_freep) struct baseline *baseline = NULL;
    struct train_pair pairs[4];
    struct ip ip;

    for (size_t i = 0; i < 4; i++) {
        pairs[i] = (struct train_pair){.entity = "a", .count = 1};
        CHECK(ip_parse(SEEN[i], &pairs[i].ip));
    }
    baseline = baseline_new(pairs, 4, NULL);
    CHECK(ip_parse("10.1.2.3", &ip));
    CHECK(baseline_score(baseline, BASELINE_SEEN, "a", &ip) == 0);
    CHECK(baseline_score(baseline, BASELINE_SEEN, "b", &ip) == 1);
    CHECK(baseline_score(baseline, BASELINE_LCP, "a", &ip) == -32);
    CHECK(ip_parse("10.1.2.2", &ip));
    CHECK(baseline_score(baseline, BASELINE_LCP, "a", &ip) == -31);
    CHECK(baseline_score(baseline, BASELINE_BACKOFF, "a", &ip) <= -28);
    CHECK(baseline_score(baseline, BASELINE_BACKOFF, "b", &ip) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_knows_what_is_usual),
        cmocka_unit_test(ipv6_is_learned_apart),
        cmocka_unit_test(an_unknown_entity_is_said_to_be_one),
        cmocka_unit_test(the_same_pairs_in_any_order_give_the_same_file),
        cmocka_unit_test(golden_scores),
        cmocka_unit_test(a_model_tells_what_it_was_made_of),
        cmocka_unit_test(what_nobody_answered_is_not_learned),
        cmocka_unit_test(a_set_that_nobody_answered_is_refused),
        cmocka_unit_test(pairs_without_times_are_held_out_at_random),
        cmocka_unit_test(networks_are_by_use),
        cmocka_unit_test(specs_are_kept_apart),
        cmocka_unit_test(entities_may_share_vectors),
        cmocka_unit_test(what_cannot_be_learned_from_is_refused),
        cmocka_unit_test(baselines_look_at_the_past_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
