/* LOGISTIC and TANH, int16 to int16 of scale 1/32768; tanh(x) = 2 logistic(2x) - 1: one table. */
#include "core/checks.h"
#include "core/kernel.h"
#include "fixed_point/wrap.h"
#include "selvedge/parameters.h"

enum { ENTRIES = 256, MAX_MULTIPLIER = INT16_MAX, MAX_SHIFT = 31 };

static sv_status check(const sv_call *call) {
    const sv_sigmoid_s16_parameters *p = sv_parameters(call);
    if (!sv_are(call, SV_INT16) || !sv_same_shape(sv_input(call, 0), sv_output(call, 0))) {
        return SV_BAD_SHAPE;
    }
    const int is_function =
        p->function == SV_FUNCTION_LOGISTIC || p->function == SV_FUNCTION_TANH;
    if (!is_function || p->multiplier < 0 || p->multiplier > MAX_MULTIPLIER ||
        p->shift > MAX_SHIFT || !sv_has_constants(call, p->table, ENTRIES, 2)) {
        return SV_BAD_PARAMETER;
    }
    return SV_OK;
}

/* The table's value at a size in 2^-bits of an entry's distance, with as many bits more. */
static int32_t value_at(const sv_u16 *table, int32_t size, int32_t bits, int32_t most) {
    const int32_t entry = size >> bits;
    if (entry >= ENTRIES - 1) {
        return most;
    }
    const int32_t here = table[entry];
    return (here << bits) + (size & ((1 << bits) - 1)) * (table[entry + 1] - here);
}

static int32_t logistic(const sv_u16 *table, int32_t x) {
    const int32_t share = value_at(table, x < 0 ? -x : x, 9, INT16_MAX << 10);
    return (x < 0 ? (1 << 25) - share + 511 : share + 512) >> 10;
}

static int32_t tanh_of(const sv_u16 *table, int32_t x) {
    const int32_t share = value_at(table, x < 0 ? -x : x, 8, UINT16_MAX << 8);
    return (x < 0 ? (1 << 23) - share + 127 : share - (1 << 23) + 128) >> 8;
}

static void run(const sv_call *call) {
    const sv_sigmoid_s16_parameters *p = sv_parameters(call);
    const sv_u16 *table = sv_constant(call, p->table);
    const int32_t half = p->shift ? 1 << (p->shift - 1) : 0;
    const sv_i16 *inputs = sv_read(call, sv_input(call, 0));
    sv_i16 *outputs = sv_write(call, sv_output(call, 0));
    const uint32_t count = sv_elements(sv_input(call, 0));
    for (uint32_t i = 0; i < count; i++) {
        const int32_t x = (inputs[i] * p->multiplier + half) >> p->shift;
        const int32_t y =
            p->function == SV_FUNCTION_TANH ? tanh_of(table, x) : logistic(table, x);
        outputs[i] = (int16_t)sv_clamp(y, INT16_MIN, INT16_MAX);
    }
}

const sv_kernel sv_sigmoid_s16 = {
    .opcode = SV_SIGMOID_S16,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_sigmoid_s16_parameters),
    .in_place = 1,
    .check = check,
    .run = run,
};
