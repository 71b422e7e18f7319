/* Questions that the kernels' checks have in common. */
#ifndef SELVEDGE_CHECKS_H
#define SELVEDGE_CHECKS_H

#include "core/call.h"

/* Longest height, width, window, stride, dilation and padding: products of two fit in 2^30. */
enum { SV_MAX_LENGTH = 32767 };

/* Most products of two int8 whose sum fits in int32. */
enum { SV_MAX_TERMS = 131071 };

/* Whether `count` elements of `size` bytes (1, 2, 4) lie at a fitting offset in the constants. */
static inline int sv_has_constants(const sv_call *call, uint32_t offset, uint64_t count,
                                   uint32_t size) {
    const uint32_t bytes = call->plan->constants_bytes;
    return offset % size == 0 && offset <= bytes && count <= (bytes - offset) / size;
}

/* Bytes of one element; 0 for a type that plans do not have. */
static inline uint32_t sv_element_bytes(const sv_tensor *tensor) {
    switch (tensor->dtype) {
    case SV_INT8:
        return 1;
    case SV_INT16:
        return 2;
    case SV_INT32:
    case SV_FLOAT32:
        return 4;
    default:
        return 0;
    }
}

static inline uint32_t sv_elements(const sv_tensor *tensor) {
    uint32_t count = 1;
    for (uint32_t i = 0; i < SV_MAX_RANK; i++) {
        count *= tensor->dims[i]; /* at most 2^31 - 1 in a checked tensor */
    }
    return count;
}

static inline int sv_same_shape(const sv_tensor *left, const sv_tensor *right) {
    for (uint32_t i = 0; i < SV_MAX_RANK; i++) {
        if (left->dims[i] != right->dims[i]) {
            return 0;
        }
    }
    return left->rank == right->rank;
}

/* A picture [batch, height, width, channels] of lengths that kernels can count with. */
static inline int sv_is_image(const sv_tensor *tensor) {
    return tensor->rank == 4 && tensor->dims[1] <= SV_MAX_LENGTH &&
           tensor->dims[2] <= SV_MAX_LENGTH;
}

/* Whether all operands of an operator have this type. */
static inline int sv_are(const sv_call *call, uint8_t dtype) {
    const uint32_t count = (uint32_t)call->op->input_count + call->op->output_count;
    for (uint32_t i = 0; i < count; i++) {
        if (sv_operand(call, i)->dtype != dtype) {
            return 0;
        }
    }
    return 1;
}

static inline int sv_are_s8(const sv_call *call) { return sv_are(call, SV_INT8); }

static inline int sv_is_shift(int32_t shift) { return shift >= -31 && shift <= 30; }

#endif
