/* Which rows an address adds up, and what is drawn to set it against. */
#include "kit.h"

#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/own.h"
#include "model/draw.h"
#include "model/hyper.h"
#include "model/leaf_map.h"

static struct ip ip_of(const char *text)
{
    struct ip ip;

    CHECK(ip_parse(text, &ip));
    return ip;
}

static void encoder_of(const char *const *texts, size_t count, struct ip_encoder *ret,
                       uint64_t **ret_keys)
{
    struct ip ips[16];
    uint32_t counts[IP_LEVELS];
    struct err err = {0};

    for (size_t i = 0; i < count; i++)
        ips[i] = ip_of(texts[i]);
    *ret_keys = kit_prefixes(ips, count, counts);
    CHECK_OK(ip_encoder_init(ret, *ret_keys, counts, &err));
}

TEST(prefixes_seen_twice_have_rows)
{
    static const char *const TEXTS[] = {"10.1.2.3", "10.1.2.3", "10.1.2.200", "77.0.0.1"};
    struct ip_encoder encoder;
    struct ip_path path;
    AUTO(own_freep) uint64_t *keys = NULL;
    struct ip ip;

    encoder_of(TEXTS, 4, &encoder, &keys);
    CHECK(ip_encoder_rows(&encoder) == IP_LEVELS + 8);
    ip = ip_of("10.1.2.3");
    ip_encoder_path(&encoder, &ip, &path);
    CHECK(path.count == 8);
    for (uint32_t i = 0; i < 8; i++)
        CHECK(path.rows[i] == IP_LEVELS + i);
    ip = ip_of("10.1.2.200"); /* seen once: /24 is shared with the other, /28 is not */
    ip_encoder_path(&encoder, &ip, &path);
    CHECK(path.rows[5] == IP_LEVELS + 5 && path.rows[6] == 6 && path.rows[7] == 7);
    ip = ip_of("77.0.0.1");
    ip_encoder_path(&encoder, &ip, &path);
    for (uint32_t i = 0; i < 8; i++)
        CHECK(path.rows[i] == i);
    ip_encoder_done(&encoder);
}

TEST(ipv6_has_levels_of_its_own)
{
    static const char *const TEXTS[] = {"2001:db8:1:2::1", "2001:db8:1:2::2"};
    struct ip_encoder encoder;
    struct ip_path path;
    AUTO(own_freep) uint64_t *keys = NULL;
    struct ip ip;

    encoder_of(TEXTS, 2, &encoder, &keys);
    ip = ip_of("2001:db8:1:2:ffff::9");
    ip_encoder_path(&encoder, &ip, &path);
    CHECK(path.count == 16);
    for (uint32_t i = 0; i < 16; i++)
        CHECK(path.rows[i] == IP_LEVELS + i);
    ip = ip_of("32.1.13.184"); /* the same leading bits */
    ip_encoder_path(&encoder, &ip, &path);
    CHECK(path.count == 8 && path.rows[0] == 0 && path.rows[7] == 7);
    ip_encoder_done(&encoder);
}

TEST(a_nat64_address_is_the_one_it_carries)
{
    static const char *const TEXTS[] = {"10.1.2.3", "10.1.2.3"};
    struct ip plain = ip_of("10.1.2.3"), carried = ip_of("64:ff9b::10.1.2.3");
    struct ip mapped = ip_of("::ffff:10.1.2.3"), other = ip_of("64:ff9b:1::10.1.2.3");
    struct ip_encoder encoder;
    struct ip_path a, b;
    AUTO(own_freep) uint64_t *keys = NULL;

    encoder_of(TEXTS, 2, &encoder, &keys);
    ip_encoder_path(&encoder, &plain, &a);
    ip_encoder_path(&encoder, &carried, &b);
    CHECK(a.count == 8 && b.count == 8 && memcmp(a.rows, b.rows, 8 * sizeof *a.rows) == 0);
    CHECK(ip_equal(&plain, &mapped));
    ip_encoder_path(&encoder, &other, &b); /* another translation prefix: IPv6 */
    CHECK(b.count == 16);
    ip_encoder_done(&encoder);
}

