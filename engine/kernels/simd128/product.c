/* Rows times packed weights; see product.h. */
#include "kernels/simd128/product.h"

#include "kernels/simd128/unroll.h"

sv_status sv_check_product(const sv_call *call, const sv_output_stage *stage, uint32_t weights,
                           uint32_t terms, uint32_t outputs) {
    const uint64_t depth = sv_round_up8(terms);
    if (terms > SV_MAX_TERMS || stage->weight_zero_point != 0 ||
        !sv_has_constants(call, weights, depth * (((uint64_t)outputs + 7) & ~UINT64_C(7)), 1) ||
        call->op->scratch_bytes < sv_scratch_of_rows((uint32_t)depth)) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_stage(call, stage, outputs);
}

sv_product sv_open_product(const sv_call *call, const sv_stage *stage, uint32_t weights,
                           uint32_t terms, uint32_t outputs) {
    return (sv_product){
        .stage = stage,
        .weights = sv_constant(call, weights),
        .terms = (int32_t)terms,
        .depth = (int32_t)sv_round_up8(terms),
        .outputs = (int32_t)outputs,
    };
}

int16_t *sv_rows_of(const sv_call *call, const sv_product *p, int16_t *memory) {
    return p->depth > SV_STACK_DEPTH ? (int16_t *)(void *)(call->arena + call->op->scratch)
                                     : memory;
}

void sv_widen(const int8_t *source, const int8_t *end, int32_t count, int16_t *target) {
    int32_t i = 0;
    for (; i < count && end - source >= i + 8; i += 8) {
        wasm_v128_store(target + i, wasm_i16x8_load8x8(source + i));
    }
    for (; i < count; i++) {
        target[i] = source[i];
    }
}

/* Sums of `rows` rows, a constant, with eight channels; `sums` comes with the bias. */
SV_INLINE void add_products(const int16_t *inputs, const int8_t *weights, int32_t depth,
                                v128_t sums[2 * SV_ROWS], int rows) {
    const int16_t *row[SV_ROWS];
    SV_UNROLL for (int r = 0; r < rows; r++) { row[r] = inputs + r * depth; }
    for (int32_t left = depth; left > 0; left -= 8, weights += 64) {
        SV_UNROLL for (int pair = 0; pair < 4; pair++) {
            const v128_t w = wasm_i16x8_load8x8(weights + 16 * pair);
            const v128_t v = wasm_i16x8_load8x8(weights + 16 * pair + 8);
            SV_UNROLL for (int r = 0; r < rows; r++) {
                const v128_t x = wasm_v128_load32_splat(row[r] + 2 * pair);
                sums[2 * r] = wasm_i32x4_add(sums[2 * r], wasm_i32x4_dot_i16x8(x, w));
                sums[2 * r + 1] = wasm_i32x4_add(sums[2 * r + 1], wasm_i32x4_dot_i16x8(x, v));
            }
        }
        SV_UNROLL for (int r = 0; r < rows; r++) { row[r] += 8; }
    }
}

SV_INLINE void multiply(const sv_product *p, const sv_scaling *s, const int16_t *inputs,
                            int32_t count, int8_t *outputs, int rows) {
    const int8_t *weights = p->weights + (ptrdiff_t)s->first * p->depth;
    for (int32_t c = 0; c < s->count; c += SV_BLOCK, weights += SV_BLOCK * (ptrdiff_t)p->depth) {
        v128_t sums[2 * SV_ROWS];
        SV_UNROLL for (int r = 0; r < rows; r++) {
            sums[2 * r] = wasm_v128_load(s->bias + c);
            sums[2 * r + 1] = wasm_v128_load(s->bias + c + 4);
        }
        add_products(inputs, weights, p->depth, sums, rows);
        int8_t *output = outputs + s->first + c;
        const int32_t left = s->count - c;
        SV_UNROLL for (int r = 0; r < rows; r++) {
            if (r < count) {
                sv_store8(output + r * (ptrdiff_t)p->outputs, left,
                          sv_scale8(s, c, sums[2 * r], sums[2 * r + 1]));
            }
        }
    }
}

void sv_multiply(const sv_product *p, const sv_scaling *scaling, const int16_t *rows,
                 int32_t count, int8_t *outputs) {
    if (count == 1) {
        multiply(p, scaling, rows, 1, outputs, 1);
    } else {
        multiply(p, scaling, rows, count, outputs, SV_ROWS);
    }
}

void sv_multiply_all(const sv_product *p, const sv_scaling *scaling, int16_t *memory,
                     const int8_t *inputs, const int8_t *end, int8_t *outputs) {
    while (inputs != end) {
        const ptrdiff_t left = (end - inputs) / p->terms;
        const int32_t count = left < SV_ROWS ? (int32_t)left : SV_ROWS;
        if (p->terms == p->depth) {
            sv_widen(inputs, end, count * p->terms, memory);
        } else {
            for (int32_t r = 0; r < count; r++) {
                sv_clear_end(p, memory + r * p->depth);
                sv_widen(inputs + r * p->terms, end, p->terms, memory + r * p->depth);
            }
        }
        sv_multiply(p, scaling, memory, count, outputs);
        inputs += count * (ptrdiff_t)p->terms;
        outputs += count * (ptrdiff_t)p->outputs;
    }
}
