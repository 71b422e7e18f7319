/* MUL, int16, with broadcasting. */
#include "core/kernel.h"
#include "fixed_point/mbqm.h"
#include "fixed_point/wrap.h"
#include "kernels/broadcast.h"
#include "selvedge/parameters.h"

static sv_status check(const sv_call *call) {
    const sv_mul_s16_parameters *p = sv_parameters(call);
    if (p->multiplier < 0 || !sv_is_shift(p->shift) || p->low > p->high) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_broadcast(call, SV_INT16);
}

static void pairs(const void *context, const void *lefts, int32_t left_step, const void *rights,
                  int32_t right_step, void *outputs, int32_t count) {
    const sv_mul_s16_parameters p = *(const sv_mul_s16_parameters *)context;
    const sv_i16 *left = lefts;
    const sv_i16 *right = rights;
    sv_i16 *output = outputs;
    for (int32_t i = 0; i < count; i++, left += left_step, right += right_step) {
        const int32_t scaled = sv_mbqm(*left * *right, p.multiplier, p.shift);
        output[i] = (int16_t)sv_clamp(scaled, p.low, p.high);
    }
}

static void run(const sv_call *call) {
    sv_run_broadcast(call, sizeof(int16_t), pairs, sv_parameters(call));
}

const sv_kernel sv_mul_s16 = {
    .opcode = SV_MUL_S16,
    .version = 1,
    .inputs_min = 2,
    .inputs_max = 2,
    .parameter_bytes = sizeof(sv_mul_s16_parameters),
    .in_place = 1,
    .check = check,
    .run = run,
};
