/* LOGISTIC and TANH by exp; the errors are measured on all float32. */
#ifndef SELVEDGE_SIGMOID_H
#define SELVEDGE_SIGMOID_H

#include "floating_point/exp.h"

/* 1 / (1 + exp(-x)), within 2.41 units in the last place; the exponential never overflows. */
static inline float sv_logistic(float x) {
    const float small = sv_exp(x < 0.0f ? x : -x);
    return (x < 0.0f ? small : 1.0f) / (1.0f + small);
}

/* tanh(x), within 1.34 units in the last place: near 0 an odd polynomial, elsewhere by exp(2 |x|). */
static inline float sv_tanh(float x) {
    const float size = x < 0.0f ? -x : x;
    if (size < 0.625f) {
        const float z = x * x;
        const float q =
            -0.333332807f +
            z * (0.133314416f + z * (-0.0537397154f + z * (0.0206390880f + z * -0.00570498733f)));
        return x + x * z * q;
    }
    const float large = size > 10.0f ? 1.0f : 1.0f - 2.0f / (sv_exp(2.0f * size) + 1.0f);
    return x < 0.0f ? -large : large;
}

#endif
