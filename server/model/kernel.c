/* The loops once, and their variants. */
#include "model/kernel.h"

#include <string.h>

#include "base/own.h"
#include "model/batch.h"
#include "model/vector.h"

/* A loop is inlined into each variant and compiled for its processor. */
#define LOOP static inline __attribute__((always_inline)) void

static const float MEAN_DECAY = 0.9F, SQUARE_DECAY = 0.999F, EPSILON = 1e-8F;
enum { ROWS_AHEAD = 16, LINE_FLOATS = 16 };
/* Into the second cache: the first has no room for so many rows, and asking it takes the places in
 * which it waits for the row in hand. */
enum { FETCH_READ = 0, FETCH_SECOND_CACHE = 2 };

/* Rows lie far apart: the next but some is asked for while this one is worked on. */
static inline __attribute__((always_inline)) void fetch(const float *row, size_t width)
{
    for (size_t i = 0; i < width; i += LINE_FLOATS)
        __builtin_prefetch(row + i, FETCH_READ, FETCH_SECOND_CACHE);
}

/* What a row has at one place of a span: the whole of it, or the halves. */
struct parts {
    size_t count;
    struct span spans[2];
};

static inline __attribute__((always_inline)) struct parts parts_of(const struct fit_table *table,
                                                                   struct span span)
{
    size_t half = table->half, end = span.first + span.width;

    if (half == 0 || end <= half || span.first >= half)
        return (struct parts){1, {span}};
    return (struct parts){
        2, {{span.first, half - span.first, span.stride}, {half, end - half, span.stride}}};
}

LOOP expand_row(const struct batch *batch, const struct fit_table *prefixes, size_t slot,
                float *vectors, struct span span)
{
    const float *parent = vectors + batch->parents[slot] * span.stride + span.first;
    const float *row = fit_value(prefixes, batch->rows[slot], span.first);
    const float *unseen = fit_value(prefixes, batch->levels[slot], span.first);
    float *vector = vectors + slot * span.stride + span.first;

    for (size_t i = 0; i < span.width; i += VECTOR_STEP)
        *(vector_block *)(vector + i) =
            *(const vector_block *)(parent + i) +
            (*(const vector_block *)(row + i) - *(const vector_block *)(unseen + i));
}

LOOP expand_roots(const struct fit_table *prefixes, float *vectors, struct span span)
{
    float *v4 = vectors + BATCH_ROOT_V4 * span.stride + span.first;
    float *v6 = vectors + BATCH_ROOT_V6 * span.stride + span.first;

    memset(v4, 0, span.width * sizeof *v4);
    memset(v6, 0, span.width * sizeof *v6);
    for (size_t level = 0; level < IP_LEVELS; level++)
        vector_add(level < IP_LEVELS_V4 ? v4 : v6, fit_value(prefixes, level, span.first), 1,
                   span.width);
}

LOOP expand(const struct batch *batch, const struct fit_table *prefixes, float *vectors,
            struct span span)
{
    struct parts parts = parts_of(prefixes, span);

    for (size_t p = 0; p < parts.count; p++)
        expand_roots(prefixes, vectors, parts.spans[p]);
    for (size_t slot = BATCH_ROOTS; slot < batch->node_count; slot++)
        for (size_t p = 0; p < parts.count; p++) {
            if (slot + ROWS_AHEAD < batch->node_count)
                fetch(fit_value(prefixes, batch->rows[slot + ROWS_AHEAD], parts.spans[p].first),
                      parts.spans[p].width);
            expand_row(batch, prefixes, slot, vectors, parts.spans[p]);
        }
}

static inline __attribute__((always_inline)) void
fetch_leaf(const struct batch *batch, const float *rows, size_t sample, struct span span)
{
    if (sample < batch->positives * batch->per_positive)
        fetch(rows + batch->leaves[sample] * span.stride + span.first, span.width);
}

LOOP dot(const struct batch *batch, const float *entities, const float *vectors, float *ret,
         struct span span)
{
    size_t sample = 0;

    for (size_t i = 0; i < batch->positives; i++) {
        const float *entity =
            entities + batch->entity_rows[batch->entities[i]] * span.stride + span.first;

        for (size_t k = 0; k < batch->per_positive; k++, sample++) {
            fetch_leaf(batch, vectors, sample + ROWS_AHEAD, span);
            ret[sample] = vector_dot(
                entity, vectors + batch->leaves[sample] * span.stride + span.first, span.width);
        }
    }
}

