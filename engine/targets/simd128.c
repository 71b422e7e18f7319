/* The kernels of the wasm build with 128-bit SIMD: its own, then the portable ones. */
#include "kernels/simd128/kernels.h"

#define SV_OWN_TARGET SV_TARGET_SIMD128
#define SV_OWN_KERNELS                                                                             \
    &sv_conv2d_f32_simd128, &sv_depthwise_conv2d_f32_simd128, &sv_fully_connected_f32_simd128,     \
    &sv_add_s8_simd128, &sv_conv2d_s8_simd128, &sv_depthwise_conv2d_s8_simd128,                    \
    &sv_depthwise_3x3_s8_simd128, &sv_fully_connected_s8_simd128,

#include "targets/portable.c"
