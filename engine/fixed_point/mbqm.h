/* Multiplication by a quantized multiplier: x * multiplier * 2^(shift - 31), in both roundings. */
#ifndef SELVEDGE_MBQM_H
#define SELVEDGE_MBQM_H

#include "fixed_point/rdbpot.h"
#include "fixed_point/srdhm.h"
#include "selvedge/plan.h"

/* TFLite Micro, CMSIS-NN: rounded after the product and after the shift. */
static inline int32_t sv_mbqm_double(int32_t x, int32_t multiplier, int32_t shift) {
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    return sv_rdbpot(sv_srdhm((int32_t)((uint32_t)x << left), multiplier), right);
}

/* TFLite with single rounding: rounded once, halves up. */
static inline int32_t sv_mbqm_single(int32_t x, int32_t multiplier, int32_t shift) {
    const int32_t total = 31 - shift;
    return (int32_t)(((int64_t)x * multiplier + (INT64_C(1) << (total - 1))) >> total);
}

/* multiplier >= 0, shift -31..30; what does not fit in int32 wraps. */
static inline int32_t sv_mbqm(int32_t x, int32_t multiplier, int32_t shift, uint32_t rounding) {
    return rounding == SV_ROUND_DOUBLE ? sv_mbqm_double(x, multiplier, shift)
                                       : sv_mbqm_single(x, multiplier, shift);
}

#endif
