/* Dense layers, there and back. */
#include "model/dense.h"

#include <string.h>

#include "model/vector.h"

static void positive_part(const float *from, float *to, size_t stride)
{
    for (size_t i = 0; i < stride; i++)
        to[i] = from[i] > 0 ? from[i] : 0;
}

void dense_forward(const struct dense *dense, const float *values, float *states)
{
    size_t stride = dense->stride;

    for (size_t layer = 0; layer < dense->layers; layer++) {
        const float *weights = values + layer * (dense->dim + 1) * stride;
        const float *bias = weights + dense->dim * stride, *in = states + layer * stride;
        float *out = states + (layer + 1) * stride;

        positive_part(in, out, stride);
        /* out holds max(0, z) until all of it is read: the sums go behind the last state. */
        for (size_t i = 0; i < dense->dim; i++)
            states[(dense->layers + 1) * stride + i] =
                in[i] + bias[i] + vector_dot(weights + i * stride, out, stride);
        memcpy(out, states + (dense->layers + 1) * stride, dense->dim * sizeof *out);
        memset(out + dense->dim, 0, (stride - dense->dim) * sizeof *out);
    }
}

void dense_backward(const struct dense *dense, const float *values, const float *states,
                    float *delta, float *gradient, float *scratch)
{
    size_t stride = dense->stride;
    float *active = scratch, *back = scratch + stride;

    for (size_t layer = dense->layers; layer-- > 0;) {
        size_t first = layer * (dense->dim + 1) * stride;
        const float *in = states + layer * stride;

        positive_part(in, active, stride);
        memset(back, 0, stride * sizeof *back);
        for (size_t i = 0; i < dense->dim; i++) {
            vector_add(back, values + first + i * stride, delta[i], stride);
            vector_add(gradient + first + i * stride, active, delta[i], stride);
        }
        vector_add(gradient + first + dense->dim * stride, delta, 1, stride);
        for (size_t i = 0; i < dense->dim; i++)
            delta[i] += in[i] > 0 ? back[i] : 0;
    }
}
