/* FULLY_CONNECTED, float32: rows of `depth` inputs times [units, depth] weights. */
#include "core/kernel.h"
#include "kernels/dot_f32.h"
#include "kernels/float_stage.h"
#include "kernels/shapes.h"

static sv_status check(const sv_call *call) {
    const sv_fully_connected_f32_parameters *p = sv_parameters(call);
    if (!sv_are(call, SV_FLOAT32) || p->depth > INT32_MAX || p->units > INT32_MAX ||
        !sv_is_fully_connected(call, p->units, p->depth)) {
        return SV_BAD_SHAPE;
    }
    if (!sv_has_constants(call, p->weights, (uint64_t)p->units * p->depth, 4)) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_float_stage(call, &p->stage, p->units);
}

static void run(const sv_call *call) {
    const sv_fully_connected_f32_parameters *p = sv_parameters(call);
    const sv_f32 *bias = sv_constant(call, p->stage.bias);
    const float low = p->stage.low, high = p->stage.high;
    const int32_t depth = (int32_t)p->depth;
    const int32_t units = (int32_t)p->units;
    const sv_f32 *weights = sv_constant(call, p->weights);
    const sv_f32 *inputs = sv_read(call, sv_input(call, 0));
    const sv_f32 *end = inputs + sv_elements(sv_input(call, 0));
    sv_f32 *outputs = sv_write(call, sv_output(call, 0));
    for (; inputs != end; inputs += depth, outputs += units) {
        const sv_f32 *row = weights;
        int32_t unit = 0;
        for (; unit + 4 <= units; unit += 4, row += 4 * (ptrdiff_t)depth) {
            float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
            sv_dot4_f32(inputs, row, depth, depth, sums);
            for (int32_t i = 0; i < 4; i++) {
                outputs[unit + i] = sv_limit(sums[i] + bias[unit + i], low, high);
            }
        }
        for (; unit < units; unit++, row += depth) {
            const float sum = sv_dot_f32(inputs, row, depth, 0.0f);
            outputs[unit] = sv_limit(sum + bias[unit], low, high);
        }
    }
}

const sv_kernel sv_fully_connected_f32 = {
    .opcode = SV_FULLY_CONNECTED_F32,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_fully_connected_f32_parameters),
    .check = check,
    .run = run,
};
