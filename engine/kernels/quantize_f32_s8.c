/* QUANTIZE, float32 to int8: x / scale, halves rounded away from zero; or, with single rounding,
 * x * (1 / scale), halves rounded to even. */
#include "core/checks.h"
#include "core/kernel.h"
#include "fixed_point/scale_f32.h"

static sv_status check(const sv_call *call) {
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    if (input->dtype != SV_FLOAT32 || output->dtype != SV_INT8 || !sv_same_shape(input, output)) {
        return SV_BAD_SHAPE;
    }
    return output->scale > 0.0f ? SV_OK : SV_BAD_PARAMETER;
}

/* What is no number becomes the lowest value. */
static int8_t quantize(float x, float scale, int32_t zero_point) {
    const float steps = x / scale;
    if (!(steps > (float)(-128 - zero_point))) {
        return -128;
    }
    if (steps >= (float)(127 - zero_point)) {
        return 127;
    }
    const int32_t whole = (int32_t)steps;
    const float rest = steps - (float)whole;
    return (int8_t)(whole + (rest >= 0.5f) - (rest <= -0.5f) + zero_point);
}

static int8_t quantize_single(float x, float inverse, int32_t zero_point) {
    const float steps = x * inverse;
    return (int8_t)(sv_round_within_f32(steps, (float)(-128 - zero_point),
                                        (float)(127 - zero_point)) +
                    zero_point);
}

static void run(const sv_call *call) {
    const sv_tensor *output = sv_output(call, 0);
    const sv_f32 *inputs = sv_read(call, sv_input(call, 0));
    int8_t *outputs = sv_write(call, output);
    const int is_single = call->plan->rounding == SV_ROUND_SINGLE;
    const float inverse = 1.0f / output->scale;
    for (uint32_t i = 0; i < output->bytes; i++) {
        outputs[i] = is_single ? quantize_single(inputs[i], inverse, output->zero_point)
                               : quantize(inputs[i], output->scale, output->zero_point);
    }
}

const sv_kernel sv_quantize_f32_s8 = {
    .opcode = SV_QUANTIZE_F32_S8,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .check = check,
    .run = run,
};