/* The rows behind a leaf are those of the path. */
TEST(a_leaf_is_where_a_path_leaves_what_was_seen)
{
    static const char *const TEXTS[] = {"10.1.2.3", "10.1.2.3",      "10.1.2.200", "77.0.0.1",
                                        "77.9.0.1", "2a00:1450:4::", "2a00:1450::"};
    static const char *const ASKED[] = {"10.1.2.3",  "10.1.2.201",      "10.9.9.9", "77.1.1.1",
                                        "200.0.0.1", "2a00:1450:4:1::", "2a01::",   "fd00::1"};
    struct ip_encoder encoder;
    struct ip_tree tree;
    AUTO(own_freep) uint64_t *keys = NULL;

    encoder_of(TEXTS, ARRAY_LEN(TEXTS), &encoder, &keys);
    ip_tree_init(&tree, &encoder);
    for (size_t i = 0; i < ARRAY_LEN(ASKED); i++) {
        struct ip ip = ip_of(ASKED[i]);
        uint32_t row = ip_tree_leaf(&tree, &ip), depth;
        struct ip_path path;

        ip_encoder_path(&encoder, &ip, &path);
        for (depth = 0; depth < path.count && path.rows[depth] >= IP_LEVELS;)
            depth++;
        for (; depth > 0; row = tree.nodes[row].parent)
            CHECK_CASE(ASKED[i], row == path.rows[--depth]);
        CHECK_CASE(ASKED[i], row == (path.count == IP_LEVELS_V4 ? IP_ROOT_V4 : IP_ROOT_V6));
    }
    ip_tree_done(&tree);
    ip_encoder_done(&encoder);
}

/* At each address that was seen, beside it, and anywhere. */
TEST(a_map_of_ranges_has_the_leaves_of_the_tree)
{
    enum { SEEN = 600 };
    struct ip ips[SEEN];
    uint32_t counts[IP_LEVELS];
    AUTO(own_freep) uint64_t *keys = NULL;
    struct ip_encoder encoder;
    struct ip_tree tree;
    struct leaf_map map;
    struct err err = {0};
    struct rng rng;

    rng_init(&rng, 9);
    for (size_t i = 0; i < SEEN; i++) /* few nets, some of them at both ends of all addresses */
        ips[i] = ip_from_v4((uint32_t)((rng_below(&rng, 2) * 0xfff00000) |
                                       (rng_below(&rng, 16) << 16) | rng_below(&rng, 2000) * 33));
    ips[0] = ips[1] = ip_from_v4(0);
    ips[2] = ips[3] = ip_from_v4(UINT32_MAX);
    keys = kit_prefixes(ips, SEEN, counts);
    CHECK_OK(ip_encoder_init(&encoder, keys, counts, &err));
    ip_tree_init(&tree, &encoder);
    leaf_map_init(&map, &tree);
    for (size_t i = 0; i < 4 * SEEN; i++) {
        uint32_t address = i < 3 * SEEN ? ip_v4(&ips[i / 3]) + (uint32_t)(i % 3) - 1
                                        : (uint32_t)(rng_u64(&rng) >> 32);
        struct ip ip = ip_from_v4(address);

        CHECK(leaf_map_find(&map, address) == ip_tree_leaf(&tree, &ip));
    }
    leaf_map_done(&map);
    ip_tree_done(&tree);
    ip_encoder_done(&encoder);
}

TEST(drawn_addresses_are_where_they_should_be)
{
    static const char *const BLOCKS[] = {"2001::/16", "2003::/16", "2400::/11",
                                         "2410::/12", "2600::/12", "2630::/12",
                                         "2800::/12", "2a00::/11", "2c00::/12"};
    struct rng rng;

    rng_init(&rng, 3);
    for (int i = 0; i < 1000; i++) {
        struct ip v4 = draw_ip(&rng, false), v6 = draw_ip(&rng, true);
        bool found = false;

        for (size_t k = 0; k < ARRAY_LEN(BLOCKS); k++) {
            struct cidr block;

            CHECK(cidr_parse(BLOCKS[k], &block));
            found = found || cidr_contains(&block, &v6);
        }
        CHECK(ip_is_v4(&v4) && !ip_is_v4(&v6) && found);
    }
}

