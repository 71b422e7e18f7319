/* The kernels of the portable build: plain C for any machine. */
#include "kernels/kernels.h"

const sv_kernel *const sv_kernels[] = {
    &sv_fully_connected_s8,
    &sv_softmax_s8,
};

const uint32_t sv_kernel_count = sizeof(sv_kernels) / sizeof(sv_kernels[0]);
