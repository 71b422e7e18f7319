/* Rows of int8 times packed weights: what CONV_2D and FULLY_CONNECTED are made of.
 *
 * Weights are packed in blocks of eight output channels: [block][pair][channel][2]. A pair of
 * inputs, copied to all lanes, meets a pair of weights in each, and i32x4.dot_i16x8_s adds both
 * products to the sum of that channel: no lanes are ever added up. */
#ifndef SELVEDGE_SIMD128_PRODUCT_H
#define SELVEDGE_SIMD128_PRODUCT_H

#include "kernels/simd128/scaling.h"

/* Rows that share what is loaded of the weights. */
enum { SV_ROWS = 4 };

/* Longest rows that are gathered and widened on the stack; longer ones in the operator's scratch. */
enum { SV_STACK_DEPTH = 768 };

/* Bytes of memory for one element of a row: gathered as int8 and widened, for all rows; and what
 * copies in steps of 16 write beyond. */
enum { SV_BYTES_A_TERM = 3 * SV_ROWS, SV_BYTES_BEYOND = 16 };

typedef struct sv_product {
    const sv_stage *stage;
    const int8_t *weights;
    int32_t terms;   /* inputs of a row */
    int32_t depth;   /* the same, rounded up to 8 */
    int32_t outputs; /* channels */
    int8_t *gathered;   /* SV_ROWS rows, `depth` bytes apart */
    int16_t *widened;
} sv_product;

typedef struct sv_product_memory {
    v128_t bytes[(SV_BYTES_A_TERM * SV_STACK_DEPTH + SV_BYTES_BEYOND) / 16];
} sv_product_memory;

/* Whether weights, scratch and stage of this many products and channels are there. */
sv_status sv_check_product(const sv_call *call, const sv_output_stage *stage, uint32_t weights,
                           uint32_t terms, uint32_t outputs);

/* The memory is used, or the scratch if rows are too long for it. */
sv_product sv_open_product(const sv_call *call, const sv_stage *stage, uint32_t weights,
                           uint32_t terms, uint32_t outputs, sv_product_memory *memory);

/* Copy to gathered rows; `end` is where readable memory ends. Up to 15 bytes more are written. */
static inline void sv_gather(int8_t *target, const int8_t *source, const int8_t *end,
                             int32_t count) {
    int32_t i = 0;
    for (; i < count && end - source >= i + 16; i += 16) {
        wasm_v128_store(target + i, wasm_v128_load(source + i));
    }
    for (; i < count; i++) {
        target[i] = source[i];
    }
}

/* What lies behind a gathered row meets weights of 0, but it must be defined. */
static inline int8_t *sv_gathered_row(const sv_product *p, int32_t number) {
    int8_t *row = p->gathered + number * p->depth;
    wasm_v128_store64_lane(row + p->depth - 8, wasm_i64x2_const(0, 0), 0);
    return row;
}

/* A row in memory: runs of `length` bytes, `pitch` apart, together `depth` bytes. */
typedef struct sv_runs {
    int32_t count;
    int32_t length; /* a multiple of 8 */
    ptrdiff_t pitch;
} sv_runs;

/* The outputs of 1..SV_ROWS rows, which begin `stride` apart. */
void sv_multiply(const sv_product *p, const sv_scaling *scaling, const int8_t *rows,
                 ptrdiff_t stride, sv_runs runs, int32_t count, int8_t *outputs);

/* The same for rows that were gathered. */
static inline void sv_multiply_gathered(const sv_product *p, const sv_scaling *scaling,
                                        int32_t count, int8_t *outputs) {
    const sv_runs whole = {1, p->depth, 0};
    sv_multiply(p, scaling, p->gathered, p->depth, whole, count, outputs);
}

/* The same for any number of rows, one behind the other. */
void sv_multiply_all(const sv_product *p, const sv_scaling *scaling, const int8_t *inputs,
                     const int8_t *end, int8_t *outputs);

#endif