TEST(hyperparameters_have_ranges)
{
    struct hyper hyper = HYPER_DEFAULT;
    struct err err = {0};

    CHECK_OK(hyper_check(&hyper, &err));
    hyper.vector_dim = 3;
    CHECK_ERR(ERR_INVALID, hyper_check(&hyper, &err));
    CHECK_HAS(err.text, "vector_dim is 3, and must be from 4 to 4096");
    hyper = HYPER_DEFAULT;
    hyper.learning_rate = NAN;
    CHECK_ERR(ERR_INVALID, hyper_check(&hyper, &err));
    hyper = HYPER_DEFAULT;
    hyper.num_ip_encoder_layers = 101;
    CHECK_ERR(ERR_INVALID, hyper_check(&hyper, &err));
    CHECK_HAS(err.text, "from 0 to 100");
    hyper.num_ip_encoder_layers = 100;
    CHECK_OK(hyper_check(&hyper, &err));
    hyper.random_negative_sampling_rate = hyper.shuffled_negative_sampling_rate = 300;
    CHECK_ERR(ERR_INVALID, hyper_check(&hyper, &err));
    CHECK_HAS(err.text, "600 together, and must be from 1 to 500");
    hyper.random_negative_sampling_rate = 200;
    hyper.mini_batch_size = 500000;
    CHECK_ERR(ERR_INVALID, hyper_check(&hyper, &err));
    CHECK_HAS(err.text, "mini_batch_size");
    hyper = HYPER_DEFAULT;
    hyper.random_negative_sampling_rate = hyper.shuffled_negative_sampling_rate = 0;
    CHECK_ERR(ERR_INVALID, hyper_check(&hyper, &err));
}

/* One by one each pair's rows are added up; many are scored by vectors made before. */
TEST(many_pairs_have_the_dot_products_of_each_alone)
{
    for (int64_t layers = 0; layers <= 2; layers += 2) {
        AUTO(kit_freep) struct kit *kit = kit_new();
        AUTO(model_freep) struct model *model = NULL;
        enum { MANY = 5000 };
        static struct model_pair pairs[MANY];
        static char names[MANY][24];
        static double alone[MANY], many[MANY];
        static struct model_score scores[MANY];
        struct rng rng;

        kit->options.hyper.num_ip_encoder_layers = layers;
        kit->options.hyper.epochs = 1;
        model = kit_model(kit);
        rng_init(&rng, 3);
        for (unsigned i = 0; i < MANY; i++) {
            (void)snprintf(names[i], sizeof names[i], "host-%u", i / 3 % 12);
            pairs[i] = (struct model_pair){"", names[i], kit_ip(&rng, i % 8, i % 4 == 0)};
        }
        CHECK(ip_parse("64:ff9b::10.4.0.9", &pairs[7].ip) && ip_parse("::", &pairs[8].ip));
        for (size_t i = 0; i < 200; i++)
            model_dot_products(model, &pairs[i], 1, &alone[i]);
        for (int run = 0; run < 2; run++) {
            model_dot_products(model, pairs, MANY, many);
            CHECK(memcmp(many, alone, 200 * sizeof *many) == 0);
        }
        model_score_pairs(model, pairs, MANY, scores);
        for (size_t i = 0; i < MANY; i++) {
            struct model_explanation each;

            CHECK(scores[i].dot_product >= many[i] && scores[i].dot_product <= many[i]);
            if (i % 16 != 0)
                continue;
            model_explain(model, &pairs[i], &each); /* looks at one only */
            CHECK(each.score.score >= scores[i].score && each.score.score <= scores[i].score &&
                  each.score.bearers == scores[i].bearers &&
                  each.score.opinion == scores[i].opinion &&
                  each.score.known_bits == scores[i].known_bits);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes_seen_twice_have_rows),
        cmocka_unit_test(ipv6_has_levels_of_its_own),
        cmocka_unit_test(a_nat64_address_is_the_one_it_carries),
        cmocka_unit_test(a_leaf_is_where_a_path_leaves_what_was_seen),
        cmocka_unit_test(a_map_of_ranges_has_the_leaves_of_the_tree),
        cmocka_unit_test(drawn_addresses_are_where_they_should_be),
        cmocka_unit_test(hyperparameters_have_ranges),
        cmocka_unit_test(many_pairs_have_the_dot_products_of_each_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
