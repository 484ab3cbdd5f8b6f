/* The level of autonomous systems: a measure that adds up, and what it does to a pair's score. */
#include "kit.h"

#include <math.h>

#include "model/asn.h"
#include "model/parts.h"
#include "model/prefix_fit.h"

enum { SYSTEMS = 3, RANGES = 4 };
#define V4(text_octet) ((uint64_t)(text_octet) << 56)
#define END            ((UINT64_C(1) << 56) - 1)

/* AS64500 has 10/8 and 20/8, AS64501 30/8, AS64502 in the middle of 203/8. */
static const uint32_t NUMBERS[SYSTEMS] = {64500, 64501, 64502};
static const char NAMES[] = "Example Net\0\0Third";
static const uint64_t LOWS[RANGES] = {V4(10), V4(20), V4(30), V4(203) | UINT64_C(0x71) << 40};
static const uint64_t HIGHS[RANGES] = {V4(10) | END, V4(20) | END, V4(30) | END,
                                       V4(203) | UINT64_C(0x72) << 40};
static const uint32_t OWNERS[RANGES] = {0, 0, 1, 2};
static const struct asn_table TABLE = {
    .system_count = SYSTEMS,
    .numbers = NUMBERS,
    .names = NAMES,
    .names_length = sizeof NAMES,
    .families = {{.count = RANGES, .lows = LOWS, .highs = HIGHS, .systems = OWNERS}},
};

static uint64_t key_of(const char *text)
{
    struct ip ip;
    int length;

    CHECK(ip_parse(text, &ip));
    return prefix_key(&ip, &length);
}

TEST(systems_are_found_to_their_last_address)
{
    CHECK(asn_table_holds(&TABLE));
    CHECK(asn_find(&TABLE, 0, key_of("10.0.0.0")) == 0);
    CHECK(asn_find(&TABLE, 0, key_of("10.255.255.255")) == 0);
    CHECK(asn_find(&TABLE, 0, key_of("30.1.2.3")) == 1);
    CHECK(asn_find(&TABLE, 0, key_of("11.0.0.0")) == ASN_NONE);
    CHECK(asn_find(&TABLE, 0, key_of("9.255.255.255")) == ASN_NONE);
    CHECK(asn_find(&TABLE, 0, UINT64_MAX) == ASN_NONE);
    CHECK(asn_find(&TABLE, 1, key_of("10.0.0.0")) == ASN_NONE);
}

TEST(what_does_not_hold_together_is_seen)
{
    static const uint32_t FAR[RANGES] = {0, 0, 1, 3}, DOUBLE[SYSTEMS] = {64500, 64500, 64502};
    struct asn_table table = TABLE;

    table.families[0].systems = FAR;
    CHECK(!asn_table_holds(&table));
    table = TABLE;
    table.families[0].lows = HIGHS;
    table.families[0].highs = LOWS;
    CHECK(!asn_table_holds(&table));
    table = TABLE;
    table.numbers = DOUBLE;
    CHECK(!asn_table_holds(&table));
    table = TABLE;
    table.names_length--;
    CHECK(!asn_table_holds(&table));
    table = (struct asn_table){.system_count = 0};
    CHECK(asn_table_holds(&table));
}

/* Entity 0 has three addresses of AS64500, two of them in 10/8, and one of AS64501. */
static struct prefix_tree tree_of(struct prefix_arrays *arrays)
{
    static const char *const ADDRESSES[] = {"10.1.1.1", "10.9.1.1", "20.1.1.1", "30.1.1.1"};
    AUTO(prefix_events_done) struct prefix_events events = {.last = NULL};
    struct spool_pool pool;
    struct prefix_tree tree;
    struct err err = {0};

    spool_pool_init(&pool, UINT64_MAX, "/tmp");
    prefix_events_init(&events, &pool, 2);
    for (size_t i = 0; i < ARRAY_LEN(ADDRESSES); i++) {
        struct prefix_event event = {.key = key_of(ADDRESSES[i]), .day = 20000, .count = 1};

        CHECK_OK(prefix_events_add(&events, &event, &err));
    }
    CHECK_OK(prefix_fit(&events, 0, 30, &tree, arrays, &err));
    prefix_tree_route(&tree, &TABLE);
    return tree;
}

