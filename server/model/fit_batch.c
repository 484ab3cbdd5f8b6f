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
    size_t stride = work->fit->entities.stride, half = vector_stride(stride / FIT_PARTS);

    return part == 0 ? (struct span){0, half, stride} : (struct span){half, stride - half, stride};
}

static struct dense dense_of(const struct fit_work *work)
{
    return (struct dense){(size_t)work->hyper->num_ip_encoder_layers,
                          (size_t)work->hyper->vector_dim, work->fit->entities.stride};
}

void fit_work_init(struct fit_work *work, const struct fit_input *input,
                   const struct ip_encoder *encoder, const struct hyper *hyper,
                   const struct kernel *kernel, struct fit *fit)
{
    size_t positives = (size_t)hyper->mini_batch_size, stride = fit->entities.stride, slots;
    size_t samples;

    if (positives > input->count)
        positives = input->count;
    *work = (struct fit_work){.input = input, .hyper = hyper, .fit = fit, .kernel = kernel};
    ip_tree_init(&work->tree, encoder);
    slots = batch_init(&work->batch, positives, hyper_samples(hyper), input->entity_rows,
                       ip_encoder_rows(encoder));
    samples = positives * hyper_samples(hyper);
    work->vectors = work->images = own_array(slots * stride, sizeof(float));
    work->gradient = work->image_gradient = own_array(slots * stride, sizeof(float));
    work->entity_gradient = own_array(positives * stride, sizeof(float));
    work->errors = own_array(samples, sizeof(float));
    for (int part = 0; part < FIT_PARTS; part++)
        work->dots[part] = own_array(samples, sizeof(float));
    if (fit->dense.rows > 0) {
        size_t layers = (size_t)hyper->num_ip_encoder_layers;

        work->images = own_array(slots * stride, sizeof(float));
        work->image_gradient = own_array(slots * stride, sizeof(float));
        work->dense_rows = own_array(fit->dense.rows, sizeof(uint32_t));
        for (uint32_t row = 0; row < fit->dense.rows; row++)
            work->dense_rows[row] = row;
        for (int part = 0; part < FIT_PARTS; part++) {
            work->dense_gradient[part] = own_array(fit->dense.rows * stride, sizeof(float));
            work->dense_states[part] = own_array((layers + 4) * stride, sizeof(float));
        }
    }
    work->address_leaves = own_array(input->address_count, sizeof(uint32_t));
    for (size_t i = 0; i < input->address_count; i++)
        work->address_leaves[i] = ip_tree_leaf(&work->tree, &input->addresses[i]);
    work->order = own_array(input->count, sizeof(uint32_t));
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
    own_freep(&work->address_leaves);
    own_freep(&work->order);
    batch_done(&work->batch);
    ip_tree_done(&work->tree);
}

/* From the samples' own order, so that an epoch does not depend on the one before. */
void fit_shuffle(struct fit_work *work, uint64_t seed)
{
    struct rng rng;

    rng_init(&rng, seed);
    work->epoch_seed = rng_u64(&rng);
    for (size_t i = 0; i < work->input->count; i++)
        work->order[i] = (uint32_t)i;
    for (size_t i = work->input->count; i > 1; i--) {
        size_t j = (size_t)rng_below(&rng, i);
        uint32_t kept = work->order[i - 1];

        work->order[i - 1] = work->order[j];
        work->order[j] = kept;
    }
}

/* A positive and its negatives; a random address is of the positive's family. What is drawn depends
 * on the positive alone, not on who draws. */
static void draw_positive(struct fit_work *work, size_t positive)
{
    const struct fit_input *input = work->input;
    const struct ip *own = &input->addresses[input->ips[work->order[work->start + positive]]];
    uint32_t *leaves = work->batch.leaves + positive * work->batch.per_positive;
    struct rng rng;

    rng_init(&rng, hash_mix(work->epoch_seed + work->start + positive));
    *leaves++ = work->address_leaves[own - input->addresses];
    for (int64_t i = 0; i < work->hyper->random_negative_sampling_rate; i++) {
        struct ip random = draw_ip(&rng, !ip_is_v4(own));

        *leaves++ = ip_tree_leaf(&work->tree, &random);
    }
    for (int64_t i = 0; i < work->hyper->shuffled_negative_sampling_rate; i++)
        *leaves++ = work->address_leaves[input->ips[rng_below(&rng, input->count)]];
}

static void draw(struct fit_work *work, int part)
{
    struct share share = share_of(work->batch.positives, part);

    for (size_t i = share.start; i < share.end; i++)
        draw_positive(work, i);
}

static void list(struct fit_work *work, int part)
{
    if (part == 0) {
        batch_clear_nodes(&work->batch);
        batch_list_nodes(&work->batch, &work->tree);
        return;
    }
    batch_clear_entities(&work->batch);
    for (size_t i = 0; i < work->batch.positives; i++)
        batch_add_entity(&work->batch, i, work->input->entities[work->order[work->start + i]]);
}

