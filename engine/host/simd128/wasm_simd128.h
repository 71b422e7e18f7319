/* The wasm instructions that kernels/simd128 uses, in plain C: for sanitizers and fuzzers. */
#ifndef SELVEDGE_HOST_WASM_SIMD128_H
#define SELVEDGE_HOST_WASM_SIMD128_H

#include "selvedge/port.h"

typedef union SV_MAY_ALIAS v128_t {
    int8_t i8[16];
    int16_t i16[8];
    int32_t i32[4];
    uint32_t u32[4];
    int64_t i64[2];
    uint64_t u64[2];
    float f32[4];
} __attribute__((aligned(16))) v128_t;

/* A result whose lane i, of `lanes`, is an expression of i. */
#define SV_LANES(lanes, field, expression)                                                         \
    v128_t result;                                                                                 \
    for (int i = 0; i < (lanes); i++) {                                                            \
        result.field[i] = (expression);                                                            \
    }                                                                                              \
    return result

static inline int32_t sv_host_clamp(int32_t x, int32_t low, int32_t high) {
    return x < low ? low : x > high ? high : x;
}

static inline v128_t wasm_v128_load(const void *memory) {
    v128_t result;
    memcpy(&result, memory, sizeof result);
    return result;
}

static inline void wasm_v128_store(void *memory, v128_t a) { memcpy(memory, &a, sizeof a); }

static inline void wasm_v128_store64_lane(void *memory, v128_t a, int lane) {
    memcpy(memory, &a.i64[lane], 8);
}

static inline v128_t wasm_i16x8_load8x8(const void *memory) {
    int8_t bytes[8];
    memcpy(bytes, memory, sizeof bytes);
    SV_LANES(8, i16, bytes[i]);
}

static inline v128_t wasm_i8x16_splat(int8_t a) { SV_LANES(16, i8, a); }
static inline v128_t wasm_i32x4_splat(int32_t a) { SV_LANES(4, i32, a); }
static inline v128_t wasm_f32x4_splat(float a) { SV_LANES(4, f32, a); }

#define wasm_f32x4_const_splat(a) wasm_f32x4_splat(a)

static inline v128_t wasm_v128_load32_zero(const void *memory) {
    v128_t result = {{0}};
    memcpy(&result, memory, 4);
    return result;
}

static inline float wasm_f32x4_extract_lane(v128_t a, int lane) { return a.f32[lane]; }

static inline v128_t wasm_i64x2_const(int64_t a, int64_t b) {
    SV_LANES(2, i64, i == 0 ? a : b);
}

static inline v128_t sv_host_shuffle(v128_t a, v128_t b, int size, const int *lanes) {
    int8_t bytes[32];
    v128_t result;
    memcpy(bytes, &a, sizeof a);
    memcpy(bytes + 16, &b, sizeof b);
    for (int i = 0; i < 16 / size; i++) {
        memcpy(result.i8 + i * size, bytes + lanes[i] * size, (size_t)size);
    }
    return result;
}

#define wasm_i16x8_shuffle(a, b, ...) sv_host_shuffle((a), (b), 2, (const int[8]){__VA_ARGS__})
#define wasm_i32x4_shuffle(a, b, ...) sv_host_shuffle((a), (b), 4, (const int[4]){__VA_ARGS__})
#define wasm_i64x2_shuffle(a, b, ...) sv_host_shuffle((a), (b), 8, (const int[2]){__VA_ARGS__})

static inline v128_t wasm_v128_or(v128_t a, v128_t b) { SV_LANES(2, u64, a.u64[i] | b.u64[i]); }
static inline v128_t wasm_v128_and(v128_t a, v128_t b) { SV_LANES(2, u64, a.u64[i] & b.u64[i]); }

static inline v128_t wasm_v128_andnot(v128_t a, v128_t b) {
    SV_LANES(2, u64, a.u64[i] & ~b.u64[i]);
}

static inline v128_t wasm_v128_bitselect(v128_t a, v128_t b, v128_t mask) {
    SV_LANES(2, u64, (a.u64[i] & mask.u64[i]) | (b.u64[i] & ~mask.u64[i]));
}

