/* Multiplication of an int64 sum by a quantized multiplier, as TFLite's 16x8 kernels have it: the
 * multiplier keeps 16 of its bits, and the result is rounded once, halves up. */
#ifndef SELVEDGE_MBQM_WIDE_H
#define SELVEDGE_MBQM_WIDE_H

#include "selvedge/port.h"

/* |x| < 2^47, multiplier >= 0, shift -31..7; what does not fit in int32 wraps. */
static inline int32_t sv_mbqm_wide(int64_t x, int32_t multiplier, int32_t shift) {
    const int32_t reduced =
        multiplier < 0x7fff0000 ? (multiplier + (1 << 15)) >> 16 : 0x7fff;
    const int32_t total = 15 - shift;
    const int64_t scaled = (x * reduced + (INT64_C(1) << (total - 1))) >> total;
    return (int32_t)(uint32_t)(uint64_t)scaled;
}

#endif
