/* The output stage, with what one channel has in common taken out of the loop over its values. */
#ifndef SELVEDGE_SWAR_REQUANTIZE_H
#define SELVEDGE_SWAR_REQUANTIZE_H

#include "kernels/output_stage.h"

/* One channel with double rounding and a right shift: both roundings are one. For a product p,
 * floor((floor((p + 2^30) / 2^31) + 2^(right - 1) - [p < 0]) / 2^right) is a single shift of p plus
 * one of two numbers. It may be asked of the sum's sign: where that says otherwise than the sign of
 * the first quotient, this is 0, and so is the result. */
typedef struct sv_requantizer {
    int64_t bias;
    int64_t multiplier;
    int64_t half_positive;
    int64_t half_negative;
    int64_t total;
    int64_t low;
    int64_t high;
    int32_t zero_point;
} sv_requantizer;

/* Whether a channel is of that kind; others are left to `sv_to_s8`. */
static inline int sv_is_right_shift(const sv_stage *stage, int32_t channel) {
    return stage->rounding == SV_ROUND_DOUBLE && stage->shift[channel] < 0;
}

static inline sv_requantizer sv_open_channel(const sv_stage *stage, int32_t channel) {
    const int32_t right = -stage->shift[channel];
    const int64_t half = (INT64_C(1) << 30) + (INT64_C(1) << (30 + right));
    const sv_requantizer open = {
        .bias = stage->bias[channel],
        .multiplier = stage->multiplier[channel],
        .half_positive = half,
        .half_negative = half - (INT64_C(1) << 31),
        .total = 31 + right,
        .low = stage->low,
        .high = stage->high,
        .zero_point = stage->zero_point,
    };
    return open;
}

/* `sum` counts modulo 2^32. */
static inline int8_t sv_requantize(const sv_requantizer *c, int64_t sum) {
    const int64_t x = (int32_t)(sum + c->bias);
    const int64_t half = x < 0 ? c->half_negative : c->half_positive;
    const int64_t scaled = (x * c->multiplier + half) >> c->total;
    const int64_t clamped = scaled < c->low ? c->low : scaled > c->high ? c->high : scaled;
    return (int8_t)((int32_t)clamped + c->zero_point);
}

#endif
