/* Any function of one int8 that gives an int8: RELU, LOGISTIC, TANH, HARD_SWISH, int8 QUANTIZE. */
#include "core/checks.h"
#include "core/kernel.h"
#include "selvedge/parameters.h"

static sv_status check(const sv_call *call) {
    const sv_table_parameters *p = sv_parameters(call);
    if (!sv_are_s8(call) || !sv_same_shape(sv_input(call, 0), sv_output(call, 0))) {
        return SV_BAD_SHAPE;
    }
    return sv_has_constants(call, p->table, 256, 1) ? SV_OK : SV_BAD_PARAMETER;
}

static void run(const sv_call *call) {
    const sv_table_parameters *p = sv_parameters(call);
    const int8_t *table = sv_constant(call, p->table);
    const uint8_t *inputs = sv_read(call, sv_input(call, 0));
    int8_t *outputs = sv_write(call, sv_output(call, 0));
    const uint32_t count = sv_elements(sv_input(call, 0));
    for (uint32_t i = 0; i < count; i++) {
        outputs[i] = table[inputs[i]];
    }
}

const sv_kernel sv_table_s8 = {
    .opcode = SV_TABLE_S8,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_table_parameters),
    .in_place = 1,
    .check = check,
    .run = run,
};
