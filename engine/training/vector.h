/* Four floats that are computed with at once, where the target can, and one by one where not:
 * the same operations in the same order either way. */
#ifndef SELVEDGE_VECTOR_H
#define SELVEDGE_VECTOR_H

#include "kernels/simd128/unroll.h"
#include "selvedge/port.h"

typedef float sv_vector __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t sv_mask __attribute__((vector_size(16), aligned(4), may_alias));

enum { SV_LANES = 4 };

SV_INLINE sv_vector sv_load(const sv_f32 *from) { return *(const sv_vector *)from; }

SV_INLINE void sv_store(sv_f32 *to, sv_vector value) { *(sv_vector *)to = value; }

SV_INLINE sv_vector sv_spread(float value) {
    return (sv_vector){value, value, value, value};
}

/* One of the four values in all lanes; under Cranelift faster than a load for each. */
SV_INLINE sv_vector sv_spread_lane(sv_vector x, const int32_t lane) {
    switch (lane) {
    case 0:
        return __builtin_shufflevector(x, x, 0, 0, 0, 0);
    case 1:
        return __builtin_shufflevector(x, x, 1, 1, 1, 1);
    case 2:
        return __builtin_shufflevector(x, x, 2, 2, 2, 2);
    default:
        return __builtin_shufflevector(x, x, 3, 3, 3, 3);
    }
}

/* `value` where the mask is set, else 0. */
SV_INLINE sv_vector sv_where(sv_mask mask, sv_vector value) {
    return (sv_vector)(mask & (sv_mask)value);
}

SV_INLINE sv_vector sv_select(sv_mask mask, sv_vector value, sv_vector other) {
    return (sv_vector)((mask & (sv_mask)value) | (~mask & (sv_mask)other));
}

/* Of two values the larger; what is no number stays none if it comes first. */
SV_INLINE sv_vector sv_larger(sv_vector value, sv_vector other) {
    return sv_select(value < other, other, value);
}

SV_INLINE sv_vector sv_smaller(sv_vector value, sv_vector other) {
    return sv_select(other < value, other, value);
}

SV_INLINE int32_t sv_whole_lanes(int32_t count) { return (count + SV_LANES - 1) & ~(SV_LANES - 1); }

#endif
