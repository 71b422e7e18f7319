/* DEQUANTIZE, int8 to float32: scale * (x - zero point). */
#include "core/checks.h"
#include "core/kernel.h"

static sv_status check(const sv_call *call) {
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const int fits = input->dtype == SV_INT8 && output->dtype == SV_FLOAT32;
    return fits && sv_same_shape(input, output) ? SV_OK : SV_BAD_SHAPE;
}

static void run(const sv_call *call) {
    const sv_tensor *input = sv_input(call, 0);
    const int8_t *inputs = sv_read(call, input);
    sv_f32 *outputs = sv_write(call, sv_output(call, 0));
    for (uint32_t i = 0; i < input->bytes; i++) {
        outputs[i] = input->scale * (float)(inputs[i] - input->zero_point);
    }
}

const sv_kernel sv_dequantize_s8_f32 = {
    .opcode = SV_DEQUANTIZE_S8_F32,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .check = check,
    .run = run,
};
