/* The natural logarithm without a library. */
#ifndef SELVEDGE_LOG_H
#define SELVEDGE_LOG_H

#include "selvedge/port.h"

/* For normal x > 0: x = 2^n m with m from sqrt(1/2) to sqrt(2); log m = 2 artanh((m-1) / (m+1)), of
 * whose series the terms after the ninth power are below a tenth of the last place. What is no
 * number and infinity stay what they are. */
static inline float sv_log(float x) {
    uint32_t bits;
    if (!(x < __builtin_inff())) {
        return x;
    }
    memcpy(&bits, &x, sizeof bits);
    const uint32_t shifted = bits - 0x3f3504f3u; /* the bits of sqrt(1/2) */
    const int32_t n = (int32_t)shifted >> 23;
    bits = (shifted & 0x7fffffu) + 0x3f3504f3u;
    float m;
    memcpy(&m, &bits, sizeof m);
    const float s = (m - 1.0f) / (m + 1.0f);
    const float s2 = s * s;
    const float series = s2 * (2.0f / 3 + s2 * (2.0f / 5 + s2 * (2.0f / 7 + s2 * (2.0f / 9))));
    const float whole = (float)n;
    return whole * 0.693359375f + (whole * -2.12194440e-4f + (2.0f * s + s * series));
}

#endif
