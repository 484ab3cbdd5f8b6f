/* The phases of a batch. */
#include "model/fit_batch.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/own.h"
#include "model/dense.h"
#include "model/draw.h"
#include "model/vector.h"

struct share {
    size_t start, end;
};

static struct share share_of(size_t count, int part)
{
    size_t half = count / FIT_PARTS;

    return part == 0 ? (struct share){0, half} : (struct share){half, count};
}

/* Each part has its own half of every row. */
static struct span span_of(const struct fit_work *work, int part)
{
    size_t stride = work->fit->entities.stride, half = fit_half(stride);

    if (part == FIT_WHOLE)
        return (struct span){0, stride, stride};
    return part == 0 ? (struct span){0, half, stride} : (struct span){half, stride - half, stride};
}

static struct dense dense_of(const struct fit_work *work)
{
    return (struct dense){(size_t)work->hyper->num_ip_encoder_layers,
                          (size_t)work->hyper->vector_dim, work->fit->entities.stride};
}

void fit_work_init(struct fit_work *work, const struct fit_input *input,
                   const struct ip_encoder *encoder, const struct hyper *hyper,
                   const struct kernel *kernel, size_t window_blocks, struct fit *fit)
{
    size_t positives = (size_t)hyper->mini_batch_size, stride = fit->entities.stride, slots = 0;
    size_t samples;

    if (positives > input->samples->count)
        positives = (size_t)input->samples->count;
    *work = (struct fit_work){.hyper = hyper, .fit = fit, .kernel = kernel};
    ip_tree_init(&work->tree, encoder);
    for (int part = 0; part < FIT_PARTS; part++)
        slots = batch_init(&work->batches[part], positives, hyper_samples(hyper),
                           input->entity_rows, ip_encoder_rows(encoder));
    samples = positives * hyper_samples(hyper);
    work->vectors = work->images = own_aligned(slots * stride, sizeof(float));
    work->gradient = work->image_gradient = own_aligned(slots * stride, sizeof(float));
    work->entity_gradient = own_aligned(positives * stride, sizeof(float));
    work->errors = own_aligned(samples, sizeof(float));
    for (int part = 0; part < FIT_PARTS; part++)
        work->dots[part] = own_aligned(samples, sizeof(float));
    if (fit->dense.rows > 0) {
        size_t layers = (size_t)hyper->num_ip_encoder_layers;

        work->images = own_aligned(slots * stride, sizeof(float));
        work->image_gradient = own_aligned(slots * stride, sizeof(float));
        work->dense_rows = own_array(fit->dense.rows, sizeof(uint32_t));
        for (uint32_t row = 0; row < fit->dense.rows; row++)
            work->dense_rows[row] = row;
        for (int part = 0; part < FIT_PARTS; part++) {
            work->dense_gradient[part] = own_array(fit->dense.rows * stride, sizeof(float));
            work->dense_states[part] = own_array((layers + 4) * stride, sizeof(float));
        }
    }
    fit_window_init(&work->window, input->samples, window_blocks);
}

void fit_work_done(struct fit_work *work)
{
    if (work->images != work->vectors) {
        own_freep(&work->images);
        own_freep(&work->image_gradient);
    }
    own_freep(&work->vectors);
    own_freep(&work->gradient);
    own_freep(&work->entity_gradient);
    own_freep(&work->errors);
    for (int part = 0; part < FIT_PARTS; part++) {
        own_freep(&work->dots[part]);
        own_freep(&work->dense_gradient[part]);
        own_freep(&work->dense_states[part]);
    }
    own_freep(&work->dense_rows);
    fit_window_done(&work->window);
    for (int part = 0; part < FIT_PARTS; part++)
        batch_done(&work->batches[part]);
    ip_tree_done(&work->tree);
}

void fit_shuffle(struct fit_work *work, uint64_t seed)
{
    work->epoch_seed = fit_window_shuffle(&work->window, seed);
}

static const struct batch *batch_of(const struct fit_work *work, int turn)
{
    return &work->batches[turn];
}

