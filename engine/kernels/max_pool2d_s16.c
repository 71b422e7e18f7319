/* MAX_POOL_2D, int16. */
#include "core/kernel.h"
#include "kernels/pool2d_s16.h"

static int32_t largest(const sv_i16 *cells, int32_t height, int32_t width, ptrdiff_t row,
                       ptrdiff_t column) {
    int32_t found = INT16_MIN;
    for (int32_t y = 0; y < height; y++) {
        for (int32_t x = 0; x < width; x++) {
            const int32_t cell = cells[y * row + x * column];
            found = cell > found ? cell : found;
        }
    }
    return found;
}

static void run(const sv_call *call) { sv_run_pool2d_s16(call, largest); }

const sv_kernel sv_max_pool2d_s16 = {
    .opcode = SV_MAX_POOL_2D_S16,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_pool2d_s16_parameters),
    .check = sv_check_pool2d_s16,
    .run = run,
};
