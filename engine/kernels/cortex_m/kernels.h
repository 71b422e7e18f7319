/* The kernels that only the Cortex-M build has. */
#ifndef SELVEDGE_CORTEX_M_KERNELS_H
#define SELVEDGE_CORTEX_M_KERNELS_H

#include "core/kernel.h"

extern const sv_kernel sv_add_s8_cortex_m;
extern const sv_kernel sv_conv2d_s8_cortex_m;
extern const sv_kernel sv_depthwise_conv2d_s8_cortex_m;
extern const sv_kernel sv_fully_connected_s8_cortex_m;

#endif
