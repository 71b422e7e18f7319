/* Rows of float32 inputs times a block of eight packed output channels. */
#ifndef SELVEDGE_SIMD128_PRODUCT_F32_H
#define SELVEDGE_SIMD128_PRODUCT_F32_H

#include <wasm_simd128.h>

#include "kernels/simd128/unroll.h"
#include "selvedge/port.h"

/* Rows that are multiplied at once: their sums, two vectors a row, stay in registers. */
enum { SV_ROWS_F32 = 4, SV_BLOCK_F32 = 8 };

typedef struct sv_limits_f32 {
    v128_t low, high;
} sv_limits_f32;

/* As sv_limit: what is no number stays none. */
SV_INLINE v128_t sv_limit_f32x4(v128_t x, v128_t low, v128_t high) {
    return wasm_f32x4_pmin(wasm_f32x4_pmax(x, low), high);
}

/* One of the four values in all lanes; a shuffle is faster than another load under Cranelift. */
SV_INLINE v128_t sv_spread(v128_t x, const int32_t lane) {
    switch (lane) {
    case 0:
        return wasm_i32x4_shuffle(x, x, 0, 0, 0, 0);
    case 1:
        return wasm_i32x4_shuffle(x, x, 1, 1, 1, 1);
    case 2:
        return wasm_i32x4_shuffle(x, x, 2, 2, 2, 2);
    default:
        return wasm_i32x4_shuffle(x, x, 3, 3, 3, 3);
    }
}

/* The products of one input of each row with eight channels. */
SV_INLINE void sv_add_products(const v128_t inputs[], const int32_t lane, const sv_f32 *weights,
                               v128_t sums[][2], const int32_t count) {
    const v128_t first = wasm_v128_load(weights);
    const v128_t second = wasm_v128_load(weights + 4);
    SV_UNROLL for (int32_t r = 0; r < count; r++) {
        const v128_t x = sv_spread(inputs[r], lane);
        sums[r][0] = wasm_f32x4_add(sums[r][0], wasm_f32x4_mul(x, first));
        sums[r][1] = wasm_f32x4_add(sums[r][1], wasm_f32x4_mul(x, second));
    }
}

/* `count` rows, `depth` values each, `stride` apart; outputs are as far apart as there are of them. */
SV_INLINE void sv_multiply_f32(const sv_f32 *inputs, ptrdiff_t stride, int32_t depth,
                               const sv_f32 *weights, const sv_f32 *bias, sv_limits_f32 limits,
                               sv_f32 *outputs, ptrdiff_t output_stride, const int32_t count) {
    const sv_f32 *rows[SV_ROWS_F32];
    v128_t sums[SV_ROWS_F32][2], x[SV_ROWS_F32];
    SV_UNROLL for (int32_t r = 0; r < count; r++) {
        rows[r] = inputs + r * stride;
        sums[r][0] = wasm_v128_load(bias);
        sums[r][1] = wasm_v128_load(bias + 4);
    }
    int32_t k = 0;
    for (; k + 4 <= depth; k += 4, weights += 4 * SV_BLOCK_F32) {
        SV_UNROLL for (int32_t r = 0; r < count; r++) {
            x[r] = wasm_v128_load(rows[r]);
            rows[r] += 4;
        }
        SV_UNROLL for (int32_t i = 0; i < 4; i++) {
            sv_add_products(x, i, weights + i * SV_BLOCK_F32, sums, count);
        }
    }
    for (; k < depth; k++, weights += SV_BLOCK_F32) {
        SV_UNROLL for (int32_t r = 0; r < count; r++) {
            x[r] = wasm_v128_load32_zero(rows[r]);
            rows[r]++;
        }
        sv_add_products(x, 0, weights, sums, count);
    }
    SV_UNROLL for (int32_t r = 0; r < count; r++) {
        wasm_v128_store(outputs + r * output_stride,
                        sv_limit_f32x4(sums[r][0], limits.low, limits.high));
        wasm_v128_store(outputs + r * output_stride + 4,
                        sv_limit_f32x4(sums[r][1], limits.low, limits.high));
    }
}

#endif
