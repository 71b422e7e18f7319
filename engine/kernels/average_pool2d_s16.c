/* AVERAGE_POOL_2D, int16: the mean of the cells inside, halves rounded away from zero. */
#include "core/kernel.h"
#include "kernels/pool2d_s16.h"

static int32_t mean(const sv_i16 *cells, int32_t height, int32_t width, ptrdiff_t row,
                    ptrdiff_t column) {
    const int64_t count = (int64_t)height * width;
    int64_t sum = 0;
    for (int32_t y = 0; y < height; y++) {
        for (int32_t x = 0; x < width; x++) {
            sum += cells[y * row + x * column];
        }
    }
    return (int32_t)((sum > 0 ? sum + count / 2 : sum - count / 2) / count);
}

static void run(const sv_call *call) { sv_run_pool2d_s16(call, mean); }

const sv_kernel sv_average_pool2d_s16 = {
    .opcode = SV_AVERAGE_POOL_2D_S16,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_pool2d_s16_parameters),
    .check = sv_check_pool2d_s16,
    .run = run,
};
