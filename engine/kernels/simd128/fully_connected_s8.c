/* FULLY_CONNECTED, int8: rows of `depth` inputs times packed weights. */
#include "core/kernel.h"
#include "kernels/simd128/product.h"

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
    return sv_check_product(call, &p->stage, p->weights, p->depth, p->units);
}

static void run(const sv_call *call) {
    const sv_fully_connected_parameters *p = sv_parameters(call);
    const sv_stage stage = sv_open_stage(call, &p->stage);
    sv_product_memory memory;
    const sv_product product =
        sv_open_product(call, &stage, p->weights, p->depth, p->units, &memory);
    const int8_t *inputs = sv_read(call, sv_input(call, 0));
    sv_scaling scaling;
    for (int32_t first = 0; first < product.outputs; first += SV_PANEL) {
        const int32_t left = product.outputs - first;
        sv_open_scaling(&scaling, &stage, product.terms, first, left < SV_PANEL ? left : SV_PANEL);
        sv_multiply_all(&product, &scaling, inputs, inputs + sv_input(call, 0)->bytes,
                        sv_write(call, sv_output(call, 0)));
    }
}

const sv_kernel sv_fully_connected_s8_simd128 = {
    .opcode = SV_FULLY_CONNECTED_S8,
    .version = 1,
    .layout = 34,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_fully_connected_parameters),
    .check = check,
    .run = run,
};
