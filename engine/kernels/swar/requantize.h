/* The output stage for three sums at once, with what a channel has in common at hand. */
#ifndef SELVEDGE_SWAR_REQUANTIZE_H
#define SELVEDGE_SWAR_REQUANTIZE_H

#include "kernels/output_stage.h"
#include "kernels/swar/pack3.h"

/* How a stage's channels are brought to int8.
 *
 * With double rounding and a right shift, both roundings are one: for a product p,
 * floor((floor((p + 2^30) / 2^31) + 2^(right - 1) - [p < 0]) / 2^right) is a single shift of p plus a
 * number, from which 2^31 is taken where p is negative. It may be asked of the sum's sign: where that
 * says otherwise than the sign of the first quotient, this is 0, and so is the result. The bias, the
 * zero points and the lower limit are part of the number. Where results begin at the zero point, as
 * behind a RELU, the sign does not matter. */
typedef enum sv_manner { SV_GENERAL, SV_SIGNED, SV_RAMP } sv_manner;

/* Most products with what a weight differs from its zero point, whose sum half the range of int32
 * holds; and the largest shift to the right, so that 256 times the divisor and the largest product
 * fit in int64 together. */
enum { SV_MAX_PLAIN_TERMS = 32767, SV_MAX_PLAIN_RIGHT = 22 };

/* The shortest manner that a stage's channels can have. */
static inline sv_manner sv_best_manner(const sv_stage *stage, int32_t terms) {
    if (stage->rounding != SV_ROUND_DOUBLE || terms > SV_MAX_PLAIN_TERMS) {
        return SV_GENERAL;
    }
    return stage->low >= 0 ? SV_RAMP : SV_SIGNED;
}

/* Channels whose weights are all zero may have a bias and a shift of any size. */
static inline sv_manner sv_manner_of(const sv_stage *stage, int32_t channel, sv_manner best) {
    const int32_t most = 1 << 30;
    const int32_t shift = stage->shift[channel];
    const int32_t bias = stage->bias[channel];
    const int is_plain =
        shift < 0 && shift >= -SV_MAX_PLAIN_RIGHT && bias > -most && bias < most;
    return is_plain ? best : SV_GENERAL;
}

typedef struct sv_channel {
    const sv_stage *stage;
    int32_t number;
    sv_manner manner;
    uint64_t multiplier;
    uint64_t shifted; /* of the two lower fields, which have half a field too much */
    uint64_t plain;   /* of the highest field */
    int64_t bias;     /* a sum below its negative gives a negative product */
    uint64_t total;
    uint64_t range; /* results go from 0 to this */
    int64_t lowest;
} sv_channel;

static inline sv_channel sv_open_channel(const sv_stage *stage, int32_t number, sv_manner best) {
    sv_channel open = {.stage = stage, .number = number};
    open.manner = sv_manner_of(stage, number, best);
    if (open.manner != SV_GENERAL) {
        const int32_t right = -stage->shift[number];
        const uint64_t half = (UINT64_C(1) << 30) + (UINT64_C(1) << (30 + right));
        open.bias = stage->bias[number];
        open.multiplier = (uint64_t)stage->multiplier[number];
        open.total = (uint64_t)(31 + right);
        open.plain = (uint64_t)open.bias * open.multiplier + half -
                     ((uint64_t)(int64_t)stage->low << open.total);
        open.shifted = open.plain - open.multiplier * (uint64_t)SV_HALF_FIELD;
        open.range = (uint64_t)(int64_t)(stage->high - stage->low);
        open.lowest = stage->low + stage->zero_point;
    }
    return open;
}

/* `manner` is that of the channel and a constant. What a product wraps to where a plan lies about
 * what fits is brought into range, too. Mostly results are in range: no need to compute both. */
SV_INLINE int8_t sv_scale(const sv_channel *c, sv_manner manner, int64_t sum, uint64_t number,
                          int64_t negative) {
    uint64_t product = (uint64_t)sum * c->multiplier + number;
    if (manner == SV_SIGNED) {
        product -= sum < negative ? UINT64_C(1) << 31 : 0;
    }
    int64_t scaled = (int64_t)product >> c->total;
    if (__builtin_expect((uint64_t)scaled > c->range, 0)) {
        scaled = scaled < 0 ? 0 : (int64_t)c->range;
    }
    return (int8_t)(scaled + c->lowest);
}

/* As the portable kernels do it. */
void sv_store3_general(const sv_channel *c, sv_fields sums, int8_t *a, int8_t *b, int8_t *d);

/* Three sums of a channel to where their pixels are. */
SV_INLINE void sv_store3(const sv_channel *c, sv_manner manner, sv_fields sums, int8_t *a,
                         int8_t *b, int8_t *d) {
    if (manner == SV_GENERAL) {
        sv_store3_general(c, sums, a, b, d);
        return;
    }
    *a = sv_scale(c, manner, sums.low, c->shifted, SV_HALF_FIELD - c->bias);
    *b = sv_scale(c, manner, sums.middle, c->shifted, SV_HALF_FIELD - c->bias);
    *d = sv_scale(c, manner, sums.high, c->plain, -c->bias);
}

#endif
