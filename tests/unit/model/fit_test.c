/* The optimisation: its gradient, its kernels, threads, checkpoints, and what it does not survive.
 */
#include "kit.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "model/dense.h"
#include "model/fit_batch.h"
#include "model/vector.h"

enum { ENTITIES = 3, SAMPLES = 12, DIM = 6 };

/* A little history of both families, and a run over it that a test can stop anywhere. */
struct world {
    struct ip addresses[SAMPLES];
    struct spool_pool pool;
    struct spool samples;
    struct fit_input input;
    struct hyper hyper;
    struct ip_encoder encoder;
    uint64_t *keys;
    struct fit fit;
    struct fit_work work;
};

static int by_ip(const void *a, const void *b)
{
    return ip_compare(a, b);
}

static void world_open(struct world *world, int64_t layers, int64_t dim)
{
    struct fit_sample samples[SAMPLES];
    uint32_t counts[IP_LEVELS];
    struct ip_tree tree;
    struct err err = {0};
    struct rng rng;

    *world = (struct world){.hyper = HYPER_DEFAULT};
    world->hyper.vector_dim = dim;
    world->hyper.num_ip_encoder_layers = layers;
    world->hyper.mini_batch_size = SAMPLES;
    rng_init(&rng, 8);
    for (unsigned i = 0; i < SAMPLES; i++) {
        world->addresses[i] = kit_ip(&rng, i % ENTITIES, i % 4 == 0);
        samples[i].entity = i % ENTITIES;
    }
    qsort(world->addresses, SAMPLES, sizeof *world->addresses, by_ip);
    world->keys = kit_prefixes(world->addresses, SAMPLES, counts);
    CHECK_OK(ip_encoder_init(&world->encoder, world->keys, counts, &err));
    ip_tree_init(&tree, &world->encoder);
    for (unsigned i = 0; i < SAMPLES; i++)
        samples[i].leaf = ip_tree_leaf(&tree, &world->addresses[i]);
    ip_tree_done(&tree);
    spool_pool_init(&world->pool, UINT64_MAX, "/tmp");
    kit_spool(&world->pool, samples, sizeof *samples, SAMPLES, &world->samples);
    world->input = (struct fit_input){&world->samples, ENTITIES};
    fit_init(&world->fit, ENTITIES, ip_encoder_rows(&world->encoder), &world->hyper, 9);
    fit_work_init(&world->work, &world->input, &world->encoder, &world->hyper, kernel_named(NULL),
                  0, &world->fit);
    world->work.batches[0].positives = SAMPLES;
    fit_shuffle(&world->work, 4);
    CHECK_OK(fit_window_next(&world->work.window, &err));
}

static void world_done(struct world *world)
{
    fit_work_done(&world->work);
    spool_done(&world->samples);
    fit_done(&world->fit);
    ip_encoder_done(&world->encoder);
    own_freep(&world->keys);
}

/* A batch with a step. Returns the loss. */
static double work_off(struct world *world, struct step step)
{
    struct fit_work *work = &world->work;

    memset(work->tallies, 0, sizeof work->tallies);
    work->steps[0] = step;
    fit_prepare(work, 0);
    for (int i = 0; i < FIT_PHASES; i++)
        fit_phase_run(work, &FIT_PHASE[i], 0, 0, FIT_PARTS - 1);
    return work->tallies[0].loss + work->tallies[1].loss;
}

/* A step of no length: it moves nothing, and tells the gradient to the moments. */
static const struct step LOOK = {.scale = 1, .mean_bias = 1, .square_bias = 1};

static double look(struct world *world)
{
    return work_off(world, LOOK);
}

static float gradient_at(const struct fit_table *table, size_t row, size_t i)
{
    return *fit_moments(table, row, i) / (1 - 0.9F);
}

static void forget_moments(struct fit_table *table)
{
    for (size_t row = 0; row < table->rows; row++)
        for (size_t i = 0; i < table->stride; i += VECTOR_STEP)
            memset(fit_moments(table, row, i), 0, 2 * VECTOR_STEP * sizeof(float));
}

