/* The model file: round trip, and everything that is not one is refused with the reason. */
#include "kit.h"

#include <math.h>

#include "base/crypto.h"
#include "base/str.h"
#include "model/model_file.h"

struct image {
    uint8_t *bytes;
    size_t length;
};

static struct image image_read(const char *path)
{
    struct image image = {0};
    FILE *file = fopen(path, "rb");

    CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0);
    image.length = (size_t)ftell(file);
    image.bytes = own_alloc(image.length + 64);
    rewind(file);
    CHECK(fread(image.bytes, 1, image.length, file) == image.length);
    (void)fclose(file);
    return image;
}

static void image_done(struct image *image)
{
    own_freep(&image->bytes);
}

static void image_write(const struct image *image, size_t length, const char *path)
{
    FILE *file = fopen(path, "wb");

    CHECK(file != NULL && fwrite(image->bytes, 1, length, file) == length);
    CHECK(fclose(file) == 0);
}

/* With a digest that fits, so that what is behind it is looked at. */
static void image_seal(struct image *image)
{
    sha256_of(image->bytes, image->length - SHA256_BYTES,
              image->bytes + image->length - SHA256_BYTES);
}

static void check_refused(const struct image *image, size_t length, const char *path,
                          const char *reason)
{
    struct model *model = NULL;
    struct err err = {0};

    image_write(image, length, path);
    CHECK_ERR(ERR_CORRUPT, model_load(path, &model, &err));
    CHECK_HAS(err.text, reason);
    CHECK(model == NULL);
}

static struct file_header *header_of(const struct image *image)
{
    return (void *)image->bytes;
}

TEST(a_loaded_model_scores_as_the_trained_one)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(model_freep) struct model *model = NULL;
    AUTO(trained_freep) struct trained *trained = NULL;
    struct err err = {0};

    CHECK_OK(train_run(kit->pairs, KIT_PAIRS, &kit->options, &trained, &err));
    CHECK_OK(trained_write(trained, kit->path, &err));
    CHECK_OK(model_load(kit->path, &model, &err));
    for (size_t i = 0; i < KIT_PAIRS; i++) {
        struct model_pair pair = {"", kit->pairs[i].entity, kit->pairs[i].ip};
        struct model_score a, b;

        model_score_pairs(trained_model(trained), &pair, 1, &a);
        model_score_pairs(model, &pair, 1, &b);
        CHECK(a.dot_product == b.dot_product && a.percentile == b.percentile);
        CHECK(a.known_bits == b.known_bits && b.entity_known && a.flagged == b.flagged);
    }
}

TEST(a_missing_file_says_how_to_make_one)
{
    struct model *model = NULL;
    struct err err = {0};

    CHECK_ERR(ERR_NOT_FOUND, model_load("/nonexistent/m", &model, &err));
    CHECK_HAS(err.text, "pairwatch train");
    CHECK_ERR(ERR_CORRUPT, model_load("/tmp", &model, &err));
}

TEST(a_failed_write_leaves_nothing)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(trained_freep) struct trained *trained = NULL;
    struct err err = {0};

    CHECK_OK(train_run(kit->pairs, KIT_PAIRS, &kit->options, &trained, &err));
    CHECK_ERR(ERR_NOT_FOUND, trained_write(trained, "/nonexistent/folder/m", &err));
}

TEST(short_foreign_and_newer_files_are_refused)
{
    AUTO(kit_freep) struct kit *kit = kit_with_file();
    AUTO(image_done) struct image image = image_read(kit->path);

    check_refused(&image, 0, kit->path, "too short");
    check_refused(&image, 100, kit->path, "too short");
    check_refused(&image, image.length - 1, kit->path, "bytes long and should be");
    check_refused(&image, image.length + 1, kit->path, "bytes long and should be");
    image.bytes[0] = 'P';
    check_refused(&image, image.length, kit->path, "not a pairwatch model");
    image.bytes[0] = 'p';
    header_of(&image)->version = 4;
    check_refused(&image, image.length, kit->path, "format version 4");
}

