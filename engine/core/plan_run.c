/* Running a plan that `sv_plan_check` let pass. */
#include "core/kernel.h"

sv_status sv_plan_step(const void *memory, void *arena, uint32_t number) {
    const sv_plan *plan = memory;
    if (plan == NULL || arena == NULL || (uintptr_t)arena % SV_PLAN_ALIGNMENT != 0 ||
        number >= plan->operator_count) {
        return SV_BAD_ARGUMENT;
    }
    const sv_call call = {plan, sv_operators(plan) + number, arena};
    const sv_kernel *kernel = sv_find_kernel(call.op);
    if (kernel == NULL) {
        return SV_UNKNOWN_OPERATOR;
    }
    kernel->run(&call);
    return SV_OK;
}

static sv_status run(const sv_plan *plan, void *arena, uint32_t first, uint32_t end) {
    sv_status status = SV_OK;
    for (uint32_t i = first; status == SV_OK && i < end; i++) {
        status = sv_plan_step(plan, arena, i);
    }
    return status;
}

sv_status sv_plan_reset(const void *memory, void *arena) {
    const sv_plan *plan = memory;
    return plan == NULL ? SV_BAD_ARGUMENT : run(plan, arena, 0, plan->reset_count);
}

sv_status sv_plan_run(const void *memory, void *arena) {
    const sv_plan *plan = memory;
    return plan == NULL ? SV_BAD_ARGUMENT
                        : run(plan, arena, plan->reset_count, plan->operator_count);
}

uint32_t sv_plan_input(const void *plan, uint32_t number) { return sv_operands(plan)[number]; }

uint32_t sv_plan_output(const void *plan, uint32_t number) {
    return sv_operands(plan)[((const sv_plan *)plan)->input_count + number];
}

const sv_tensor *sv_plan_tensor(const void *plan, uint32_t number) {
    return sv_tensors(plan) + number;
}

void *sv_plan_data(const void *plan, void *arena, uint32_t tensor) {
    const sv_tensor *record = sv_tensors(plan) + tensor;
    const uint8_t *constants = sv_bytes(plan, ((const sv_plan *)plan)->constants);
    return record->place == SV_IN_ARENA ? (uint8_t *)arena + record->offset
                                        : (void *)(uintptr_t)(constants + record->offset);
}
