/* AVERAGE_POOL_2D, float32: the mean of the cells inside. */
#include "core/kernel.h"
#include "kernels/pool2d_f32.h"

static void mean(const sv_f32 *restrict cells, int32_t rows, int32_t columns, ptrdiff_t stride,
                 int32_t channels, sv_f32 *restrict output) {
    memset(output, 0, sizeof(float) * (size_t)channels);
    for (int32_t y = 0; y < rows; y++, cells += stride) {
        const sv_f32 *cell = cells;
        for (int32_t x = 0; x < columns; x++, cell += channels) {
            for (int32_t i = 0; i < channels; i++) {
                output[i] += cell[i];
            }
        }
    }
    const float count = (float)(rows * columns);
    for (int32_t i = 0; i < channels; i++) {
        output[i] /= count;
    }
}

static void run(const sv_call *call) { sv_run_pool2d_f32(call, mean); }

const sv_kernel sv_average_pool2d_f32 = {
    .opcode = SV_AVERAGE_POOL_2D_F32,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_pool2d_f32_parameters),
    .check = sv_check_pool2d_f32,
    .run = run,
};
