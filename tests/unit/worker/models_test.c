/* Which model scores: the active one of the database, as long as its file is what was activated. */
#include "folder.h"
#include "kit.h"

#include "base/clock.h"
#include "store/db.h"
#include "store/migrate.h"
#include "store/model_life.h"
#include "store/writer.h"
#include "worker/models.h"
#include "worker/register.h"

enum { SWAP_MS_MAX = 3 * MODELS_CHECK_MS };

static const char *const SPECS[] = {"vpc-egress", NULL};

static struct err err;
static struct {
    char url[FOLDER_PATH_BYTES * 2];
    struct writer *writer;
    struct db *db;
    struct models *models;
} life;

static int enter(void **state)
{
    assert_int_equal(folder_make(state), 0);
    err = (struct err){0};
    life.models = NULL;
    (void)snprintf(life.url, sizeof life.url, "sqlite:%s", folder_path("store.db"));
    CHECK_OK(migrate_run(life.url, &err));
    CHECK_OK(writer_start(life.url, &life.writer, &err));
    CHECK_OK(db_open(life.url, DB_READ, &life.db, &err));
    return 0;
}

static int leave(void **state)
{
    models_close(life.models);
    db_close(life.db);
    writer_stop(life.writer);
    return folder_drop(state);
}

/* Trains a model of this seed into a file, and puts it into a seat unless only the file is meant.
 */
static void given_file(const char *name, uint64_t seed, char ret_id[static MODEL_ID_BYTES])
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(trained_freep) struct trained *trained = NULL;
    AUTO(model_freep) struct model *model = NULL;
    struct model_info info;

    kit->options.seed = seed;
    CHECK_OK(train_run(kit->pairs, KIT_PAIRS, &kit->options, &trained, &err));
    CHECK_OK(trained_write(trained, folder_path(name), &err));
    CHECK_OK(model_load(folder_path(name), &model, &err));
    CHECK_OK(register_model(life.writer, model, SPECS, &err));
    model_info(model, &info);
    (void)snprintf(ret_id, MODEL_ID_BYTES, "%s", info.id);
}

static void seat(const char *name, const char *id, enum model_state state)
{
    struct model_move_job job = {
        .actor = "cli", .id = id, .path = folder_path(name), .state = state, .now_ms = 1};

    CHECK_OK(writer_run(life.writer, model_move_job_run, &job, &err));
}

static enum err_code start(void)
{
    struct models_options options = {
        .database_url = life.url, .spec_names = SPECS, .writer = life.writer};

    return models_open(&options, &life.models, &err);
}

/* Waits until this model scores; false when it does not come. */
static bool comes(const char *id)
{
    int64_t until_ms = clock_mono_ms() + SWAP_MS_MAX;
    bool there = false;

    while (!there && clock_mono_ms() < until_ms) {
        const struct model_set *set = models_take(life.models, life.db);

        there = strcmp(set->model_id, id) == 0;
        models_give(life.models, set);
        clock_sleep_ms(there ? 0 : 50);
    }
    return there;
}

TEST(the_active_model_is_followed)
{
    char first[MODEL_ID_BYTES], second[MODEL_ID_BYTES];

    CHECK_ERR(ERR_NOT_FOUND, start());
    given_file("a.model", 1, first);
    given_file("b.model", 2, second);
    seat("a.model", first, MODEL_ACTIVE);
    CHECK_OK(start());
    CHECK(comes(first));
    seat("b.model", second, MODEL_ACTIVE);
    CHECK(comes(second));
}

TEST(a_file_that_was_written_anew_is_not_the_active_model)
{
    char first[MODEL_ID_BYTES], second[MODEL_ID_BYTES];

    given_file("a.model", 1, first);
    seat("a.model", first, MODEL_ACTIVE);
    given_file("a.model", 2, second);
    CHECK_ERR(ERR_CONFLICT, start());
    CHECK_HAS(err.text, "holds the model");
    CHECK_HAS(err.text, second);
    seat("a.model", second, MODEL_ACTIVE);
    CHECK_OK(start());
}

TEST(a_shadow_that_is_gone_stops_nobody)
{
    char first[MODEL_ID_BYTES], second[MODEL_ID_BYTES], shadow[MODEL_ID_BYTES];
    const struct model_set *set;

    given_file("a.model", 1, first);
    given_file("b.model", 2, second);
    given_file("s.model", 3, shadow);
    seat("a.model", first, MODEL_ACTIVE);
    seat("s.model", shadow, MODEL_SHADOW);
    CHECK_OK(start());
    set = models_take(life.models, life.db);
    CHECK(set->shadow != NULL);
    models_give(life.models, set);
    CHECK(unlink(folder_path("s.model")) == 0);
    seat("b.model", second, MODEL_ACTIVE);
    CHECK(comes(second));
    set = models_take(life.models, life.db);
    CHECK(set->shadow == NULL);
    models_give(life.models, set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_active_model_is_followed, enter, leave),
        cmocka_unit_test_setup_teardown(a_file_that_was_written_anew_is_not_the_active_model, enter,
                                        leave),
        cmocka_unit_test_setup_teardown(a_shadow_that_is_gone_stops_nobody, enter, leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
