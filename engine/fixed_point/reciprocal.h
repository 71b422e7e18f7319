/* 1 / (1 + a) for a in [0, 1), both Q0.31: gemmlowp's three Newton steps. */
#ifndef SELVEDGE_RECIPROCAL_H
#define SELVEDGE_RECIPROCAL_H

#include "fixed_point/srdhm.h"
#include "fixed_point/wrap.h"

static inline int32_t sv_saturate(int64_t x) {
    return x < INT32_MIN ? INT32_MIN : x > INT32_MAX ? INT32_MAX : (int32_t)x;
}

/* a >= 0 */
static inline int32_t sv_reciprocal(int32_t a) {
    const int32_t half = (int32_t)(((int64_t)a + INT32_MAX + 1) / 2);
    int32_t x = sv_wrap_add(1515870810, sv_srdhm(half, -1010580540)); /* 48/17 - 32/17 half, Q2.29 */
    for (int step = 0; step < 3; step++) {
        const int32_t error = sv_wrap_sub(INT32_C(1) << 29, sv_srdhm(half, x));
        x = sv_wrap_add(x, sv_saturate((int64_t)sv_srdhm(x, error) * 4));
    }
    return sv_saturate((int64_t)x * 2);
}

#endif
