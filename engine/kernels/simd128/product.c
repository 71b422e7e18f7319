/* Rows times packed weights; see product.h. */
#include "kernels/simd128/product.h"

static uint32_t round_up8(uint32_t count) { return (count + 7) & ~7u; }

sv_status sv_check_product(const sv_call *call, const sv_output_stage *stage, uint32_t weights,
                           uint32_t terms, uint32_t outputs) {
    const uint32_t depth = round_up8(terms);
    const uint32_t scratch =
        depth > SV_STACK_DEPTH ? SV_BYTES_A_TERM * depth + SV_BYTES_BEYOND : 0;
    if (terms > SV_MAX_TERMS || stage->weight_zero_point != 0 ||
        !sv_has_constants(call, weights, (uint64_t)depth * round_up8(outputs), 1) ||
        call->op->scratch_bytes < scratch) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_stage(call, stage, outputs);
}

sv_product sv_open_product(const sv_call *call, const sv_stage *stage, uint32_t weights,
                           uint32_t terms, uint32_t outputs, sv_product_memory *memory) {
    const uint32_t depth = round_up8(terms);
    v128_t *widened = depth > SV_STACK_DEPTH
                          ? (v128_t *)(void *)(call->arena + call->op->scratch)
                          : memory->bytes;
    return (sv_product){
        .stage = stage,
        .weights = sv_constant(call, weights),
        .terms = (int32_t)terms,
        .depth = (int32_t)depth,
        .outputs = (int32_t)outputs,
        .gathered = (int8_t *)(widened + depth * SV_ROWS / 8),
        .widened = (int16_t *)widened,
    };
}

/* Widen four rows to [pair][row][2]. */
static void interleave(const int8_t *const rows[SV_ROWS], int32_t depth, int16_t *target) {
    for (int32_t i = 0; i < depth; i += 8, target += 32) {
        const v128_t a = wasm_i16x8_load8x8(rows[0] + i);
        const v128_t b = wasm_i16x8_load8x8(rows[1] + i);
        const v128_t c = wasm_i16x8_load8x8(rows[2] + i);
        const v128_t d = wasm_i16x8_load8x8(rows[3] + i);
        const v128_t ab = wasm_i32x4_shuffle(a, b, 0, 4, 1, 5);
        const v128_t cd = wasm_i32x4_shuffle(c, d, 0, 4, 1, 5);
        const v128_t ab_end = wasm_i32x4_shuffle(a, b, 2, 6, 3, 7);
        const v128_t cd_end = wasm_i32x4_shuffle(c, d, 2, 6, 3, 7);
        wasm_v128_store(target, wasm_i64x2_shuffle(ab, cd, 0, 2));
        wasm_v128_store(target + 8, wasm_i64x2_shuffle(ab, cd, 1, 3));
        wasm_v128_store(target + 16, wasm_i64x2_shuffle(ab_end, cd_end, 0, 2));
        wasm_v128_store(target + 24, wasm_i64x2_shuffle(ab_end, cd_end, 1, 3));
    }
}

static void widen(const int8_t *row, int32_t depth, int16_t *target) {
    for (int32_t i = 0; i < depth; i += 8) {
        wasm_v128_store(target + i, wasm_i16x8_load8x8(row + i));
    }
}

static inline v128_t add_pair(v128_t sums, v128_t inputs, v128_t weights) {
    return wasm_i32x4_add(sums, wasm_i32x4_dot_i16x8(inputs, weights));
}

/* One pair of each row a turn: a longer block would have all its loads done before the first
 * product, as compilers of wasm order them, and there are sixteen registers. */