/* The signs of everything that max(0, z) is taken of in the batch. */
static uint64_t kinks(struct world *world)
{
    const struct fit_work *work = &world->work;
    struct dense dense = {(size_t)work->hyper->num_ip_encoder_layers, DIM,
                          world->fit.entities.stride};
    AUTO(own_freep)
    float *states = own_array((dense.layers + 2) * dense.stride, sizeof *states);
    uint64_t sum = 0;

    for (size_t slot = 0; slot < work->batches[0].node_count; slot++) {
        memcpy(states, work->vectors + slot * dense.stride, dense.stride * sizeof *states);
        dense_forward(&dense, world->fit.dense.values, states);
        for (size_t i = 0; work->batches[0].is_leaf[slot] && i < dense.layers * dense.stride; i++)
            sum = hash_mix(sum + (states[i] > 0));
    }
    return sum;
}

/* Most of it for the rounding of floats: of a loss of some dozens, over twice the step. */
static const double TOLERANCE = 1e-3;

/* Finite differences against the gradient, in every number of the table's rows. A difference that
 * steps over the kink of a max(0, z) tells nothing and is left out. Returns how many were compared.
 */
static size_t check_table(struct world *world, struct fit_table *table)
{
    static const float STEP = 8e-3F;
    size_t floats = table->rows * table->stride, compared = 0;
    AUTO(own_freep) float *analytic = own_array(floats, sizeof *analytic);

    forget_moments(table);
    CHECK(look(world) > 0);
    for (size_t i = 0; i < floats; i++)
        analytic[i] = gradient_at(table, i / table->stride, i % table->stride);
    for (size_t i = 0; i < floats; i++) {
        float *value = fit_value(table, i / table->stride, i % table->stride), kept = *value;
        double above, below, difference;
        uint64_t kinks_above;

        if (i % table->stride >= DIM) {
            CHECK(analytic[i] == 0); /* padding */
            continue;
        }
        *value = kept + STEP;
        above = look(world);
        kinks_above = kinks(world);
        *value = kept - STEP;
        below = look(world);
        difference = (above - below) / (2 * (double)STEP);
        if (kinks(world) == kinks_above) {
            if (fabs(difference - (double)analytic[i]) >= TOLERANCE)
                print_error("row %zu, number %zu: %g, not %g\n", i / table->stride,
                            i % table->stride, difference, (double)analytic[i]);
            CHECK(fabs(difference - (double)analytic[i]) < TOLERANCE);
            compared++;
        }
        *value = kept;
    }
    return compared;
}

TEST(the_gradient_is_that_of_the_loss)
{
    for (int64_t layers = 0; layers <= 3; layers++) {
        AUTO(world_done) struct world world;
        const struct batch *batch = &world.work.batches[0];
        size_t stride, numbers;

        world_open(&world, layers, DIM);
        stride = world.fit.entities.stride;
        for (size_t i = 0; i < world.fit.prefixes.rows * stride; i++)
            *fit_value(&world.fit.prefixes, i / stride, i % stride) *= 4;
        CHECK(look(&world) > 0);
        CHECK(batch->entity_count == ENTITIES && batch->node_count > BATCH_ROOTS);
        numbers = world.fit.entities.rows + world.fit.prefixes.rows + world.fit.dense.rows;
        CHECK(check_table(&world, &world.fit.entities) + check_table(&world, &world.fit.prefixes) +
                  check_table(&world, &world.fit.dense) >
              numbers * DIM * 9 / 10);
    }
}

/* What this processor can run gives the same bits. */
TEST(all_kernels_agree)
{
    static const struct step STEP = {0.01F, 1e-5F, 0.01F, 10, 1000};
    size_t count;
    const struct kernel *const *all = kernels(&count);
    AUTO(world_done) struct world first;

    world_open(&first, 1, 40);
    first.work.kernel = all[0];
    for (size_t k = 1; k <= count; k++) {
        AUTO(world_done) struct world other;

        world_open(&other, 1, 40);
        other.work.kernel = all[k % count];
        for (int batch = 0; batch < 3; batch++) {
            CHECK(work_off(&first, STEP) == work_off(&other, STEP));
        }
        CHECK(memcmp(first.fit.prefixes.values, other.fit.prefixes.values,
                     3 * first.fit.prefixes.rows * first.fit.prefixes.stride * sizeof(float)) == 0);
        world_done(&first);
        world_open(&first, 1, 40);
        first.work.kernel = all[0];
    }
}

