/* Sums of float32 products, each in the order of its terms: the inner loops of the portable
 * kernels. */
#ifndef SELVEDGE_DOT_F32_H
#define SELVEDGE_DOT_F32_H

#include "selvedge/port.h"

/* Add the products of one run of inputs with four runs of weights that lie `stride` apart. */
static inline void sv_dot4_f32(const sv_f32 *inputs, const sv_f32 *weights, ptrdiff_t stride,
                               int32_t count, float sums[4]) {
    const sv_f32 *w0 = weights;
    const sv_f32 *w1 = w0 + stride;
    const sv_f32 *w2 = w1 + stride;
    const sv_f32 *w3 = w2 + stride;
    float s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
    for (int32_t i = 0; i < count; i++) {
        const float x = inputs[i];
        s0 += x * w0[i];
        s1 += x * w1[i];
        s2 += x * w2[i];
        s3 += x * w3[i];
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

static inline float sv_dot_f32(const sv_f32 *inputs, const sv_f32 *weights, int32_t count,
                               float sum) {
    for (int32_t i = 0; i < count; i++) {
        sum += inputs[i] * weights[i];
    }
    return sum;
}

#endif
