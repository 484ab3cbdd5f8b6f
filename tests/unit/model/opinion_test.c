/* What decides with the prefix tree: strangers, impostors, newcomers, and where their thresholds
 * go. */
#include "kit.h"

#include <math.h>

#include "model/opinion.h"

enum { DAY_MS = 24 * 3600 * 1000 };

static struct kit *prefix_kit(void)
{
    struct kit *kit = kit_new();

    kit->options.detector = DETECTOR_PREFIX;
    return kit;
}

/* An IPv4 address of the entity's. */
static const char *used_by(const struct kit *kit, const char *entity, char *text)
{
    size_t i = 0;

    while (strcmp(kit->pairs[i].entity, entity) != 0 || !ip_is_v4(&kit->pairs[i].ip))
        i++;
    (void)ip_format(text, &kit->pairs[i].ip);
    return text;
}

TEST(the_prefix_tree_decides_and_the_other_detector_is_heard)
{
    AUTO(kit_freep) struct kit *kit = prefix_kit();
    AUTO(model_freep) struct model *model = kit_model(kit);
    struct model_score own = kit_score(model, "", "host-4", "10.4.0.9");
    struct model_score foreign = kit_score(model, "", "host-4", "203.0.113.9");
    struct model_info info;

    model_info(model, &info);
    CHECK(info.detector == DETECTOR_PREFIX);
    CHECK(!own.flagged && foreign.flagged && foreign.opinion == OPINION_STRANGER);
    CHECK(foreign.score > 0 && own.score < 0);
    CHECK(foreign.opinions[OPINION_STRANGER].flagged);
    CHECK(isnan(foreign.opinions[OPINION_IMPOSTOR].score));
    CHECK(isnan(foreign.opinions[OPINION_NEWCOMER].score));
    CHECK(foreign.opinions[OPINION_IP_INSIGHTS].score == -foreign.dot_product);
    CHECK(foreign.opinions[OPINION_IP_INSIGHTS].flagged);
}

TEST(somebody_elses_address_makes_an_impostor)
{
    AUTO(kit_freep) struct kit *kit = prefix_kit();
    AUTO(model_freep) struct model *model = NULL;
    struct model_score score;
    char text[IP_TEXT_BYTES];

    kit->options.threshold.value = 90; /* enough of the sample for an impostor's threshold */
    model = kit_model(kit);
    score = kit_score(model, "", "host-4", used_by(kit, "host-9", text));
    CHECK(score.flagged && score.bearers >= 1 && score.known_bits == 12);
    CHECK(score.opinions[OPINION_IMPOSTOR].flagged);
    CHECK(score.opinions[OPINION_IMPOSTOR].score >
          kit_score(model, "", "host-4", "10.4.0.9").opinions[OPINION_STRANGER].score);
    CHECK(score.opinion == OPINION_IMPOSTOR || score.opinion == OPINION_STRANGER);
}

TEST(an_entity_without_history_is_judged_by_everyones)
{
    AUTO(kit_freep) struct kit *kit = prefix_kit();
    AUTO(model_freep) struct model *model = kit_model(kit);
    char text[IP_TEXT_BYTES];
    struct model_score usual = kit_score(model, "", "newcomer", used_by(kit, "host-4", text));
    struct model_score odd = kit_score(model, "", "newcomer", "203.0.113.9");

    CHECK(!usual.entity_known && usual.opinion == OPINION_NEWCOMER);
    CHECK(!usual.flagged && odd.flagged && odd.opinion == OPINION_NEWCOMER);
    CHECK(odd.score > usual.score && odd.percentile > usual.percentile);
    CHECK(isnan(odd.opinions[OPINION_STRANGER].score));
    CHECK(usual.bearers >= 1);
}

TEST(the_explanation_adds_up)
{
    static const char *const ADDRESSES[] = {"10.4.0.9", "203.0.113.9", "2001:db8:5:1::9"};
    AUTO(kit_freep) struct kit *kit = prefix_kit();
    AUTO(model_freep) struct model *model = kit_model(kit);

    for (size_t i = 0; i < ARRAY_LEN(ADDRESSES); i++) {
        struct model_pair pair = {"", "host-5", {{0}}};
        struct model_explanation explanation;
        double entity = 0, others = 0, dot = 0;

        CHECK(ip_parse(ADDRESSES[i], &pair.ip));
        model_explain(model, &pair, &explanation);
        CHECK(explanation.level_count == (size_t)(ip_is_v4(&pair.ip) ? 8 : 16));
        for (size_t j = 0; j < explanation.level_count; j++) {
            entity += explanation.levels[j].entity;
            others += explanation.levels[j].others;
            dot += explanation.levels[j].ip_insights;
            CHECK(cidr_contains(&explanation.levels[j].prefix, &pair.ip));
        }
        CHECK(fabs(entity - explanation.entity) < 1e-3);
        CHECK(fabs(others - explanation.others) < 1e-3);
        CHECK(fabs(dot - explanation.score.dot_product) < 1e-3);
        CHECK(explanation.has_nearest);
    }
}

