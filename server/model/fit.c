/* Training, epoch by epoch, on one thread or two. */
#include "model/fit.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/hash.h"
#include "base/own.h"
#include "model/checkpoint.h"
#include "model/dense.h"
#include "model/fit_batch.h"
#include "model/meeting.h"
#include "model/vector.h"

static const double MEAN_DECAY = 0.9, SQUARE_DECAY = 0.999; /* as in kernel.c */
static const float ROW_SPREAD = 0.1F, DENSE_SPREAD = 0.1F;

size_t fit_half(size_t stride)
{
    return vector_stride(stride / FIT_PARTS);
}

/* Values and moments are one array, in one order or the other. */
static void table_init(struct fit_table *table, size_t rows, size_t dim, bool by_halves)
{
    size_t stride = vector_stride(dim);

    *table = (struct fit_table){
        .values = own_aligned(rows * 3 * stride, sizeof(float)),
        .rows = rows,
        .stride = stride,
        .half = by_halves ? fit_half(stride) : 0,
    };
    table->moments = by_halves ? NULL : table->values + rows * stride;
}

/* Of what was learned the values alone, one row behind the other. */
static void table_pack(struct fit_table *table)
{
    size_t stride = table->stride, half = table->half, other = stride - half;

    for (size_t row = 0; row < table->rows && half > 0; row++) {
        float *packed = table->values + row * stride;

        memmove(packed, fit_value(table, row, 0), half * sizeof *packed);
        memmove(packed + half, fit_value(table, row, half), other * sizeof *packed);
    }
    table->values = own_resize(table->values, table->rows * stride, sizeof *table->values);
    table->moments = NULL;
    table->half = 0;
}

static void table_done(struct fit_table *table)
{
    own_freep(&table->values);
}

static void fill_row(const struct fit_table *table, size_t row, size_t dim, float spread,
                     struct rng *rng)
{
    for (size_t i = 0; i < dim; i++)
        *fit_value(table, row, i) = spread * (float)(2 * rng_unit(rng) - 1);
}

void fit_init(struct fit *fit, size_t entity_rows, size_t prefix_rows, const struct hyper *hyper,
              uint64_t seed)
{
    size_t dim = (size_t)hyper->vector_dim;
    struct dense dense = {(size_t)hyper->num_ip_encoder_layers, dim, vector_stride(dim)};
    float spread =
        dense.layers > 0 ? DENSE_SPREAD / sqrtf((float)dim) / sqrtf((float)dense.layers) : 0;
    struct rng rng;

    rng_init(&rng, hash_mix(seed + 1));
    table_init(&fit->entities, entity_rows, dim, false);
    table_init(&fit->prefixes, prefix_rows, dim, true);
    table_init(&fit->dense, dense_rows(&dense), dim, false);
    for (size_t row = 0; row < entity_rows; row++)
        fill_row(&fit->entities, row, dim, ROW_SPREAD, &rng);
    for (size_t row = 0; row < prefix_rows; row++)
        fill_row(&fit->prefixes, row, dim, ROW_SPREAD, &rng);
    for (size_t row = 0; row < fit->dense.rows; row++)
        if (row % (dim + 1) < dim) /* biases start at 0 */
            fill_row(&fit->dense, row, dim, spread, &rng);
}

void fit_done(struct fit *fit)
{
    table_done(&fit->entities);
    table_done(&fit->prefixes);
    table_done(&fit->dense);
}

struct run {
    struct fit_work work;
    const struct fit_options *options;
    struct checkpoint *checkpoint;
    int64_t epoch;
    size_t end;                    /* of the batches in the window's order */
    double mean_left, square_left; /* the decays to the power of the steps done */
    bool over;
    enum err_code code;
    struct err *err;
    struct meeting meeting;
};

static void begin_epoch(struct run *run)
{
    uint64_t seed = hash_mix(hash_mix(run->options->seed + 2) + (uint64_t)run->epoch);

    fit_shuffle(&run->work, seed);
    memset(run->work.tallies, 0, sizeof run->work.tallies);
}

static bool tell(const struct run *run, bool epoch_ended)
{
    const struct tally *tallies = run->work.tallies;
    size_t samples = hyper_samples(run->options->hyper);
    uint64_t records = (run->work.window.first + run->end) * samples;
    double done = (double)records;
    struct train_report report = {
        .epoch = run->epoch,
        .epochs = run->options->hyper->epochs,
        .epoch_ended = epoch_ended,
        .records = records,
        .epoch_records = run->work.window.all->count * samples,
        .loss = (tallies[0].loss + tallies[1].loss) / done,
        .accuracy = (double)(tallies[0].right + tallies[1].right) / done,
    };

    run->work.fit->loss = report.loss;
    run->work.fit->accuracy = report.accuracy;
    return run->options->watch == NULL ||
           run->options->watch->tell(run->options->watch->context, &report);
}

static enum err_code end_epoch(struct run *run)
{
    struct checkpoint_state state = {run->epoch + 1, run->mean_left, run->square_left};

    if (!tell(run, true))
        return err_set(run->err, ERR_CANCELLED, "training was stopped in epoch %" PRId64,
                       run->epoch + 1);
    if (run->checkpoint != NULL)
        TRY(checkpoint_write(run->checkpoint, &state, run->work.fit, run->err));
    run->epoch++;
    return ERR_NONE;
}

static enum err_code end_batch(struct run *run)
{
    const struct fit_work *work = &run->work;