static inline void multiply4(const sv_product *p, const sv_scaling *s, const int8_t *weights,
                             int32_t c, v128_t sums[2 * SV_ROWS]) {
    v128_t a0 = wasm_v128_load(s->bias + c), b0 = wasm_v128_load(s->bias + c + 4);
    v128_t a1 = a0, a2 = a0, a3 = a0, b1 = b0, b2 = b0, b3 = b0;
    const int16_t *inputs = p->widened;
    for (int32_t left = p->depth; left > 0; left -= 2, weights += 16, inputs += 8) {
        const v128_t x = wasm_v128_load(inputs);
        const v128_t w = wasm_i16x8_load8x8(weights), v = wasm_i16x8_load8x8(weights + 8);
        const v128_t x0 = wasm_i32x4_shuffle(x, x, 0, 0, 0, 0);
        const v128_t x1 = wasm_i32x4_shuffle(x, x, 1, 1, 1, 1);
        const v128_t x2 = wasm_i32x4_shuffle(x, x, 2, 2, 2, 2);
        const v128_t x3 = wasm_i32x4_shuffle(x, x, 3, 3, 3, 3);
        a0 = add_pair(a0, x0, w);
        b0 = add_pair(b0, x0, v);
        a1 = add_pair(a1, x1, w);
        b1 = add_pair(b1, x1, v);
        a2 = add_pair(a2, x2, w);
        b2 = add_pair(b2, x2, v);
        a3 = add_pair(a3, x3, w);
        b3 = add_pair(b3, x3, v);
    }
    v128_t *target = sums;
    *target++ = a0;
    *target++ = b0;
    *target++ = a1;
    *target++ = b1;
    *target++ = a2;
    *target++ = b2;
    *target++ = a3;
    *target = b3;
}

/* Store eight channels of one row; `left` are used. */
static inline void store(const sv_product *p, int8_t *output, int32_t row, int32_t left,
                         v128_t bytes) {
    sv_store8(output + row * (ptrdiff_t)p->outputs, left, bytes);
}

/* Scale and store the sums of up to four rows; `is_sure`, a constant, is the scaling's own. */
static inline void scale4(const sv_product *p, const sv_scaling *s, int32_t c, int32_t count,
                          const v128_t sums[2 * SV_ROWS], int8_t *output, int is_sure) {
    const int32_t left = s->count - c;
    sv_scaled all[SV_ROWS];
    const sv_factors factors = sv_load_factors(s, c);
    all[0] = sv_scale8_fast(s, &factors, sums[0], sums[1], is_sure);
    all[1] = sv_scale8_fast(s, &factors, sums[2], sums[3], is_sure);
    all[2] = sv_scale8_fast(s, &factors, sums[4], sums[5], is_sure);
    all[3] = sv_scale8_fast(s, &factors, sums[6], sums[7], is_sure);
    const v128_t far = wasm_f32x4_pmax(wasm_f32x4_pmax(all[0].far, all[1].far),
                                       wasm_f32x4_pmax(all[2].far, all[3].far));
    const v128_t far_end = wasm_f32x4_pmax(wasm_f32x4_pmax(all[0].far_end, all[1].far_end),
                                           wasm_f32x4_pmax(all[2].far_end, all[3].far_end));
    if (!is_sure && sv_is_in_doubt(s, c, far, far_end)) {
        for (int32_t r = 0; r < count; r++) {
            store(p, output, r, left, sv_exact8(s, c, sums[2 * r], sums[2 * r + 1]));
        }
        return;
    }
    const v128_t first = sv_narrow16(all[0].words, all[1].words, s->low, s->high);
    const v128_t last = sv_narrow16(all[2].words, all[3].words, s->low, s->high);
    store(p, output, 0, left, first);
    store(p, output, 1, left, wasm_i64x2_shuffle(first, first, 1, 1));
    if (count > 2) {
        store(p, output, 2, left, last);
    }
    if (count > 3) {
        store(p, output, 3, left, wasm_i64x2_shuffle(last, last, 1, 1));
    }
}