/* A pair of which the numbers are these, what is shared and how much the entity returns included;
 * the entity was observed three times. */
static double scored_by(enum model_form form, enum opinion opinion,
                        const struct prefix_score *prefix, double shared, double returns)
{
    double scores[OPINION__MAX];

    opinion_scores(form, prefix, shared, (struct habit){3, returns}, 0, scores);
    return scores[opinion];
}

static double scored(enum opinion opinion, const struct prefix_score *prefix, double shared,
                     double returns)
{
    return scored_by(FORM_RATIO, opinion, prefix, shared, returns);
}

static double counted(enum opinion opinion, const struct prefix_score *prefix, double shared)
{
    return scored_by(FORM_COUNTED, opinion, prefix, shared, 1);
}

TEST(an_address_used_before_is_less_usual_when_it_is_rare_or_others_own)
{
    struct prefix_score used = {.length = 32, .known_bits = 32, .own_share = 0.001};

    CHECK(counted(OPINION_STRANGER, &used, 0) == -64.5);
    used.own_share = 0.001 / 16;
    CHECK(fabs(counted(OPINION_STRANGER, &used, 0) - (-64.5 + 2)) < 1e-9);
    used.others_share = used.own_share * 8;
    CHECK(fabs(counted(OPINION_STRANGER, &used, 0) - (-64.5 + 2 + 3)) < 1e-9);
    CHECK(scored(OPINION_STRANGER, &used, 0, 1) == -64.5); /* a file of version 2 */
    used.own_share = used.others_share = 0.25;
    CHECK(counted(OPINION_STRANGER, &used, 0) == -64.5);
}

/* What others do is worth as many bits, for or against, however popular the address is. */
TEST(what_others_do_is_relied_upon_within_bounds)
{
    for (int bits = 20; bits <= 28; bits += 4) {
        struct prefix_score theirs = {.length = 32, .others = bits, .below = bits};

        CHECK(fabs(counted(OPINION_IMPOSTOR, &theirs, 0) - log2(1.0 / 6 / 0.1)) < 1e-4);
        CHECK(fabs(counted(OPINION_IMPOSTOR, &theirs, 1) - log2(1.0 / 6 / 0.9)) < 1e-4);
        CHECK(fabs(counted(OPINION_IMPOSTOR, &theirs, 1.0 / 6)) < 1e-9);
        theirs.below = 0; /* the entity is there, too */
        theirs.known_bits = theirs.firm_bits = 16;
        CHECK(fabs(counted(OPINION_IMPOSTOR, &theirs, 0.3) + 16 -
                   log2(5.0 / 6 + exp2(bits / 4.0) / 6)) < 1e-9);
    }
}

TEST(one_sighting_tells_of_an_entity_that_comes_back)
{
    struct prefix_score used = {.length = 32, .known_bits = 32, .firm_bits = 8, .entity = 10};
    struct prefix_score near = {.length = 32, .known_bits = 20, .firm_bits = 8, .entity = 10};

    CHECK(scored(OPINION_STRANGER, &used, 0, 0.5) == -64.5);
    CHECK(scored(OPINION_STRANGER, &used, 0, 0) == -18);
    used.once = true; /* and nowhere near it */
    CHECK(scored(OPINION_STRANGER, &used, 0, 1) == -42);
    used.firm_bits = 12;
    CHECK(scored(OPINION_STRANGER, &used, 0, 1) == -64.5);
    CHECK(scored(OPINION_STRANGER, &near, 0, 0.5) == -30);
    CHECK(scored(OPINION_STRANGER, &near, 0, 0) == -18);
    CHECK(scored(OPINION_STRANGER, &near, 0, 0.25) == -24);
}

TEST(what_others_do_speaks_for_an_address_and_against_it)
{
    struct prefix_score theirs = {.length = 32, .others = 10, .below = 10};
    struct prefix_score nobodys = {.length = 32, .others = -3, .below = -3};

    CHECK(scored(OPINION_IMPOSTOR, &theirs, 0, 1) == log2(0.75 + 0.25 * 1024));
    CHECK(isinf(scored(OPINION_IMPOSTOR, &nobodys, 0, 1)));
    CHECK(scored(OPINION_STRANGER, &theirs, 0.5, 1) == -log2(0.5 + 0.5 * 1024));
    CHECK(isinf(scored(OPINION_IMPOSTOR, &theirs, 0.5, 1))); /* most new places are shared */
    CHECK(fabs(scored(OPINION_IMPOSTOR, &theirs, 1.0 / 6, 1)) < 1e-9); /* as much for as against */
    theirs.known_bits = 24;
    CHECK(isinf(scored(OPINION_IMPOSTOR, &theirs, 0, 1))); /* a network of its own */
}

