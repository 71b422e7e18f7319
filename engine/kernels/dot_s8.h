/* Sums of int8 products: the inner loops of the portable kernels. */
#ifndef SELVEDGE_DOT_S8_H
#define SELVEDGE_DOT_S8_H

#include "selvedge/port.h"

/* Add the products of one run of inputs with four runs of weights that lie `stride` apart. */
static inline void sv_dot4_s8(const int8_t *inputs, const int8_t *weights, ptrdiff_t stride,
                              int32_t count, int32_t sums[4]) {
    const int8_t *w0 = weights;
    const int8_t *w1 = w0 + stride;
    const int8_t *w2 = w1 + stride;
    const int8_t *w3 = w2 + stride;
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (int32_t i = 0; i < count; i++) {
        const int32_t x = inputs[i];
        s0 += x * w0[i];
        s1 += x * w1[i];
        s2 += x * w2[i];
        s3 += x * w3[i];
    }
    sums[0] += s0;
    sums[1] += s1;
    sums[2] += s2;
    sums[3] += s3;
}

static inline int32_t sv_dot_s8(const int8_t *inputs, const int8_t *weights, int32_t count) {
    int32_t sum = 0;
    for (int32_t i = 0; i < count; i++) {
        sum += inputs[i] * weights[i];
    }
    return sum;
}

static inline int32_t sv_sum_s8(const int8_t *values, int32_t count) {
    int32_t sum = 0;
    for (int32_t i = 0; i < count; i++) {
        sum += values[i];
    }
    return sum;
}

#endif
