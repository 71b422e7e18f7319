/* SOFTMAX over the last dimension, int8 to int8 of scale 1/256 and zero point -128. The exponential
 * of a difference of two bytes comes from a table, which holds what the formula gives. */
#include "core/kernel.h"
#include "core/checks.h"
#include "fixed_point/rdbpot.h"
#include "fixed_point/reciprocal.h"
#include "selvedge/parameters.h"

/* Sums of this many exponentials, each at most 2^19 in Q12.19, fit in 31 bits. */
enum { MAX_CLASSES = 4095 };

static int32_t leading_zeros(uint32_t x) {
    int32_t count = 0;
    for (; !(x & 0x80000000u); x <<= 1) {
        count++;
    }
    return count;
}

static sv_status check(const sv_call *call) {
    const sv_softmax_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    if (!sv_are_s8(call) || !sv_same_shape(input, sv_output(call, 0)) || input->rank < 1 ||
        input->dims[input->rank - 1] > MAX_CLASSES) {
        return SV_BAD_SHAPE;
    }
    if (!sv_has_constants(call, p->table, 256, 4)) {
        return SV_BAD_PARAMETER;
    }
    const sv_i32 *table = sv_constant(call, p->table);
    for (int32_t i = 0; i < 256; i++) {
        if (table[i] < 0) {
            return SV_BAD_PARAMETER;
        }
    }
    return table[0] == INT32_MAX ? SV_OK : SV_BAD_PARAMETER; /* so that the sum is not 0 */
}

static void row_of(const int8_t *inputs, int8_t *outputs, int32_t count, const sv_i32 *table) {
    int32_t largest = inputs[0];
    for (int32_t i = 1; i < count; i++) {
        largest = inputs[i] > largest ? inputs[i] : largest;
    }
    uint32_t sum = 0;
    for (int32_t i = 0; i < count; i++) {
        sum += (uint32_t)sv_rdbpot(table[largest - inputs[i]], 12);
    }
    const int32_t headroom = leading_zeros(sum);
    const int32_t scale = sv_reciprocal((int32_t)((sum << headroom) - 0x80000000u));
    const int32_t exponent = 12 - headroom + 23;
    for (int32_t i = 0; i < count; i++) {
        const int32_t product = sv_srdhm(scale, table[largest - inputs[i]]);
        const int32_t share = exponent > 31 ? 0 : sv_rdbpot(product, exponent);
        outputs[i] = (int8_t)sv_clamp(share - 128, -128, 127);
    }
}

static void run(const sv_call *call) {
    const sv_softmax_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const int32_t count = (int32_t)input->dims[input->rank - 1];
    const int8_t *inputs = sv_read(call, input);
    const int8_t *end = inputs + sv_elements(input);
    int8_t *outputs = sv_write(call, sv_output(call, 0));
    for (; inputs != end; inputs += count, outputs += count) {
        row_of(inputs, outputs, count, sv_constant(call, p->table));
    }
}

const sv_kernel sv_softmax_s8 = {
    .opcode = SV_SOFTMAX_S8,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_softmax_parameters),
    .in_place = 1,
    .check = check,
    .run = run,
};
