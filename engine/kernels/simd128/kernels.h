/* The kernels of this target. */
#ifndef SELVEDGE_SIMD128_KERNELS_H
#define SELVEDGE_SIMD128_KERNELS_H

#include "core/kernel.h"

extern const sv_kernel sv_add_s8_simd128;
extern const sv_kernel sv_conv2d_f32_simd128;
extern const sv_kernel sv_conv2d_s8_simd128;
extern const sv_kernel sv_depthwise_3x3_s8_simd128;
extern const sv_kernel sv_depthwise_conv2d_f32_simd128;
extern const sv_kernel sv_depthwise_conv2d_s8_simd128;
extern const sv_kernel sv_fully_connected_f32_simd128;
extern const sv_kernel sv_fully_connected_s8_simd128;

#endif
