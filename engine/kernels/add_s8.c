/* ADD and SUB, int8, with broadcasting: both sides are brought to one scale in Q20 first. */
#include "core/kernel.h"
#include "fixed_point/mbqm.h"
#include "fixed_point/wrap.h"
#include "kernels/broadcast.h"
#include "selvedge/parameters.h"

enum { LEFT_SHIFT = 20 };

typedef struct job {
    const sv_add_parameters *p;
    int32_t left_zero, right_zero, output_zero;
    int32_t low, high; /* less the zero point */
    uint32_t rounding;
} job;

static sv_status check(const sv_call *call) {
    const sv_add_parameters *p = sv_parameters(call);
    if (p->left_multiplier < 0 || p->right_multiplier < 0 || p->output_multiplier < 0 ||
        !sv_is_shift(p->left_shift) || !sv_is_shift(p->right_shift) ||
        !sv_is_shift(p->output_shift) || p->subtract > 1 || p->low > p->high) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_broadcast(call);
}

static void pairs(const void *context, const int8_t *left, int32_t left_step, const int8_t *right,
                  int32_t right_step, int8_t *output, int32_t count) {
    const job *j = context;
    const sv_add_parameters p = *j->p;
    for (int32_t i = 0; i < count; i++, left += left_step, right += right_step) {
        const int32_t a = sv_mbqm((*left - j->left_zero) * (1 << LEFT_SHIFT), p.left_multiplier,
                                  p.left_shift, j->rounding);
        const int32_t b = sv_mbqm((*right - j->right_zero) * (1 << LEFT_SHIFT),
                                  p.right_multiplier, p.right_shift, j->rounding);
        const int32_t sum = p.subtract ? sv_wrap_sub(a, b) : sv_wrap_add(a, b);
        const int32_t scaled = sv_mbqm(sum, p.output_multiplier, p.output_shift, j->rounding);
        output[i] = (int8_t)(sv_clamp(scaled, j->low, j->high) + j->output_zero);
    }
}

static void run(const sv_call *call) {
    const sv_add_parameters *p = sv_parameters(call);
    const int32_t zero_point = sv_output(call, 0)->zero_point;
    const job j = {
        .p = p,
        .left_zero = sv_input(call, 0)->zero_point,
        .right_zero = sv_input(call, 1)->zero_point,
        .output_zero = zero_point,
        .low = p->low - zero_point,
        .high = p->high - zero_point,
        .rounding = call->plan->rounding,
    };
    sv_run_broadcast(call, pairs, &j);
}

const sv_kernel sv_add_s8 = {
    .opcode = SV_ADD_S8,
    .version = 1,
    .inputs_min = 2,
    .inputs_max = 2,
    .parameter_bytes = sizeof(sv_add_parameters),
    .in_place = 1,
    .check = check,
    .run = run,
};