static inline void multiply1(const sv_product *p, const sv_scaling *s, const int8_t *weights,
                             int32_t c, int8_t *output) {
    v128_t a = wasm_v128_load(s->bias + c), b = wasm_v128_load(s->bias + c + 4);
    const int16_t *inputs = p->widened;
    for (int32_t left = p->depth; left > 0; left -= 8, weights += 64, inputs += 8) {
        const v128_t x = wasm_v128_load(inputs);
        const v128_t x0 = wasm_i32x4_shuffle(x, x, 0, 0, 0, 0);
        const v128_t x1 = wasm_i32x4_shuffle(x, x, 1, 1, 1, 1);
        const v128_t x2 = wasm_i32x4_shuffle(x, x, 2, 2, 2, 2);
        const v128_t x3 = wasm_i32x4_shuffle(x, x, 3, 3, 3, 3);
        a = add_pair(a, x0, wasm_i16x8_load8x8(weights));
        b = add_pair(b, x0, wasm_i16x8_load8x8(weights + 8));
        a = add_pair(a, x1, wasm_i16x8_load8x8(weights + 16));
        b = add_pair(b, x1, wasm_i16x8_load8x8(weights + 24));
        a = add_pair(a, x2, wasm_i16x8_load8x8(weights + 32));
        b = add_pair(b, x2, wasm_i16x8_load8x8(weights + 40));
        a = add_pair(a, x3, wasm_i16x8_load8x8(weights + 48));
        b = add_pair(b, x3, wasm_i16x8_load8x8(weights + 56));
    }
    sv_store8(output, s->count - c, sv_scale8(s, c, a, b));
}

static void take_rows(const sv_product *p, const int8_t *rows, ptrdiff_t stride, sv_runs runs,
                      int32_t count) {
    int16_t *target = p->widened;
    for (int32_t run = 0; run < runs.count; run++, rows += runs.pitch) {
        if (count == 1) {
            widen(rows, runs.length, target);
            target += runs.length;
        } else {
            const int8_t *const four[SV_ROWS] = {rows, rows + stride,
                                                 rows + (count > 2 ? 2 * stride : 0),
                                                 rows + (count > 3 ? 3 * stride : 0)};
            interleave(four, runs.length, target);
            target += SV_ROWS * runs.length;
        }
    }
}

void sv_multiply(const sv_product *p, const sv_scaling *scaling, const int8_t *rows,
                 ptrdiff_t stride, sv_runs runs, int32_t count, int8_t *outputs) {
    const ptrdiff_t block = SV_BLOCK * (ptrdiff_t)p->depth;
    const int8_t *weights = p->weights + scaling->first * (ptrdiff_t)p->depth;
    outputs += scaling->first;
    take_rows(p, rows, stride, runs, count);
    for (int32_t c = 0; c < scaling->count; c += SV_BLOCK, weights += block) {
        v128_t sums[2 * SV_ROWS]; /* in memory: what outlives a call would be there all the time */
        if (count == 1) {
            multiply1(p, scaling, weights, c, outputs + c);
        } else {
            multiply4(p, scaling, weights, c, sums);
            if (scaling->is_sure) {
                scale4(p, scaling, c, count, sums, outputs + c, 1);
            } else {
                scale4(p, scaling, c, count, sums, outputs + c, 0);
            }
        }
    }
}

void sv_multiply_all(const sv_product *p, const sv_scaling *scaling, const int8_t *inputs,
                     const int8_t *end, int8_t *outputs) {
    while (inputs != end) {
        const ptrdiff_t left = (end - inputs) / p->terms;
        const int32_t count = left < SV_ROWS ? (int32_t)left : SV_ROWS;
        if (p->terms == p->depth) {
            const sv_runs whole = {1, p->terms, 0};
            sv_multiply(p, scaling, inputs, p->terms, whole, count, outputs);
        } else {
            for (int32_t r = 0; r < count; r++) {
                sv_gather(sv_gathered_row(p, r), inputs + r * p->terms, end, p->terms);
            }
            sv_multiply_gathered(p, scaling, count, outputs);
        }
        inputs += count * (ptrdiff_t)p->terms;
        outputs += count * (ptrdiff_t)p->outputs;
    }
}
