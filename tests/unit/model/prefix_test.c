/* The prefix tree against the formula of its header, worked out by counting. */
#include "kit.h"

#include <math.h>

#include "base/hash.h"
#include "model/prefix_fit.h"

enum { TODAY = 20000, ENTITIES = 7, EVENTS = 300, HALF_LIFE = 10 };

struct kit_tree {
    struct prefix_event events[EVENTS];
    size_t count;
    bool by_address;
    struct prefix_tree tree;
    struct prefix_arrays arrays;
};

static void kit_tree_done(struct kit_tree *kit)
{
    prefix_tree_done(&kit->tree);
    prefix_arrays_done(&kit->arrays);
}

static struct ip ip_of(const char *text)
{
    struct ip ip;

    CHECK(ip_parse(text, &ip));
    return ip;
}

static void fit_events(const struct prefix_event *events, size_t count, uint64_t entities,
                       uint16_t today, bool by_address, struct prefix_tree *tree,
                       struct prefix_arrays *arrays)
{
    AUTO(prefix_events_done) struct prefix_events added = {.last = NULL};
    struct spool_pool pool;
    struct err err = {0};

    spool_pool_init(&pool, UINT64_MAX, "/tmp");
    prefix_events_init(&added, &pool, entities);
    added.by_address = by_address;
    for (size_t i = 0; i < count; i++)
        CHECK_OK(prefix_events_add(&added, &events[i], &err));
    CHECK_OK(prefix_fit(&added, today, HALF_LIFE, tree, arrays, &err));
}

static void fit(struct kit_tree *kit)
{
    kit_tree_done(kit);
    kit->arrays = (struct prefix_arrays){.starts = {NULL}};
    fit_events(kit->events, kit->count, ENTITIES, TODAY, kit->by_address, &kit->tree, &kit->arrays);
}

static void learn_at(struct kit_tree *kit, uint32_t entity, const char *text, int age)
{
    struct ip ip = ip_of(text);

    CHECK(kit->count < EVENTS);
    kit->events[kit->count++] = prefix_event(entity, &ip, (uint16_t)(TODAY - age));
}

/* Clustered, so that prefixes are shared, in both families. */
static struct ip drawn_ip(struct rng *rng)
{
    uint32_t v4 =
        (uint32_t)(rng_below(rng, 3) << 28 | rng_below(rng, 4) << 14 | rng_below(rng, 40));
    struct ip ip = ip_from_v4(v4);

    if (rng_below(rng, 3) == 0) {
        ip = ip_of("2001:db8::1");
        ip.bytes[5] = (uint8_t)rng_below(rng, 3);
        ip.bytes[7] = (uint8_t)rng_below(rng, 5);
        ip.bytes[12] = (uint8_t)rng_below(rng, 200);
    }
    return ip;
}

static void learn_drawn(struct kit_tree *kit, uint64_t seed)
{
    struct rng rng;

    rng_init(&rng, seed);
    while (kit->count < EVENTS) {
        struct ip ip = drawn_ip(&rng);

        kit->events[kit->count] = prefix_event((uint32_t)rng_below(&rng, ENTITIES - 1), &ip,
                                               (uint16_t)(TODAY - rng_below(&rng, 90)));
        kit->events[kit->count++].count = (uint16_t)(1 + rng_below(&rng, 9));
    }
    fit(kit);
}

/* What is under a prefix, by looking at every event. */
struct counted {
    double weight;
    uint64_t count; /* of addresses */
};

static int last_of(const struct kit_tree *kit, uint32_t entity)
{
    int last = 0;

    for (size_t i = 0; i < kit->count; i++)
        if (kit->events[i].entity == entity && kit->events[i].day > last)
            last = kit->events[i].day;
    return last;
}

static bool is_forgotten(const struct kit_tree *kit, const struct prefix_event *event)
{
    return last_of(kit, event->entity) - event->day > HALF_LIFE * PREFIX_HALF_LIVES_MAX;
}

static bool same_address(const struct prefix_event *a, const struct prefix_event *b)
{
    return a->entity == b->entity && a->key == b->key && a->family == b->family;
}

