/* The output stage where multiplier, shift and half a step are prepared: a few instructions.
 *
 * SRDHM(x, M) = (2 M x + 2^31) >> 32 = x + (((2 M - 2^32) x + 2^31) >> 32), which is one SMMLAR with
 * what 2 M is as an int32. RDBPOT(y, s + 1) + zero point = (y - [y < 0] + half) >> s >> 1, with
 * half = (2 zero point + 1) << s; the last shift comes with SSAT. */
#ifndef SELVEDGE_CORTEX_M_SCALING_H
#define SELVEDGE_CORTEX_M_SCALING_H

#include "fixed_point/wrap.h"
#include "kernels/output_stage.h"

#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
#define SV_HAS_DSP 1
#else
#define SV_HAS_DSP 0
#endif

/* What a channel is scaled with. */
typedef struct SV_MAY_ALIAS sv_scale {
    int32_t doubled; /* twice the multiplier, of which 2^32 is taken away */
    uint32_t shift;  /* right, less one: 0..30 */
} sv_scale;

static inline int32_t sv_doubled(int32_t multiplier) {
    return (int32_t)((uint32_t)multiplier << 1);
}

/* `twice`: the output's zero point doubled, plus 1. */
static inline int32_t sv_half(int32_t twice, uint32_t shift) {
    return (int32_t)((uint32_t)twice << shift);
}

static inline int32_t sv_scale_s8(int32_t x, int32_t doubled, uint32_t shift, int32_t half) {
    int32_t y;
#if SV_HAS_DSP
    __asm__("smmlar %0, %1, %2, %1" : "=r"(y) : "r"(x), "r"(doubled));
#else
    y = sv_wrap_add(x, (int32_t)(((int64_t)x * doubled + (INT64_C(1) << 31)) >> 32));
#endif
    y = sv_wrap_add(sv_wrap_add(y, y >> 31), half) >> shift;
#if SV_HAS_DSP
    __asm__("ssat %0, #8, %1, asr #1" : "=r"(y) : "r"(y));
    return y;
#else
    return sv_clamp(y >> 1, -128, 127);
#endif
}

/* Whether packed biases and scales of `blocks` blocks of channels are there and can be shifted by. */
static inline sv_status sv_check_scaling(const sv_call *call, const sv_output_stage *stage,
                                         uint32_t blocks, uint32_t block) {
    if (call->plan->rounding != SV_ROUND_DOUBLE || stage->weight_zero_point != 0 ||
        stage->low > stage->high ||
        !sv_has_constants(call, stage->bias, (uint64_t)blocks * block * 3, 4)) {
        return SV_BAD_PARAMETER;
    }
    const uint8_t *at = sv_constant(call, stage->bias);
    for (uint32_t number = 0; number < blocks; number++, at += (size_t)block * 12) {
        const sv_scale *scales = (const sv_scale *)(const void *)(at + (size_t)block * 4);
        for (uint32_t i = 0; i < block; i++) {
            if (scales[i].shift > 30) {
                return SV_BAD_PARAMETER;
            }
        }
    }
    return SV_OK;
}

/* An activation: what was saturated to int8 is clamped once more, if the range is smaller. */
static inline void sv_clamp_outputs(int32_t low, int32_t high, int8_t *outputs, uint32_t count) {
    if (low == -128 && high == 127) {
        return;
    }
    for (const int8_t *end = outputs + count; outputs != end; outputs++) {
        *outputs = (int8_t)sv_clamp(*outputs, low, high);
    }
}

#endif
