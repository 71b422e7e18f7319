/* The output stage for eight channels at a time, in float32.
 *
 * Double rounding is one rounding with the middle moved. With t = x * multiplier, y the whole number
 * next to t / 2^31, and e = -shift > 0, MBQM is floor(y / 2^e + 1 / 2) where y >= 0, and
 * floor((y - 1) / 2^e + 1 / 2) where y < 0. So it is t / 2^(31 + e) plus 2^-(e + 1), or less where
 * x < 0, rounded to the nearest whole number. Where x < 0 and y is 0, both give 0.
 *
 * Float32 comes close to that value: what it rounds to is the result, unless it lies so near to the
 * middle of two whole numbers that errors may decide. Those few values are computed anew by
 * sv_to_s8. With single rounding the float32 product is the result. */
#ifndef SELVEDGE_SIMD128_SCALING_H
#define SELVEDGE_SIMD128_SCALING_H

#include <wasm_simd128.h>

#include "kernels/output_stage.h"

/* Channels whose factors are made at once; a whole number of blocks. */
enum { SV_BLOCK = 8, SV_PANEL = 128 };

typedef struct sv_scaling {
    const sv_stage *stage;
    int32_t first;   /* channel of element 0 */
    int32_t count;   /* channels; behind them the factors are 0 up to the end of a block */
    int32_t is_sure; /* single rounding, and no channel is lost: no value is in doubt */
    v128_t to_zero_point; /* int32: what the bits of 1.5 * 2^23 + z are greater than z + zero point */
    v128_t low;           /* int8 */
    v128_t high;
    int32_t bias[SV_PANEL];
    float factor[SV_PANEL];
    float nudge[SV_PANEL];   /* how far the middle is moved */
    float certain[SV_PANEL]; /* how far a believed value may be from a whole number, squared */
} sv_scaling;

/* What four channels are scaled with. */
typedef struct sv_opened {
    v128_t factor, nudge, certain;
    v128_t is_lost; /* channels that float32 cannot do */
} sv_opened;

/* Below 256, which is all that does not saturate, four roundings to float32 add up to 2^-14 at
 * most, and a value 2^-13 away from a half is believed. Shifts to the left may wrap. */
static inline sv_opened sv_open_double4(const sv_i32 *multipliers, const int8_t *shifts) {
    const v128_t none = wasm_i32x4_splat(0);
    const v128_t shift =
        wasm_i32x4_extend_low_i16x8(wasm_i16x8_extend_low_i8x16(wasm_v128_load32_zero(shifts)));
    const v128_t power =
        wasm_i32x4_shl(wasm_i32x4_add(shift, wasm_i32x4_splat(127)), 23); /* 2^shift */
    const v128_t scaled =
        wasm_f32x4_mul(wasm_f32x4_convert_i32x4(wasm_v128_load(multipliers)), power);
    return (sv_opened){
        .factor = wasm_f32x4_mul(scaled, wasm_f32x4_splat(0x1p-31f)),
        .nudge = wasm_v128_and(wasm_f32x4_mul(power, wasm_f32x4_splat(0.5f)),
                               wasm_i32x4_gt(none, shift)),
        .certain = wasm_f32x4_splat(0.25f - 0x1p-13f),
        .is_lost = wasm_i32x4_gt(shift, none),
    };
}

/* No product is in doubt. */
static inline sv_opened sv_open_single4(const sv_i32 *factors) {
    const v128_t none = wasm_i32x4_splat(0);
    return (sv_opened){wasm_v128_load(factors), none, wasm_f32x4_splat(1.0f), none};
}

/* Where sums, of which none is farther than `reach` from the bias, could become 2^22 and more,
 * adding 1.5 * 2^23 would not leave whole numbers: as all that is lost, they are always in doubt. */
static inline void sv_open_scaling4(sv_scaling *s, int32_t i, float reach, const sv_i32 *biases,
                                    const sv_i32 *multiplier, const int8_t *shift) {
    const v128_t bias = wasm_v128_load(biases);
    const sv_opened o = s->stage->rounding == SV_ROUND_SINGLE ? sv_open_single4(multiplier)
                                                              : sv_open_double4(multiplier, shift);
    const v128_t farthest = wasm_f32x4_add(wasm_f32x4_abs(wasm_f32x4_convert_i32x4(bias)),
                                           wasm_f32x4_splat(reach));
    const v128_t most = wasm_f32x4_mul(farthest, o.factor);
    const v128_t is_lost =
        wasm_v128_or(o.is_lost, wasm_f32x4_gt(most, wasm_f32x4_splat(0x1p22f - 0x1p10f)));
    wasm_v128_store(s->bias + i, bias);
    wasm_v128_store(s->factor + i, wasm_v128_andnot(o.factor, is_lost));
    wasm_v128_store(s->nudge + i, wasm_v128_andnot(o.nudge, is_lost));
    wasm_v128_store(s->certain + i,
                    wasm_v128_bitselect(wasm_f32x4_splat(-1.0f), o.certain, is_lost));
    s->is_sure &= !wasm_v128_any_true(is_lost);
}

