#include "runner/runner.h"

#include <string.h>

void sv_runner_init(sv_runner *runner, uint8_t *arena, uint32_t (*ticks)(void)) {
    memset(runner, 0, sizeof *runner);
    runner->arena = arena;
    runner->ticks = ticks;
}

void sv_runner_load(sv_runner *runner, const sv_plan *plan) {
    if (runner->plan != plan) {
        runner->plan = plan;
        memset(runner->operator_ticks, 0, sizeof runner->operator_ticks); /* resets are not timed */
        sv_plan_reset(plan, runner->arena); /* its variables begin anew; others were in the arena */
    }
    sv_runner_rewind(runner);
}

uint32_t sv_runner_input_bytes(const sv_plan *plan) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->input_count; i++) {
        count += sv_plan_tensor(plan, sv_plan_input(plan, i))->bytes;
    }
    return count;
}

uint32_t sv_runner_output_bytes(const sv_plan *plan) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->output_count; i++) {
        count += sv_plan_tensor(plan, sv_plan_output(plan, i))->bytes;
    }
    return count;
}

void sv_runner_rewind(sv_runner *runner) {
    runner->written = 0;
    runner->next = runner->plan->reset_count; /* runs start behind the resets */
    runner->total_ticks = 0;
}

int sv_runner_write(sv_runner *runner, const uint8_t *bytes, uint32_t count) {
    const sv_plan *plan = runner->plan;
    uint32_t offset = runner->written;
    for (uint32_t i = 0; i < plan->input_count && count > 0; i++) {
        const uint32_t tensor = sv_plan_input(plan, i);
        const uint32_t room = sv_plan_tensor(plan, tensor)->bytes;
        if (offset >= room) {
            offset -= room;
            continue;
        }
        const uint32_t taken = room - offset < count ? room - offset : count;
        memcpy((uint8_t *)sv_plan_data(plan, runner->arena, tensor) + offset, bytes, taken);
        bytes += taken;
        count -= taken;
        runner->written += taken;
        offset = 0;
    }
    return count == 0;
}

void sv_runner_rewind_to_zeros(sv_runner *runner) {
    sv_runner_rewind(runner);
    for (uint32_t i = 0; i < runner->plan->input_count; i++) {
        const uint32_t tensor = sv_plan_input(runner->plan, i);
        void *data = sv_plan_data(runner->plan, runner->arena, tensor);
        memset(data, 0, sv_plan_tensor(runner->plan, tensor)->bytes);
    }
}

int sv_runner_step(sv_runner *runner) {
    const uint32_t number = runner->next;
    if (number >= runner->plan->operator_count) {
        return 0;
    }
    const uint32_t before = runner->ticks();
    const sv_status status = sv_plan_step(runner->plan, runner->arena, number);
    const uint32_t spent = runner->ticks() - before;
    if (number < SV_TIMED_OPERATORS) {
        runner->operator_ticks[number] = spent;
    }
    runner->total_ticks += spent;
    runner->next++;
    if (status != SV_OK) {
        return -(int)status;
    }
    return runner->next < runner->plan->operator_count;
}

const uint8_t *sv_runner_output(const sv_runner *runner, uint32_t number, uint32_t *count) {
    const uint32_t tensor = sv_plan_output(runner->plan, number);
    *count = sv_plan_tensor(runner->plan, tensor)->bytes;
    return sv_plan_data(runner->plan, runner->arena, tensor);
}
