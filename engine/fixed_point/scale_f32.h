/* An int32 times a float32 factor, rounded once and to even, within a range. */
#ifndef SELVEDGE_SCALE_F32_H
#define SELVEDGE_SCALE_F32_H

#include "selvedge/port.h"

#if defined(__FLT_EVAL_METHOD__) && (__FLT_EVAL_METHOD__ == 1 || __FLT_EVAL_METHOD__ == 2)
#error "float32 is computed in float32; on 32-bit x86 build with -msse2 -mfpmath=sse"
#endif

static inline float sv_float_of_bits(int32_t bits) {
    const union {
        int32_t bits;
        float value;
    } same = {.bits = bits};
    return same.value;
}

/* 1.5 * 2^23: beside it a float32 has no fraction left, so that the sum is rounded to a whole number
 * in its low bits; -2^22 <= x <= 2^22. */
static inline int32_t sv_round_f32(float x) {
    const union {
        float value;
        int32_t bits;
    } sum = {.value = x + 12582912.0f};
    return sum.bits - 0x4b400000;
}

/* low and high whole numbers; what is no number becomes low. A product is brought into range before
 * it is rounded, so that no compiler can join it to the addition. */
static inline int32_t sv_round_within_f32(float x, float low, float high) {
    return sv_round_f32(x > low ? x < high ? x : high : low);
}

/* factor 0 or a positive, normal, finite number */
static inline int32_t sv_scale_f32(int32_t x, float factor, float low, float high) {
    const float product = (float)x * factor;
    return sv_round_within_f32(product, low, high);
}

/* Whether these are the bits of a factor that `sv_scale_f32` takes. */
static inline int sv_is_factor_f32(int32_t bits) {
    return bits == 0 || (bits >= 0x00800000 && bits < 0x7f800000);
}

#endif
