/* Which rows an address adds up, and the gradient of a sample. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/own.h"
#include "model/fit.h"
#include "model/hyper.h"

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
    *ret_keys = ip_prefixes_of(ips, count, counts);
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

TEST(drawn_addresses_are_where_they_should_be)
{
    struct rng rng;

    rng_init(&rng, 3);
    for (int i = 0; i < 1000; i++) {
        struct ip v4 = fit_random_ip(&rng, false), v6 = fit_random_ip(&rng, true);

        CHECK(ip_is_v4(&v4));
        CHECK(!ip_is_v4(&v6) && (v6.bytes[0] & 0xe0) == 0x20);
    }
}

/* Finite differences in every coordinate of every row of one sample. */
static void check_table(struct fit *fit, struct fit_table *table, const struct ip_path *path,
                        float wanted, const float *analytic)
{
    static const float STEP = 1e-2F;
    float scratch[8];

    for (size_t i = 0; i < table->rows * table->stride; i++) {
        float kept = table->values[i], above, below;

        if (i % table->stride >= 6)
            continue; /* padding */
        table->values[i] = kept + STEP;
        above = fit_sample(fit, 1, path, wanted, scratch);
        table->values[i] = kept - STEP;
        below = fit_sample(fit, 1, path, wanted, scratch);
        table->values[i] = kept;
        CHECK(fabsf((above - below) / (2 * STEP) - analytic[i]) < 2e-3F);
    }
}

TEST(the_gradient_is_that_of_the_loss)
{
    for (int wanted = 0; wanted < 2; wanted++) {
        struct fit fit = {0};
        struct ip_path path = {.count = 3, .rows = {0, 2, 3}};
        float scratch[8], entities[2 * 8], prefixes[4 * 8];

        fit_init(&fit, 2, 4, 6, 9);
        for (size_t i = 0; i < ARRAY_LEN(entities); i++)
            fit.entities.values[i] *= 10;
        for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
            fit.prefixes.values[i] *= 10;
        CHECK(fit_sample(&fit, 1, &path, (float)wanted, scratch) > 0);
        CHECK(fit.entities.touched_count == 1 && fit.prefixes.touched_count == 3);
        memcpy(entities, fit.entities.gradient, sizeof entities);
        memcpy(prefixes, fit.prefixes.gradient, sizeof prefixes);
        check_table(&fit, &fit.entities, &path, (float)wanted, entities);
        check_table(&fit, &fit.prefixes, &path, (float)wanted, prefixes);
        fit_done(&fit);
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
    hyper.num_ip_encoder_layers = 1;
    CHECK_ERR(ERR_INVALID, hyper_check(&hyper, &err));
    CHECK_HAS(err.text, "only 0 is built");
    hyper = HYPER_DEFAULT;
    hyper.random_negative_sampling_rate = hyper.shuffled_negative_sampling_rate = 0;
    CHECK_ERR(ERR_INVALID, hyper_check(&hyper, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes_seen_twice_have_rows),
        cmocka_unit_test(ipv6_has_levels_of_its_own),
        cmocka_unit_test(drawn_addresses_are_where_they_should_be),
        cmocka_unit_test(the_gradient_is_that_of_the_loss),
        cmocka_unit_test(hyperparameters_have_ranges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
