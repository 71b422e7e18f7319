#include "text/task.h"

#include <string.h>

typedef struct task {
    const char *model;
    uint32_t input_bytes;
    uint32_t output_bytes;
    uint8_t is_picture;
} task;

static const task tasks[] = {{"ad01", 640, 640, 0},
                             {"kws01", 490, 12, 0},
                             {"ic01", 3072, 10, 1},
                             {"vww01", 27648, 2, 1},
                             {"strww01", 1200, 3, 0}};

static const task *find(const sv_plan *plan) {
    for (uint32_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
        if (tasks[i].input_bytes == sv_runner_input_bytes(plan) &&
            tasks[i].output_bytes == sv_runner_output_bytes(plan)) {
            return &tasks[i];
        }
    }
    return NULL;
}

const char *sv_task_name(const sv_plan *plan) {
    const task *found = find(plan);
    return found == NULL ? "none" : found->model;
}

static const sv_tensor *first_input(const sv_plan *plan) {
    return sv_plan_tensor(plan, sv_plan_input(plan, 0));
}

static const sv_tensor *first_output(const sv_plan *plan) {
    return sv_plan_tensor(plan, sv_plan_output(plan, 0));
}

/* Whether the sample is of float32 and the model's input of int8, and the answer as long. */
static int is_sound(const sv_plan *plan, uint32_t count) {
    const sv_tensor *in = first_input(plan);
    const sv_tensor *out = first_output(plan);
    return plan->input_count == 1 && in->dtype == SV_INT8 && in->scale > 0.0f &&
           out->dtype == SV_INT8 && out->bytes == in->bytes && count / 4 == in->bytes &&
           count % 4 == 0;
}

int sv_task_takes(const sv_plan *plan, uint32_t count) {
    return count == sv_runner_input_bytes(plan) || is_sound(plan, count);
}

static float real_at(const uint8_t *sample, uint32_t number) {
    float value;
    memcpy(&value, sample + 4 * (size_t)number, sizeof value);
    return value;
}

/* As the benchmark's reference does it: rounded half away from zero before the zero point. */
static uint8_t quantized(const sv_tensor *tensor, float value) {
    const float steps = value / tensor->scale;
    if (!(steps > -1024.0f)) { /* also what is no number */
        return 0x80;
    }
    const int rounded = steps < 1024.0f ? (int)(steps + (steps < 0.0f ? -0.5f : 0.5f)) : 1024;
    const int shifted = rounded + tensor->zero_point;
    return (uint8_t)(shifted < -128 ? -128 : shifted > 127 ? 127 : shifted);
}

void sv_task_write(sv_runner *runner, const uint8_t *sample, uint32_t count) {
    const sv_plan *plan = runner->plan;
    const task *found = find(plan);
    const sv_tensor *in = first_input(plan);
    const int is_real = count != sv_runner_input_bytes(plan);
    if (!is_real && (found == NULL || !found->is_picture)) {
        sv_runner_write(runner, sample, count);
        return;
    }
    for (uint32_t i = 0; i < (is_real ? count / 4 : count); i++) {
        const uint8_t byte =
            is_real ? quantized(in, real_at(sample, i)) : (uint8_t)(sample[i] ^ 0x80u);
        sv_runner_write(runner, &byte, 1);
    }
}

static float real_of(const sv_tensor *tensor, uint8_t byte) {
    return (float)((int8_t)byte - tensor->zero_point) * tensor->scale;
}

void sv_task_say(const sv_runner *runner, const uint8_t *sample, uint32_t count, sv_write write) {
    const sv_tensor *out = first_output(runner->plan);
    uint32_t bytes;
    const uint8_t *answer = sv_runner_output(runner, 0, &bytes);
    if (out->dtype != SV_INT8) {
        return;
    }
    if (count != sv_runner_input_bytes(runner->plan) && is_sound(runner->plan, count)) {
        float sum = 0.0f;
        for (uint32_t i = 0; i < bytes; i++) {
            const float missed = real_of(out, answer[i]) - real_at(sample, i);
            sum += missed * missed;
        }
        sv_say_real(write, sum / (float)bytes);
        return;
    }
    for (uint32_t i = 0; i < bytes; i++) {
        if (i > 0) {
            sv_say(write, ",");
        }
        sv_say_real(write, real_of(out, answer[i]));
    }
}
