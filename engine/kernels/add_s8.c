/* ADD and SUB, int8, with broadcasting: both sides are brought to one scale in Q20 first, or, with
 * single rounding, to one power of two of the output's scale. */
#include "core/kernel.h"
#include "fixed_point/mbqm.h"
#include "fixed_point/wrap.h"
#include "kernels/add_s8.h"

/* Multipliers of single rounding: two products with 255, and half a step, fit in int32. */
enum { MAX_SINGLE = 1 << 21, MAX_SINGLE_SHIFT = 30 };

static sv_status check_single(const sv_add_parameters *p) {
    const int is_fine = p->left_multiplier >= 0 && p->left_multiplier <= MAX_SINGLE &&
                        p->right_multiplier >= 0 && p->right_multiplier <= MAX_SINGLE &&
                        p->output_shift >= 1 && p->output_shift <= MAX_SINGLE_SHIFT;
    return is_fine && p->subtract <= 1 && p->low <= p->high ? SV_OK : SV_BAD_PARAMETER;
}

static sv_status check_double(const sv_add_parameters *p) {
    const int is_fine = p->left_multiplier >= 0 && p->right_multiplier >= 0 &&
                        p->output_multiplier >= 0 && sv_is_shift(p->left_shift) &&
                        sv_is_shift(p->right_shift) && sv_is_shift(p->output_shift);
    return is_fine && p->subtract <= 1 && p->low <= p->high ? SV_OK : SV_BAD_PARAMETER;
}

sv_status sv_check_add(const sv_call *call) {
    const sv_add_parameters *p = sv_parameters(call);
    const sv_status status =
        call->plan->rounding == SV_ROUND_SINGLE ? check_single(p) : check_double(p);
    return status == SV_OK ? sv_check_broadcast(call, SV_INT8) : status;
}

static void pairs_single(const void *context, const void *lefts, int32_t left_step,
                         const void *rights, int32_t right_step, void *outputs, int32_t count) {
    const sv_add_job *j = context;
    const int8_t *left = lefts;
    const int8_t *right = rights;
    int8_t *output = outputs;
    const sv_add_parameters p = *j->p;
    const int32_t right_multiplier = p.subtract ? -p.right_multiplier : p.right_multiplier;
    const int32_t half = 1 << (p.output_shift - 1);
    for (int32_t i = 0; i < count; i++, left += left_step, right += right_step) {
        const int32_t sum = (*left - j->left_zero) * p.left_multiplier +
                            (*right - j->right_zero) * right_multiplier;
        const int32_t scaled = (sum + half) >> p.output_shift;
        output[i] = (int8_t)(sv_clamp(scaled, j->low, j->high) + j->output_zero);
    }
}

static void pairs_double(const void *context, const void *lefts, int32_t left_step,
                         const void *rights, int32_t right_step, void *outputs, int32_t count) {
    const sv_add_job *j = context;
    const int8_t *left = lefts;
    const int8_t *right = rights;
    int8_t *output = outputs;
    const sv_add_parameters p = *j->p;
    for (int32_t i = 0; i < count; i++, left += left_step, right += right_step) {
        const int32_t a = sv_mbqm((*left - j->left_zero) * (1 << SV_ADD_LEFT_SHIFT),
                                  p.left_multiplier, p.left_shift);
        const int32_t b = sv_mbqm((*right - j->right_zero) * (1 << SV_ADD_LEFT_SHIFT),
                                  p.right_multiplier, p.right_shift);
        const int32_t sum = p.subtract ? sv_wrap_sub(a, b) : sv_wrap_add(a, b);
        const int32_t scaled = sv_mbqm(sum, p.output_multiplier, p.output_shift);
        output[i] = (int8_t)(sv_clamp(scaled, j->low, j->high) + j->output_zero);
    }
}

sv_add_job sv_open_add(const sv_call *call) {
    const sv_add_parameters *p = sv_parameters(call);
    const int32_t zero_point = sv_output(call, 0)->zero_point;
    const int is_single = call->plan->rounding == SV_ROUND_SINGLE;
    return (sv_add_job){
        .p = p,
        .left_zero = sv_input(call, 0)->zero_point,
        .right_zero = sv_input(call, 1)->zero_point,
        .output_zero = zero_point,
        .low = p->low - zero_point,
        .high = p->high - zero_point,
        .pairs = is_single ? pairs_single : pairs_double,
    };
}

static void run(const sv_call *call) {
    const sv_add_job j = sv_open_add(call);
    sv_run_broadcast(call, 1, j.pairs, &j);
}

const sv_kernel sv_add_s8 = {
    .opcode = SV_ADD_S8,
    .version = 1,
    .inputs_min = 2,
    .inputs_max = 2,
    .parameter_bytes = sizeof(sv_add_parameters),
    .in_place = 1,
    .check = sv_check_add,
    .run = run,
};
