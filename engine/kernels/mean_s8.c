/* MEAN, int8, over neighbouring dimensions: not AVERAGE_POOL_2D, since it rescales. */
#include "core/checks.h"
#include "core/kernel.h"
#include "fixed_point/mbqm.h"
#include "fixed_point/scale_f32.h"
#include "fixed_point/wrap.h"
#include "kernels/shapes.h"
#include "selvedge/parameters.h"

/* Most int8, less a zero point, whose sum fits in int32. */
enum { MAX_COUNT = 1 << 23 };

static sv_status check(const sv_call *call) {
    const sv_mean_parameters *p = sv_parameters(call);
    if (!sv_are_s8(call) || p->count > MAX_COUNT ||
        !sv_is_reduction(call, p->outer, p->count, p->inner)) {
        return SV_BAD_SHAPE;
    }
    const int is_factor = call->plan->rounding == SV_ROUND_SINGLE
                              ? sv_is_factor_f32(p->multiplier)
                              : p->multiplier >= 0 && sv_is_shift(p->shift);
    return is_factor ? SV_OK : SV_BAD_PARAMETER;
}

/* With single rounding the zero points are in an offset, and the sum is that of the raw bytes. */
static int32_t mean_single(const sv_mean_parameters *p, int32_t sum) {
    const float scaled = (float)sum * sv_float_of_bits(p->multiplier);
    const float mean = scaled + sv_float_of_bits(p->shift);
    return sv_round_within_f32(mean, -128.0f, 127.0f);
}

static int32_t mean_double(const sv_mean_parameters *p, int32_t sum, int32_t zero_in,
                           int32_t zero_out) {
    const int32_t mean =
        sv_mbqm(sum - zero_in * (int32_t)p->count, p->multiplier, p->shift);
    return sv_clamp(mean, -128 - zero_out, 127 - zero_out) + zero_out;
}

static void run(const sv_call *call) {
    const sv_mean_parameters *p = sv_parameters(call);
    const int is_single = call->plan->rounding == SV_ROUND_SINGLE;
    const int32_t zero_in = sv_input(call, 0)->zero_point;
    const int32_t zero_out = sv_output(call, 0)->zero_point;
    const int8_t *inputs = sv_read(call, sv_input(call, 0));
    int8_t *outputs = sv_write(call, sv_output(call, 0));
    for (uint32_t outer = 0; outer < p->outer; outer++, inputs += (size_t)p->count * p->inner) {
        for (uint32_t inner = 0; inner < p->inner; inner++) {
            int32_t sum = 0;
            for (uint32_t i = 0; i < p->count; i++) {
                sum += inputs[(size_t)i * p->inner + inner];
            }
            *outputs++ = (int8_t)(is_single ? mean_single(p, sum)
                                            : mean_double(p, sum, zero_in, zero_out));
        }
    }
}

const sv_kernel sv_mean_s8 = {
    .opcode = SV_MEAN_S8,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_mean_parameters),
    .check = check,
    .run = run,
};
