/* SOFTMAX over the last dimension, float32. */
#include "core/checks.h"
#include "core/kernel.h"
#include "floating_point/exp.h"
#include "selvedge/parameters.h"

static sv_status check(const sv_call *call) {
    const sv_softmax_f32_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    if (!sv_are(call, SV_FLOAT32) || !sv_same_shape(input, sv_output(call, 0)) || input->rank < 1) {
        return SV_BAD_SHAPE;
    }
    return p->beta >= 0.0f && p->beta <= 1e30f ? SV_OK : SV_BAD_PARAMETER;
}

static void row_of(const sv_f32 *inputs, sv_f32 *outputs, int32_t count, float beta) {
    float largest = inputs[0];
    for (int32_t i = 1; i < count; i++) {
        largest = inputs[i] > largest ? inputs[i] : largest;
    }
    float sum = 0.0f;
    for (int32_t i = 0; i < count; i++) {
        const float share = sv_exp((inputs[i] - largest) * beta);
        outputs[i] = share;
        sum += share;
    }
    for (int32_t i = 0; i < count; i++) {
        outputs[i] /= sum;
    }
}

static void run(const sv_call *call) {
    const sv_softmax_f32_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const int32_t count = (int32_t)input->dims[input->rank - 1];
    const sv_f32 *inputs = sv_read(call, input);
    const sv_f32 *end = inputs + sv_elements(input);
    sv_f32 *outputs = sv_write(call, sv_output(call, 0));
    for (; inputs != end; inputs += count, outputs += count) {
        row_of(inputs, outputs, count, p->beta);
    }
}

const sv_kernel sv_softmax_f32 = {
    .opcode = SV_SOFTMAX_F32,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_softmax_f32_parameters),
    .in_place = 1,
    .check = check,
    .run = run,
};
