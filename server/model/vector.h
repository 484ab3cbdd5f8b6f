#pragma once
/* Arithmetic over rows of floats. A row is padded with zeros to a multiple of VECTOR_STEP, so the
 * loops need no tail; sums are in a fixed order, so the same numbers come out everywhere. */
#include <stddef.h>

enum { VECTOR_STEP = 8 };
/* Two SSE registers, or one of AVX where the compiler may use it. */
typedef float vector_block __attribute__((vector_size(4 * VECTOR_STEP), aligned(4), may_alias));

static inline size_t vector_stride(size_t dim)
{
    return (dim + VECTOR_STEP - 1) / VECTOR_STEP * VECTOR_STEP;
}

static inline float vector_dot(const float *a, const float *b, size_t stride)
{
    vector_block sum = {0};
    float total = 0;

    for (size_t i = 0; i < stride; i += VECTOR_STEP)
        sum += *(const vector_block *)(a + i) * *(const vector_block *)(b + i);
    for (int i = 0; i < VECTOR_STEP; i++)
        total += sum[i];
    return total;
}

/* to += factor * from */
static inline void vector_add(float *to, const float *from, float factor, size_t stride)
{
    for (size_t i = 0; i < stride; i += VECTOR_STEP)
        *(vector_block *)(to + i) += *(const vector_block *)(from + i) * factor;
}
