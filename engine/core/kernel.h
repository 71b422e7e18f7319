/* A kernel, and the table of those that a build has. */
#ifndef SELVEDGE_KERNEL_H
#define SELVEDGE_KERNEL_H

#include "core/call.h"

/* `check` decides once whether `run` is safe with what the plan says; `run` checks nothing.
 * Before `check` is called, operands exist, lie inside their memory and do not overlap (but see
 * `in_place`), and the parameters lie inside the constants. */
typedef struct sv_kernel {
    uint16_t opcode;
    uint8_t version;
    uint8_t layout;
    sv_status (*check)(const sv_call *call); /* up to `run` as `convert` knows it, too */
    void (*run)(const sv_call *call);
    uint16_t inputs_min;
    uint16_t inputs_max;
    uint16_t parameter_bytes;
    uint8_t in_place; /* the output may be the memory of an input of the same number of bytes */
} sv_kernel;

/* Each target defines these two; the first kernel that fits an operator is taken. */
extern const sv_kernel *const sv_kernels[];
extern const uint32_t sv_kernel_count;

static inline const sv_kernel *sv_find_kernel(const sv_operator *op) {
    for (uint32_t i = 0; i < sv_kernel_count; i++) {
        const sv_kernel *kernel = sv_kernels[i];
        if (kernel->opcode == op->opcode && kernel->version == op->version &&
            kernel->layout == op->layout) {
            return kernel;
        }
    }
    return NULL;
}

#endif
