/* Broadcasting: walks the output in order, and the inputs with steps of 0 where they repeat. */
#include "kernels/broadcast.h"

/* Dimension `d` of six, counted so that the last dimension is the last of six. */
static uint32_t length_of(const sv_tensor *tensor, uint32_t d) {
    const uint32_t missing = SV_MAX_RANK - tensor->rank;
    return d < missing ? 1u : tensor->dims[d - missing];
}

static int fits(const sv_tensor *input, const sv_tensor *output) {
    for (uint32_t d = 0; d < SV_MAX_RANK; d++) {
        if (length_of(input, d) != 1 && length_of(input, d) != length_of(output, d)) {
            return 0;
        }
    }
    return input->rank <= output->rank;
}

sv_status sv_check_broadcast(const sv_call *call, uint8_t dtype) {
    const sv_tensor *output = sv_output(call, 0);
    if (!sv_are(call, dtype) || !fits(sv_input(call, 0), output) ||
        !fits(sv_input(call, 1), output)) {
        return SV_BAD_SHAPE;
    }
    return SV_OK;
}

static void steps_of(const sv_tensor *tensor, int32_t steps[SV_MAX_RANK]) {
    int32_t step = 1;
    for (uint32_t d = SV_MAX_RANK; d-- > 0;) {
        const int32_t length = (int32_t)length_of(tensor, d);
        steps[d] = length == 1 ? 0 : step;
        step *= length;
    }
}

void sv_run_broadcast(const sv_call *call, size_t size, sv_pairs pairs, const void *context) {
    const sv_tensor *output = sv_output(call, 0);
    const uint8_t *left = sv_read(call, sv_input(call, 0));
    const uint8_t *right = sv_read(call, sv_input(call, 1));
    uint8_t *target = sv_write(call, output);
    if (sv_same_shape(sv_input(call, 0), output) && sv_same_shape(sv_input(call, 1), output)) {
        pairs(context, left, 1, right, 1, target, (int32_t)sv_elements(output));
        return;
    }
    int32_t left_steps[SV_MAX_RANK], right_steps[SV_MAX_RANK];
    uint32_t at[SV_MAX_RANK] = {0};
    steps_of(sv_input(call, 0), left_steps);
    steps_of(sv_input(call, 1), right_steps);
    const uint32_t last = SV_MAX_RANK - 1;
    const int32_t count = (int32_t)length_of(output, last);
    for (uint32_t run = sv_elements(output) / (uint32_t)count; run > 0; run--) {
        size_t left_at = 0, right_at = 0;
        for (uint32_t d = 0; d < last; d++) {
            left_at += (size_t)at[d] * (size_t)left_steps[d];
            right_at += (size_t)at[d] * (size_t)right_steps[d];
        }
        pairs(context, left + left_at * size, left_steps[last], right + right_at * size,
              right_steps[last], target, count);
        target += (size_t)count * size;
        for (uint32_t d = last; d-- > 0;) {
            if (++at[d] < length_of(output, d)) {
                break;
            }
            at[d] = 0;
        }
    }
}
