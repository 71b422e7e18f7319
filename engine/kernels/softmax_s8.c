/* SOFTMAX over the last dimension, int8 to int8 of scale 1/256 and zero point -128. The exponential
 * of a difference of two bytes comes from a table, which holds what the formula gives: in Q0.31, or,
 * with single rounding, in float32. */
#include "core/kernel.h"
#include "core/checks.h"
#include "fixed_point/rdbpot.h"
#include "fixed_point/reciprocal.h"
#include "fixed_point/wrap.h"
#include "selvedge/parameters.h"

/* Sums of this many exponentials, each at most 2^19 in Q12.19, fit in 31 bits. */
enum { MAX_CLASSES = 4095 };

/* The bits of 1.0f; those of smaller positive numbers are smaller. */
enum { ONE_F32 = 0x3f800000 };

static int32_t leading_zeros(uint32_t x) {
    int32_t count = 0;
    for (; !(x & 0x80000000u); x <<= 1) {
        count++;
    }
    return count;
}

/* Every entry at most the first, and the first the one of this rounding, so that no sum is 0. */
static int is_table(const sv_i32 *table, uint32_t rounding) {
    const int32_t first = rounding == SV_ROUND_SINGLE ? ONE_F32 : INT32_MAX;
    for (int32_t i = 0; i < 256; i++) {
        if (table[i] < 0 || table[i] > first) {
            return 0;
        }
    }
    return table[0] == first;
}

static sv_status check(const sv_call *call) {
    const sv_softmax_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    if (!sv_are_s8(call) || !sv_same_shape(input, sv_output(call, 0)) || input->rank < 1 ||
        input->dims[input->rank - 1] > MAX_CLASSES) {
        return SV_BAD_SHAPE;
    }
    return sv_has_constants(call, p->table, 256, 4) &&
                   is_table(sv_constant(call, p->table), call->plan->rounding)
               ? SV_OK
               : SV_BAD_PARAMETER;
}

static int32_t largest_of(const int8_t *inputs, int32_t count) {
    int32_t largest = inputs[0];
    for (int32_t i = 1; i < count; i++) {
        largest = inputs[i] > largest ? inputs[i] : largest;
    }
    return largest;
}

/* The sum is taken in order, and halves are rounded up. */
static void row_single(const int8_t *inputs, int8_t *outputs, int32_t count, const void *constants) {
    const sv_f32 *table = constants;
    const int32_t largest = largest_of(inputs, count);
    float sum = 0.0f;
    for (int32_t i = 0; i < count; i++) {
        sum += table[largest - inputs[i]];
    }
    const float scale = 1.0f / (sum * (1.0f / 256.0f));
    for (int32_t i = 0; i < count; i++) {
        const float share = table[largest - inputs[i]] * scale;
        const int32_t whole = (int32_t)share;
        const int32_t rounded = whole + (share - (float)whole >= 0.5f);
        outputs[i] = (int8_t)sv_clamp(rounded - 128, -128, 127);
    }
}

static void row_double(const int8_t *inputs, int8_t *outputs, int32_t count, const void *constants) {
    const sv_i32 *table = constants;
    const int32_t largest = largest_of(inputs, count);
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
    const void *table = sv_constant(call, p->table);
    const int is_single = call->plan->rounding == SV_ROUND_SINGLE;
    for (; inputs != end; inputs += count, outputs += count) {
        (is_single ? row_single : row_double)(inputs, outputs, count, table);
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
