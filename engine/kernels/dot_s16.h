/* Sums of int16 times int8, exact: in int32 for as many terms as fit, then in int64. */
#ifndef SELVEDGE_DOT_S16_H
#define SELVEDGE_DOT_S16_H

#include "selvedge/port.h"

/* Most products of -32768 and -128 whose sum fits in int32. */
enum { SV_TERMS_S16 = 511 };

/* Add the products of one run of inputs with four runs of weights that lie `stride` apart. */
static inline void sv_dot4_s16(const sv_i16 *inputs, const int8_t *weights, ptrdiff_t stride,
                               int32_t count, int64_t sums[4]) {
    while (count > 0) {
        const int32_t terms = count < SV_TERMS_S16 ? count : SV_TERMS_S16;
        const int8_t *w0 = weights;
        const int8_t *w1 = w0 + stride;
        const int8_t *w2 = w1 + stride;
        const int8_t *w3 = w2 + stride;
        int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (int32_t i = 0; i < terms; i++) {
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
        inputs += terms;
        weights += terms;
        count -= terms;
    }
}

static inline int64_t sv_dot_s16(const sv_i16 *inputs, const int8_t *weights, int32_t count) {
    int64_t sum = 0;
    while (count > 0) {
        const int32_t terms = count < SV_TERMS_S16 ? count : SV_TERMS_S16;
        int32_t part = 0;
        for (int32_t i = 0; i < terms; i++) {
            part += inputs[i] * weights[i];
        }
        sum += part;
        inputs += terms;
        weights += terms;
        count -= terms;
    }
    return sum;
}

#endif
