/* From int32 sums to int8 outputs: bias, multiplier, zero point, activation. */
#ifndef SELVEDGE_OUTPUT_STAGE_H
#define SELVEDGE_OUTPUT_STAGE_H

#include "core/checks.h"
#include "fixed_point/mbqm.h"
#include "fixed_point/scale_f32.h"
#include "fixed_point/wrap.h"
#include "selvedge/parameters.h"

typedef struct sv_stage {
    const sv_i32 *bias;
    const sv_i32 *multiplier;
    const sv_f32 *factor; /* the same memory, where the rounding is single */
    const int8_t *shift;
    int32_t low; /* less the zero point, so that adding it cannot overflow */
    int32_t high;
    int32_t zero_point;
    int32_t weight_zero_point;
    uint32_t rounding;
} sv_stage;

static inline sv_stage sv_open_stage(const sv_call *call, const sv_output_stage *stage) {
    const int32_t zero_point = sv_output(call, 0)->zero_point;
    sv_stage open;
    open.bias = (const sv_i32 *)sv_constant(call, stage->bias);
    open.multiplier = (const sv_i32 *)sv_constant(call, stage->multiplier);
    open.factor = (const sv_f32 *)sv_constant(call, stage->multiplier);
    open.shift = (const int8_t *)sv_constant(call, stage->shift);
    open.low = stage->low - zero_point;
    open.high = stage->high - zero_point;
    open.zero_point = zero_point;
    open.weight_zero_point = stage->weight_zero_point;
    open.rounding = call->plan->rounding;
    return open;
}

static inline int8_t sv_to_s8(const sv_stage *stage, int32_t channel, int32_t sum) {
    const int32_t biased = sv_wrap_add(sum, stage->bias[channel]);
    if (stage->rounding == SV_ROUND_SINGLE) {
        return (int8_t)(sv_scale_f32(biased, stage->factor[channel], (float)stage->low,
                                     (float)stage->high) +
                        stage->zero_point);
    }
    const int32_t scaled = sv_mbqm(biased, stage->multiplier[channel], stage->shift[channel]);
    return (int8_t)(sv_clamp(scaled, stage->low, stage->high) + stage->zero_point);
}

static inline sv_status sv_check_stage(const sv_call *call, const sv_output_stage *stage,
                                       uint32_t channels) {
    if (!sv_has_constants(call, stage->bias, channels, 4) ||
        !sv_has_constants(call, stage->multiplier, channels, 4) ||
        !sv_has_constants(call, stage->shift, channels, 1) || stage->low > stage->high) {
        return SV_BAD_PARAMETER;
    }
    const sv_i32 *multiplier = (const sv_i32 *)sv_constant(call, stage->multiplier);
    const int8_t *shift = (const int8_t *)sv_constant(call, stage->shift);
    const int is_single = call->plan->rounding == SV_ROUND_SINGLE;
    for (uint32_t channel = 0; channel < channels; channel++) {
        if (is_single ? !sv_is_factor_f32(multiplier[channel])
                      : multiplier[channel] < 0 || !sv_is_shift(shift[channel])) {
            return SV_BAD_PARAMETER;
        }
    }
    return SV_OK;
}

#endif