static struct counted count_under(const struct kit_tree *kit, bool (*of)(uint32_t, uint32_t),
                                  uint32_t entity, uint64_t key, uint16_t family, int bits)
{
    struct counted counted = {0};

    for (size_t i = 0; i < kit->count; i++) {
        const struct prefix_event *event = &kit->events[i];
        double age = last_of(kit, event->entity) - event->day;
        bool first = true;

        if (event->family != family || !of(event->entity, entity) || is_forgotten(kit, event) ||
            (bits > 0 && (event->key ^ key) >> (64 - bits) != 0))
            continue;
        counted.weight += event->count * exp2(-age / HALF_LIFE);
        for (size_t j = 0; j < i; j++)
            first = first &&
                    !(same_address(event, &kit->events[j]) && !is_forgotten(kit, &kit->events[j]));
        counted.count += first;
    }
    return counted;
}

static bool is_own(uint32_t a, uint32_t b)
{
    return a == b;
}

static bool is_any(uint32_t a, uint32_t b)
{
    (void)a;
    (void)b;
    return true;
}

static bool is_other(uint32_t a, uint32_t b)
{
    return a != b;
}

static double share(const struct kit_tree *kit, bool (*of)(uint32_t, uint32_t), bool weighted,
                    uint32_t entity, const struct prefix_event *asked, int bit, double base)
{
    struct counted all = count_under(kit, of, entity, asked->key, asked->family, bit);
    struct counted taken = count_under(kit, of, entity, asked->key, asked->family, bit + 1);
    int used = (taken.count > 0) + (all.count > taken.count);

    if (all.count == 0)
        return base;
    return weighted ? (taken.weight + used * base) / (all.weight + used)
                    : ((double)taken.count + used * base) / ((double)all.count + used);
}

/* The longest prefix with so many of the entity's addresses. */
static int longest_own(const struct kit_tree *kit, uint32_t entity,
                       const struct prefix_event *asked, int bits, double wanted)
{
    while (bits > 0 &&
           count_under(kit, is_own, entity, asked->key, asked->family, bits).count < wanted)
        bits--;
    return bits;
}

static void check_shares(const struct kit_tree *kit, uint32_t entity,
                         const struct prefix_event *asked, const struct prefix_score *score)
{
    double own = count_under(kit, is_own, entity, asked->key, asked->family, score->length).weight;
    double others =
        count_under(kit, is_other, entity, asked->key, asked->family, score->length).weight;

    if (own > 0) {
        own /= count_under(kit, is_own, entity, 0, asked->family, 0).weight;
        others /= count_under(kit, is_other, entity, 0, asked->family, 0).weight;
    }
    CHECK(fabs(score->own_share - own) < 1e-5);
    CHECK(own > 0 ? fabs(score->others_share - others) < 1e-5 : score->others_share == 0);
}

static void check_like_counting(const struct kit_tree *kit, uint32_t entity, const struct ip *ip)
{
    struct prefix_event asked = prefix_event(entity, ip, 0);
    double both = 0, alone = 0, others = 0;
    struct prefix_score score;
    struct prefix_bits bits;
    float sum = 0;

    prefix_score(&kit->tree, entity, ip, &score, &bits);
    for (int bit = 0; bit < score.length; bit++) {
        double all = share(kit, is_any, false, entity, &asked, bit, 0.5);

        both += log2(2 * share(kit, is_own, true, entity, &asked, bit, all));
        alone += log2(2 * share(kit, is_own, true, entity, &asked, bit, 0.5));
        others += log2(2 * share(kit, is_other, false, entity, &asked, bit, 0.5));
        sum += bits.entity[bit];
    }
    check_shares(kit, entity, &asked, &score);
    CHECK(fabs(score.both - both) < 1e-4);
    CHECK(fabs(score.entity - alone) < 1e-4);
    CHECK(fabs(score.others - others) < 1e-4);
    CHECK(fabs((double)sum - alone) < 1e-3);
    CHECK(score.known_bits == longest_own(kit, entity, &asked, score.length, 1));
    CHECK(score.firm_bits == longest_own(kit, entity, &asked, score.length, 2));
    CHECK(score.bearers ==
          count_under(kit, is_other, entity, asked.key, asked.family, score.length).count);
    CHECK(score.neighbours == count_under(kit, is_other, entity, asked.key, asked.family,
                                          score.length == PREFIX_BITS_V4 ? 24 : 48)
                                  .count);
}

TEST(scores_are_those_of_counting)
{
    AUTO(kit_tree_done) struct kit_tree kit = {.count = 0};
    struct rng rng;

    learn_drawn(&kit, 1);
    rng_init(&rng, 2);
    for (int i = 0; i < 30; i++) {
        struct ip ip = drawn_ip(&rng);

        check_like_counting(&kit, (uint32_t)rng_below(&rng, ENTITIES), &ip);
    }
}

