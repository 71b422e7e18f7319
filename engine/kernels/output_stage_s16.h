/* From sums of int16 times int8 to int16 outputs: bias, multiplier, activation. */
#ifndef SELVEDGE_OUTPUT_STAGE_S16_H
#define SELVEDGE_OUTPUT_STAGE_S16_H

#include "core/checks.h"
#include "fixed_point/mbqm.h"
#include "fixed_point/mbqm_wide.h"
#include "fixed_point/wrap.h"
#include "selvedge/parameters.h"

/* Biases that keep a sum below 2^47, and the shifts that such a sum allows. */
#define SV_MAX_BIAS_S16 (INT64_C(1) << 46)
enum { SV_MAX_SHIFT_WIDE = 7 };

typedef struct sv_stage_s16 {
    const sv_i64 *bias;
    const sv_i32 *multiplier;
    const int8_t *shift;
    int32_t low;
    int32_t high;
    uint32_t is_wide;
} sv_stage_s16;

static inline sv_stage_s16 sv_open_stage_s16(const sv_call *call,
                                             const sv_output_stage_s16 *stage) {
    sv_stage_s16 open;
    open.bias = (const sv_i64 *)sv_constant(call, stage->bias);
    open.multiplier = (const sv_i32 *)sv_constant(call, stage->multiplier);
    open.shift = (const int8_t *)sv_constant(call, stage->shift);
    open.low = stage->low;
    open.high = stage->high;
    open.is_wide = stage->is_wide;
    return open;
}

static inline int16_t sv_to_s16(const sv_stage_s16 *stage, int32_t channel, int64_t sum) {
    const int64_t biased = sum + stage->bias[channel];
    const int32_t multiplier = stage->multiplier[channel];
    const int32_t shift = stage->shift[channel];
    const int32_t scaled =
        stage->is_wide ? sv_mbqm_wide(biased, multiplier, shift)
                       : sv_mbqm((int32_t)(uint32_t)(uint64_t)biased, multiplier, shift);
    return (int16_t)sv_clamp(scaled, stage->low, stage->high);
}

static inline sv_status sv_check_stage_s16(const sv_call *call, const sv_output_stage_s16 *stage,
                                           uint32_t channels) {
    if (!sv_has_constants(call, stage->bias, channels, 8) ||
        !sv_has_constants(call, stage->multiplier, channels, 4) ||
        !sv_has_constants(call, stage->shift, channels, 1) || stage->low > stage->high ||
        stage->is_wide > 1) {
        return SV_BAD_PARAMETER;
    }
    const sv_stage_s16 open = sv_open_stage_s16(call, stage);
    for (uint32_t channel = 0; channel < channels; channel++) {
        if (open.multiplier[channel] < 0 || !sv_is_shift(open.shift[channel]) ||
            (open.is_wide && open.shift[channel] > SV_MAX_SHIFT_WIDE) ||
            open.bias[channel] > SV_MAX_BIAS_S16 || open.bias[channel] < -SV_MAX_BIAS_S16) {
            return SV_BAD_PARAMETER;
        }
    }
    return SV_OK;
}

#endif