static inline int wasm_v128_any_true(v128_t a) { return (a.u64[0] | a.u64[1]) != 0; }

static inline v128_t wasm_i8x16_min(v128_t a, v128_t b) {
    SV_LANES(16, i8, a.i8[i] < b.i8[i] ? a.i8[i] : b.i8[i]);
}

static inline v128_t wasm_i8x16_max(v128_t a, v128_t b) {
    SV_LANES(16, i8, a.i8[i] > b.i8[i] ? a.i8[i] : b.i8[i]);
}

static inline v128_t wasm_i8x16_narrow_i16x8(v128_t a, v128_t b) {
    SV_LANES(16, i8, (int8_t)sv_host_clamp(i < 8 ? a.i16[i] : b.i16[i - 8], -128, 127));
}

static inline v128_t wasm_i16x8_narrow_i32x4(v128_t a, v128_t b) {
    SV_LANES(8, i16, (int16_t)sv_host_clamp(i < 4 ? a.i32[i] : b.i32[i - 4], -32768, 32767));
}

static inline v128_t wasm_i32x4_add(v128_t a, v128_t b) { SV_LANES(4, u32, a.u32[i] + b.u32[i]); }
static inline v128_t wasm_i32x4_sub(v128_t a, v128_t b) { SV_LANES(4, u32, a.u32[i] - b.u32[i]); }
static inline v128_t wasm_i32x4_mul(v128_t a, v128_t b) { SV_LANES(4, u32, a.u32[i] * b.u32[i]); }

static inline v128_t wasm_i32x4_shr(v128_t a, uint32_t count) {
    SV_LANES(4, i32, a.i32[i] >> (count & 31u));
}

static inline v128_t wasm_i32x4_shl(v128_t a, uint32_t count) {
    SV_LANES(4, u32, a.u32[i] << (count & 31u));
}

static inline v128_t wasm_i32x4_gt(v128_t a, v128_t b) {
    SV_LANES(4, i32, a.i32[i] > b.i32[i] ? -1 : 0);
}

static inline v128_t wasm_i16x8_extend_low_i8x16(v128_t a) { SV_LANES(8, i16, a.i8[i]); }
static inline v128_t wasm_i32x4_extend_low_i16x8(v128_t a) { SV_LANES(4, i32, a.i16[i]); }
static inline v128_t wasm_i32x4_extend_high_i16x8(v128_t a) { SV_LANES(4, i32, a.i16[i + 4]); }

static inline v128_t wasm_i32x4_dot_i16x8(v128_t a, v128_t b) {
    SV_LANES(4, u32,
             (uint32_t)(a.i16[2 * i] * b.i16[2 * i]) +
                 (uint32_t)(a.i16[2 * i + 1] * b.i16[2 * i + 1]));
}

static inline v128_t wasm_f32x4_convert_i32x4(v128_t a) { SV_LANES(4, f32, (float)a.i32[i]); }
static inline v128_t wasm_f32x4_add(v128_t a, v128_t b) { SV_LANES(4, f32, a.f32[i] + b.f32[i]); }
static inline v128_t wasm_f32x4_sub(v128_t a, v128_t b) { SV_LANES(4, f32, a.f32[i] - b.f32[i]); }
static inline v128_t wasm_f32x4_mul(v128_t a, v128_t b) { SV_LANES(4, f32, a.f32[i] * b.f32[i]); }
static inline v128_t wasm_f32x4_abs(v128_t a) { SV_LANES(4, u32, a.u32[i] & 0x7fffffffu); }

static inline v128_t wasm_f32x4_pmax(v128_t a, v128_t b) {
    SV_LANES(4, f32, a.f32[i] < b.f32[i] ? b.f32[i] : a.f32[i]);
}

static inline v128_t wasm_f32x4_pmin(v128_t a, v128_t b) {
    SV_LANES(4, f32, b.f32[i] < a.f32[i] ? b.f32[i] : a.f32[i]);
}

static inline v128_t wasm_f32x4_gt(v128_t a, v128_t b) {
    SV_LANES(4, i32, a.f32[i] > b.f32[i] ? -1 : 0);
}

#endif
