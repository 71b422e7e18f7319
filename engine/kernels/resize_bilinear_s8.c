/* RESIZE_BILINEAR, int8: between which rows and columns, and how far, is in two tables. */
#include "core/checks.h"
#include "core/kernel.h"
#include "selvedge/parameters.h"

/* An output position lies between two input positions, `share` of the whole towards the second. */
typedef struct SV_MAY_ALIAS between {
    uint16_t first;
    uint16_t second;
    uint16_t share;
} between;

/* What stands for the whole distance between two positions. */
static int32_t whole_of(const sv_call *call) {
    return call->plan->rounding == SV_ROUND_SINGLE ? 1 << 11 : 1 << 10;
}

static int has_table(const sv_call *call, uint32_t offset, uint32_t count, uint32_t length) {
    if (!sv_has_constants(call, offset, count * UINT64_C(3), 2)) {
        return 0;
    }
    const between *table = sv_constant(call, offset);
    for (uint32_t i = 0; i < count; i++) {
        if (table[i].first >= length || table[i].second >= length || table[i].share > whole_of(call)) {
            return 0;
        }
    }
    return 1;
}

static sv_status check(const sv_call *call) {
    const sv_resize_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    if (!sv_are_s8(call) || !sv_is_image(input) || !sv_is_image(output) ||
        input->dims[0] != output->dims[0] || input->dims[3] != output->dims[3]) {
        return SV_BAD_SHAPE;
    }
    return has_table(call, p->rows, output->dims[1], input->dims[1]) &&
                   has_table(call, p->columns, output->dims[2], input->dims[2])
               ? SV_OK
               : SV_BAD_PARAMETER;
}

/* Halves are rounded away from zero; with single rounding up. */
static int8_t rounded(int32_t sum, int32_t whole, int is_single) {
    const int32_t half = whole * (whole / 2);
    return (int8_t)(is_single ? (sum + half) >> 22
                              : (sum + (sum > 0 ? half : -half)) / (whole * whole));
}

static void run(const sv_call *call) {
    const sv_resize_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const between *rows = sv_constant(call, p->rows);
    const between *columns = sv_constant(call, p->columns);
    const int32_t whole = whole_of(call);
    const int is_single = call->plan->rounding == SV_ROUND_SINGLE;
    const size_t channels = input->dims[3];
    const size_t row = input->dims[2] * channels;
    const int8_t *image = sv_read(call, input);
    int8_t *target = sv_write(call, output);
    for (uint32_t n = 0; n < input->dims[0]; n++, image += input->dims[1] * row) {
        for (uint32_t y = 0; y < output->dims[1]; y++) {
            const int8_t *above = image + rows[y].first * row;
            const int8_t *below = image + rows[y].second * row;
            const int32_t down = rows[y].share;
            for (uint32_t x = 0; x < output->dims[2]; x++, target += channels) {
                const size_t left = columns[x].first * channels;
                const size_t right = columns[x].second * channels;
                const int32_t across = columns[x].share;
                for (size_t c = 0; c < channels; c++) {
                    const int32_t top =
                        above[left + c] * (whole - across) + above[right + c] * across;
                    const int32_t bottom =
                        below[left + c] * (whole - across) + below[right + c] * across;
                    target[c] = rounded(top * (whole - down) + bottom * down, whole, is_single);
                }
            }
        }
    }
}

const sv_kernel sv_resize_bilinear_s8 = {
    .opcode = SV_RESIZE_BILINEAR_S8,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_resize_parameters),
    .check = check,
    .run = run,
};