static void id_of(struct kit *kit, char ret[static MODEL_ID_BYTES])
{
    AUTO(model_freep) struct model *model = kit_model(kit);
    struct model_info info;

    model_info(model, &info);
    memcpy(ret, info.id, MODEL_ID_BYTES);
}

TEST(two_threads_make_the_same_file)
{
    for (int64_t layers = 0; layers <= 2; layers += 2) {
        AUTO(kit_freep) struct kit *kit = kit_new();
        char one[MODEL_ID_BYTES], two[MODEL_ID_BYTES];

        kit->options.hyper.num_ip_encoder_layers = layers;
        kit->options.hyper.vector_dim = 20;
        id_of(kit, one);
        kit->options.threads = 2;
        id_of(kit, two);
        CHECK_STR(two, one);
    }
}

/* Every sample once an epoch, whatever the window; each epoch in an order of its own that is not
 * that of the samples. */
TEST(windows_hold_every_sample_once)
{
    enum { BLOCKS = 9, COUNT = BLOCKS * FIT_BLOCK_SAMPLES - 100 };
    AUTO(own_freep) uint32_t *last = own_array(COUNT, sizeof *last);
    AUTO(spool_done) struct spool samples;
    struct spool_pool pool;
    struct err err = {0};

    spool_pool_init(&pool, 0, "/tmp");
    spool_init(&samples, &pool, sizeof(struct fit_sample));
    for (uint32_t i = 0; i < COUNT; i++)
        CHECK_OK(spool_add(&samples, &(struct fit_sample){i, 2 * i}, &err));
    for (size_t blocks = 0; blocks <= 4; blocks += 2) {
        AUTO(fit_window_done) struct fit_window window;

        fit_window_init(&window, &samples, blocks);
        for (uint64_t epoch = 0; epoch < 2; epoch++) {
            AUTO(own_freep) uint8_t *seen = own_alloc(COUNT);
            size_t done = 0, moved = 0;

            (void)fit_window_shuffle(&window, epoch);
            for (int turn = 0; fit_window_more(&window); turn++) {
                CHECK_OK(fit_window_next(&window, &err));
                CHECK(window.first == done);
                CHECK(blocks == 0 || (turn < 5 && window.count <= blocks * FIT_BLOCK_SAMPLES &&
                                      window.count > FIT_BLOCK_SAMPLES - 101));
                for (size_t i = 0; i < window.count; i++, done++) {
                    const struct fit_sample *sample = &window.samples[window.order[i]];

                    CHECK(sample->leaf == 2 * sample->entity && seen[sample->entity]++ == 0);
                    moved += last[done] != sample->entity && sample->entity != done;
                    last[done] = sample->entity;
                }
            }
            CHECK(done == COUNT && moved > COUNT * 9 / 10);
        }
    }
}

/* More than the least pool has memory for. */
enum { MANY_PAIRS = 60 * 1000 };

static void id_of_many(const struct kit *kit, uint64_t memory_bytes,
                       char ret[static MODEL_ID_BYTES])
{
    AUTO(train_set_freep) struct train_set *set = train_set_new(memory_bytes, kit->folder);
    AUTO(trained_freep) struct trained *trained = NULL;
    struct model_info info;
    struct err err = {0};

    for (size_t i = 0; i < MANY_PAIRS; i++) {
        struct train_pair pair = kit->pairs[i * 7919 % KIT_PAIRS];

        pair.ip.bytes[15] = (uint8_t)(pair.ip.bytes[15] + i / KIT_PAIRS);
        pair.time_ms = i % 5 == 0 ? 0 : pair.time_ms + 60000 * (int64_t)(i / KIT_PAIRS);
        pair.spec = i % 3 == 0 ? "a" : "b";
        CHECK_OK(train_set_add(set, &pair, &err));
    }
    CHECK(train_set_spilled(set) == (memory_bytes == TRAIN_MEMORY_BYTES_MIN));
    CHECK_OK(train_set_run(set, &kit->options, &trained, &err));
    CHECK_OK(trained_write(trained, kit->path, &err));
    model_info(trained_model(trained), &info);
    memcpy(ret, info.id, MODEL_ID_BYTES);
}

