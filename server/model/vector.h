#pragma once
/* Arithmetic over rows of floats. A row is padded with zeros to a multiple of VECTOR_STEP, so the
 * loops need no tail; sums are in a fixed order, so the same numbers come out everywhere. That is
 * also why the C library's expf is not used: its last digit depends on the processor. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { VECTOR_STEP = 8 };
/* Two SSE registers, or one of AVX where the compiler may use it. */
typedef float vector_block __attribute__((vector_size(4 * VECTOR_STEP), aligned(4), may_alias));

static inline size_t vector_stride(size_t dim)
{
    return (dim + VECTOR_STEP - 1) / VECTOR_STEP * VECTOR_STEP;
}

static inline __attribute__((always_inline)) float vector_dot(const float *a, const float *b,
                                                              size_t stride)
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
static inline __attribute__((always_inline)) void vector_add(float *to, const float *from,
                                                             float factor, size_t stride)
{
    for (size_t i = 0; i < stride; i += VECTOR_STEP)
        *(vector_block *)(to + i) += *(const vector_block *)(from + i) * factor;
}

/* IEEE square roots are exact: the same everywhere. (-fno-math-errno makes it one instruction.) */
static inline __attribute__((always_inline)) void vector_square_root(vector_block *block)
{
    float numbers[VECTOR_STEP];

    memcpy(numbers, block, sizeof numbers);
    for (int i = 0; i < VECTOR_STEP; i++)
        numbers[i] = sqrtf(numbers[i]);
    memcpy(block, numbers, sizeof numbers);
}

/* e^x for |x| <= 80, to about one unit in the last place: 2^n times the series of what is left. */
static inline float vector_exp(float x)
{
    float scaled = x * 1.44269504F;
    int32_t whole = (int32_t)(scaled + (scaled < 0 ? -0.5F : 0.5F));
    float rest = x - (float)whole * 0.693359375F + (float)whole * 2.12194440e-4F;
    float series =
        1 +
        rest * (1 + rest * (1 / 2.0F +
                            rest * (1 / 6.0F + rest * (1 / 24.0F + rest * (1 / 120.0F +
                                                                           rest * (1 / 720.0F))))));
    int32_t bits = (whole + 127) * (1 << 23);
    float power;

    memcpy(&power, &bits, sizeof power);
    return series * power;
}

static inline float vector_sigmoid(float x)
{
    float bounded = !(x < 80) ? 80 : x < -80 ? -80 : x;

    return 1 / (1 + vector_exp(-bounded));
}
