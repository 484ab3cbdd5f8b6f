/* Training's inner loops. */
#include "model/fit.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/own.h"
#include "model/vector.h"

static const double MEAN_DECAY = 0.9, SQUARE_DECAY = 0.999;
static const float EPSILON = 1e-8F, INITIAL_SPREAD = 0.1F;

static void table_init(struct fit_table *table, size_t rows, size_t dim, struct rng *rng)
{
    size_t stride = vector_stride(dim), floats = rows * stride;

    *table = (struct fit_table){
        .values = own_array(floats, sizeof(float)),
        .gradient = own_array(floats, sizeof(float)),
        .mean = own_array(floats, sizeof(float)),
        .square = own_array(floats, sizeof(float)),
        .touched = own_array(rows, sizeof(uint32_t)),
        .is_touched = own_array(rows, 1),
        .rows = rows,
        .stride = stride,
    };
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < dim; i++)
            table->values[row * stride + i] = INITIAL_SPREAD * (float)(2 * rng_unit(rng) - 1);
}

static void table_done(struct fit_table *table)
{
    own_freep(&table->values);
    own_freep(&table->gradient);
    own_freep(&table->mean);
    own_freep(&table->square);
    own_freep(&table->touched);
    own_freep(&table->is_touched);
}

void fit_init(struct fit *fit, size_t entity_rows, size_t prefix_rows, size_t dim, uint64_t seed)
{
    struct rng rng;

    rng_init(&rng, hash_mix(seed + 1));
    table_init(&fit->entities, entity_rows, dim, &rng);
    table_init(&fit->prefixes, prefix_rows, dim, &rng);
    fit->loss = 0;
}

void fit_done(struct fit *fit)
{
    table_done(&fit->entities);
    table_done(&fit->prefixes);
}

/* The row's gradient, and that it has one. */
static float *gradient_of(struct fit_table *table, uint32_t row)
{
    if (!table->is_touched[row]) {
        table->is_touched[row] = 1;
        table->touched[table->touched_count++] = row;
    }
    return table->gradient + row * table->stride;
}

/* The address's vector into sum; its dot product with the entity's. */
static float forward(const float *const *rows, uint32_t count, const float *entity, float *sum,
                     size_t stride)
{
    for (size_t i = 0; i < stride; i += VECTOR_STEP) {
        vector_block block = {0};

        for (uint32_t k = 0; k < count; k++)
            block += *(const vector_block *)(rows[k] + i);
        *(vector_block *)(sum + i) = block;
    }
    return vector_dot(sum, entity, stride);
}

static void backward(float *const *gradients, uint32_t count, const float *entity, float factor,
                     size_t stride)
{
    for (size_t i = 0; i < stride; i += VECTOR_STEP) {
        vector_block block = *(const vector_block *)(entity + i) * factor;

        for (uint32_t k = 0; k < count; k++)
            *(vector_block *)(gradients[k] + i) += block;
    }
}

float fit_sample(struct fit *fit, uint32_t entity, const struct ip_path *path, float wanted,
                 float *scratch)
{
    size_t stride = fit->entities.stride;
    const float *vector = fit->entities.values + entity * stride, *rows[IP_LEVELS_V6];
    float *gradients[IP_LEVELS_V6], dot, error;

    for (uint32_t i = 0; i < path->count; i++) {
        rows[i] = fit->prefixes.values + path->rows[i] * stride;
        gradients[i] = gradient_of(&fit->prefixes, path->rows[i]);
    }
    dot = forward(rows, path->count, vector, scratch, stride);
    error = vector_sigmoid(dot) - wanted;
    vector_add(gradient_of(&fit->entities, entity), scratch, error, stride);
    backward(gradients, path->count, vector, error, stride);
    return -logf(vector_sigmoid(wanted > 0.5F ? dot : -dot));
}

struct step {
    float rate, decay, scale; /* scale: one over the batch's samples */
    float mean_bias, square_bias;
};

static void adam_row(struct fit_table *table, size_t row, const struct step *step)
{
    size_t start = row * table->stride, end = start + table->stride;
    float keep_mean = (float)MEAN_DECAY, keep_square = (float)SQUARE_DECAY;

    for (size_t i = start; i < end; i += VECTOR_STEP) {
        vector_block *value = (vector_block *)(table->values + i);
        vector_block *mean = (vector_block *)(table->mean + i);
        vector_block *square = (vector_block *)(table->square + i);
        vector_block *gradient = (vector_block *)(table->gradient + i);
        vector_block g = *gradient * step->scale + *value * step->decay, root;

        *mean = *mean * keep_mean + g * (1 - keep_mean);
        *square = *square * keep_square + g * g * (1 - keep_square);
        root = *square * step->square_bias;
        vector_square_root(&root);
        *value -= *mean * (step->rate * step->mean_bias) / (root + EPSILON);
        *gradient = (vector_block){0};
    }
}

/* Only rows with a gradient move ("lazy"); their moments wait meanwhile. */
static void adam_step(struct fit_table *table, const struct step *step)
{
    for (size_t i = 0; i < table->touched_count; i++) {
        table->is_touched[table->touched[i]] = 0;
        adam_row(table, table->touched[i], step);
    }
    table->touched_count = 0;
}

