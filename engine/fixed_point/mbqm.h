/* Multiplication by a quantized multiplier, x * multiplier * 2^(shift - 31), as in TFLite Micro and
 * CMSIS-NN: rounded after the product and after the shift. */
#ifndef SELVEDGE_MBQM_H
#define SELVEDGE_MBQM_H

#include "fixed_point/rdbpot.h"
#include "fixed_point/srdhm.h"

/* multiplier >= 0, shift -31..30; what does not fit in int32 wraps. */
static inline int32_t sv_mbqm(int32_t x, int32_t multiplier, int32_t shift) {
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    return sv_rdbpot(sv_srdhm((int32_t)((uint32_t)x << left), multiplier), right);
}

#endif
