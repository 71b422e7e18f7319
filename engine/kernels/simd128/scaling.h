/* The output stage for eight channels at a time.
 *
 * A float32 product comes close to the exact result: it is the result, unless it lies so near to
 * the middle of two whole numbers that one of the roundings may decide. Those few values are computed
 * anew by sv_to_s8. With single rounding the float32 product is the result. */
#ifndef SELVEDGE_SIMD128_SCALING_H
#define SELVEDGE_SIMD128_SCALING_H

#include <wasm_simd128.h>

#include "kernels/output_stage.h"

/* Channels whose factors are made at once; a whole number of blocks. */
enum { SV_BLOCK = 8, SV_PANEL = 128 };


typedef struct sv_scaling {
    const sv_stage *stage;
    int32_t first;  /* channel of element 0 */
    int32_t count;  /* channels; behind them the factors are 0 up to the end of a block */
    int32_t is_sure;   /* single rounding: products are the result */
    int32_t are_exact; /* double rounding, and sv_exact4 can do all channels */
    v128_t to_zero_point; /* int32: what the bits of 1.5 * 2^23 + z are greater than z + zero point */
    v128_t low;           /* int8 */
    v128_t high;
    int32_t bias[SV_PANEL];
    float factor[SV_PANEL];
    float certain[SV_PANEL]; /* how far from a whole number a product may be and be believed */
    int32_t multiplier[SV_PANEL];
    float power[SV_PANEL]; /* 2^shift */
} sv_scaling;

/* 2^exponent, -126..127 */
static inline float sv_power_of_two(int32_t exponent) {
    const union {
        int32_t bits;
        float value;
    } power = {.bits = (exponent + 127) * (1 << 23)};
    return power.value;
}

/* Factors and bounds of four channels with double rounding, at element `i`; returns whether
 * sv_exact4 can do them.
 *
 * With y = x * multiplier * 2^-31 and e = -shift, MBQM gives the whole number next to
 * round(y) * 2^-e, which is at most 2^-(e+1) away from the exact product y * 2^-e. Below 512, which
 * is all that does not saturate, three roundings to float32 add less than 2^-13; half of 2^-12 is
 * left for sv_exact4, which is asked for eight channels if one of them is in doubt. */
static inline int sv_open_double4(sv_scaling *s, int32_t i, const sv_i32 *multipliers,
                                  const int8_t *shifts) {
    const v128_t multiplier = wasm_v128_load(multipliers);
    const v128_t shift =
        wasm_i32x4_extend_low_i16x8(wasm_i16x8_extend_low_i8x16(wasm_v128_load32_zero(shifts)));
    const v128_t power =
        wasm_i32x4_shl(wasm_i32x4_add(shift, wasm_i32x4_splat(127)), 23); /* 2^shift */
    const v128_t scaled = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(multiplier), power);
    const v128_t certain = wasm_f32x4_sub(wasm_f32x4_splat(0.5f - 0x1p-12f),
                                          wasm_f32x4_mul(power, wasm_f32x4_splat(0.5f)));
    const v128_t is_zero = wasm_i32x4_eq(multiplier, wasm_i32x4_splat(0));
    const v128_t is_fine = wasm_v128_and(wasm_i32x4_gt(shift, wasm_i32x4_splat(-15)),
                                         wasm_i32x4_gt(wasm_i32x4_splat(0), shift));
    wasm_v128_store(s->multiplier + i, multiplier);
    wasm_v128_store(s->factor + i, wasm_f32x4_mul(scaled, wasm_f32x4_splat(0x1p-31f)));
    wasm_v128_store(s->power + i, wasm_v128_bitselect(wasm_f32x4_splat(1.0f), power, is_zero));
    wasm_v128_store(s->certain + i,
                    wasm_v128_bitselect(wasm_f32x4_splat(0.5f), certain, is_zero));
    return wasm_i32x4_all_true(wasm_v128_or(is_fine, is_zero));
}

/* The same with both roundings; with single rounding no product is in doubt. */
static inline void sv_open_scaling4(sv_scaling *s, int32_t i, const sv_i32 *bias,
                                    const sv_i32 *multiplier, const int8_t *shift) {
    wasm_v128_store(s->bias + i, wasm_v128_load(bias));
    if (s->is_sure) {
        wasm_v128_store(s->factor + i, wasm_v128_load(multiplier)); /* bits of float32 */
    } else {
        s->are_exact &= sv_open_double4(s, i, multiplier, shift);
    }
}

