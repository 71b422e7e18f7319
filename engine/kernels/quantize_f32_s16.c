/* QUANTIZE, float32 to int16: x / scale, halves rounded away from zero. */
#include "core/checks.h"
#include "core/kernel.h"

static sv_status check(const sv_call *call) {
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    if (input->dtype != SV_FLOAT32 || output->dtype != SV_INT16 || !sv_same_shape(input, output)) {
        return SV_BAD_SHAPE;
    }
    return output->scale > 0.0f ? SV_OK : SV_BAD_PARAMETER;
}

/* What is no number becomes the lowest value. */
static int16_t quantize(float x, float scale) {
    const float steps = x / scale;
    if (!(steps > (float)INT16_MIN)) {
        return INT16_MIN;
    }
    if (steps >= (float)INT16_MAX) {
        return INT16_MAX;
    }
    const int32_t whole = (int32_t)steps;
    const float rest = steps - (float)whole;
    return (int16_t)(whole + (rest >= 0.5f) - (rest <= -0.5f));
}

static void run(const sv_call *call) {
    const sv_tensor *output = sv_output(call, 0);
    const sv_f32 *inputs = sv_read(call, sv_input(call, 0));
    sv_i16 *outputs = sv_write(call, output);
    const uint32_t count = sv_elements(output);
    for (uint32_t i = 0; i < count; i++) {
        outputs[i] = quantize(inputs[i], output->scale);
    }
}

const sv_kernel sv_quantize_f32_s16 = {
    .opcode = SV_QUANTIZE_F32_S16,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .check = check,
    .run = run,
};
