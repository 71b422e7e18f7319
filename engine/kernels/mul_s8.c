/* MUL, int8, with broadcasting. */
#include "core/kernel.h"
#include "fixed_point/mbqm.h"
#include "fixed_point/scale_f32.h"
#include "fixed_point/wrap.h"
#include "kernels/broadcast.h"
#include "selvedge/parameters.h"

typedef struct job {
    int32_t left_zero, right_zero, output_zero;
    int32_t multiplier, shift;
    float factor; /* the multiplier's bits, where the rounding is single */
    int32_t low, high; /* less the zero point */
} job;

static sv_status check(const sv_call *call) {
    const sv_mul_parameters *p = sv_parameters(call);
    const int is_factor = call->plan->rounding == SV_ROUND_SINGLE
                              ? sv_is_factor_f32(p->multiplier)
                              : p->multiplier >= 0 && sv_is_shift(p->shift);
    return is_factor && p->low <= p->high ? sv_check_broadcast(call, SV_INT8) : SV_BAD_PARAMETER;
}

static void pairs_single(const void *context, const void *lefts, int32_t left_step,
                         const void *rights, int32_t right_step, void *outputs, int32_t count) {
    const job *j = context;
    const int8_t *left = lefts;
    const int8_t *right = rights;
    int8_t *output = outputs;
    const float low = (float)j->low;
    const float high = (float)j->high;
    for (int32_t i = 0; i < count; i++, left += left_step, right += right_step) {
        const int32_t product = (*left - j->left_zero) * (*right - j->right_zero);
        output[i] = (int8_t)(sv_scale_f32(product, j->factor, low, high) + j->output_zero);
    }
}

static void pairs(const void *context, const void *lefts, int32_t left_step,
                  const void *rights, int32_t right_step, void *outputs, int32_t count) {
    const job *j = context;
    const int8_t *left = lefts;
    const int8_t *right = rights;
    int8_t *output = outputs;
    for (int32_t i = 0; i < count; i++, left += left_step, right += right_step) {
        const int32_t product = (*left - j->left_zero) * (*right - j->right_zero);
        const int32_t scaled = sv_mbqm(product, j->multiplier, j->shift);
        output[i] = (int8_t)(sv_clamp(scaled, j->low, j->high) + j->output_zero);
    }
}

static void run(const sv_call *call) {
    const sv_mul_parameters *p = sv_parameters(call);
    const int32_t zero_point = sv_output(call, 0)->zero_point;
    const job j = {
        .left_zero = sv_input(call, 0)->zero_point,
        .right_zero = sv_input(call, 1)->zero_point,
        .output_zero = zero_point,
        .multiplier = p->multiplier,
        .factor = sv_float_of_bits(p->multiplier),
        .shift = p->shift,
        .low = p->low - zero_point,
        .high = p->high - zero_point,
    };
    sv_run_broadcast(call, 1, call->plan->rounding == SV_ROUND_SINGLE ? pairs_single : pairs, &j);
}

const sv_kernel sv_mul_s8 = {
    .opcode = SV_MUL_S8,
    .version = 1,
    .inputs_min = 2,
    .inputs_max = 2,
    .parameter_bytes = sizeof(sv_mul_parameters),
    .in_place = 1,
    .check = check,
    .run = run,
};
