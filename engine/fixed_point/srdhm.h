/* Saturating rounding doubling high multiplication: (a * b) / 2^31, halves rounded up. */
#ifndef SELVEDGE_SRDHM_H
#define SELVEDGE_SRDHM_H

#include "selvedge/port.h"

/* gemmlowp truncates (ab + (ab >= 0 ? 2^30 : 1 - 2^30)) / 2^31, which is this shift. The one case
 * that saturates, a = b = INT32_MIN, does not come here: all our multipliers are positive. */
static inline int32_t sv_srdhm(int32_t a, int32_t b) {
    return (int32_t)(((int64_t)a * b + (INT64_C(1) << 30)) >> 31);
}

#endif