TEST(families_are_on_one_scale)
{
    struct prefix_score v4 = {.length = 32, .known_bits = 16, .entity = 12, .others = 4};
    struct prefix_score v6 = {.length = 64, .known_bits = 32, .entity = 24, .others = 8};

    v6.firm_bits = 32;
    v4.firm_bits = 16;
    CHECK(scored(OPINION_STRANGER, &v4, 0, 1) == scored(OPINION_STRANGER, &v6, 0, 1));
    CHECK(scored(OPINION_NEWCOMER, &v4, 0, 0) == scored(OPINION_NEWCOMER, &v6, 0, 0));
    v4.known_bits = 32;
    v6.known_bits = 64;
    CHECK(scored(OPINION_STRANGER, &v4, 0, 1) == scored(OPINION_STRANGER, &v6, 0, 1));
    v4.own_share = v6.own_share = 1.0 / 4000;
    v4.others_share = v6.others_share = 1.0 / 100;
    CHECK(counted(OPINION_STRANGER, &v4, 0.4) == counted(OPINION_STRANGER, &v6, 0.4));
}

TEST(a_newcomer_is_flagged_by_its_own_threshold_and_ranks_among_all)
{
    static const double OTHERS[] = {-6, -1, 0, 3, 9};
    struct sample_part *thresholds = own_array(OPINION__MAX, sizeof *thresholds);
    double last = INFINITY;

    for (int strangers = -20; strangers <= 20; strangers += 20) {
        thresholds[OPINION_STRANGER].threshold = thresholds[OPINION_IMPOSTOR].threshold = strangers;
        thresholds[OPINION_NEWCOMER].threshold = 0.5;
        last = INFINITY;
        for (size_t i = 0; i < ARRAY_LEN(OTHERS); i++) {
            struct prefix_score prefix = {.length = 32, .others = OTHERS[i], .below = OTHERS[i]};
            double scores[OPINION__MAX], over;
            enum opinion opinion;

            opinion_scores(FORM_RATIO, &prefix, 0.3, (struct habit){0, 0}, 0, scores);
            over = opinion_over(FORM_RATIO, scores, false, thresholds, &opinion);
            CHECK(opinion == OPINION_NEWCOMER && over < last);
            CHECK((over > 0) == (scores[OPINION_NEWCOMER] > 0.5));
            last = over;
        }
    }
    own_freep(&thresholds);
}

static size_t count_flagged(const struct kit *kit, const struct model *model, size_t first)
{
    size_t flagged = 0;

    for (size_t i = first; i < KIT_PAIRS; i++) {
        struct model_pair pair = {"", kit->pairs[i].entity, kit->pairs[i].ip};
        struct model_score score;

        model_score_pairs(model, &pair, 1, &score);
        flagged += score.flagged;
    }
    return flagged;
}

static struct model_calibration calibration_by(enum threshold_kind kind, double value)
{
    AUTO(kit_freep) struct kit *kit = prefix_kit();
    AUTO(model_freep) struct model *model = NULL;
    struct model_calibration calibration;

    for (size_t i = 0; i < KIT_PAIRS; i++) /* 20 days, of which the newest fifth is 4 */
        kit->pairs[i].time_ms = 1700000000000 + (int64_t)i * 20 * DAY_MS / KIT_PAIRS;
    kit->options.threshold = (struct threshold_rule){kind, value};
    model = kit_model(kit);
    CHECK(model_calibration(model, "", &calibration));
    /* Everything was learned in the end, so less is unusual than when it was held out. */
    CHECK(count_flagged(kit, model, 0) <= KIT_PAIRS / 10);
    return calibration;
}

TEST(thresholds_keep_their_rule)
{
    struct model_calibration calibration = calibration_by(THRESHOLD_BUDGET, 0.5);
    double over = (100 - calibration.threshold_percentile) / 100 * (double)calibration.sample_size;

    CHECK(over <= 2.001 && calibration.threshold == 0); /* half a finding on each of 4 days */
    calibration = calibration_by(THRESHOLD_BUDGET, 1000);
    over = (100 - calibration.threshold_percentile) / 100 * (double)calibration.sample_size;
    CHECK(over <= (double)calibration.sample_size / 100 + 0.001); /* one in a hundred */
    calibration = calibration_by(THRESHOLD_PERCENTILE, 95);
    CHECK(calibration.threshold_percentile >= 95 && calibration.threshold_percentile < 99);
    calibration = calibration_by(THRESHOLD_SCORE, 30);
    CHECK(calibration.threshold_percentile == 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_prefix_tree_decides_and_the_other_detector_is_heard),
        cmocka_unit_test(somebody_elses_address_makes_an_impostor),
        cmocka_unit_test(an_entity_without_history_is_judged_by_everyones),
        cmocka_unit_test(the_explanation_adds_up),
        cmocka_unit_test(one_sighting_tells_of_an_entity_that_comes_back),
        cmocka_unit_test(what_others_do_speaks_for_an_address_and_against_it),
        cmocka_unit_test(an_address_used_before_is_less_usual_when_it_is_rare_or_others_own),
        cmocka_unit_test(what_others_do_is_relied_upon_within_bounds),
        cmocka_unit_test(families_are_on_one_scale),
        cmocka_unit_test(a_newcomer_is_flagged_by_its_own_threshold_and_ranks_among_all),
        cmocka_unit_test(thresholds_keep_their_rule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