/* The channels first..first+count-1, at most SV_PANEL, whose sums have this many products. */
static inline void sv_open_scaling(sv_scaling *s, const sv_stage *stage, int32_t terms,
                                   int32_t first, int32_t count) {
    const float reach = (float)terms * 16384.0f;
    s->stage = stage;
    s->first = first;
    s->count = count;
    s->is_sure = stage->rounding == SV_ROUND_SINGLE;
    s->to_zero_point = wasm_i32x4_splat(0x4b400000 - stage->zero_point);
    s->low = wasm_i8x16_splat((int8_t)(stage->low + stage->zero_point));
    s->high = wasm_i8x16_splat((int8_t)(stage->high + stage->zero_point));
    int32_t i = 0;
    for (; i + 4 <= count; i += 4) {
        const int32_t c = first + i;
        sv_open_scaling4(s, i, reach, stage->bias + c, stage->multiplier + c, stage->shift + c);
    }
    if (i < count) { /* what lies behind the last channel is not ours to read */
        sv_i32 bias[4] = {0}, multiplier[4] = {0};
        int8_t shift[4] = {0};
        for (int32_t k = 0; i + k < count; k++) {
            bias[k] = stage->bias[first + i + k];
            multiplier[k] = stage->multiplier[first + i + k];
            shift[k] = stage->shift[first + i + k];
        }
        sv_open_scaling4(s, i, reach, bias, multiplier, shift);
        i += 4;
    }
    if (i % SV_BLOCK != 0) {
        static const sv_i32 none[4] = {0};
        sv_open_scaling4(s, i, reach, none, none, (const int8_t *)none);
    }
}

/* Four float32 as whole numbers plus the zero point, and how far from whole numbers they were,
 * squared. */
static inline v128_t sv_round4(v128_t values, v128_t to_zero_point, v128_t *far) {
    const v128_t magic = wasm_f32x4_splat(12582912.0f);
    const v128_t whole = wasm_f32x4_add(values, magic);
    const v128_t beyond = wasm_f32x4_sub(values, wasm_f32x4_sub(whole, magic));
    *far = wasm_f32x4_mul(beyond, beyond);
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

/* The exact way, for eight sums that hold the bias. */
v128_t sv_exact8(const sv_scaling *s, int32_t channel, v128_t left, v128_t right);

/* What scales eight channels. */
typedef struct sv_factors {
    v128_t factor, factor_end, nudge, nudge_end;
} sv_factors;

static inline sv_factors sv_load_factors(const sv_scaling *s, int32_t channel) {
    return (sv_factors){
        wasm_v128_load(s->factor + channel),
        wasm_v128_load(s->factor + channel + 4),
        wasm_v128_load(s->nudge + channel),
        wasm_v128_load(s->nudge + channel + 4),
    };
}

/* Eight outputs before the clamp, and how far their values were from whole numbers, squared. */
typedef struct sv_scaled {
    v128_t words;
    v128_t far;
    v128_t far_end;
} sv_scaled;

/* Four sums that hold the bias as values to be rounded; `is_sure` is a constant. */
static inline v128_t sv_value4(v128_t factor, v128_t nudge, v128_t sums, int is_sure) {
    const v128_t value = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sums), factor);
    const v128_t sign = wasm_v128_and(value, wasm_f32x4_splat(-0.0f));
    return is_sure ? value : wasm_f32x4_add(value, wasm_v128_or(nudge, sign));
}

static inline sv_scaled sv_scale8_fast(const sv_scaling *s, const sv_factors *f, v128_t sums,
                                       v128_t sums_end, int is_sure) {
    sv_scaled scaled;
    const v128_t value = sv_value4(f->factor, f->nudge, sums, is_sure);
    const v128_t value_end = sv_value4(f->factor_end, f->nudge_end, sums_end, is_sure);
    scaled.words =
        wasm_i16x8_narrow_i32x4(sv_round4(value, s->to_zero_point, &scaled.far),
                                sv_round4(value_end, s->to_zero_point, &scaled.far_end));
    return scaled;
}

/* Whether one of eight channels is too far from whole numbers to be believed. */
static inline int sv_is_in_doubt(const sv_scaling *s, int32_t channel, v128_t far,
                                 v128_t far_end) {
    const v128_t doubt = wasm_f32x4_gt(far, wasm_v128_load(s->certain + channel));
    const v128_t doubt_end = wasm_f32x4_gt(far_end, wasm_v128_load(s->certain + channel + 4));
    return wasm_v128_any_true(wasm_v128_or(doubt, doubt_end));
}

/* Eight sums that hold the bias, of channels `channel`..+7 counted from `first`, as int8 in the
 * lower half. */
static inline v128_t sv_scale8(const sv_scaling *s, int32_t channel, v128_t sums,
                               v128_t sums_end) {
    const sv_factors factors = sv_load_factors(s, channel);
    if (s->is_sure) {
        const sv_scaled sure = sv_scale8_fast(s, &factors, sums, sums_end, 1);
        return sv_narrow16(sure.words, sure.words, s->low, s->high);
    }
    const sv_scaled scaled = sv_scale8_fast(s, &factors, sums, sums_end, 0);
    if (sv_is_in_doubt(s, channel, scaled.far, scaled.far_end)) {
        return sv_exact8(s, channel, sums, sums_end);
    }
    return sv_narrow16(scaled.words, scaled.words, s->low, s->high);
}

/* Most outputs that are scaled at once. */
enum { SV_RUN = 8 };

/* Store eight channels of outputs `pitch` apart, whose sums lie one behind the other. */
void sv_scale_run(const sv_scaling *s, int32_t channel, v128_t sums[2 * SV_RUN + 2],
                  int32_t count, int8_t *output, ptrdiff_t pitch);

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
