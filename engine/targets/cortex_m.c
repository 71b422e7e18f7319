/* The kernels of the build for Cortex-M with the DSP extension: its own, then the portable ones. */
#include "kernels/cortex_m/kernels.h"

#define SV_OWN_TARGET SV_TARGET_CORTEX_M
#define SV_OWN_KERNELS                                                                             \
    &sv_add_s8_cortex_m, &sv_conv2d_s8_cortex_m, &sv_depthwise_conv2d_s8_cortex_m,                 \
    &sv_fully_connected_s8_cortex_m,

#include "targets/portable.c"
