/* MAX_POOL_2D, float32. */
#include "core/kernel.h"
#include "kernels/pool2d_f32.h"

static void largest(const sv_f32 *restrict cells, int32_t rows, int32_t columns, ptrdiff_t stride,
                    int32_t channels, sv_f32 *restrict output) {
    memcpy(output, cells, sizeof(float) * (size_t)channels);
    for (int32_t y = 0; y < rows; y++, cells += stride) {
        const sv_f32 *cell = cells;
        for (int32_t x = 0; x < columns; x++, cell += channels) {
            for (int32_t i = 0; i < channels; i++) {
                output[i] = output[i] < cell[i] ? cell[i] : output[i];
            }
        }
    }
}

static void run(const sv_call *call) { sv_run_pool2d_f32(call, largest); }

const sv_kernel sv_max_pool2d_f32 = {
    .opcode = SV_MAX_POOL_2D_F32,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_pool2d_f32_parameters),
    .check = sv_check_pool2d_f32,
    .run = run,
};