static void expand(struct fit_work *work, int part)
{
    work->kernel->expand(&work->batch, work->fit->prefixes.values, work->vectors,
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

static void image(struct fit_work *work, int part)
{
    struct share share = share_of(work->batch.node_count, part);
    struct dense dense = dense_of(work);

    if (dense.layers == 0)
        return;
    for (size_t slot = share.start; slot < share.end; slot++)
        if (work->batch.is_leaf[slot])
            memcpy(work->images + slot * dense.stride,
                   dense_states_of(work, part, slot) + dense.layers * dense.stride,
                   dense.stride * sizeof(float));
}

static void dot(struct fit_work *work, int part)
{
    work->kernel->dot(&work->batch, work->fit->entities.values, work->images, work->dots[part],
                      span_of(work, part));
}

enum { PROBABILITIES_PER_LOG = 8 }; /* none is under e^-80: their product fits a double */

static void judge(struct fit_work *work, int part)
{
    size_t per_positive = work->batch.per_positive;
    struct share share = share_of(work->batch.positives, part);
    struct tally *tally = &work->tallies[part];
    double product = 1;

    for (size_t i = share.start * per_positive; i < share.end * per_positive; i++) {
        bool wanted = i % per_positive == 0;
        float sum = work->dots[0][i] + work->dots[1][i];
        float right = vector_sigmoid(wanted ? sum : -sum),
              wrong = vector_sigmoid(wanted ? -sum : sum);

        work->errors[i] = wanted ? -wrong : wrong;
        tally->right += right > 0.5F;
        tally->diverged = tally->diverged || !isfinite(sum);
        product *= (double)right;
        if (i % PROBABILITIES_PER_LOG == 0) {
            tally->loss -= log(product);
            product = 1;
        }
    }
    tally->loss -= log(product);
}

static void clear(float *rows, size_t count, struct span span)
{
    for (size_t i = 0; i < count; i++)
        memset(rows + i * span.stride + span.first, 0, span.width * sizeof *rows);
}

static void backward(struct fit_work *work, int part)
{
    struct span span = span_of(work, part);

    clear(work->gradient, work->batch.slot_count, span);
    if (work->image_gradient != work->gradient)
        clear(work->image_gradient, work->batch.slot_count, span);
    clear(work->entity_gradient, work->batch.entity_count, span);
    work->kernel->backward(&work->batch, work->fit->entities.values, work->images, work->errors,
                           work->entity_gradient, work->image_gradient, span);
}

static void image_backward(struct fit_work *work, int part)
{
    struct share share = share_of(work->batch.node_count, part);
    struct dense dense = dense_of(work);

    if (dense.layers == 0)
        return;
    memset(work->dense_gradient[part], 0, dense_rows(&dense) * dense.stride * sizeof(float));
    for (size_t slot = share.start; slot < share.end; slot++) {
        float *delta = work->gradient + slot * dense.stride, *states;

        if (!work->batch.is_leaf[slot])
            continue;
        states = dense_states_of(work, part, slot);
        memcpy(delta, work->image_gradient + slot * dense.stride, dense.stride * sizeof *delta);
        dense_backward(&dense, work->fit->dense.values, states, delta, work->dense_gradient[part],
                       states + (dense.layers + 2) * dense.stride);
    }
}

/* Spreading belongs to the gradient, moving does not: tests look in between. */
static void spread(struct fit_work *work, int part)
{
    struct span span = span_of(work, part);

    work->kernel->spread(&work->batch, work->gradient, span);
    for (size_t row = 0; row < work->fit->dense.rows; row++)
        vector_add(work->dense_gradient[0] + row * span.stride + span.first,
                   work->dense_gradient[1] + row * span.stride + span.first, 1, span.width);
}

static void step(struct fit_work *work, int part)
{
    const struct batch *batch = &work->batch;
    struct fit *fit = work->fit;
    struct span span = span_of(work, part);
    void (*adam)(const struct fit_table *, const uint32_t *, size_t, const float *,
                 const struct step *, struct span) = work->kernel->adam;

    adam(&fit->entities, batch->entity_rows, batch->entity_count, work->entity_gradient,
         &work->step, span);
    adam(&fit->prefixes, batch->rows + BATCH_ROOTS, batch->slot_count - BATCH_ROOTS,
         work->gradient + BATCH_ROOTS * span.stride, &work->step, span);
    adam(&fit->dense, work->dense_rows, fit->dense.rows, work->dense_gradient[0], &work->step,
         span);
}

fit_phase *const FIT_PHASE[FIT_PHASES] = {
    draw, list, expand, image, dot, judge, backward, image_backward, spread, step,
};
