/* RESIZE_NEAREST_NEIGHBOR, whatever the type: which row and column is taken is in two tables. */
#include "core/checks.h"
#include "core/kernel.h"
#include "selvedge/parameters.h"

static int has_table(const sv_call *call, uint32_t offset, uint32_t count, uint32_t length) {
    if (!sv_has_constants(call, offset, count, 2)) {
        return 0;
    }
    const sv_u16 *table = sv_constant(call, offset);
    for (uint32_t i = 0; i < count; i++) {
        if (table[i] >= length) {
            return 0;
        }
    }
    return 1;
}

static sv_status check(const sv_call *call) {
    const sv_resize_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    if (!sv_is_image(input) || !sv_is_image(output) || input->dtype != output->dtype ||
        input->dims[0] != output->dims[0] || input->dims[3] != output->dims[3]) {
        return SV_BAD_SHAPE;
    }
    return has_table(call, p->rows, output->dims[1], input->dims[1]) &&
                   has_table(call, p->columns, output->dims[2], input->dims[2])
               ? SV_OK
               : SV_BAD_PARAMETER;
}

static void run(const sv_call *call) {
    const sv_resize_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const sv_u16 *rows = sv_constant(call, p->rows);
    const sv_u16 *columns = sv_constant(call, p->columns);
    const size_t pixel = (size_t)input->dims[3] * sv_element_bytes(input);
    const size_t row = input->dims[2] * pixel;
    const uint8_t *image = sv_read(call, input);
    uint8_t *target = sv_write(call, output);
    for (uint32_t n = 0; n < input->dims[0]; n++, image += input->dims[1] * row) {
        for (uint32_t y = 0; y < output->dims[1]; y++) {
            for (uint32_t x = 0; x < output->dims[2]; x++, target += pixel) {
                memcpy(target, image + rows[y] * row + columns[x] * pixel, pixel);
            }
        }
    }
}

const sv_kernel sv_resize_nearest = {
    .opcode = SV_RESIZE_NEAREST,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_resize_parameters),
    .check = check,
    .run = run,
};