TEST(a_flipped_bit_anywhere_is_refused)
{
    AUTO(kit_freep) struct kit *kit = kit_with_file();
    AUTO(image_done) struct image image = image_read(kit->path);
    struct rng rng;

    rng_init(&rng, 11);
    for (int i = 0; i < 60; i++) {
        size_t at = (size_t)rng_below(&rng, image.length);
        uint8_t bit = (uint8_t)(1 << rng_below(&rng, 8));

        image.bytes[at] ^= bit;
        check_refused(&image, image.length, kit->path, "cannot be used");
        image.bytes[at] ^= bit;
    }
}

/* How much of it: PAIRWATCH_FUZZ=100 does a hundred times as much as the default. */
static uint64_t fuzz_times(uint64_t few)
{
    const char *text = getenv("PAIRWATCH_FUZZ");
    uint64_t factor = 1;

    CHECK(text == NULL || (str_to_u64(text, &factor) && factor > 0 && factor <= 1000000));
    return few * factor;
}

/* An address of either family, often near what the model knows. */
static struct ip fuzz_ip(struct rng *rng)
{
    struct ip ip = kit_ip(rng, (unsigned)rng_below(rng, KIT_ENTITIES), rng_below(rng, 2) == 1);

    for (uint64_t left = rng_below(rng, 4); left > 0; left--)
        ip.bytes[rng_below(rng, 16)] = (uint8_t)rng_u64(rng);
    return ip;
}

static void fuzz_pair(const struct kit *kit, const struct model *model, struct rng *rng)
{
    struct model_pair pair = {"", kit->names[rng_below(rng, KIT_ENTITIES)], fuzz_ip(rng)};
    struct model_explanation explanation;
    struct model_score score;
    char entity[24] = "";

    if (rng_below(rng, 4) == 0) { /* not UTF-8, not known */
        for (uint64_t i = rng_below(rng, sizeof entity); i > 0; i--)
            entity[i - 1] = (char)(1 + rng_below(rng, 255));
        pair.entity = entity;
    }
    model_score_pairs(model, &pair, 1, &score);
    if (rng_below(rng, 8) == 0)
        model_explain(model, &pair, &explanation);
}

/* So many that the model makes vectors of its leaves, from whatever prefixes it has. */
static void fuzz_many(const struct kit *kit, const struct model *model, struct rng *rng)
{
    enum { MANY = 3000 };
    AUTO(own_freep) struct model_pair *pairs = own_array(MANY, sizeof *pairs);
    AUTO(own_freep) double *dots = own_array(MANY, sizeof *dots);

    for (size_t i = 0; i < MANY; i++)
        pairs[i] = (struct model_pair){"", kit->names[rng_below(rng, KIT_ENTITIES)], fuzz_ip(rng)};
    for (int run = 0; run < 2; run++)
        model_dot_products(model, pairs, MANY, dots);
}

static bool is_strange(const struct model_score *score)
{
    return !isfinite(score->dot_product) || !isfinite(score->score);
}

TEST(fuzzed_pairs_are_scored)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(model_freep) struct model *model = kit_model(kit);
    struct rng rng;

    rng_init(&rng, 13);
    for (uint64_t i = fuzz_times(10000); i > 0; i--) {
        struct model_pair pair = {"", kit->names[rng_below(&rng, KIT_ENTITIES)], fuzz_ip(&rng)};
        struct model_score score;

        fuzz_pair(kit, model, &rng);
        model_score_pairs(model, &pair, 1, &score);
        CHECK(!is_strange(&score));
    }
}