LOOP backward(const struct batch *batch, const float *entities, const float *vectors,
              const float *errors, float *entity_gradient, float *gradient, struct span span)
{
    size_t sample = 0;

    for (size_t i = 0; i < batch->positives; i++) {
        size_t slot = batch->entities[i];
        const float *entity = entities + batch->entity_rows[slot] * span.stride + span.first;
        float *of_entity = entity_gradient + slot * span.stride + span.first;

        for (size_t k = 0; k < batch->per_positive; k++, sample++) {
            size_t leaf = batch->leaves[sample] * span.stride + span.first;

            fetch_leaf(batch, vectors, sample + ROWS_AHEAD / 2, span);
            fetch_leaf(batch, gradient, sample + ROWS_AHEAD / 2, span);
            vector_add(of_entity, vectors + leaf, errors[sample], span.width);
            vector_add(gradient + leaf, entity, errors[sample], span.width);
        }
    }
}

/* What leaves owe to the unseen rows below them: to the first directly, from there downwards. */
LOOP spread_unseen(const struct batch *batch, float *gradient, struct span span)
{
    for (size_t slot = 0; slot < batch->node_count; slot++) {
        if (!batch->is_leaf[slot] || batch->tails[slot] == 0)
            continue;
        if (slot + ROWS_AHEAD < batch->node_count)
            fetch(gradient + (slot + ROWS_AHEAD) * span.stride, span.width);
        vector_add(gradient + batch->tails[slot] * span.stride, gradient + slot * span.stride, 1,
                   span.width);
    }
    for (size_t level = 1; level < IP_LEVELS; level++)
        if (level != IP_ROOT_V6 && batch->unseen_slots[level - 1] != 0)
            vector_add(gradient + batch->unseen_slots[level] * span.stride,
                       gradient + batch->unseen_slots[level - 1] * span.stride, 1, span.width);
}

LOOP adam_part(const struct fit_table *table, uint32_t row, float *gradient,
               const struct step *step, struct span span)
{
    float *value = fit_value(table, row, span.first);
    float *moments = fit_moments(table, row, span.first);

    gradient += span.first;
    for (size_t i = 0; i < span.width; i += VECTOR_STEP) {
        vector_block *v = (vector_block *)(value + i), *m = (vector_block *)(moments + 2 * i);
        vector_block *s = m + 1, *of = (vector_block *)(gradient + i);
        vector_block g = *of * step->scale + *v * step->decay, root;

        *of = (vector_block){0};
        *m = *m * MEAN_DECAY + g * (1 - MEAN_DECAY);
        *s = *s * SQUARE_DECAY + g * g * (1 - SQUARE_DECAY);
        root = *s * step->square_bias;
        vector_square_root(&root);
        *v -= *m * (step->rate * step->mean_bias) / (root + EPSILON);
    }
}

LOOP adam_row(const struct fit_table *table, uint32_t row, float *gradient, const struct step *step,
              const struct parts *parts)
{
    for (size_t p = 0; p < parts->count; p++)
        adam_part(table, row, gradient, step, parts->spans[p]);
}

LOOP fetch_row(const struct fit_table *table, uint32_t row, const struct parts *parts)
{
    for (size_t p = 0; p < parts->count; p++) {
        struct span span = parts->spans[p];

        fetch(fit_value(table, row, span.first), span.width);
        fetch(fit_moments(table, row, span.first), 2 * span.width);
    }
}

LOOP climb(const struct batch *batch, const struct fit_table *prefixes, float *gradient,
           const struct step *step, struct span span)
{
    struct parts parts = parts_of(prefixes, span);
    float *rows = gradient + span.first;

    spread_unseen(batch, rows, span);
    for (size_t slot = batch->slot_count; slot-- > BATCH_ROOTS;) {
        if (slot >= BATCH_ROOTS + ROWS_AHEAD)
            fetch_row(prefixes, batch->rows[slot - ROWS_AHEAD], &parts);
        if (slot >= BATCH_ROOTS + ROWS_AHEAD / 4)
            fetch(rows + (slot - ROWS_AHEAD / 4) * span.stride, span.width);
        if (slot < batch->node_count)
            vector_add(rows + batch->parents[slot] * span.stride, rows + slot * span.stride, 1,
                       span.width);
        adam_row(prefixes, batch->rows[slot], gradient + slot * span.stride, step, &parts);
    }
    for (size_t root = 0; root < BATCH_ROOTS; root++)
        memset(rows + root * span.stride, 0, span.width * sizeof *rows);
}

