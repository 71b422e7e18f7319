/* FULLY_CONNECTED, int8: rows of `depth` inputs times [units, depth] weights. */
#include "core/kernel.h"
#include "kernels/dot_s8.h"
#include "kernels/output_stage.h"
#include "kernels/shapes.h"

static sv_status check(const sv_call *call) {
    const sv_fully_connected_parameters *p = sv_parameters(call);
    if (!sv_are_s8(call) || p->depth > SV_MAX_TERMS ||
        !sv_is_fully_connected(call, p->units, p->depth)) {
        return SV_BAD_SHAPE;
    }
    if (!sv_has_constants(call, p->weights, (uint64_t)p->units * p->depth, 1)) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_stage(call, &p->stage, p->units);
}

static void run(const sv_call *call) {
    const sv_fully_connected_parameters *p = sv_parameters(call);
    const sv_stage stage = sv_open_stage(call, &p->stage);
    const int32_t depth = (int32_t)p->depth;
    const int32_t units = (int32_t)p->units;
    const int8_t *weights = sv_constant(call, p->weights);
    const int8_t *inputs = sv_read(call, sv_input(call, 0));
    const int8_t *end = inputs + sv_elements(sv_input(call, 0));
    int8_t *outputs = sv_write(call, sv_output(call, 0));
    for (; inputs != end; inputs += depth, outputs += units) {
        const int8_t *row = weights;
        const int32_t correction =
            stage.weight_zero_point ? stage.weight_zero_point * sv_sum_s8(inputs, depth) : 0;
        int32_t unit = 0;
        for (; unit + 4 <= units; unit += 4, row += 4 * (ptrdiff_t)depth) {
            int32_t sums[4] = {0, 0, 0, 0};
            sv_dot4_s8(inputs, row, depth, depth, sums);
            for (int32_t i = 0; i < 4; i++) {
                outputs[unit + i] = sv_to_s8(&stage, unit + i, sv_wrap_sub(sums[i], correction));
            }
        }
        for (; unit < units; unit++, row += depth) {
            const int32_t sum = sv_wrap_sub(sv_dot_s8(inputs, row, depth), correction);
            outputs[unit] = sv_to_s8(&stage, unit, sum);
        }
    }
}

const sv_kernel sv_fully_connected_s8 = {
    .opcode = SV_FULLY_CONNECTED_S8,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_fully_connected_parameters),
    .check = check,
    .run = run,
};
