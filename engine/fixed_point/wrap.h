/* Sums that wrap instead of being undefined. */
#ifndef SELVEDGE_WRAP_H
#define SELVEDGE_WRAP_H

#include "selvedge/port.h"

static inline int32_t sv_wrap_add(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

static inline int32_t sv_wrap_sub(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a - (uint32_t)b);
}

static inline int32_t sv_clamp(int32_t x, int32_t low, int32_t high) {
    return x < low ? low : x > high ? high : x;
}

#endif
