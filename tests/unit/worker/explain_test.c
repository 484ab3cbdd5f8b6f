/* What is kept with a finding, and what the store is told of a model. */
#include "kit.h"

#include "base/arena.h"
#include "base/json.h"
#include "store/db.h"
#include "store/migrate.h"
#include "store/model_row.h"
#include "store/window.h"
#include "store/writer.h"
#include "worker/batch.h"
#include "worker/explain.h"
#include "worker/register.h"

static struct kit *spec_kit(const char *first, const char *second)
{
    struct kit *kit = kit_new();

    kit->options.detector = DETECTOR_PREFIX;
    kit->options.scoped = strcmp(first, second) != 0;
    for (size_t i = 0; i < KIT_PAIRS; i++)
        kit->pairs[i].spec = i % 2 == 0 ? first : second;
    return kit;
}

static const struct json *judged(const struct model *model, const char *spec, const char *entity,
                                 const char *ip, const struct explain_judged *judged,
                                 struct json_doc **doc)
{
    AUTO(arena_done) struct arena arena = {0};
    struct model_pair pair = {.spec = spec, .entity = entity};
    struct err err = {0};
    const char *text;

    CHECK(ip_parse(ip, &pair.ip));
    arena_init(&arena, 1 << 20);
    text = explain_pair(model, &pair, judged, &arena);
    CHECK_OK(json_parse(text, strlen(text), doc, &err));
    return json_root(*doc);
}

static int64_t int_at(const struct json *root, const char *path)
{
    int64_t value = -1;

    CHECK(json_int_of(json_path(root, path), &value));
    return value;
}

static const struct json *explained(const struct model *model, const char *spec, const char *entity,
                                    const char *ip, struct json_doc **doc)
{
    return judged(model, spec, entity, ip, NULL, doc);
}

TEST(what_the_score_was_held_against_is_kept)
{
    AUTO(kit_freep) struct kit *kit = spec_kit("", "");
    AUTO(model_freep) struct model *model = kit_model(kit);
    AUTO(json_doc_freep) struct json_doc *doc = NULL, *own = NULL, *none = NULL;
    const struct window window = {.first_day_ms = 1700000000000,
                                  .last_day_ms = 1700000000000,
                                  .days = 1,
                                  .sample_size = 4096};
    const struct json *root =
        judged(model, "", "host-4", "203.0.113.9", &(struct explain_judged){12.5, &window}, &doc);
    double threshold = 0;

    CHECK(json_number_of(json_path(root, "judged_by.threshold"), &threshold) && threshold == 12.5);
    CHECK(int_at(root, "judged_by.window.sample_size") == 4096);
    CHECK_STR(json_text_of(json_path(root, "judged_by.window.first_day")),
              "2023-11-14T22:13:20.000Z");
    root = judged(model, "", "host-4", "203.0.113.9", &(struct explain_judged){-3, NULL}, &own);
    CHECK(json_type(json_path(root, "judged_by.window")) == JSON_NULL);
    root = explained(model, "", "host-4", "203.0.113.9", &none);
    CHECK(json_member(root, "judged_by") == NULL);
}

TEST(a_strangers_explanation_has_every_opinion_and_level)
{
    AUTO(kit_freep) struct kit *kit = spec_kit("", "");
    AUTO(model_freep) struct model *model = kit_model(kit);
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    const struct json *root = explained(model, "", "host-4", "203.0.113.9", &doc);

    CHECK_STR(json_text_of(json_member(root, "opinion")), "stranger");
    CHECK(int_at(root, "known_bits") == 0 && int_at(root, "bearers") == 0);
    CHECK(json_count(json_member(root, "levels")) == 8);
    CHECK(json_count(json_member(root, "networks")) > 0);
    CHECK(json_count(json_member(root, "opinions")) == 2); /* no one else is near: no impostor */
    CHECK(json_type(json_path(root, "nearest.ip")) == JSON_TEXT);
    CHECK(json_count(json_member(root, "bearer_names")) == 0);
    CHECK(json_type(json_member(root, "system")) == JSON_NULL); /* trained without a table */
    CHECK_STR(json_text_of(json_path(root, "nearest.last_seen")), "2023-11-14T00:00:00.000Z");
}