/* A positive and its negatives, of which the random ones are addresses yet; they are of the
 * positive's family. What is drawn depends on the positive alone, not on who draws. */
static void draw_positive(struct fit_work *work, size_t at, uint32_t *leaves, struct ip *drawn)
{
    const struct fit_window *window = &work->window;
    size_t randoms = (size_t)work->hyper->random_negative_sampling_rate;
    size_t shuffled = (size_t)work->hyper->shuffled_negative_sampling_rate;
    const struct fit_sample *own = &window->samples[window->order[at]];
    bool v6 = ip_tree_is_v6(&work->tree, own->leaf);
    struct rng rng;

    rng_init(&rng, hash_mix(work->epoch_seed + window->first + at));
    leaves[0] = own->leaf;
    for (size_t i = 0; i < randoms; i++) {
        drawn[i] = draw_ip(&rng, v6);
        ip_tree_fetch(&work->tree, &drawn[i]);
    }
    for (size_t i = 1 + randoms; i <= randoms + shuffled; i++) {
        leaves[i] = (uint32_t)rng_below(&rng, window->count); /* a sample yet */
        __builtin_prefetch(&window->samples[leaves[i]]);
    }
}

/* From what was drawn to leaves. */
static void find_leaves(const struct fit_work *work, uint32_t *leaves, const struct ip *drawn)
{
    size_t randoms = (size_t)work->hyper->random_negative_sampling_rate;
    size_t shuffled = (size_t)work->hyper->shuffled_negative_sampling_rate;

    for (size_t i = 0; i < randoms; i++)
        leaves[1 + i] = ip_tree_leaf(&work->tree, &drawn[i]);
    for (size_t i = 1 + randoms; i <= randoms + shuffled; i++)
        leaves[i] = work->window.samples[leaves[i]].leaf;
}

enum { SAMPLES_AHEAD = 2 * BATCH_DRAWN };

void fit_prepare(struct fit_work *work, int part)
{
    const struct fit_window *window = &work->window;
    struct batch *batch = &work->batches[part];
    size_t start = work->starts[part], each = batch->per_positive, end;

    batch_clear_nodes(batch);
    batch_clear_entities(batch);
    for (size_t first = 0; first < batch->positives; first = end) {
        end = first + BATCH_DRAWN < batch->positives ? first + BATCH_DRAWN : batch->positives;
        for (size_t i = first; i < end; i++) {
            if (start + i + SAMPLES_AHEAD < window->count)
                __builtin_prefetch(&window->samples[window->order[start + i + SAMPLES_AHEAD]]);
            draw_positive(work, start + i, batch->leaves + i * each,
                          batch->drawn + (i - first) * each);
        }
        for (size_t i = first; i < end; i++) {
            find_leaves(work, batch->leaves + i * each, batch->drawn + (i - first) * each);
            batch_add_entity(batch, i, window->samples[window->order[start + i]].entity);
        }
    }
    batch_list_nodes(batch, &work->tree);
}

static void expand(struct fit_work *work, int turn, int part)
{
    work->kernel->expand(batch_of(work, turn), &work->fit->prefixes, work->vectors,
                         span_of(work, part));
}

/* States of a leaf in all layers. */
static float *dense_states_of(struct fit_work *work, int part, size_t slot)
{
    struct dense dense = dense_of(work);
    float *states = work->dense_states[part];

    memcpy(states, work->vectors + slot * dense.stride, dense.stride * sizeof *states);
    dense_forward(&dense, work->fit->dense.values, states);
    return states;
}

static void image(struct fit_work *work, int turn, int part)
{
    struct share share = share_of(batch_of(work, turn)->node_count, part);
    struct dense dense = dense_of(work);

    for (size_t slot = share.start; slot < share.end; slot++)
        if (batch_of(work, turn)->is_leaf[slot])
            memcpy(work->images + slot * dense.stride,
                   dense_states_of(work, part, slot) + dense.layers * dense.stride,
                   dense.stride * sizeof(float));
}

static void dot(struct fit_work *work, int turn, int part)
{
    work->kernel->dot(batch_of(work, turn), work->fit->entities.values, work->images,
                      work->dots[part], span_of(work, part));
}