struct ip fit_random_ip(struct rng *rng, bool v6)
{
    struct ip ip;

    if (!v6)
        return ip_from_v4((uint32_t)(rng_u64(rng) >> 32));
    for (int half = 0; half < 2; half++) {
        uint64_t bits = rng_u64(rng);

        for (int i = 0; i < 8; i++)
            ip.bytes[8 * half + i] = (uint8_t)(bits >> (8 * i));
    }
    ip.bytes[0] = (uint8_t)(0x20 | (ip.bytes[0] & 0x1f));
    return ip;
}

struct run {
    const struct fit_input *input;
    const struct ip_encoder *encoder;
    const struct hyper *hyper;
    struct fit *fit;
    struct ip_path *paths; /* per address */
    uint32_t *order;       /* of the samples in this epoch */
    float *scratch;
    struct rng rng;
    double mean_left, square_left; /* the decays to the power of the steps done */
};

/* A positive and its negatives; a random address is of the positive's family. */
static double train_sample(struct run *run, uint32_t sample)
{
    const struct fit_input *input = run->input;
    uint32_t entity = input->entities[sample];
    uint32_t ip = input->ips[sample];
    bool v6 = run->paths[ip].count == IP_LEVELS_V6;
    double loss = (double)fit_sample(run->fit, entity, &run->paths[ip], 1, run->scratch);

    for (int64_t i = 0; i < run->hyper->random_negative_sampling_rate; i++) {
        struct ip random = fit_random_ip(&run->rng, v6);
        struct ip_path path;

        ip_encoder_path(run->encoder, &random, &path);
        loss += (double)fit_sample(run->fit, entity, &path, 0, run->scratch);
    }
    for (int64_t i = 0; i < run->hyper->shuffled_negative_sampling_rate; i++) {
        uint32_t other = input->ips[rng_below(&run->rng, input->count)];

        loss += (double)fit_sample(run->fit, entity, &run->paths[other], 0, run->scratch);
    }
    return loss;
}

static size_t samples_per_positive(const struct hyper *hyper)
{
    return 1 + (size_t)hyper->random_negative_sampling_rate +
           (size_t)hyper->shuffled_negative_sampling_rate;
}

static void end_batch(struct run *run, size_t positives)
{
    const struct hyper *hyper = run->hyper;
    struct step step = {
        .rate = (float)hyper->learning_rate,
        .decay = (float)hyper->weight_decay,
        .scale = 1 / (float)(positives * samples_per_positive(hyper)),
    };

    run->mean_left *= MEAN_DECAY;
    run->square_left *= SQUARE_DECAY;
    step.mean_bias = (float)(1 / (1 - run->mean_left));
    step.square_bias = (float)(1 / (1 - run->square_left));

    adam_step(&run->fit->entities, &step);
    adam_step(&run->fit->prefixes, &step);
}

static void shuffle(struct run *run)
{
    for (size_t i = run->input->count; i > 1; i--) {
        size_t j = (size_t)rng_below(&run->rng, i);
        uint32_t kept = run->order[i - 1];

        run->order[i - 1] = run->order[j];
        run->order[j] = kept;
    }
}

static void train_epoch(struct run *run)
{
    size_t count = run->input->count, batch = (size_t)run->hyper->mini_batch_size;
    double loss = 0;

    shuffle(run);
    for (size_t start = 0; start < count; start += batch) {
        size_t end = count - start < batch ? count : start + batch;

        for (size_t i = start; i < end; i++)
            loss += train_sample(run, run->order[i]);
        end_batch(run, end - start);
    }
    run->fit->loss = loss / (double)(count * samples_per_positive(run->hyper));
}

void fit_run(const struct fit_input *input, const struct ip_encoder *encoder,
             const struct hyper *hyper, uint64_t seed, struct fit *ret)
{
    size_t dim = (size_t)hyper->vector_dim;
    AUTO(own_freep) struct ip_path *paths = own_array(input->address_count, sizeof *paths);
    AUTO(own_freep) uint32_t *order = own_array(input->count, sizeof *order);
    AUTO(own_freep) float *scratch = own_array(vector_stride(dim), sizeof *scratch);
    struct run run = {.input = input,
                      .encoder = encoder,
                      .hyper = hyper,
                      .fit = ret,
                      .paths = paths,
                      .order = order,
                      .scratch = scratch,
                      .mean_left = 1,
                      .square_left = 1};

    fit_init(ret, input->entity_rows, ip_encoder_rows(encoder), dim, seed);
    rng_init(&run.rng, hash_mix(seed + 2));
    for (size_t i = 0; i < input->address_count; i++)
        ip_encoder_path(encoder, &input->addresses[i], &paths[i]);
    for (size_t i = 0; i < input->count; i++)
        order[i] = (uint32_t)i;
    for (int64_t epoch = 0; epoch < hyper->epochs; epoch++)
        train_epoch(&run);
}
