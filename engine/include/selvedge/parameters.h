/* Parameters of each operator; fields named after constants are offsets into the constants. */
#ifndef SELVEDGE_PARAMETERS_H
#define SELVEDGE_PARAMETERS_H

#include "selvedge/port.h"

/* int32 sums of channel c to int8: MBQM(sum + bias[c], multiplier[c], shift[c]) + zero point; with
 * single rounding, the float32 product of sum + bias[c] and factor c, rounded to even. */
typedef struct SV_MAY_ALIAS sv_output_stage {
    uint32_t bias;       /* int32 a channel; the input's zero point is folded in */
    uint32_t multiplier; /* int32 a channel; single rounding: a float32 factor */
    uint32_t shift;      /* int8 a channel, -31..30; single rounding: not read */
    int8_t low;
    int8_t high;
    int8_t weight_zero_point; /* 0 but in models that were uint8 */
    uint8_t reserved;
} sv_output_stage;

typedef struct SV_MAY_ALIAS sv_window {
    uint16_t kernel_h;
    uint16_t kernel_w;
    uint16_t stride_h;
    uint16_t stride_w;
    uint16_t dilation_h;
    uint16_t dilation_w;
    uint16_t pad_top;
    uint16_t pad_left;
} sv_window;

typedef struct SV_MAY_ALIAS sv_conv2d_parameters {
    sv_output_stage stage;
    sv_window window;
    uint32_t weights; /* int8 [out, height, width, depth] */
    uint32_t depth;   /* input channels that one output channel sees */
} sv_conv2d_parameters;

typedef struct SV_MAY_ALIAS sv_depthwise_parameters {
    sv_output_stage stage;
    sv_window window;
    uint32_t weights; /* int8 [height, width, out] */
    uint32_t depth_multiplier;
} sv_depthwise_parameters;

typedef struct SV_MAY_ALIAS sv_fully_connected_parameters {
    sv_output_stage stage;
    uint32_t weights; /* int8 [units, depth] */
    uint32_t units;
    uint32_t depth;
} sv_fully_connected_parameters;

typedef struct SV_MAY_ALIAS sv_pool2d_parameters {
    sv_window window; /* dilation 1 */
    int8_t low;
    int8_t high;
    uint8_t halves_up; /* 1: a mean's halves go up, as in models that were uint8 */
    uint8_t reserved;
} sv_pool2d_parameters;

/* Single rounding: (left * left_multiplier + right * right_multiplier) / 2^output_shift, halves up. */
typedef struct SV_MAY_ALIAS sv_add_parameters {
    int32_t left_multiplier;
    int32_t right_multiplier;
    int32_t output_multiplier;
    int8_t left_shift;
    int8_t right_shift;
    int8_t output_shift;
    uint8_t subtract; /* 1: left - right */
    int8_t low;
    int8_t high;
    uint16_t reserved;
} sv_add_parameters;

typedef struct SV_MAY_ALIAS sv_mul_parameters {
    int32_t multiplier; /* single rounding: a float32 factor */
    int8_t shift;
    int8_t low;
    int8_t high;
    uint8_t reserved;
} sv_mul_parameters;

typedef struct SV_MAY_ALIAS sv_softmax_parameters {
    uint32_t table; /* int32[256]: exp of 0, -1, -2 … input steps, Q0.31; 0 where it is left out;
                       * single rounding: float32[256] */
} sv_softmax_parameters;

typedef struct SV_MAY_ALIAS sv_table_parameters {
    uint32_t table; /* int8[256], by the input's byte taken as unsigned */
} sv_table_parameters;

/* The input is seen as [outer, count, inner], and averaged over the middle. */
typedef struct SV_MAY_ALIAS sv_mean_parameters {
    int32_t multiplier; /* single rounding: a float32 factor of the raw sum */
    int32_t shift;      /* single rounding: a float32 offset, the zero points of both sides */
    uint32_t outer;
    uint32_t count;
    uint32_t inner;
} sv_mean_parameters;

typedef struct SV_MAY_ALIAS sv_pad_parameters {
    uint32_t before[6]; /* how far the input lies from the start of each dimension */
    int32_t value; /* an element, in as many low bytes as it has */
} sv_pad_parameters;

/* Each input is seen as [outer, its bytes / outer]. */
typedef struct SV_MAY_ALIAS sv_concatenation_parameters {
    uint32_t outer;
} sv_concatenation_parameters;

/* Element [i, j, …] of the output is element start + i * steps[0] + j * steps[1] … of the input. */
typedef struct SV_MAY_ALIAS sv_strided_copy_parameters {
    uint32_t start;
    uint32_t counts[6];
    int32_t steps[6];
} sv_strided_copy_parameters;

/* Tables with an entry for each row and column of the output. */
typedef struct SV_MAY_ALIAS sv_resize_parameters {
    uint32_t rows;    /* nearest: uint16 position; bilinear: uint16[3] first, second, share */
    uint32_t columns; /* likewise */
} sv_resize_parameters;

/* float32 sums of channel c: sum + bias[c], not below `low` and not above `high`. */
typedef struct SV_MAY_ALIAS sv_float_stage {
    uint32_t bias; /* float a channel */
    float low;     /* minus infinity where there is no limit */
    float high;
} sv_float_stage;

