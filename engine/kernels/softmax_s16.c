/* SOFTMAX over the last dimension, int16 to int16 of scale 1/32768, by two tables: exp over [-10, 0]
 * and 1 / (1 + x) over [0, 1]. */
#include "core/checks.h"
#include "core/kernel.h"
#include "fixed_point/mbqm.h"
#include "fixed_point/wrap.h"
#include "kernels/lookup_s16.h"
#include "selvedge/parameters.h"

/* Sums of this many exponentials, each at most 2^15 - 1, fit in 31 bits. */
enum { MAX_CLASSES = 65535 };

/* Nowhere falling, and at least 2 at the end, where the largest input's exponential is found. */
static int is_exponential(const sv_i16 *table) {
    for (int32_t i = 0; i + 1 < SV_LOOKUP_ENTRIES; i++) {
        if (table[i] < 0 || table[i] > table[i + 1]) {
            return 0;
        }
    }
    return table[SV_LOOKUP_ENTRIES - 2] >= 2;
}

static sv_status check(const sv_call *call) {
    const sv_softmax_s16_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    if (!sv_are(call, SV_INT16) || !sv_same_shape(input, sv_output(call, 0)) || input->rank < 1 ||
        input->dims[input->rank - 1] > MAX_CLASSES) {
        return SV_BAD_SHAPE;
    }
    if (p->multiplier < 0 || !sv_is_shift(p->shift) ||
        !sv_has_constants(call, p->exponential, SV_LOOKUP_ENTRIES, 2) ||
        !sv_has_constants(call, p->reciprocal, SV_LOOKUP_ENTRIES, 2)) {
        return SV_BAD_PARAMETER;
    }
    return is_exponential(sv_constant(call, p->exponential)) ? SV_OK : SV_BAD_PARAMETER;
}

static int32_t exponential(const sv_softmax_s16_parameters *p, const sv_i16 *table, int32_t below) {
    const int32_t steps = sv_wrap_add(sv_mbqm(below, p->multiplier, p->shift), INT16_MAX);
    return sv_lookup_s16(table, sv_clamp(steps, INT16_MIN, INT16_MAX));
}

static void row_of(const sv_call *call, const sv_i16 *inputs, sv_i16 *outputs, int32_t count) {
    const sv_softmax_s16_parameters *p = sv_parameters(call);
    const sv_i16 *table = sv_constant(call, p->exponential);
    int32_t largest = inputs[0];
    for (int32_t i = 1; i < count; i++) {
        largest = inputs[i] > largest ? inputs[i] : largest;
    }
    uint32_t sum = 0;
    for (int32_t i = 0; i < count; i++) {
        const int32_t share = exponential(p, table, inputs[i] - largest);
        outputs[i] = (int16_t)share;
        sum += (uint32_t)share;
    }
    int32_t shift = 30; /* of the sum's leading bit: at least 1 */
    while (!(sum >> shift)) {
        shift--;
    }
    const int64_t mantissa = (((int64_t)sum << (30 - shift)) + (1 << 13)) >> 14;
    const int32_t beyond_one = (int32_t)mantissa - ((1 << 15) + (1 << 16));
    const int32_t reciprocal = sv_lookup_s16(sv_constant(call, p->reciprocal),
                                             sv_clamp(beyond_one, INT16_MIN, INT16_MAX));
    for (int32_t i = 0; i < count; i++) {
        const int64_t share = (int64_t)outputs[i] * reciprocal;
        const int64_t rounded = (share + (INT64_C(1) << (shift - 1))) >> shift;
        outputs[i] = (int16_t)(rounded < 0 ? 0 : rounded > INT16_MAX ? INT16_MAX : rounded);
    }
}

static void run(const sv_call *call) {
    const sv_tensor *input = sv_input(call, 0);
    const int32_t count = (int32_t)input->dims[input->rank - 1];
    const sv_i16 *inputs = sv_read(call, input);
    const sv_i16 *end = inputs + sv_elements(input);
    sv_i16 *outputs = sv_write(call, sv_output(call, 0));
    for (; inputs != end; inputs += count, outputs += count) {
        row_of(call, inputs, outputs, count);
    }
}

const sv_kernel sv_softmax_s16 = {
    .opcode = SV_SOFTMAX_S16,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_softmax_s16_parameters),
    .in_place = 1,
    .check = check,
    .run = run,
};
