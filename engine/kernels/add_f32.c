/* ADD and SUB, float32, with broadcasting. */
#include "core/kernel.h"
#include "kernels/broadcast.h"
#include "kernels/float_stage.h"

static sv_status check(const sv_call *call) {
    const sv_add_f32_parameters *p = sv_parameters(call);
    if (p->subtract > 1 || !sv_is_range(p->low, p->high)) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_broadcast(call, SV_FLOAT32);
}

static void pairs(const void *context, const void *lefts, int32_t left_step, const void *rights,
                  int32_t right_step, void *outputs, int32_t count) {
    const sv_add_f32_parameters *p = context;
    const float low = p->low, high = p->high, sign = p->subtract ? -1.0f : 1.0f;
    const sv_f32 *left = lefts;
    const sv_f32 *right = rights;
    sv_f32 *output = outputs;
    if (left_step == 1 && right_step == 1) { /* in vectors, where there are any */
        for (int32_t i = 0; i < count; i++) {
            output[i] = sv_limit(left[i] + sign * right[i], low, high);
        }
        return;
    }
    for (int32_t i = 0; i < count; i++, left += left_step, right += right_step) {
        output[i] = sv_limit(*left + sign * *right, low, high);
    }
}

static void run(const sv_call *call) {
    sv_run_broadcast(call, sizeof(float), pairs, sv_parameters(call));
}

const sv_kernel sv_add_f32 = {
    .opcode = SV_ADD_F32,
    .version = 1,
    .inputs_min = 2,
    .inputs_max = 2,
    .parameter_bytes = sizeof(sv_add_f32_parameters),
    .in_place = 1,
    .check = check,
    .run = run,
};
