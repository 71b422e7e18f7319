/* The kernels of the build for interpreters: its own, then the portable ones. */
#include "kernels/swar/kernels.h"

#define SV_OWN_TARGET SV_TARGET_SWAR
#define SV_OWN_KERNELS &sv_conv2d_swar, &sv_depthwise_swar, &sv_fully_connected_swar,

#include "targets/portable.c"
