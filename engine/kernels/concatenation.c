/* CONCATENATION of bytes, whatever their type. */
#include "core/checks.h"
#include "core/kernel.h"
#include "selvedge/parameters.h"

static sv_status check(const sv_call *call) {
    const sv_concatenation_parameters *p = sv_parameters(call);
    const sv_tensor *output = sv_output(call, 0);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < call->op->input_count; i++) {
        const sv_tensor *input = sv_input(call, i);
        if (p->outer < 1 || input->bytes % p->outer != 0 || input->dtype != output->dtype) {
            return SV_BAD_SHAPE;
        }
        bytes += input->bytes;
    }
    return bytes == output->bytes ? SV_OK : SV_BAD_SHAPE;
}

static void run(const sv_call *call) {
    const sv_concatenation_parameters *p = sv_parameters(call);
    const size_t stride = sv_output(call, 0)->bytes / p->outer;
    uint8_t *start = sv_write(call, sv_output(call, 0));
    for (uint32_t i = 0; i < call->op->input_count; i++) {
        const size_t bytes = sv_input(call, i)->bytes / p->outer;
        const uint8_t *source = sv_read(call, sv_input(call, i));
        for (size_t outer = 0; outer < p->outer; outer++) {
            memcpy(start + outer * stride, source + outer * bytes, bytes);
        }
        start += bytes;
    }
}

const sv_kernel sv_concatenation = {
    .opcode = SV_CONCATENATION,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = UINT16_MAX,
    .parameter_bytes = sizeof(sv_concatenation_parameters),
    .check = check,
    .run = run,
};
