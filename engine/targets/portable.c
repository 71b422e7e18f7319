/* The kernels of the portable build: plain C for any machine. Other targets include this file, and
 * name their own kernels to go before. A build for small devices may leave out what float32 networks
 * need, or those with int16 activations: SV_WITHOUT_F32, SV_WITHOUT_S16. */
#include "kernels/kernels.h"

#ifndef SV_OWN_KERNELS
#define SV_OWN_KERNELS
#define SV_OWN_TARGET SV_TARGET_PORTABLE
#endif

const sv_kernel *const sv_kernels[] = {
    SV_OWN_KERNELS /* with a comma behind each */
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
    &sv_pad,
    &sv_quantize_f32_s8,
    &sv_resize_bilinear_s8,
    &sv_resize_nearest,
    &sv_softmax_s8,
    &sv_strided_copy,
    &sv_table_s8,
#ifndef SV_WITHOUT_F32
    &sv_add_f32,
    &sv_average_pool2d_f32,
    &sv_conv2d_f32,
    &sv_depthwise_conv2d_f32,
    &sv_fully_connected_f32,
    &sv_max_pool2d_f32,
    &sv_mean_f32,
    &sv_mul_f32,
    &sv_resize_bilinear_f32,
    &sv_softmax_f32,
    &sv_unary_f32,
#endif
#ifndef SV_WITHOUT_S16
    &sv_add_s16,
    &sv_average_pool2d_s16,
    &sv_conv2d_s16,
    &sv_depthwise_conv2d_s16,
    &sv_dequantize_s16_f32,
    &sv_fully_connected_s16,
    &sv_max_pool2d_s16,
    &sv_mean_s16,
    &sv_mul_s16,
    &sv_quantize_f32_s16,
    &sv_sigmoid_s16,
    &sv_softmax_s16,
#endif
};

const uint32_t sv_kernel_count = sizeof(sv_kernels) / sizeof(sv_kernels[0]);
const uint8_t sv_kernel_target = SV_OWN_TARGET;
