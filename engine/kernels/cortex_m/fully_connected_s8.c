/* FULLY_CONNECTED, int8, layout 130: four units at a time. A word of weights is multiplied as two
 * int16 numbers, 256 b + a each, and once more as the two bytes a: 256 times the sum. */
#include "core/kernel.h"
#include "kernels/cortex_m/kernels.h"
#include "kernels/cortex_m/products.h"

enum { BLOCK = 4, MAX_COPIED = 512 };

static uint32_t whole_turns(uint32_t depth) { return (depth + SV_TURN - 1) / SV_TURN * SV_TURN; }

static sv_status check(const sv_call *call) {
    const sv_fully_connected_parameters *p = sv_parameters(call);
    if (!sv_are_s8(call) || p->depth < 1 || p->depth > SV_MAX_TERMS || p->units < 1) {
        return SV_BAD_SHAPE;
    }
    const uint32_t inputs = sv_elements(sv_input(call, 0));
    const uint32_t rows = inputs / p->depth;
    if (inputs % p->depth != 0 ||
        (uint64_t)rows * p->units != sv_elements(sv_output(call, 0))) {
        return SV_BAD_SHAPE;
    }
    const uint32_t blocks = p->units / BLOCK + (p->units % BLOCK != 0);
    const uint64_t words = (uint64_t)blocks * whole_turns(p->depth);
    if ((p->depth % SV_TURN != 0 && p->depth > MAX_COPIED) ||
        !sv_has_constants(call, p->weights, words, SV_WORD)) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_scaling(call, &p->stage, blocks, BLOCK);
}

static void run_row(sv_units_job job, int32_t units) {
    const int32_t blocks = units / BLOCK;
    const ptrdiff_t words = job.inputs_end - job.inputs; /* of one block */
    job.weights_end = job.weights + blocks * words;
    if (blocks > 0) {
        sv_units_products(&job);
    }
    if (units % BLOCK != 0) {
        int8_t found[BLOCK];
        int8_t *target = job.target + blocks * BLOCK;
        job.target = found;
        job.scaling += blocks * 3 * BLOCK;
        job.weights = job.weights_end;
        job.weights_end += words;
        sv_units_products(&job);
        for (int32_t i = 0; i < units % BLOCK; i++) {
            target[i] = found[i];
        }
    }
}

static void run(const sv_call *call) {
    const sv_fully_connected_parameters *p = sv_parameters(call);
    const int8_t *inputs = sv_read(call, sv_input(call, 0));
    const int8_t *end = inputs + sv_elements(sv_input(call, 0));
    const uint32_t turns = whole_turns(p->depth);
    int8_t copy[MAX_COPIED];
    sv_units_job job = {
        .target = sv_write(call, sv_output(call, 0)),
        .scaling = sv_constant(call, p->stage.bias),
        .twice = 2 * sv_output(call, 0)->zero_point + 1,
        .weights = sv_constant(call, p->weights),
    };
    for (; inputs != end; inputs += p->depth, job.target += p->units) {
        job.inputs = inputs;
        if (turns != p->depth) {
            memcpy(copy, inputs, p->depth);
            memset(copy + p->depth, 0, turns - p->depth);
            job.inputs = copy;
        }
        job.inputs_end = job.inputs + turns;
        run_row(job, (int32_t)p->units);
    }
    sv_clamp_outputs(p->stage.low, p->stage.high, sv_write(call, sv_output(call, 0)),
                     sv_elements(sv_output(call, 0)));
}

const sv_kernel sv_fully_connected_s8_cortex_m = {
    .opcode = SV_FULLY_CONNECTED_S8,
    .version = 1,
    .layout = 130,
    .check = check,
    .run = run,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_fully_connected_parameters),
};
