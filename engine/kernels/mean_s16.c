/* MEAN and SUM, int16, over neighbouring dimensions. */
#include "core/checks.h"
#include "core/kernel.h"
#include "fixed_point/mbqm.h"
#include "fixed_point/wrap.h"
#include "kernels/shapes.h"
#include "selvedge/parameters.h"

/* Most int16 whose sum fits in int32. */
enum { MAX_COUNT = 1 << 16 };

static sv_status check(const sv_call *call) {
    const sv_mean_parameters *p = sv_parameters(call);
    if (!sv_are(call, SV_INT16) || p->count > MAX_COUNT ||
        !sv_is_reduction(call, p->outer, p->count, p->inner)) {
        return SV_BAD_SHAPE;
    }
    return p->multiplier >= 0 && sv_is_shift(p->shift) ? SV_OK : SV_BAD_PARAMETER;
}

static void run(const sv_call *call) {
    const sv_mean_parameters *p = sv_parameters(call);
    const sv_i16 *inputs = sv_read(call, sv_input(call, 0));
    sv_i16 *outputs = sv_write(call, sv_output(call, 0));
    for (uint32_t outer = 0; outer < p->outer; outer++, inputs += (size_t)p->count * p->inner) {
        for (uint32_t inner = 0; inner < p->inner; inner++) {
            int32_t sum = 0;
            for (uint32_t i = 0; i < p->count; i++) {
                sum += inputs[(size_t)i * p->inner + inner];
            }
            const int32_t mean = sv_mbqm(sum, p->multiplier, p->shift);
            *outputs++ = (int16_t)sv_clamp(mean, INT16_MIN, INT16_MAX);
        }
    }
}

const sv_kernel sv_mean_s16 = {
    .opcode = SV_MEAN_S16,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_mean_parameters),
    .check = check,
    .run = run,
};
