/* Rows of int16 times packed int8 weights: what CONV_2D and FULLY_CONNECTED are made of.
 *
 * Weights are packed in blocks of eight output channels: [block][pair][channel][2]. A pair of
 * inputs, copied to all lanes, meets a pair of weights in each, and i32x4.dot_i16x8_s adds both
 * products to the sum of that channel: no lanes are ever added up. */
#ifndef SELVEDGE_SIMD128_PRODUCT_H
#define SELVEDGE_SIMD128_PRODUCT_H

#include "kernels/simd128/scaling.h"

/* Rows that share what is loaded of the weights. */
enum { SV_ROWS = 4 };

/* Longest rows that lie on the stack; longer ones lie in the operator's scratch. */
enum { SV_STACK_DEPTH = 1024 };

typedef struct sv_product {
    const sv_stage *stage;
    const int8_t *weights;
    int32_t terms;   /* inputs of a row */
    int32_t depth;   /* the same, rounded up to 8 */
    int32_t outputs; /* channels */
} sv_product;

/* Rows of int16, one behind the other. */
typedef int16_t sv_rows_memory[SV_ROWS * SV_STACK_DEPTH + 8];

static inline uint32_t sv_round_up8(uint32_t count) { return (count + 7) & ~7u; }

static inline uint32_t sv_scratch_of_rows(uint32_t depth) {
    return depth > SV_STACK_DEPTH ? SV_ROWS * depth * 2 + 16 : 0;
}

/* Whether weights, scratch and stage of this many products and channels are there. */
sv_status sv_check_product(const sv_call *call, const sv_output_stage *stage, uint32_t weights,
                           uint32_t terms, uint32_t outputs);

sv_product sv_open_product(const sv_call *call, const sv_stage *stage, uint32_t weights,
                           uint32_t terms, uint32_t outputs);

/* Where rows are gathered: the memory given, or the scratch if they are too long for it. */
int16_t *sv_rows_of(const sv_call *call, const sv_product *p, int16_t *memory);

/* Copy int8 to int16; `end` is where readable memory ends. Writes up to 7 elements more. */
void sv_widen(const int8_t *source, const int8_t *end, int32_t count, int16_t *target);

/* What lies behind a row meets weights of 0, but it must be defined. */
static inline void sv_clear_end(const sv_product *p, int16_t *row) {
    wasm_v128_store(row + p->depth - 8, wasm_i64x2_const(0, 0));
}

/* The outputs of 1..SV_ROWS rows, for the channels of `scaling`. */
void sv_multiply(const sv_product *p, const sv_scaling *scaling, const int16_t *rows,
                 int32_t count, int8_t *outputs);

/* The same for any number of rows of int8, one behind the other. */
void sv_multiply_all(const sv_product *p, const sv_scaling *scaling, int16_t *memory,
                     const int8_t *inputs, const int8_t *end, int8_t *outputs);

#endif
