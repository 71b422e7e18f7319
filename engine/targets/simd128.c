/* The kernels of the wasm build with 128-bit SIMD: its own, then the portable ones. */
#include "kernels/kernels.h"
#include "kernels/simd128/kernels.h"

const sv_kernel *const sv_kernels[] = {
    &sv_conv2d_s8_simd128,
    &sv_depthwise_conv2d_s8_simd128,
    &sv_fully_connected_s8_simd128,
    &sv_add_s8,
    &sv_average_pool2d_s8,
    &sv_concatenation,
    &sv_conv2d_s8,
    &sv_depthwise_conv2d_s8,
    &sv_dequantize_s8_f32,
    &sv_fully_connected_s8,
    &sv_max_pool2d_s8,
    &sv_mean_s8,
    &sv_mul_s8,
    &sv_pad_s8,
    &sv_quantize_f32_s8,
    &sv_softmax_s8,
    &sv_table_s8,
};

const uint32_t sv_kernel_count = sizeof(sv_kernels) / sizeof(sv_kernels[0]);
