/* Functions of one float32: RELU and its kin, LEAKY_RELU, LOGISTIC, TANH, HARD_SWISH. */
#include "core/kernel.h"
#include "floating_point/sigmoid.h"
#include "kernels/float_stage.h"

static sv_status check(const sv_call *call) {
    const sv_unary_f32_parameters *p = sv_parameters(call);
    if (!sv_are(call, SV_FLOAT32) || !sv_same_shape(sv_input(call, 0), sv_output(call, 0))) {
        return SV_BAD_SHAPE;
    }
    return p->function <= SV_FUNCTION_HARD_SWISH && sv_is_range(p->low, p->high)
               ? SV_OK
               : SV_BAD_PARAMETER;
}

static void run(const sv_call *call) {
    const sv_unary_f32_parameters p = *(const sv_unary_f32_parameters *)sv_parameters(call);
    const sv_f32 *inputs = sv_read(call, sv_input(call, 0));
    sv_f32 *outputs = sv_write(call, sv_output(call, 0));
    const uint32_t count = sv_elements(sv_input(call, 0));
    switch (p.function) {
    case SV_FUNCTION_CLAMP:
        for (uint32_t i = 0; i < count; i++) {
            outputs[i] = sv_limit(inputs[i], p.low, p.high);
        }
        break;
    case SV_FUNCTION_LEAKY_RELU:
        for (uint32_t i = 0; i < count; i++) {
            outputs[i] = inputs[i] > 0.0f ? inputs[i] : inputs[i] * p.slope;
        }
        break;
    case SV_FUNCTION_LOGISTIC:
        for (uint32_t i = 0; i < count; i++) {
            outputs[i] = sv_logistic(inputs[i]);
        }
        break;
    case SV_FUNCTION_TANH:
        for (uint32_t i = 0; i < count; i++) {
            outputs[i] = sv_tanh(inputs[i]);
        }
        break;
    default: /* HARD_SWISH */
        for (uint32_t i = 0; i < count; i++) {
            outputs[i] = inputs[i] * sv_limit(inputs[i] + 3.0f, 0.0f, 6.0f) / 6.0f;
        }
    }
}

const sv_kernel sv_unary_f32 = {
    .opcode = SV_UNARY_F32,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_unary_f32_parameters),
    .in_place = 1,
    .check = check,
    .run = run,
};
