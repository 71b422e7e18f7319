/* Sums of products, scaled and stored: in assembly for the DSP extension, and in C, with the same
 * results, for everybody else. */
#ifndef SELVEDGE_CORTEX_M_PRODUCTS_H
#define SELVEDGE_CORTEX_M_PRODUCTS_H

#include "kernels/cortex_m/scaling.h"

enum { SV_WORD = 4, SV_TURN = 8, SV_PIXELS = 3 };

typedef sv_u32 sv_word;

/* Two output channels at a time, for three pixels. The assembly knows the order of the fields. */
typedef struct sv_conv_job {
    int8_t *targets[SV_PIXELS];
    const sv_i32 *scaling; /* [channels / 2]: bias[2], sv_scale[2] */
    int32_t twice;         /* the output's zero point, plus 1 */
    const sv_word *weights_end;
    const sv_word *columns; /* [terms / 4]: terms 0, 2 of each pixel, then 1, 3: int16 pairs */
    const sv_word *columns_end;
    const sv_word *weights; /* [channels / 2][terms / 4][2] */
} sv_conv_job;

void sv_conv_products(const sv_conv_job *job);

/* `words` words of four int8, as int16 pairs, into the columns of one pixel. */
void sv_widen(const int8_t *source, int32_t words, sv_word *column);

/* Four channels at a time, of one pixel. */
typedef struct sv_depthwise_job {
    int8_t *target;
    const sv_i32 *scaling; /* [channels / 4]: bias[4], sv_scale[4] */
    int32_t twice;
    uint32_t end;               /* one past the last offset */
    const int8_t *const *taps;  /* where channel 0 of each tap lies, were the offset 0 */
    const int8_t *const *taps_end;
    const sv_i16 *weights; /* [channels / 4][taps / 2][4][2] */
    uint32_t offset;
} sv_depthwise_job;

void sv_depthwise_products(const sv_depthwise_job *job);

/* Four units at a time. */
typedef struct sv_units_job {
    int8_t *target;
    const sv_i32 *scaling; /* [units / 4]: bias[4], sv_scale[4] */
    int32_t twice;
    const sv_word *weights_end;
    const int8_t *inputs;
    const int8_t *inputs_end;
    const sv_word *weights; /* [units / 4][depth / 4][4] */
} sv_units_job;

void sv_units_products(const sv_units_job *job);

#endif