/* The channels first..first+count-1, at most SV_PANEL. */
static inline void sv_open_scaling(sv_scaling *s, const sv_stage *stage, int32_t first,
                                   int32_t count) {
    s->stage = stage;
    s->first = first;
    s->count = count;
    s->is_sure = stage->rounding == SV_ROUND_SINGLE;
    s->are_exact = !s->is_sure;
    s->to_zero_point = wasm_i32x4_splat(0x4b400000 - stage->zero_point);
    s->low = wasm_i8x16_splat((int8_t)(stage->low + stage->zero_point));
    s->high = wasm_i8x16_splat((int8_t)(stage->high + stage->zero_point));
    int32_t i = 0;
    for (; i + 4 <= count; i += 4) {
        const int32_t c = first + i;
        sv_open_scaling4(s, i, stage->bias + c, stage->multiplier + c, stage->shift + c);
    }
    if (i < count) { /* what lies behind the last channel is not ours to read */
        sv_i32 bias[4] = {0}, multiplier[4] = {0};
        int8_t shift[4] = {0};
        for (int32_t k = 0; i + k < count; k++) {
            bias[k] = stage->bias[first + i + k];
            multiplier[k] = stage->multiplier[first + i + k];
            shift[k] = stage->shift[first + i + k];
        }
        sv_open_scaling4(s, i, bias, multiplier, shift);
        i += 4;
    }
    if (i % SV_BLOCK != 0) {
        static const sv_i32 none[4] = {0};
        sv_open_scaling4(s, i, none, none, (const int8_t *)none);
    }
}

/* Four float32 as whole numbers plus the zero point, and how far from whole numbers they were. */
static inline v128_t sv_round4(v128_t values, v128_t to_zero_point, v128_t *far) {
    const v128_t magic = wasm_f32x4_splat(12582912.0f);
    const v128_t whole = wasm_f32x4_add(values, magic);
    *far = wasm_f32x4_abs(wasm_f32x4_sub(values, wasm_f32x4_sub(whole, magic)));
    return wasm_i32x4_sub(whole, to_zero_point);
}

/* Sixteen words as int8. */
static inline v128_t sv_narrow16(v128_t first, v128_t last, v128_t low, v128_t high) {
    return wasm_i8x16_min(wasm_i8x16_max(wasm_i8x16_narrow_i16x8(first, last), low), high);
}

/* Eight int32 as int8, in the lower half and once more in the upper. */
static inline v128_t sv_narrow8(v128_t left, v128_t right, v128_t low, v128_t high) {
    const v128_t words = wasm_i16x8_narrow_i32x4(left, right);
    return sv_narrow16(words, words, low, high);
}

/* MBQM of four sums. SRDHM is y = (x * multiplier + 2^30) >> 31 in 64 bits. RDBPOT, halves away from
 * zero, is the whole number next to (y + (y < 0 ? -1 : 0) + 0.5) * 2^shift, which never is a half.
 * Where x < 0 and y is not, both signs give 0. float32 holds all of it, unless it is far out of
 * range, with shifts -14..-1; with smaller ones it is as near as the product was. */
static inline v128_t sv_exact4(const sv_scaling *s, int32_t channel, v128_t sums) {
    const v128_t multiplier = wasm_v128_load(s->multiplier + channel);
    const v128_t nudge = wasm_i64x2_const(1 << 30, 1 << 30);
    const v128_t low = wasm_i64x2_add(wasm_i64x2_extmul_low_i32x4(sums, multiplier), nudge);
    const v128_t high = wasm_i64x2_add(wasm_i64x2_extmul_high_i32x4(sums, multiplier), nudge);
    const v128_t y =
        wasm_i32x4_shuffle(wasm_u64x2_shr(low, 31), wasm_u64x2_shr(high, 31), 0, 2, 4, 6);
    const v128_t below = wasm_i32x4_add(y, wasm_i32x4_shr(sums, 31));
    const v128_t middle = wasm_f32x4_add(wasm_f32x4_convert_i32x4(below), wasm_f32x4_splat(0.5f));
    const v128_t value = wasm_f32x4_mul(middle, wasm_v128_load(s->power + channel));
    v128_t far;
    return sv_round4(value, s->to_zero_point, &far);
}

