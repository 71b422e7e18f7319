/* FULLY_CONNECTED, int16 with int8 weights: rows of `depth` inputs times [units, depth] weights. */
#include "core/kernel.h"
#include "kernels/dot_s16.h"
#include "kernels/output_stage_s16.h"
#include "kernels/shapes.h"

static sv_status check(const sv_call *call) {
    const sv_fully_connected_s16_parameters *p = sv_parameters(call);
    if (!sv_are(call, SV_INT16) || p->depth > SV_MAX_TERMS ||
        !sv_is_fully_connected(call, p->units, p->depth)) {
        return SV_BAD_SHAPE;
    }
    if (!sv_has_constants(call, p->weights, (uint64_t)p->units * p->depth, 1)) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_stage_s16(call, &p->stage, p->units);
}

static void run(const sv_call *call) {
    const sv_fully_connected_s16_parameters *p = sv_parameters(call);
    const sv_stage_s16 stage = sv_open_stage_s16(call, &p->stage);
    const int32_t depth = (int32_t)p->depth;
    const int32_t units = (int32_t)p->units;
    const int8_t *weights = sv_constant(call, p->weights);
    const sv_i16 *inputs = sv_read(call, sv_input(call, 0));
    const sv_i16 *end = inputs + sv_elements(sv_input(call, 0));
    sv_i16 *outputs = sv_write(call, sv_output(call, 0));
    for (; inputs != end; inputs += depth, outputs += units) {
        const int8_t *row = weights;
        int32_t unit = 0;
        for (; unit + 4 <= units; unit += 4, row += 4 * (ptrdiff_t)depth) {
            int64_t sums[4] = {0, 0, 0, 0};
            sv_dot4_s16(inputs, row, depth, depth, sums);
            for (int32_t i = 0; i < 4; i++) {
                outputs[unit + i] = sv_to_s16(&stage, unit + i, sums[i]);
            }
        }
        for (; unit < units; unit++, row += depth) {
            outputs[unit] = sv_to_s16(&stage, unit, sv_dot_s16(inputs, row, depth));
        }
    }
}

const sv_kernel sv_fully_connected_s16 = {
    .opcode = SV_FULLY_CONNECTED_S16,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_fully_connected_s16_parameters),
    .check = check,
    .run = run,
};