/* Where pairs lie, how they came there and how many threads read them makes no difference; a window
 * that is smaller does. */
TEST(pairs_beyond_memory_make_the_same_file)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    char first[MODEL_ID_BYTES], other[MODEL_ID_BYTES], windowed[MODEL_ID_BYTES];

    kit->options.hyper.epochs = 1;
    kit->options.hyper.vector_dim = 4;
    kit->options.hyper.mini_batch_size = 500;
    kit->options.hyper.random_negative_sampling_rate = 1;
    kit->options.detector = DETECTOR_PREFIX;
    kit->options.scoped = true;
    id_of_many(kit, TRAIN_MEMORY_BYTES_DEFAULT, first);
    id_of_many(kit, TRAIN_MEMORY_BYTES_MIN, other);
    CHECK_STR(other, first);
    kit->options.window_blocks = 4;
    id_of_many(kit, TRAIN_MEMORY_BYTES_DEFAULT, windowed);
    CHECK(strcmp(windowed, first) != 0);
    kit->options.threads = 2;
    id_of_many(kit, TRAIN_MEMORY_BYTES_MIN, other);
    CHECK_STR(other, windowed);
}

TEST(every_kernel_makes_the_same_file)
{
    size_t count;
    const struct kernel *const *all = kernels(&count);
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(trained_freep) struct trained *trained = NULL;
    char best[MODEL_ID_BYTES], other[MODEL_ID_BYTES];
    struct err err = {0};

    id_of(kit, best);
    for (size_t i = 0; i < count; i++) {
        kit->options.kernel = all[i]->name;
        id_of(kit, other);
        CHECK_STR(other, best);
    }
    kit->options.kernel = "z80";
    CHECK_ERR(ERR_INVALID, train_run(kit->pairs, KIT_PAIRS, &kit->options, &trained, &err));
    CHECK_HAS(err.text, "\"z80\"");
}

TEST(dense_layers_learn)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(model_freep) struct model *model = NULL;
    struct model_pair pair = {.spec = "", .entity = "host-4"};
    struct model_explanation explanation;
    double sum = 0;

    kit->options.hyper.num_ip_encoder_layers = 100;
    kit->options.hyper.epochs = 2;
    model = kit_model(kit);
    CHECK(kit_score(model, "", "host-4", "10.4.0.9").score <
          kit_score(model, "", "host-4", "203.0.113.9").score);
    CHECK(ip_parse("10.4.0.9", &pair.ip));
    model_explain(model, &pair, &explanation);
    for (size_t i = 0; i < explanation.level_count; i++)
        sum += explanation.levels[i].ip_insights;
    CHECK(fabs(sum - explanation.score.dot_product) < 1e-4);
}

TEST(divergence_is_an_error_that_says_what_to_lower)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(trained_freep) struct trained *trained = NULL;
    struct err err = {0};

    kit->options.hyper.learning_rate = 10;
    kit->options.hyper.weight_decay = 10;
    kit->options.hyper.num_ip_encoder_layers = 30;
    CHECK_ERR(ERR_INVALID, train_run(kit->pairs, KIT_PAIRS, &kit->options, &trained, &err));
    CHECK_HAS(err.text, "smaller learning_rate than 10");
}

/* ---- progress, checkpoints ---- */

struct watched {
    int epochs_ended, stop_after;
    double last_loss;
};

static bool count_epochs(void *context, const struct train_report *report)
{
    struct watched *watched = context;

    CHECK(report->records <= report->epoch_records && report->epoch < report->epochs);
    CHECK(report->accuracy >= 0 && report->accuracy <= 1 && isfinite(report->loss));
    if (report->epoch_ended)
        watched->last_loss = report->loss;
    watched->epochs_ended += report->epoch_ended;
    return watched->epochs_ended < watched->stop_after;
}