/* Which of four channels sv_exact4 cannot do when they are in doubt. */
static inline v128_t sv_is_beyond(const sv_scaling *s, int32_t channel, v128_t doubt) {
    const v128_t power = wasm_v128_load(s->power + channel);
    const v128_t beyond = wasm_v128_or(wasm_f32x4_gt(wasm_f32x4_splat(0x1p-14f), power),
                                       wasm_f32x4_gt(power, wasm_f32x4_splat(0.5f)));
    return wasm_v128_and(beyond, doubt);
}

/* The exact way, for eight sums that hold the bias. */
static __attribute__((noinline)) v128_t sv_exact8(const sv_scaling *s, int32_t channel,
                                                  v128_t left, v128_t right, v128_t doubt,
                                                  v128_t doubt_right) {
    const v128_t beyond = wasm_v128_or(sv_is_beyond(s, channel, doubt),
                                       sv_is_beyond(s, channel + 4, doubt_right));
    if (!wasm_v128_any_true(beyond)) {
        return sv_narrow8(sv_exact4(s, channel, left), sv_exact4(s, channel + 4, right), s->low,
                          s->high);
    }
    int32_t sums[SV_BLOCK];
    int8_t outputs[2 * SV_BLOCK] = {0};
    wasm_v128_store(sums, left);
    wasm_v128_store(sums + 4, right);
    for (int32_t i = 0; i < SV_BLOCK && channel + i < s->count; i++) {
        outputs[i] = sv_to_s8(s->stage, s->first + channel + i,
                              sv_wrap_sub(sums[i], s->bias[channel + i]));
    }
    return wasm_v128_load(outputs);
}

/* Eight outputs before the clamp, and how far their products were from whole numbers. */
typedef struct sv_scaled {
    v128_t words;
    v128_t far;
    v128_t far_end;
} sv_scaled;

static inline sv_scaled sv_scale8_fast(const sv_scaling *s, v128_t factor, v128_t factor_end,
                                       v128_t sums, v128_t sums_end) {
    sv_scaled scaled;
    const v128_t value = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sums), factor);
    const v128_t value_end = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sums_end), factor_end);
    scaled.words =
        wasm_i16x8_narrow_i32x4(sv_round4(value, s->to_zero_point, &scaled.far),
                                sv_round4(value_end, s->to_zero_point, &scaled.far_end));
    return scaled;
}

/* Which of four channels are too far from whole numbers to be believed. */
static inline v128_t sv_doubt(const sv_scaling *s, int32_t channel, v128_t far) {
    return wasm_f32x4_gt(far, wasm_v128_load(s->certain + channel));
}

/* Eight sums that hold the bias, of channels `channel`..+7 counted from `first`, as int8 in the
 * lower half. */
static inline v128_t sv_scale8(const sv_scaling *s, int32_t channel, v128_t sums,
                               v128_t sums_end) {
    const sv_scaled scaled =
        sv_scale8_fast(s, wasm_v128_load(s->factor + channel),
                       wasm_v128_load(s->factor + channel + 4), sums, sums_end);
    if (s->is_sure) {
        return sv_narrow16(scaled.words, scaled.words, s->low, s->high);
    }
    const v128_t doubt = sv_doubt(s, channel, scaled.far);
    const v128_t doubt_end = sv_doubt(s, channel + 4, scaled.far_end);
    if (wasm_v128_any_true(wasm_v128_or(doubt, doubt_end))) {
        return sv_exact8(s, channel, sums, sums_end, doubt, doubt_end);
    }
    return sv_narrow16(scaled.words, scaled.words, s->low, s->high);
}

/* The same where float32 products often are in doubt: sums of few terms, which are scaled little. */
static inline v128_t sv_scale8_few(const sv_scaling *s, int32_t channel, v128_t sums,
                                   v128_t sums_end) {
    return s->are_exact ? sv_narrow8(sv_exact4(s, channel, sums),
                                     sv_exact4(s, channel + 4, sums_end), s->low, s->high)
                        : sv_scale8(s, channel, sums, sums_end);
}

/* Store the lower `count` of eight int8; more than eight are eight. */
static inline void sv_store8(int8_t *target, int32_t count, v128_t bytes) {
    if (count >= SV_BLOCK) {
        wasm_v128_store64_lane(target, bytes, 0);
        return;
    }
    int8_t all[2 * SV_BLOCK];
    wasm_v128_store(all, bytes);
    for (int32_t i = 0; i < count; i++) {
        target[i] = all[i];
    }
}

#endif
