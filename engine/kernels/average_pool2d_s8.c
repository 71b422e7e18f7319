/* AVERAGE_POOL_2D, int8: the mean of the cells inside, halves rounded away from zero; or up, which
 * is the same for bytes that were unsigned. */
#include "core/kernel.h"
#include "kernels/pool2d.h"

static int32_t sum_of(const int8_t *cells, int32_t height, int32_t width, ptrdiff_t row,
                      ptrdiff_t column) {
    int32_t sum = 0;
    for (int32_t y = 0; y < height; y++) {
        for (int32_t x = 0; x < width; x++) {
            sum += cells[y * row + x * column];
        }
    }
    return sum;
}

static int32_t mean(const int8_t *cells, int32_t height, int32_t width, ptrdiff_t row,
                    ptrdiff_t column) {
    const int32_t count = height * width;
    const int32_t sum = sum_of(cells, height, width, row, column);
    return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

static int32_t mean_halves_up(const int8_t *cells, int32_t height, int32_t width, ptrdiff_t row,
                              ptrdiff_t column) {
    const int32_t count = height * width;
    const int32_t sum = sum_of(cells, height, width, row, column) + 128 * count;
    return (sum + count / 2) / count - 128;
}

static void run(const sv_call *call) {
    const sv_pool2d_parameters *p = sv_parameters(call);
    sv_run_pool2d(call, p->halves_up ? mean_halves_up : mean);
}

const sv_kernel sv_average_pool2d_s8 = {
    .opcode = SV_AVERAGE_POOL_2D_S8,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_pool2d_parameters),
    .check = sv_check_pool2d,
    .run = run,
};
