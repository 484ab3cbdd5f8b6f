#pragma once
/* Training's and scoring's hot loops, in a variant for each level of x86-64 (the others, arm64's
 * NEON among them, have the one their compiler makes of 32-byte vectors). All variants give the
 * same numbers to the bit: sums have one order and nothing is fused.
 *
 * Every loop works on a span of each row, so two threads may do the two halves of all rows and
 * never write to the same place. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/vector.h"

struct batch;

/* Floats first .. first + width - 1 of rows that are stride apart; all three of VECTOR_STEP. */
struct span {
    size_t first, width, stride;
};

/* Adam's numbers for one step: its rate and the bias corrections (Kingma and Ba, 2015, section 2),
 * L2 decay, and one over the number of samples. */
struct step {
    float rate, decay, scale, mean_bias, square_bias;
};

/* Rows that Adam moves, of stride floats, and their moments, of twice as many: those of VECTOR_STEP
 * numbers are next to each other, the mean before the square. Either values and moments lie apart,
 * half 0; or a row is found at one place, and what each of two threads needs of it, too: the first
 * `half` values, their moments, the other values, theirs. */
struct fit_table {
    float *values, *moments;
    size_t rows, stride, half;
};

/* Of number i of a row, and the mean of it. */
static inline float *fit_value(const struct fit_table *table, size_t row, size_t i)
{
    if (table->half == 0)
        return table->values + row * table->stride + i;
    return table->values + 3 * row * table->stride + i + (i < table->half ? 0 : 2 * table->half);
}

static inline float *fit_moments(const struct fit_table *table, size_t row, size_t i)
{
    size_t of_block = i % VECTOR_STEP, before = 2 * (i - of_block);

    if (table->half == 0)
        return table->moments + 2 * row * table->stride + before + of_block;
    return table->values + 3 * row * table->stride + before + of_block +
           (i < table->half ? table->half : table->stride);
}

enum { FACTORS_MAX = 32 };

struct tally {
    double loss;
    uint64_t right; /* samples on the right side of 0 */
    bool diverged;  /* a dot product that is no number */
};

/* Rows to multiply, first[i] by second[i]. */
struct factors {
    size_t count;
    const float *first[FACTORS_MAX], *second[FACTORS_MAX];
};

struct kernel {
    const char *name;
    /* Vectors of the batch's nodes, from the prefix rows. */
    void (*expand)(const struct batch *, const struct fit_table *prefixes, float *vectors,
                   struct span);
    /* The span's part of every sample's dot product. */
    void (*dot)(const struct batch *, const float *entities, const float *vectors, float *ret,
                struct span);
    /* Gradients of entities and of leaves by each sample's error, which is the loss's derivative by
     * the dot product. */
    void (*backward)(const struct batch *, const float *entities, const float *vectors,
                     const float *errors, float *entity_gradient, float *gradient, struct span);
    /* Carries gradients from leaves to all nodes above them and to the unseen rows, and moves each
     * prefix row when its gradient is complete. */
    void (*climb)(const struct batch *, const struct fit_table *prefixes, float *gradient,
                  const struct step *, struct span);
    /* Moves rows[i] by gradient i; lazily, as climb does: other rows and their moments stay. Both
     * leave gradients of 0. */
    void (*adam)(const struct fit_table *, const uint32_t *rows, size_t count, float *gradient,
                 const struct step *, struct span);
    /* Scoring's: inner products of rows of stride floats. The next ones' rows are asked for one by
     * one meanwhile: memory is slow, and never idle. */
    void (*dots)(const struct factors *, const struct factors *next, size_t stride, double *ret);
};

enum { KERNELS_MAX = 4 };
/* Those this processor can run, best first; *ret_count at most KERNELS_MAX, at least 1. */
const struct kernel *const *kernels(size_t *ret_count);
/* One of them by its name; the best one for NULL. NULL: this processor runs none of that name. */
const struct kernel *kernel_named(const char *name);