static bool same_number(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* Of both families, known and not, in blocks that are full and that are not. */
TEST(scores_of_many_are_those_of_each)
{
    enum { MANY = 77 };
    AUTO(kit_tree_done) struct kit_tree kit = {.count = 0};
    struct prefix_pair pairs[MANY];
    struct prefix_score scores[MANY], score;
    struct ip ips[MANY];
    struct rng rng;

    learn_drawn(&kit, 3);
    rng_init(&rng, 4);
    for (int i = 0; i < MANY; i++) {
        ips[i] = drawn_ip(&rng);
        pairs[i] = (struct prefix_pair){rng_below(&rng, ENTITIES + 1), &ips[i]};
    }
    for (size_t count = 0; count <= MANY; count += 7) {
        prefix_score_pairs(&kit.tree, pairs, count, scores);
        for (size_t i = 0; i < count; i++) {
            prefix_score(&kit.tree, pairs[i].entity, pairs[i].ip, &score, NULL);
            CHECK(same_number(score.both, scores[i].both) &&
                  same_number(score.entity, scores[i].entity) &&
                  same_number(score.others, scores[i].others) &&
                  same_number(score.below, scores[i].below));
            CHECK(score.known_bits == scores[i].known_bits && score.length == scores[i].length &&
                  score.firm_bits == scores[i].firm_bits && score.once == scores[i].once &&
                  score.bearers == scores[i].bearers && score.neighbours == scores[i].neighbours);
            CHECK(same_number(score.own_share, scores[i].own_share) &&
                  same_number(score.others_share, scores[i].others_share));
        }
    }
}

/* One address: each of 32 bits has odds (1 + 1/2) / (1 + 1). */
TEST(golden_numbers)
{
    AUTO(kit_tree_done) struct kit_tree kit = {.count = 0};
    struct ip seen = ip_of("198.51.100.7"), near = ip_of("198.51.100.6"), far = ip_of("17.0.0.1");
    struct prefix_score score;

    learn_at(&kit, 0, "198.51.100.7", 0);
    fit(&kit);
    prefix_score(&kit.tree, 0, &seen, &score, NULL);
    CHECK(fabs(score.entity - 32 * log2(1.5)) < 1e-9 && score.known_bits == 32);
    CHECK(score.bearers == 0 && score.neighbours == 0 && score.others == 0);
    prefix_score(&kit.tree, 0, &near, &score, NULL);
    CHECK(fabs(score.entity - (31 * log2(1.5) + log2(0.5))) < 1e-9 && score.known_bits == 31);
    prefix_score(&kit.tree, 0, &far, &score, NULL);
    CHECK(fabs(score.entity - log2(0.5)) < 1e-9 && score.known_bits == 0);
    prefix_score(&kit.tree, 1, &seen, &score, NULL);
    CHECK(score.entity == 0 && score.known_bits == 0 && score.bearers == 1);
    CHECK(fabs(score.others - 32 * log2(1.5)) < 1e-9);
}

TEST(forgets_with_its_half_life)
{
    AUTO(kit_tree_done) struct kit_tree kit = {.count = 0};
    struct ip ip = ip_of("203.0.113.4");
    struct prefix_score fresh, aged, gone;

    learn_at(&kit, 0, "203.0.113.4", 0);
    learn_at(&kit, 1, "203.0.113.4", HALF_LIFE);
    learn_at(&kit, 2, "203.0.113.4", HALF_LIFE * PREFIX_HALF_LIVES_MAX + 1);
    learn_at(&kit, 1, "2001:db8::1", 0); /* when it was last seen */
    learn_at(&kit, 2, "2001:db8::1", 0);
    fit(&kit);
    prefix_score(&kit.tree, 0, &ip, &fresh, NULL);
    prefix_score(&kit.tree, 1, &ip, &aged, NULL);
    prefix_score(&kit.tree, 2, &ip, &gone, NULL);
    CHECK(fabs(aged.entity - 32 * log2((0.5 + 0.5) / 1.5 * 2)) < 1e-5);
    CHECK(fresh.entity > aged.entity && aged.entity > gone.entity);
    CHECK(aged.known_bits == 32 && gone.known_bits == 0);
}

TEST(who_pauses_is_not_forgotten_but_who_stays_away)
{
    AUTO(kit_tree_done) struct kit_tree kit = {.count = 0};
    struct ip ip = ip_of("203.0.113.4");
    struct prefix_score paused, away, kept;

    learn_at(&kit, 0, "203.0.113.4", HALF_LIFE * PREFIX_HALF_LIVES_MAX);
    learn_at(&kit, 1, "203.0.113.4", HALF_LIFE * PREFIX_HALF_LIVES_MAX + 1);
    fit(&kit);
    prefix_score(&kit.tree, 0, &ip, &paused, NULL);
    prefix_score(&kit.tree, 1, &ip, &away, NULL);
    CHECK(fabs(paused.entity - 32 * log2(1.5)) < 1e-9); /* as on the day it was last seen */
    CHECK(away.known_bits == 0 && !prefix_knows(&kit.tree, 1));
    kit_tree_done(&kit);
    kit.arrays = (struct prefix_arrays){.starts = {NULL}};
    fit_events(kit.events, kit.count, ENTITIES, 0, false, &kit.tree, &kit.arrays);
    prefix_score(&kit.tree, 1, &ip, &kept, NULL);
    CHECK(kept.entity == paused.entity && kept.known_bits == 32);
}

TEST(an_address_is_known_by_one_sighting_or_by_more)
{
    AUTO(kit_tree_done) struct kit_tree kit = {.count = 0};
    struct ip ip = ip_of("203.0.113.4"), near = ip_of("203.0.113.5"), nearest;
    struct prefix_score score;
    uint16_t day;

    learn_at(&kit, 0, "203.0.113.4", 0);
    learn_at(&kit, 1, "203.0.113.4", 3);
    learn_at(&kit, 1, "203.0.113.4", 3);
    learn_at(&kit, 2, "203.0.113.4", 0);
    kit.events[kit.count - 1].count = 2;
    fit(&kit);
    prefix_score(&kit.tree, 0, &ip, &score, NULL);
    CHECK(score.once);
    prefix_score(&kit.tree, 0, &near, &score, NULL);
    CHECK(!score.once);
    for (uint32_t entity = 1; entity < 4; entity++) {
        prefix_score(&kit.tree, entity, &ip, &score, NULL);
        CHECK(!score.once);
    }
    CHECK(prefix_nearest(&kit.tree, 0, &near, &nearest, &day) && day == TODAY);
    CHECK(prefix_nearest(&kit.tree, 1, &near, &nearest, &day) && day == TODAY - 3);
}

/* By address each counts once, however often it was seen; else not more often than a limit. */
TEST(how_often_counts_or_does_not)
{
    AUTO(kit_tree_done) struct kit_tree kit = {.count = 0};
    struct ip ip = ip_of("203.0.113.4");
    struct prefix_score score;

    learn_at(&kit, 0, "203.0.113.4", 0);
    learn_at(&kit, 0, "203.0.113.4", HALF_LIFE);
    kit.events[1].count = 6;
    learn_at(&kit, 0, "17.0.0.1", 0);
    learn_at(&kit, 1, "17.0.0.1", 0);
    for (int i = 0; i < 3; i++) {
        learn_at(&kit, 1, "203.0.113.4", 0);
        kit.events[kit.count - 1].count = PREFIX_COUNT_MAX;
    }
    fit(&kit);
    prefix_score(&kit.tree, 0, &ip, &score, NULL);
    CHECK(fabs(score.own_share - 4.0 / 5) < 1e-6);
    CHECK(fabs(score.others_share - PREFIX_COUNT_MAX / (PREFIX_COUNT_MAX + 1.0)) < 1e-6);
    kit.by_address = true;
    fit(&kit);
    prefix_score(&kit.tree, 0, &ip, &score, NULL);
    CHECK(score.own_share == 0.5 && score.others_share == 0.5 && !score.once);
}

TEST(families_are_apart_and_nat64_is_ipv4)
{
    AUTO(kit_tree_done) struct kit_tree kit = {.count = 0};
    struct ip v6 = ip_of("2001:db8:1:2::1"), same = ip_of("2001:db8:1:2:ffff::"),
              translated = ip_of("64:ff9b::203.0.113.4");
    struct prefix_score score;

    learn_at(&kit, 0, "2001:db8:1:2::99", 0);
    learn_at(&kit, 1, "203.0.113.4", 0);
    fit(&kit);
    prefix_score(&kit.tree, 0, &v6, &score, NULL);
    CHECK(score.length == 64 && score.known_bits == 64);
    prefix_score(&kit.tree, 0, &same, &score, NULL);
    CHECK(score.known_bits == 64);
    prefix_score(&kit.tree, 1, &translated, &score, NULL);
    CHECK(score.length == 32 && score.known_bits == 32);
    prefix_score(&kit.tree, 1, &v6, &score, NULL);
    CHECK(score.known_bits == 0 && score.bearers == 1);
}

TEST(the_nearest_address_shares_most)
{
    AUTO(kit_tree_done) struct kit_tree kit = {.count = 0};
    static const char *const CASES[][2] = {
        {"10.0.0.1", "10.0.0.9"},
        {"10.0.255.255", "10.0.0.9"},
        {"10.1.0.0", "10.1.9.9"},
        {"255.255.255.255", "200.0.0.1"},
    };
    struct ip nearest, expected;
    uint16_t day;

    learn_at(&kit, 3, "10.0.0.9", 4);
    learn_at(&kit, 3, "10.1.9.9", 5);
    learn_at(&kit, 3, "200.0.0.1", 6);
    fit(&kit);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct ip ip = ip_of(CASES[i][0]);

        expected = ip_of(CASES[i][1]);
        CHECK(prefix_nearest(&kit.tree, 3, &ip, &nearest, &day));
        CHECK(ip_equal(&nearest, &expected));
    }
    CHECK(day == TODAY - 6);
    CHECK(!prefix_nearest(&kit.tree, 4, &expected, &nearest, &day));
    CHECK(!prefix_nearest(&kit.tree, ENTITIES, &expected, &nearest, &day));
}