typedef struct SV_MAY_ALIAS sv_conv2d_f32_parameters {
    sv_float_stage stage;
    sv_window window;
    uint32_t weights; /* float [out, height, width, depth] */
    uint32_t depth;   /* input channels that one output channel sees */
} sv_conv2d_f32_parameters;

typedef struct SV_MAY_ALIAS sv_depthwise_f32_parameters {
    sv_float_stage stage;
    sv_window window;
    uint32_t weights; /* float [height, width, out] */
    uint32_t depth_multiplier;
} sv_depthwise_f32_parameters;

typedef struct SV_MAY_ALIAS sv_fully_connected_f32_parameters {
    sv_float_stage stage;
    uint32_t weights; /* float [units, depth] */
    uint32_t units;
    uint32_t depth;
} sv_fully_connected_f32_parameters;

typedef struct SV_MAY_ALIAS sv_add_f32_parameters {
    float low;
    float high;
    uint32_t subtract; /* 1: left - right */
} sv_add_f32_parameters;

typedef struct SV_MAY_ALIAS sv_mul_f32_parameters {
    float low;
    float high;
} sv_mul_f32_parameters;

typedef struct SV_MAY_ALIAS sv_pool2d_f32_parameters {
    sv_window window; /* dilation 1 */
    float low;
    float high;
} sv_pool2d_f32_parameters;

typedef struct SV_MAY_ALIAS sv_softmax_f32_parameters {
    float beta; /* finite, at least 0 */
} sv_softmax_f32_parameters;

/* The input is seen as [outer, count, inner], and averaged over the middle. */
typedef struct SV_MAY_ALIAS sv_mean_f32_parameters {
    uint32_t outer;
    uint32_t count;
    uint32_t inner;
    uint32_t divides; /* 0: SUM, which does not divide by the count */
} sv_mean_f32_parameters;

typedef struct SV_MAY_ALIAS sv_unary_f32_parameters {
    uint32_t function; /* sv_function */
    float low;         /* of CLAMP */
    float high;
    float slope; /* of LEAKY_RELU, below 0 */
} sv_unary_f32_parameters;

typedef struct SV_MAY_ALIAS sv_resize_bilinear_f32_parameters {
    uint8_t align_corners;
    uint8_t half_pixel_centers;
    uint16_t reserved;
} sv_resize_bilinear_f32_parameters;

/* Sums of int16 times int8 of channel c to int16. Wide: sums of 64 bits by 16 bits of the multiplier,
 * rounded once; else the low 32 bits of the sum by MBQM. Zero points are 0. */
typedef struct SV_MAY_ALIAS sv_output_stage_s16 {
    uint32_t bias;       /* int64 a channel, within 2^46 */
    uint32_t multiplier; /* int32 a channel */
    uint32_t shift;      /* int8 a channel, -31..30; wide: up to 7 */
    int16_t low;
    int16_t high;
    uint32_t is_wide;
} sv_output_stage_s16;

typedef struct SV_MAY_ALIAS sv_conv2d_s16_parameters {
    sv_output_stage_s16 stage;
    sv_window window;
    uint32_t weights; /* int8 [out, height, width, depth] */
    uint32_t depth;   /* input channels that one output channel sees */
} sv_conv2d_s16_parameters;

typedef struct SV_MAY_ALIAS sv_depthwise_s16_parameters {
    sv_output_stage_s16 stage;
    sv_window window;
    uint32_t weights; /* int8 [height, width, out] */
    uint32_t depth_multiplier;
} sv_depthwise_s16_parameters;

typedef struct SV_MAY_ALIAS sv_fully_connected_s16_parameters {
    sv_output_stage_s16 stage;
    uint32_t weights; /* int8 [units, depth] */
    uint32_t units;
    uint32_t depth;
} sv_fully_connected_s16_parameters;

typedef struct SV_MAY_ALIAS sv_pool2d_s16_parameters {
    sv_window window; /* dilation 1 */
    int16_t low;
    int16_t high;
} sv_pool2d_s16_parameters;

typedef struct SV_MAY_ALIAS sv_add_s16_parameters {
    int32_t left_multiplier;
    int32_t right_multiplier;
    int32_t output_multiplier;
    int8_t left_shift;
    int8_t right_shift;
    int8_t output_shift;
    uint8_t subtract; /* 1: left - right */
    int16_t low;
    int16_t high;
} sv_add_s16_parameters;

typedef struct SV_MAY_ALIAS sv_mul_s16_parameters {
    int32_t multiplier;
    int16_t low;
    int16_t high;
    int8_t shift;
    uint8_t reserved0;
    uint16_t reserved1;
} sv_mul_s16_parameters;

typedef struct SV_MAY_ALIAS sv_softmax_s16_parameters {
    uint32_t exponential; /* int16[513]: exp over [-10, 0], in Q0.15, nowhere falling */
    uint32_t reciprocal;  /* int16[513]: 1 / (1 + x) over [0, 1], in Q0.15 */
    int32_t multiplier;   /* from input steps to 65535ths of 10 */
    int32_t shift;
} sv_softmax_s16_parameters;

typedef struct SV_MAY_ALIAS sv_sigmoid_s16_parameters {
    uint32_t table;     /* uint16[256]: 1 / (1 + exp(-i / 24)), in Q0.16 */
    int32_t multiplier; /* from input steps to 1 / 12288, with the shift */
    uint32_t shift;
    uint32_t function; /* SV_FUNCTION_LOGISTIC or SV_FUNCTION_TANH */
} sv_sigmoid_s16_parameters;

#endif