TEST(whose_address_it_is_is_named)
{
    AUTO(kit_freep) struct kit *kit = spec_kit("", "");
    AUTO(model_freep) struct model *model = kit_model(kit);
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    const struct json *root;
    char ip[IP_TEXT_BYTES];
    size_t i = 0;

    while (strcmp(kit->pairs[i].entity, "host-9") != 0 || !ip_is_v4(&kit->pairs[i].ip))
        i++;
    (void)ip_format(ip, &kit->pairs[i].ip);
    root = explained(model, "", "host-4", ip, &doc);
    CHECK(int_at(root, "bearers") == 1);
    CHECK(json_count(json_member(root, "bearer_names")) == 1);
    CHECK_STR(json_text_of(json_first(json_member(root, "bearer_names"))), "host-9");
}

TEST(a_newcomers_explanation_has_no_habits)
{
    AUTO(kit_freep) struct kit *kit = spec_kit("", "");
    AUTO(model_freep) struct model *model = kit_model(kit);
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    const struct json *root = explained(model, "", "nobody", "2a00:1450::1", &doc);

    CHECK_STR(json_text_of(json_member(root, "opinion")), "newcomer");
    CHECK(json_type(json_member(root, "nearest")) == JSON_NULL);
    CHECK(json_count(json_member(root, "networks")) == 0);
    CHECK(json_count(json_member(root, "levels")) == 16);
}

TEST(a_models_own_name_of_a_spec)
{
    AUTO(kit_freep) struct kit *kit = spec_kit("", "");
    AUTO(kit_freep) struct kit *two = spec_kit("vpc-egress", "eks-user");
    AUTO(model_freep) struct model *bare = kit_model(kit);
    AUTO(model_freep) struct model *scoped = kit_model(two);

    CHECK_STR(batch_model_spec(bare, "vpc-egress"), "vpc-egress"); /* of any spec */
    CHECK_STR(batch_model_spec(scoped, "vpc-egress"), "vpc-egress");
    CHECK(batch_model_spec(scoped, "waf-client") == NULL);
}

static void check_registered(const struct model *model, const char *const *names, size_t count)
{
    AUTO(arena_done) struct arena arena = {0};
    AUTO(db_closep) struct db *db = NULL;
    char folder[] = "/tmp/pairwatch-worker-XXXXXX", path[64], url[80];
    struct writer *writer = NULL;
    struct model_row_list list;
    struct err err = {0};

    (void)temp_folder(folder);
    (void)snprintf(path, sizeof path, "%s/w.db", folder);
    (void)snprintf(url, sizeof url, "sqlite:%s", path);
    arena_init(&arena, 1 << 20);
    CHECK_OK(migrate_run(url, &err));
    CHECK_OK(writer_start(url, &writer, &err));
    CHECK_OK(register_model(writer, model, names, &err));
    CHECK_OK(register_model(writer, model, names, &err)); /* once more changes nothing */
    writer_stop(writer);
    CHECK_OK(db_open(url, DB_READ, &db, &err));
    CHECK_OK(model_row_list(db, &arena, &list, &err));
    CHECK(list.count == 1 && list.items[0].spec_count == count);
    CHECK_STR(list.items[0].detector, "prefix");
    CHECK(list.items[0].path == NULL && count > 0);
    CHECK(list.items[0].specs[0].rule.kind == WINDOW_RULE_PERCENTILE);
    CHECK(list.items[0].specs[0].rule.value == 99);
    CHECK_HAS(list.items[0].info, "\"trained_until\":\"2023-11-14T");
    for (size_t i = 0; i < count; i++)
        CHECK(list.items[0].specs[i].quantiles != NULL && list.items[0].specs[i].sample_size > 50);
    db_closep(&db);
    CHECK(temp_folder_drop(folder) == 0);
}

TEST(a_model_is_registered_with_the_specs_it_scores)
{
    static const char *const NAMES[] = {"eks-user", "vpc-egress", "waf-client", NULL};
    AUTO(kit_freep) struct kit *kit = spec_kit("", "");
    AUTO(kit_freep) struct kit *two = spec_kit("vpc-egress", "eks-user");
    AUTO(model_freep) struct model *bare = kit_model(kit);
    AUTO(model_freep) struct model *scoped = kit_model(two);

    check_registered(bare, NAMES, 3); /* pairs of a CSV file are of any spec */
    check_registered(scoped, NAMES, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_score_was_held_against_is_kept),
        cmocka_unit_test(a_strangers_explanation_has_every_opinion_and_level),
        cmocka_unit_test(whose_address_it_is_is_named),
        cmocka_unit_test(a_newcomers_explanation_has_no_habits),
        cmocka_unit_test(a_models_own_name_of_a_spec),
        cmocka_unit_test(a_model_is_registered_with_the_specs_it_scores),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