TEST(a_watch_sees_every_epoch_and_can_stop)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(trained_freep) struct trained *trained = NULL;
    struct watched watched = {.stop_after = 100};
    struct train_watch watch = {count_epochs, &watched};
    struct err err = {0};

    kit->options.watch = &watch;
    kit_write(kit);
    CHECK(watched.epochs_ended == 2 * kit->options.hyper.epochs && watched.last_loss < 0.4);
    watched = (struct watched){.stop_after = 3};
    CHECK_ERR(ERR_CANCELLED, train_run(kit->pairs, KIT_PAIRS, &kit->options, &trained, &err));
    CHECK(watched.epochs_ended == 3);
}

/* The child kills itself, as kill -9 would, in the middle of an epoch. */
static bool die_in_time(void *context, const struct train_report *report)
{
    const int *wanted = context;

    if (report->calibrating == (wanted[0] == 0) && report->epoch == wanted[1] &&
        report->records > report->epoch_records / 2)
        (void)raise(SIGKILL);
    return true;
}

TEST(training_goes_on_after_a_kill_to_the_same_file)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    char whole[MODEL_ID_BYTES], resumed[MODEL_ID_BYTES], checkpoint[128], calibration[160];

    id_of(kit, whole);
    (void)snprintf(checkpoint, sizeof checkpoint, "%s/c", kit->folder);
    (void)snprintf(calibration, sizeof calibration, "%s-calibration", checkpoint);
    kit->options.checkpoint = checkpoint;
    for (int stage = 0; stage < 2; stage++) {
        int when[2] = {stage, 2}, status = 0;
        struct train_watch dying = {die_in_time, when};
        struct watched watched = {.stop_after = 100};
        struct train_watch watch = {count_epochs, &watched};
        pid_t child = fork();

        CHECK(child >= 0);
        kit->options.watch = child == 0 ? &dying : &watch;
        if (child == 0) {
            kit_write(kit);
            _exit(0);
        }
        CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
        id_of(kit, resumed);
        CHECK_STR(resumed, whole);
        /* Of both stages' epochs, those before the kill were not done again. */
        CHECK(watched.epochs_ended ==
              2 * kit->options.hyper.epochs - 2 - stage * kit->options.hyper.epochs);
        train_checkpoint_remove(checkpoint);
    }
    CHECK(access(checkpoint, F_OK) != 0 && access(calibration, F_OK) != 0);
}

TEST(a_checkpoint_of_something_else_is_passed_over)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    char whole[MODEL_ID_BYTES], other[MODEL_ID_BYTES], checkpoint[128];
    FILE *file;

    (void)snprintf(checkpoint, sizeof checkpoint, "%s/c", kit->folder);
    id_of(kit, whole);
    kit->options.checkpoint = checkpoint;
    kit->options.seed = 77;
    id_of(kit, other);
    kit->options.seed = 1;
    id_of(kit, other); /* the checkpoint is of seed 77 */
    CHECK_STR(other, whole);
    file = fopen(checkpoint, "r+b");
    CHECK(file != NULL && fseek(file, 300, SEEK_SET) == 0 && fputs("damaged", file) >= 0);
    CHECK(fclose(file) == 0);
    id_of(kit, other);
    CHECK_STR(other, whole);
    train_checkpoint_remove(checkpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gradient_is_that_of_the_loss),
        cmocka_unit_test(all_kernels_agree),
        cmocka_unit_test(two_threads_make_the_same_file),
        cmocka_unit_test(windows_hold_every_sample_once),
        cmocka_unit_test(pairs_beyond_memory_make_the_same_file),
        cmocka_unit_test(every_kernel_makes_the_same_file),
        cmocka_unit_test(dense_layers_learn),
        cmocka_unit_test(divergence_is_an_error_that_says_what_to_lower),
        cmocka_unit_test(a_watch_sees_every_epoch_and_can_stop),
        cmocka_unit_test(training_goes_on_after_a_kill_to_the_same_file),
        cmocka_unit_test(a_checkpoint_of_something_else_is_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
