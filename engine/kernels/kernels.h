/* All kernels; a target picks those that it has. */
#ifndef SELVEDGE_KERNELS_H
#define SELVEDGE_KERNELS_H

#include "core/kernel.h"

extern const sv_kernel sv_add_f32;
extern const sv_kernel sv_add_s16;
extern const sv_kernel sv_add_s8;
extern const sv_kernel sv_average_pool2d_f32;
extern const sv_kernel sv_average_pool2d_s16;
extern const sv_kernel sv_average_pool2d_s8;
extern const sv_kernel sv_concatenation;
extern const sv_kernel sv_conv2d_f32;
extern const sv_kernel sv_conv2d_s16;
extern const sv_kernel sv_conv2d_s8;
extern const sv_kernel sv_depthwise_conv2d_f32;
extern const sv_kernel sv_depthwise_conv2d_s16;
extern const sv_kernel sv_depthwise_conv2d_s8;
extern const sv_kernel sv_dequantize_s16_f32;
extern const sv_kernel sv_dequantize_s8_f32;
extern const sv_kernel sv_fully_connected_f32;
extern const sv_kernel sv_fully_connected_s16;
extern const sv_kernel sv_fully_connected_s8;
extern const sv_kernel sv_max_pool2d_f32;
extern const sv_kernel sv_max_pool2d_s16;
extern const sv_kernel sv_max_pool2d_s8;
extern const sv_kernel sv_mean_f32;
extern const sv_kernel sv_mean_s16;
extern const sv_kernel sv_mean_s8;
extern const sv_kernel sv_mul_f32;
extern const sv_kernel sv_mul_s16;
extern const sv_kernel sv_mul_s8;
extern const sv_kernel sv_pad;
extern const sv_kernel sv_quantize_f32_s16;
extern const sv_kernel sv_quantize_f32_s8;
extern const sv_kernel sv_resize_bilinear_s8;
extern const sv_kernel sv_resize_nearest;
extern const sv_kernel sv_resize_bilinear_f32;
extern const sv_kernel sv_sigmoid_s16;
extern const sv_kernel sv_softmax_f32;
extern const sv_kernel sv_softmax_s16;
extern const sv_kernel sv_softmax_s8;
extern const sv_kernel sv_strided_copy;
extern const sv_kernel sv_table_s8;
extern const sv_kernel sv_unary_f32;

#endif
