/* PAD and PADV2 of elements, whatever their type. */
#include "core/checks.h"
#include "core/kernel.h"
#include "selvedge/parameters.h"

static sv_status check(const sv_call *call) {
    const sv_pad_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    if (input->dtype != output->dtype || input->rank != output->rank || input->rank < 1) {
        return SV_BAD_SHAPE;
    }
    for (uint32_t d = 0; d < SV_MAX_RANK; d++) {
        if ((uint64_t)p->before[d] + input->dims[d] > output->dims[d]) {
            return SV_BAD_SHAPE;
        }
    }
    return SV_OK;
}

static void fill(void *target, uint32_t value, uint32_t size, uint32_t count) {
    if (size == 1) {
        memset(target, (int)(value & 0xffu), count);
    } else if (size == 2) {
        for (uint32_t i = 0; i < count; i++) {
            ((sv_u16 *)target)[i] = (uint16_t)value;
        }
    } else {
        for (uint32_t i = 0; i < count; i++) {
            ((sv_u32 *)target)[i] = value;
        }
    }
}

static void run(const sv_call *call) {
    const sv_pad_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const uint32_t size = sv_element_bytes(input);
    const uint8_t *source = sv_read(call, input);
    uint8_t *target = sv_write(call, output);
    uint32_t at[SV_MAX_RANK] = {0};
    const uint32_t last = input->rank - 1u;
    const uint32_t row = input->dims[last] * size;
    fill(target, (uint32_t)p->value, size, sv_elements(output));
    for (uint32_t left = input->bytes / row; left > 0; left--, source += row) {
        size_t offset = 0;
        for (uint32_t d = 0; d <= last; d++) {
            offset = offset * output->dims[d] + p->before[d] + at[d];
        }
        memcpy(target + offset * size, source, row);
        for (uint32_t d = last; d-- > 0;) {
            if (++at[d] < input->dims[d]) {
                break;
            }
            at[d] = 0;
        }
    }
}

const sv_kernel sv_pad = {
    .opcode = SV_PAD,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_pad_parameters),
    .check = check,
    .run = run,
};
