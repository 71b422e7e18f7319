/* ADD and SUB of tensors of one shape, int8, layout 131: each side, scaled, is a function of one byte,
 * of which two tables are made first. */
#include "core/kernel.h"
#include "fixed_point/mbqm.h"
#include "kernels/add_s8.h"
#include "kernels/cortex_m/kernels.h"
#include "kernels/cortex_m/scaling.h"

enum { BYTES = 256, MAX_RIGHT_SHIFT = 22 };

typedef struct SV_MAY_ALIAS tables {
    int32_t left[BYTES]; /* by the byte taken as unsigned */
    int32_t right[BYTES];
} tables;

static sv_status check(const sv_call *call) {
    const sv_add_parameters *p = sv_parameters(call);
    const sv_status status = sv_check_add(call);
    if (status != SV_OK) {
        return status;
    }
    const sv_tensor *output = sv_output(call, 0);
    if (!sv_same_shape(sv_input(call, 0), output) || !sv_same_shape(sv_input(call, 1), output)) {
        return SV_BAD_SHAPE;
    }
    const int is_fine = call->plan->rounding == SV_ROUND_DOUBLE && p->output_shift < 0 &&
                        p->output_shift >= -MAX_RIGHT_SHIFT &&
                        call->op->scratch_bytes >= sizeof(tables);
    return is_fine ? SV_OK : SV_BAD_PARAMETER;
}

static void fill(int32_t *table, int32_t zero, int32_t multiplier, int32_t shift, int subtract) {
    for (int32_t byte = -128; byte < 128; byte++) {
        const int32_t scaled =
            sv_mbqm((byte - zero) * (1 << SV_ADD_LEFT_SHIFT), multiplier, shift);
        table[(uint8_t)byte] = subtract ? sv_wrap_sub(0, scaled) : scaled;
    }
}

static void run(const sv_call *call) {
    const sv_add_parameters *p = sv_parameters(call);
    const sv_add_job j = sv_open_add(call);
    tables *t = (tables *)(void *)(call->arena + call->op->scratch);
    fill(t->left, j.left_zero, p->left_multiplier, p->left_shift, 0);
    fill(t->right, j.right_zero, p->right_multiplier, p->right_shift, p->subtract);
    const uint8_t *left = sv_read(call, sv_input(call, 0));
    const uint8_t *right = sv_read(call, sv_input(call, 1));
    int8_t *output = sv_write(call, sv_output(call, 0));
    const uint32_t count = sv_elements(sv_output(call, 0));
    const int32_t doubled = sv_doubled(p->output_multiplier);
    const uint32_t shift = (uint32_t)(-p->output_shift - 1);
    const int32_t half = sv_half(2 * j.output_zero + 1, shift);
    for (const int8_t *end = output + count; output != end; output++) {
        const int32_t sum = sv_wrap_add(t->left[*left++], t->right[*right++]);
        *output = (int8_t)sv_scale_s8(sum, doubled, shift, half);
    }
    sv_clamp_outputs(p->low, p->high, sv_write(call, sv_output(call, 0)), count);
}

const sv_kernel sv_add_s8_cortex_m = {
    .opcode = SV_ADD_S8,
    .version = 1,
    .layout = 131,
    .check = check,
    .run = run,
    .inputs_min = 2,
    .inputs_max = 2,
    .parameter_bytes = sizeof(sv_add_parameters),
    .in_place = 1,
};