/* The same events in any order, and repeated, make the same tree. */
TEST(order_and_repetition_change_nothing)
{
    AUTO(kit_tree_done) struct kit_tree a = {.count = 0};
    AUTO(kit_tree_done) struct kit_tree b = {.count = 0};

    learn_drawn(&a, 5);
    for (size_t i = 0; i < a.count; i++)
        b.events[i] = a.events[a.count - 1 - i];
    b.count = a.count;
    fit(&b);
    for (int f = 0; f < PREFIX_FAMILIES; f++) {
        const struct prefix_family *x = &a.tree.families[f], *y = &b.tree.families[f];

        CHECK(x->count == y->count && x->count > 0);
        CHECK(memcmp(x->keys, y->keys, x->count * sizeof *x->keys) == 0);
        CHECK(memcmp(x->weights, y->weights, x->count * sizeof *x->weights) == 0);
        CHECK(memcmp(x->days, y->days, x->count * sizeof *x->days) == 0);
        CHECK(memcmp(x->all_keys, y->all_keys, x->count * sizeof *x->all_keys) == 0);
        CHECK(memcmp(x->all_entities, y->all_entities, x->count * sizeof *x->all_entities) == 0);
    }
}

TEST(an_entity_keeps_its_latest_addresses)
{
    enum { MANY = 3 * PREFIX_ENTITY_ADDRESSES_MAX, OLD = MANY - PREFIX_ENTITY_ADDRESSES_MAX };
    AUTO(own_freep) struct prefix_event *events = own_array(MANY, sizeof *events);
    AUTO(prefix_tree_done) struct prefix_tree tree = {.entity_count = 0};
    AUTO(prefix_arrays_done) struct prefix_arrays arrays = {.starts = {NULL}};
    struct prefix_score score;

    for (uint32_t i = 0; i < MANY; i++) {
        struct ip ip = ip_from_v4(i * 2654435761u);

        events[i] = prefix_event(0, &ip, (uint16_t)(i < OLD ? TODAY - 9 : TODAY));
    }
    fit_events(events, MANY, 1, TODAY, false, &tree, &arrays);
    CHECK(tree.families[0].count == PREFIX_ENTITY_ADDRESSES_MAX);
    for (uint32_t i = 0; i < MANY; i++) {
        struct ip ip = ip_from_v4(i * 2654435761u);

        prefix_score(&tree, 0, &ip, &score, NULL);
        CHECK((score.known_bits == 32) == (i >= OLD));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_those_of_counting),
        cmocka_unit_test(scores_of_many_are_those_of_each),
        cmocka_unit_test(golden_numbers),
        cmocka_unit_test(forgets_with_its_half_life),
        cmocka_unit_test(who_pauses_is_not_forgotten_but_who_stays_away),
        cmocka_unit_test(an_address_is_known_by_one_sighting_or_by_more),
        cmocka_unit_test(how_often_counts_or_does_not),
        cmocka_unit_test(families_are_apart_and_nat64_is_ipv4),
        cmocka_unit_test(the_nearest_address_shares_most),
        cmocka_unit_test(order_and_repetition_change_nothing),
        cmocka_unit_test(an_entity_keeps_its_latest_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
