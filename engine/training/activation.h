/* Activations as the range into which sums are brought. */
#ifndef SELVEDGE_ACTIVATION_H
#define SELVEDGE_ACTIVATION_H

#include "training/training.h"
#include "training/vector.h"

typedef struct sv_range {
    sv_vector low, high;
} sv_range;

SV_INLINE sv_range sv_range_of(uint8_t activation) {
    const float infinity = __builtin_inff();
    const sv_range range = {
        sv_spread(activation == SV_NO_ACTIVATION ? -infinity : 0.0f),
        sv_spread(activation == SV_RELU6 ? 6.0f : infinity),
    };
    return range;
}

/* What is no number stays none. */
SV_INLINE sv_vector sv_within(sv_vector value, sv_range range) {
    return sv_smaller(sv_larger(value, range.low), range.high);
}

/* Slopes by the sums, out of those by the outputs: zero where an output is at a limit. */
void sv_activation_backward(const sv_step *step, sv_f32 *slopes, int32_t count);

#endif