enum { PROBABILITIES_PER_LOG = 8 }; /* none is under e^-80: their product fits a double */

static void judge(struct fit_work *work, int turn, int part)
{
    size_t per_positive = batch_of(work, turn)->per_positive;
    struct share share = share_of(batch_of(work, turn)->positives, part);
    struct tally tally = work->tallies[part]; /* the other part's is on the same cache line */
    double product = 1;

    for (size_t i = share.start * per_positive; i < share.end * per_positive; i++) {
        bool wanted = i % per_positive == 0;
        float sum = work->dots[0][i] + work->dots[1][i];
        float right = vector_sigmoid(wanted ? sum : -sum),
              wrong = vector_sigmoid(wanted ? -sum : sum);

        work->errors[i] = wanted ? -wrong : wrong;
        tally.right += right > 0.5F;
        tally.diverged = tally.diverged || !isfinite(sum);
        product *= (double)right;
        if (i % PROBABILITIES_PER_LOG == 0) {
            tally.loss -= log(product);
            product = 1;
        }
    }
    tally.loss -= log(product);
    work->tallies[part] = tally;
}

static void backward(struct fit_work *work, int turn, int part)
{
    work->kernel->backward(batch_of(work, turn), work->fit->entities.values, work->images,
                           work->errors, work->entity_gradient, work->image_gradient,
                           span_of(work, part));
}

static void image_backward(struct fit_work *work, int turn, int part)
{
    struct share share = share_of(batch_of(work, turn)->node_count, part);
    struct dense dense = dense_of(work);

    memset(work->dense_gradient[part], 0, dense_rows(&dense) * dense.stride * sizeof(float));
    for (size_t slot = share.start; slot < share.end; slot++) {
        float *delta = work->gradient + slot * dense.stride, *states;
        float *image = work->image_gradient + slot * dense.stride;

        if (!batch_of(work, turn)->is_leaf[slot])
            continue;
        states = dense_states_of(work, part, slot);
        memcpy(delta, image, dense.stride * sizeof *delta);
        memset(image, 0, dense.stride * sizeof *image);
        dense_backward(&dense, work->fit->dense.values, states, delta, work->dense_gradient[part],
                       states + (dense.layers + 2) * dense.stride);
    }
}

static void step(struct fit_work *work, int turn, int part)
{
    const struct batch *batch = batch_of(work, turn);
    const struct step *step = &work->steps[turn];
    struct fit *fit = work->fit;
    struct span span = span_of(work, part);

    work->kernel->adam(&fit->entities, batch->entity_rows, batch->entity_count,
                       work->entity_gradient, step, span);
    work->kernel->climb(batch, &fit->prefixes, work->gradient, step, span);
    for (size_t row = 0; row < fit->dense.rows; row++)
        vector_add(work->dense_gradient[0] + row * span.stride + span.first,
                   work->dense_gradient[1] + row * span.stride + span.first, 1, span.width);
    work->kernel->adam(&fit->dense, work->dense_rows, fit->dense.rows, work->dense_gradient[0],
                       step, span);
}

const struct fit_phase FIT_PHASE[FIT_PHASES] = {
    {.run = expand, .whole = true, .wait = FIT_WAIT_DENSE},
    {.run = image, .dense = true, .wait = FIT_WAIT_DENSE},
    {.run = dot, .wait = FIT_WAIT_ALWAYS},
    {.run = judge, .wait = FIT_WAIT_ALWAYS},
    {.run = backward, .whole = true, .wait = FIT_WAIT_DENSE},
    {.run = image_backward, .dense = true, .wait = FIT_WAIT_DENSE},
    {.run = step, .whole = true, .wait = FIT_WAIT_DENSE},
};

void fit_phase_run(struct fit_work *work, const struct fit_phase *phase, int turn, int first,
                   int last)
{
    if (phase->dense && work->fit->dense.rows == 0)
        return;
    if (phase->whole && first != last) {
        phase->run(work, turn, FIT_WHOLE);
        return;
    }
    for (int part = first; part <= last; part++)
        phase->run(work, turn, part);
}
