/* Rounding division by a power of two: x / 2^exponent, halves rounded away from zero. */
#ifndef SELVEDGE_RDBPOT_H
#define SELVEDGE_RDBPOT_H

#include "selvedge/port.h"

/* exponent 0..31 */
static inline int32_t sv_rdbpot(int32_t x, int32_t exponent) {
    const int32_t mask = (int32_t)((UINT32_C(1) << exponent) - 1u);
    const int32_t threshold = (mask >> 1) + (x < 0);
    return (x >> exponent) + ((x & mask) > threshold);
}

#endif
