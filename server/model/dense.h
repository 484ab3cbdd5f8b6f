#pragma once
/* The num_ip_encoder_layers behind the sum of prefix rows. Each is fully connected and adds to what
 * it was given: z + W max(0, z) + b. As W starts small, a hundred of them begin as almost nothing
 * and train as well as one.
 * A layer has dim rows of W and one of b, all of stride floats. */
#include <stddef.h>

struct dense {
    size_t layers, dim, stride;
};

static inline size_t dense_rows(const struct dense *dense)
{
    return dense->layers * (dense->dim + 1);
}
/* states: layers + 2 rows; the first is the input, the last but one the output, the last scratch.
 */
void dense_forward(const struct dense *dense, const float *values, float *states);
/* delta: the loss's derivative by the output, on return by the input. Adds to gradient. scratch has
 * two rows. */
void dense_backward(const struct dense *dense, const float *values, const float *states,
                    float *delta, float *gradient, float *scratch);