/* The mean of 2^evidence over addresses drawn evenly within a prefix is 1, whatever the prefix. */
TEST(the_evidence_is_a_density)
{
    static const struct {
        const char *network;
        int bits;
    } CASES[] = {{"0.0.0.0", 0}, {"0.0.0.0", 3}, {"16.0.0.0", 4}, {"10.0.0.0", 8}, {"8.0.0.0", 6}};
    struct prefix_arrays arrays = {0};
    struct prefix_tree tree = tree_of(&arrays);

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        uint64_t network = key_of(CASES[i].network), step = UINT64_C(1) << 40;
        uint64_t count = UINT64_C(1) << (24 - CASES[i].bits); /* of /24s */
        double sum = 0;

        for (uint64_t n = 0; n < count; n++)
            sum += exp2(asn_evidence(tree.asn, 0, 0, network + n * step, CASES[i].bits));
        CHECK_CASE(CASES[i].network, fabs(sum / (double)count - 1) < 1e-3);
    }
    prefix_tree_done(&tree);
    prefix_arrays_done(&arrays);
}

TEST(an_own_system_speaks_for_an_address_and_another_against_it)
{
    struct prefix_arrays arrays = {0};
    struct prefix_tree tree = tree_of(&arrays);
    double own = asn_evidence(tree.asn, 0, 0, key_of("20.200.1.1"), 0);
    double rarer = asn_evidence(tree.asn, 0, 0, key_of("30.200.1.1"), 0);
    double never = asn_evidence(tree.asn, 0, 0, key_of("203.0.114.1"), 0);

    CHECK(own > 0 && rarer > 0 && never < 0);
    CHECK(asn_evidence(tree.asn, 0, 0, key_of("99.1.1.1"), 0) == never); /* nobody routes it */
    CHECK(asn_evidence(tree.asn, 0, 1, key_of("20.200.1.1"), 0) == 0);   /* no history */
    CHECK(fabs(asn_weight(tree.asn, 0, 0, 0) - 3) < 1e-6);
    CHECK(tree.asn->entity_counts[0] == 1 && tree.asn->entity_counts[2] == 0);
    prefix_tree_done(&tree);
    prefix_arrays_done(&arrays);
}

TEST(a_model_keeps_its_table_and_names_the_system)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(model_freep) struct model *model = NULL;
    struct model_pair pair = {"", "host-4", {{0}}};
    struct model_explanation near, far;

    kit->options.detector = DETECTOR_PREFIX;
    kit->options.asn = &TABLE;
    model = kit_model(kit);
    CHECK(model_asn(model)->system_count == SYSTEMS);
    CHECK(ip_parse("20.1.2.3", &pair.ip));
    model_explain(model, &pair, &near);
    CHECK(near.has_asn && near.asn.known && near.asn.number == 64500);
    CHECK_STR(near.asn.name, "Example Net");
    CHECK(near.asn.share > 0.99 && near.asn.entities == KIT_ENTITIES && near.asn.evidence > 0);
    CHECK(ip_parse("203.0.113.1", &pair.ip));
    model_explain(model, &pair, &far);
    CHECK(far.has_asn && !far.asn.known && far.asn.number == 64502 && far.asn.entities == 0);
    CHECK(ip_parse("30.1.2.3", &pair.ip));
    model_explain(model, &pair, &far);
    CHECK(far.has_asn && !far.asn.known && far.asn.number == 64501 && far.asn.share == 0);
    CHECK(far.score.opinions[OPINION_STRANGER].score > near.score.opinions[OPINION_STRANGER].score);
}

TEST(learning_on_keeps_the_table)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(model_freep) struct model *base = NULL;
    AUTO(trained_freep) struct trained *trained = NULL;
    struct train_pair pair = {
        .spec = "", .entity = "host-4", .time_ms = 1700100000000, .count = 1, .ip = {{0}}};
    struct model_pair asked = {"", "host-4", {{0}}};
    struct model_explanation explained;
    struct err err = {0};

    kit->options.asn = &TABLE;
    base = kit_model(kit);
    kit->options.asn = NULL;
    CHECK(ip_parse("30.1.2.3", &pair.ip) && ip_parse("30.200.2.3", &asked.ip));
    CHECK_OK(train_update(base, &pair, 1, NULL, 0, &kit->options, &trained, &err));
    model_explain(trained_model(trained), &asked, &explained);
    CHECK(explained.has_asn && explained.asn.known && explained.asn.number == 64501);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(systems_are_found_to_their_last_address),
        cmocka_unit_test(what_does_not_hold_together_is_seen),
        cmocka_unit_test(the_evidence_is_a_density),
        cmocka_unit_test(an_own_system_speaks_for_an_address_and_another_against_it),
        cmocka_unit_test(a_model_keeps_its_table_and_names_the_system),
        cmocka_unit_test(learning_on_keeps_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
