/* Which shapes go together, for every element type of an operator. */
#ifndef SELVEDGE_SHAPES_H
#define SELVEDGE_SHAPES_H

#include "kernels/span.h"

/* Groups of `depth` channels go in, and each gives as many of those that come out. */
static inline int sv_is_conv2d(const sv_window *window, const sv_tensor *input,
                               const sv_tensor *output, uint32_t depth) {
    return sv_is_window(window, input, output) && depth >= 1 && input->dims[3] % depth == 0 &&
           output->dims[3] % (input->dims[3] / depth) == 0;
}

/* Each channel gives `multiplier` of them. */
static inline int sv_is_depthwise(const sv_window *window, const sv_tensor *input,
                                  const sv_tensor *output, uint32_t multiplier) {
    return sv_is_window(window, input, output) && multiplier >= 1 &&
           (uint64_t)input->dims[3] * multiplier == output->dims[3];
}

/* Rows of `depth` go in, and as many rows of `units` come out. */
static inline int sv_is_fully_connected(const sv_call *call, uint32_t units, uint32_t depth) {
    const uint32_t inputs = sv_elements(sv_input(call, 0));
    return depth >= 1 && units >= 1 && inputs % depth == 0 &&
           (uint64_t)(inputs / depth) * units == sv_elements(sv_output(call, 0));
}

/* [outer, count, inner] goes in, [outer, inner] comes out. */
static inline int sv_is_reduction(const sv_call *call, uint32_t outer, uint32_t count,
                                  uint32_t inner) {
    const uint64_t outputs = sv_elements(sv_output(call, 0));
    return count >= 1 && (uint64_t)outer * inner == outputs &&
           outputs * count == sv_elements(sv_input(call, 0));
}

#endif
