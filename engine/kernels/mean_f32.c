/* MEAN and SUM, float32, over neighbouring dimensions: sums grow in the output, then are divided. */
#include "core/checks.h"
#include "core/kernel.h"
#include "kernels/shapes.h"
#include "selvedge/parameters.h"

static sv_status check(const sv_call *call) {
    const sv_mean_f32_parameters *p = sv_parameters(call);
    if (!sv_are(call, SV_FLOAT32) || !sv_is_reduction(call, p->outer, p->count, p->inner)) {
        return SV_BAD_SHAPE;
    }
    return p->divides <= 1 ? SV_OK : SV_BAD_PARAMETER;
}

static float sum_of(const sv_f32 *inputs, uint32_t count) {
    float sum = 0.0f;
    for (uint32_t i = 0; i < count; i++) {
        sum += inputs[i];
    }
    return sum;
}

static void add_to(sv_f32 *restrict sums, const sv_f32 *restrict inputs, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        sums[i] += inputs[i];
    }
}

static void run(const sv_call *call) {
    const sv_mean_f32_parameters *p = sv_parameters(call);
    const sv_f32 *inputs = sv_read(call, sv_input(call, 0));
    sv_f32 *outputs = sv_write(call, sv_output(call, 0));
    for (uint32_t outer = 0; outer < p->outer; outer++, outputs += p->inner) {
        if (p->inner == 1) {
            outputs[0] = sum_of(inputs, p->count);
            inputs += p->count;
        } else {
            memset(outputs, 0, sizeof(float) * p->inner);
            for (uint32_t i = 0; i < p->count; i++, inputs += p->inner) {
                add_to(outputs, inputs, p->inner);
            }
        }
        for (uint32_t i = 0; p->divides && i < p->inner; i++) {
            outputs[i] /= (float)p->count;
        }
    }
}

const sv_kernel sv_mean_f32 = {
    .opcode = SV_MEAN_F32,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_mean_f32_parameters),
    .check = check,
    .run = run,
};
