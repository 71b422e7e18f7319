/* FULLY_CONNECTED, float32: four units at a time, each with four sums; the weights are those of
 * layout 0. */
#include "kernels/float_stage.h"
#include "kernels/kernels.h"
#include "kernels/simd128/product_f32.h"

enum { UNITS = 4 };

static sv_status check(const sv_call *call) { return sv_fully_connected_f32.check(call); }

static float sum_of(v128_t x) {
    return (wasm_f32x4_extract_lane(x, 0) + wasm_f32x4_extract_lane(x, 1)) +
           (wasm_f32x4_extract_lane(x, 2) + wasm_f32x4_extract_lane(x, 3));
}

/* `count` units whose weights lie one behind the other. */
SV_INLINE void multiply(const sv_f32 *inputs, const sv_f32 *weights, int32_t depth,
                        const int32_t count, float sums[]) {
    v128_t lanes[UNITS];
    SV_UNROLL for (int32_t u = 0; u < count; u++) {
        lanes[u] = wasm_f32x4_const_splat(0.0f);
    }
    int32_t k = 0;
    for (; k + 4 <= depth; k += 4) {
        const v128_t x = wasm_v128_load(inputs + k);
        SV_UNROLL for (int32_t u = 0; u < count; u++) {
            const v128_t w = wasm_v128_load(weights + (ptrdiff_t)u * depth + k);
            lanes[u] = wasm_f32x4_add(lanes[u], wasm_f32x4_mul(x, w));
        }
    }
    SV_UNROLL for (int32_t u = 0; u < count; u++) {
        sums[u] = sum_of(lanes[u]);
        for (int32_t i = k; i < depth; i++) {
            sums[u] += inputs[i] * weights[(ptrdiff_t)u * depth + i];
        }
    }
}

static void run(const sv_call *call) {
    const sv_fully_connected_f32_parameters *p = sv_parameters(call);
    const sv_f32 *bias = sv_constant(call, p->stage.bias);
    const int32_t depth = (int32_t)p->depth;
    const int32_t units = (int32_t)p->units;
    const sv_f32 *inputs = sv_read(call, sv_input(call, 0));
    const sv_f32 *end = inputs + sv_elements(sv_input(call, 0));
    sv_f32 *outputs = sv_write(call, sv_output(call, 0));
    for (; inputs != end; inputs += depth, outputs += units) {
        const sv_f32 *weights = sv_constant(call, p->weights);
        for (int32_t unit = 0; unit < units;) {
            const int32_t count = unit + UNITS <= units ? UNITS : 1;
            float sums[UNITS];
            if (count == UNITS) {
                multiply(inputs, weights, depth, UNITS, sums);
            } else {
                multiply(inputs, weights, depth, 1, sums);
            }
            for (int32_t u = 0; u < count; u++, unit++) {
                outputs[unit] = sv_limit(sums[u] + bias[unit], p->stage.low, p->stage.high);
            }
            weights += (ptrdiff_t)count * depth;
        }
    }
}

const sv_kernel sv_fully_connected_f32_simd128 = {
    .opcode = SV_FULLY_CONNECTED_F32,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_fully_connected_f32_parameters),
    .check = check,
    .run = run,
};
