/* Pairs of elements of two tensors, broadcast to the output's shape. */
#ifndef SELVEDGE_BROADCAST_H
#define SELVEDGE_BROADCAST_H

#include "core/checks.h"

/* One run along the last dimension: steps are 1, or 0 where one element serves all. */
typedef void (*sv_pairs)(const void *context, const void *left, int32_t left_step,
                         const void *right, int32_t right_step, void *output, int32_t count);

/* Whether all are of this type, both inputs broadcast to the output, and none that is broadcast is
 * written over. */
sv_status sv_check_broadcast(const sv_call *call, uint8_t dtype);

/* `size` is that of an element. */
void sv_run_broadcast(const sv_call *call, size_t size, sv_pairs pairs, const void *context);

#endif
