/* The output stage for three sums at once, with what a channel has in common at hand. */
#ifndef SELVEDGE_SWAR_REQUANTIZE_H
#define SELVEDGE_SWAR_REQUANTIZE_H

#include "kernels/output_stage.h"
#include "kernels/swar/pack3.h"

/* A channel. If it is plain, with double rounding and a right shift, both roundings are one: for a
 * product p, floor((floor((p + 2^30) / 2^31) + 2^(right - 1) - [p < 0]) / 2^right) is a single shift
 * of p plus one of two numbers. It may be asked of the sum's sign: where that says otherwise than
 * the sign of the first quotient, this is 0, and so is the result. */
typedef struct sv_channel {
    const sv_stage *stage;
    int32_t number;
    int32_t is_plain;
    int64_t bias;
    int64_t multiplier;
    int64_t half_positive;
    int64_t half_negative;
    int64_t total;
    int64_t low;
    int64_t high;
    int64_t zero_point;
} sv_channel;

/* Most products of two int8, of which half the range of int32 holds the sum. */
enum { SV_MAX_PLAIN_TERMS = 65535 };

static inline sv_channel sv_open_channel(const sv_stage *stage, int32_t number, int32_t terms) {
    const int32_t right = -stage->shift[number];
    const int64_t bias = stage->bias[number];
    sv_channel open = {.stage = stage, .number = number};
    if (stage->rounding == SV_ROUND_DOUBLE && right > 0 && stage->weight_zero_point == 0 &&
        terms <= SV_MAX_PLAIN_TERMS && bias > -(INT64_C(1) << 30) && bias < INT64_C(1) << 30) {
        open.is_plain = 1;
        open.bias = bias;
        open.multiplier = stage->multiplier[number];
        open.half_positive = (INT64_C(1) << 30) + (INT64_C(1) << (30 + right));
        open.half_negative = open.half_positive - (INT64_C(1) << 31);
        open.total = 31 + right;
        open.low = stage->low;
        open.high = stage->high;
        open.zero_point = stage->zero_point;
    }
    return open;
}

/* `x` with the bias; the product wraps where a plan lies about what fits. */
SV_INLINE int8_t sv_scale(const sv_channel *c, int64_t x) {
    const int64_t half = x < 0 ? c->half_negative : c->half_positive;
    const uint64_t product = (uint64_t)x * (uint64_t)c->multiplier + (uint64_t)half;
    const int64_t scaled = (int64_t)product >> c->total;
    const int64_t above = scaled < c->low ? c->low : scaled;
    return (int8_t)((above > c->high ? c->high : above) + c->zero_point);
}

/* Three sums of a channel to where their pixels are. */
SV_INLINE void sv_store3(const sv_channel *c, sv_fields sums, int8_t *a, int8_t *b, int8_t *d) {
    if (c->is_plain) {
        *a = sv_scale(c, sums.low + (c->bias - SV_HALF_FIELD));
        *b = sv_scale(c, sums.middle + (c->bias - SV_HALF_FIELD));
        *d = sv_scale(c, sums.high + c->bias);
    } else {
        *a = sv_to_s8(c->stage, c->number, (int32_t)(sums.low - SV_HALF_FIELD));
        *b = sv_to_s8(c->stage, c->number, (int32_t)(sums.middle - SV_HALF_FIELD));
        *d = sv_to_s8(c->stage, c->number, (int32_t)sums.high);
    }
}

#endif
