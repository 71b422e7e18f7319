/* All kernels; a target picks those that it has. */
#ifndef SELVEDGE_KERNELS_H
#define SELVEDGE_KERNELS_H

#include "core/kernel.h"

extern const sv_kernel sv_fully_connected_s8;
extern const sv_kernel sv_softmax_s8;

#endif
