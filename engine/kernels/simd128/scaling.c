/* What of the output stage is not inlined. */
#include "kernels/simd128/scaling.h"

v128_t sv_exact8(const sv_scaling *s, int32_t channel, v128_t left, v128_t right) {
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

/* A loop without a call keeps in registers what it scales with; doubts are looked for behind it. */
void sv_scale_run(const sv_scaling *s, int32_t channel, v128_t sums[2 * SV_RUN + 2],
                  int32_t count, int8_t *output, ptrdiff_t pitch) {
    const sv_factors f = sv_load_factors(s, channel);
    const v128_t low = s->low, high = s->high;
    v128_t far = wasm_i32x4_splat(0), far_end = far;
    int8_t *target = output;
    sums[2 * count] = sums[2 * count + 1] = far; /* pairs are scaled, of which one may be missing */
    for (int32_t i = 0; i < count; i += 2, target += 2 * pitch) {
        const sv_scaled x = sv_scale8_fast(s, &f, sums[2 * i], sums[2 * i + 1], 0);
        const sv_scaled y = sv_scale8_fast(s, &f, sums[2 * i + 2], sums[2 * i + 3], 0);
        const v128_t bytes = sv_narrow16(x.words, y.words, low, high);
        far = wasm_f32x4_pmax(far, wasm_f32x4_pmax(x.far, y.far));
        far_end = wasm_f32x4_pmax(far_end, wasm_f32x4_pmax(x.far_end, y.far_end));
        wasm_v128_store64_lane(target, bytes, 0);
        if (i + 1 < count) {
            wasm_v128_store64_lane(target + pitch, bytes, 1);
        }
    }
    for (int32_t i = 0; sv_is_in_doubt(s, channel, far, far_end) && i < count; i++) {
        wasm_v128_store64_lane(output + i * pitch,
                               sv_exact8(s, channel, sums[2 * i], sums[2 * i + 1]), 0);
    }
}