/* Whole by its digest and still nonsense: refused, or harmless to score with. */
TEST(sealed_nonsense_does_no_harm)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(image_done) struct image image = {0};
    uint8_t *intact;
    struct rng rng;

    kit->options.hyper.num_ip_encoder_layers = 2;
    kit_write(kit);
    image = image_read(kit->path);
    intact = own_alloc(image.length);
    memcpy(intact, image.bytes, image.length);
    rng_init(&rng, 12);
    for (uint64_t i = fuzz_times(300); i > 0; i--) {
        AUTO(model_freep) struct model *loaded = NULL;
        size_t limit = i % 2 == 0 ? 512 : image.length - SHA256_BYTES;

        memcpy(image.bytes, intact, image.length);
        for (int k = 0; k < 3; k++)
            image.bytes[rng_below(&rng, limit)] = (uint8_t)rng_u64(&rng);
        image_seal(&image);
        image_write(&image, image.length, kit->path);
        if (model_load(kit->path, &loaded, NULL) != ERR_NONE)
            continue;
        fuzz_many(kit, loaded, &rng);
        for (unsigned entity = 0; entity < KIT_ENTITIES; entity++) {
            struct model_network networks[MODEL_NETWORKS_MAX];

            fuzz_pair(kit, loaded, &rng);
            (void)model_entity_networks(loaded, "", kit->names[entity], networks);
        }
    }
    own_freep(&intact);
}

static void check_damaged(const struct kit *kit, int kind, const void *bytes, size_t length,
                          const char *reason)
{
    AUTO(image_done) struct image image = image_read(kit->path);
    char path[128];

    (void)snprintf(path, sizeof path, "%s.damaged", kit->path);
    memcpy(image.bytes + header_of(&image)->sections[kind].offset, bytes, length);
    image_seal(&image);
    check_refused(&image, image.length, path, reason);
    (void)unlink(path);
}

TEST(parts_that_contradict_each_other_are_refused)
{
    AUTO(kit_freep) struct kit *kit = kit_with_file();
    static const uint64_t LARGE = UINT64_MAX, ZERO = 0;
    static const uint32_t NOT_A_NUMBER = 0x7fc00000, INFINITE = 0x7f800000, TOO_LARGE = 5000;

    check_damaged(kit, SECTION_PREFIX_VECTORS, &NOT_A_NUMBER, 4, "a number that is none");
    check_damaged(kit, SECTION_ENTITY_VECTORS, &INFINITE, 4, "a number that is none");
    check_damaged(kit, SECTION_ENTITY_HASHES, &LARGE, 8, "not in order");
    check_damaged(kit, SECTION_OBSERVATIONS, &ZERO, 8, "without observations");
    check_damaged(kit, SECTION_ENTITY_NAMES, &ZERO, 1, "one name for each");
    check_damaged(kit, SECTION_NETWORK_STARTS, &LARGE, 8, "networks");
    check_damaged(kit, SECTION_PREFIX_TREE + TREE_STARTS, &LARGE, 8, "addresses");
    check_damaged(kit, SECTION_PREFIX_TREE + TREE_KEYS, &LARGE, 8, "addresses");
    check_damaged(kit, SECTION_PREFIX_TREE + TREE_WEIGHTS, &NOT_A_NUMBER, 4, "addresses");
    check_damaged(kit, SECTION_PREFIX_TREE + TREE_ALL_ENTITIES, &INFINITE, 4, "addresses");
    check_damaged(kit, SECTION_PREFIX_KEYS, &LARGE, 8, "prefix");
    check_damaged(kit, SECTION_META, &TOO_LARGE, 4, "out of bounds");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loaded_model_scores_as_the_trained_one),
        cmocka_unit_test(a_missing_file_says_how_to_make_one),
        cmocka_unit_test(a_failed_write_leaves_nothing),
        cmocka_unit_test(short_foreign_and_newer_files_are_refused),
        cmocka_unit_test(a_flipped_bit_anywhere_is_refused),
        cmocka_unit_test(fuzzed_pairs_are_scored),
        cmocka_unit_test(sealed_nonsense_does_no_harm),
        cmocka_unit_test(parts_that_contradict_each_other_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
