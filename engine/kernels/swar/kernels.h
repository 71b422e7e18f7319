/* The kernels that only the SWAR build has. */
#ifndef SELVEDGE_SWAR_KERNELS_H
#define SELVEDGE_SWAR_KERNELS_H

#include "core/kernel.h"

extern const sv_kernel sv_conv2d_swar;
extern const sv_kernel sv_depthwise_swar;
extern const sv_kernel sv_fully_connected_swar;

#endif