LOOP adam(const struct fit_table *table, const uint32_t *rows, size_t count, float *gradient,
          const struct step *step, struct span span)
{
    struct parts parts = parts_of(table, span);

    for (size_t i = 0; i < count; i++) {
        if (i + ROWS_AHEAD < count)
            fetch_row(table, rows[i + ROWS_AHEAD], &parts);
        adam_row(table, rows[i], gradient + i * span.stride, step, &parts);
    }
}

LOOP dots(const struct factors *factors, const struct factors *next, size_t stride, double *ret)
{
    size_t most = factors->count > next->count ? factors->count : next->count;

    for (size_t i = 0; i < most; i++) {
        if (i < next->count) {
            fetch(next->first[i], stride);
            if (i == 0 || next->second[i] != next->second[i - 1])
                fetch(next->second[i], stride);
        }
        if (i < factors->count)
            ret[i] = (double)vector_dot(factors->first[i], factors->second[i], stride);
    }
}

#define VARIANT(suffix, name_, target)                                                             \
    target static void expand_##suffix(const struct batch *batch,                                  \
                                       const struct fit_table *prefixes, float *vectors,           \
                                       struct span span)                                           \
    {                                                                                              \
        expand(batch, prefixes, vectors, span);                                                    \
    }                                                                                              \
    target static void dot_##suffix(const struct batch *batch, const float *entities,              \
                                    const float *vectors, float *ret, struct span span)            \
    {                                                                                              \
        dot(batch, entities, vectors, ret, span);                                                  \
    }                                                                                              \
    target static void backward_##suffix(                                                          \
        const struct batch *batch, const float *entities, const float *vectors,                    \
        const float *errors, float *entity_gradient, float *gradient, struct span span)            \
    {                                                                                              \
        backward(batch, entities, vectors, errors, entity_gradient, gradient, span);               \
    }                                                                                              \
    target static void climb_##suffix(const struct batch *batch, const struct fit_table *prefixes, \
                                      float *gradient, const struct step *step, struct span span)  \
    {                                                                                              \
        climb(batch, prefixes, gradient, step, span);                                              \
    }                                                                                              \
    target static void adam_##suffix(const struct fit_table *table, const uint32_t *rows,          \
                                     size_t count, float *gradient, const struct step *step,       \
                                     struct span span)                                             \
    {                                                                                              \
        adam(table, rows, count, gradient, step, span);                                            \
    }                                                                                              \
    target static void dots_##suffix(const struct factors *factors, const struct factors *next,    \
                                     size_t stride, double *ret)                                   \
    {                                                                                              \
        dots(factors, next, stride, ret);                                                          \
    }                                                                                              \
    static const struct kernel KERNEL_##suffix = {                                                 \
        .name = (name_),                                                                           \
        .expand = expand_##suffix,                                                                 \
        .dot = dot_##suffix,                                                                       \
        .backward = backward_##suffix,                                                             \
        .climb = climb_##suffix,                                                                   \
        .adam = adam_##suffix,                                                                     \
        .dots = dots_##suffix,                                                                     \
    };

#define NO_TARGET
VARIANT(base, "base", NO_TARGET)
#ifdef __x86_64__
VARIANT(v2, "x86-64-v2", __attribute__((target("arch=x86-64-v2"))))
VARIANT(v3, "x86-64-v3", __attribute__((target("arch=x86-64-v3"))))
VARIANT(v4, "x86-64-v4", __attribute__((target("arch=x86-64-v4"))))

static size_t missing_levels(void)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("popcnt"))
        return 3;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
        !__builtin_cpu_supports("bmi2"))
        return 2;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512vl") ||
        !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512cd"))
        return 1;
    return 0;
}
#endif

const struct kernel *const *kernels(size_t *ret_count)
{
#ifdef __x86_64__
    static const struct kernel *const ALL[KERNELS_MAX] = {&KERNEL_v4, &KERNEL_v3, &KERNEL_v2,
                                                          &KERNEL_base};
    size_t first = missing_levels();

    *ret_count = KERNELS_MAX - first;
    return ALL + first;
#else
    static const struct kernel *const ALL[KERNELS_MAX] = {&KERNEL_base};

    *ret_count = 1;
    return ALL;
#endif
}

const struct kernel *kernel_named(const char *name)
{
    size_t count;
    const struct kernel *const *all = kernels(&count);

    for (size_t i = 0; i < count; i++)
        if (name == NULL || strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}