    if (work->tallies[0].diverged || work->tallies[1].diverged ||
        !isfinite(work->tallies[0].loss + work->tallies[1].loss))
        return err_set(run->err, ERR_INVALID,
                       "training diverged in epoch %" PRId64 ": the loss is no number; choose a "
                       "smaller learning_rate than %g or a smaller weight_decay than %g",
                       run->epoch + 1, run->options->hyper->learning_rate,
                       run->options->hyper->weight_decay);
    if (run->end == work->window.count && !fit_window_more(&work->window))
        return end_epoch(run);
    if (!tell(run, false))
        return err_set(run->err, ERR_CANCELLED, "training was stopped in epoch %" PRId64,
                       run->epoch + 1);
    return ERR_NONE;
}

static void prepare_step(struct run *run, int part)
{
    const struct hyper *hyper = run->options->hyper;
    const struct batch *batch = &run->work.batches[part];

    run->mean_left *= MEAN_DECAY;
    run->square_left *= SQUARE_DECAY;
    run->work.steps[part] = (struct step){
        .rate = (float)hyper->learning_rate,
        .decay = (float)hyper->weight_decay,
        .scale = 1 / (float)(batch->positives * batch->per_positive),
        .mean_bias = (float)(1 / (1 - run->mean_left)),
        .square_bias = (float)(1 / (1 - run->square_left)),
    };
}

/* The end of what was begun, and where it was a window's, too, the next one. */
static enum err_code end_batches(struct run *run)
{
    struct fit_window *window = &run->work.window;

    if (run->end > 0)
        TRY(end_batch(run));
    if (run->epoch == run->options->hyper->epochs || run->end < window->count)
        return ERR_NONE;
    if (run->end == 0 || !fit_window_more(window))
        begin_epoch(run);
    TRY(fit_window_next(window, run->err));
    run->end = 0;
    return ERR_NONE;
}

/* The next two of a window; its last may be one. Between batches only one thread is at work. */
static void next_batches(struct run *run)
{
    size_t count, most = (size_t)run->options->hyper->mini_batch_size;

    run->code = end_batches(run);
    run->over = run->code != ERR_NONE || run->epoch == run->options->hyper->epochs;
    if (run->over)
        return;
    count = run->work.window.count;
    for (int part = 0; part < FIT_PARTS; part++) {
        size_t left = count - run->end;

        run->work.starts[part] = run->end;
        run->work.batches[part].positives = left < most ? left : most;
        run->end += run->work.batches[part].positives;
        if (left > 0)
            prepare_step(run, part);
    }
}

static void meet(struct run *run)
{
    if (run->options->threads > 1)
        meeting_wait(&run->meeting);
}

static void work_off_batch(struct run *run, int turn, int first_part, int last_part)
{
    enum fit_wait wait = run->work.fit->dense.rows > 0 ? FIT_WAIT_DENSE : FIT_WAIT_ALWAYS;

    for (int i = 0; i < FIT_PHASES; i++) {
        fit_phase_run(&run->work, &FIT_PHASE[i], turn, first_part, last_part);
        if (FIT_PHASE[i].wait >= wait)
            meet(run);
    }
}

static void work_off(struct run *run, int first_part, int last_part)
{
    for (;;) {
        if (first_part == 0)
            next_batches(run);
        meet(run);
        if (run->over)
            return;
        for (int part = first_part; part <= last_part; part++)
            fit_prepare(&run->work, part);
        meet(run);
        for (int turn = 0; turn < FIT_PARTS; turn++)
            if (run->work.batches[turn].positives > 0)
                work_off_batch(run, turn, first_part, last_part);
        meet(run);
    }
}

static void *second_thread(void *run)
{
    work_off(run, 1, 1);
    return NULL;
}

static enum err_code work_in_two(struct run *run)
{
    pthread_t thread;

    meeting_init(&run->meeting);
    if (pthread_create(&thread, NULL, second_thread, run) != 0)
        return err_set(run->err, ERR_INTERNAL, "starting a second thread of training failed");
    work_off(run, 0, 0);
    (void)pthread_join(thread, NULL);
    meeting_done(&run->meeting);
    return run->code;
}

enum err_code fit_run(const struct fit_input *input, const struct ip_encoder *encoder,
                      const struct fit_options *options, struct fit *ret, struct err *err)
{
    AUTO(checkpoint_freep) struct checkpoint *checkpoint = NULL;
    struct checkpoint_state state = {0, 1, 1};
    struct run run = {.options = options, .err = err};
    enum err_code code = ERR_NONE;

    fit_init(ret, input->entity_rows, ip_encoder_rows(encoder), options->hyper, options->seed);
    if (options->checkpoint != NULL) {
        TRY(checkpoint_new(options, input, encoder, &checkpoint, err));
        TRY(checkpoint_read(checkpoint, &state, ret, err));
    }
    run.checkpoint = checkpoint;
    run.epoch = state.epochs;
    run.mean_left = state.mean_left;
    run.square_left = state.square_left;
    fit_work_init(&run.work, input, encoder, options->hyper, options->kernel,
                  options->window_blocks, ret);
    if (options->threads > 1)
        code = work_in_two(&run);
    else
        work_off(&run, 0, FIT_PARTS - 1);
    fit_work_done(&run.work);
    table_pack(&ret->entities);
    table_pack(&ret->prefixes);
    table_pack(&ret->dense);
    return code != ERR_NONE ? code : run.code;
}
