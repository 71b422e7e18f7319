/* DEQUANTIZE, int16 to float32: scale * x. */
#include "core/checks.h"
#include "core/kernel.h"

static sv_status check(const sv_call *call) {
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const int fits = input->dtype == SV_INT16 && output->dtype == SV_FLOAT32;
    return fits && sv_same_shape(input, output) ? SV_OK : SV_BAD_SHAPE;
}

static void run(const sv_call *call) {
    const sv_tensor *input = sv_input(call, 0);
    const sv_i16 *inputs = sv_read(call, input);
    sv_f32 *outputs = sv_write(call, sv_output(call, 0));
    const uint32_t count = sv_elements(input);
    for (uint32_t i = 0; i < count; i++) {
        outputs[i] = input->scale * (float)inputs[i];
    }
}

const sv_kernel sv_dequantize_s16_f32 = {
    .opcode = SV_DEQUANTIZE_S16_F32,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .check = check,
    .run = run,
};
