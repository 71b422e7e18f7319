/* Pairs of elements of two tensors, broadcast to the output's shape. */
#ifndef SELVEDGE_BROADCAST_H
#define SELVEDGE_BROADCAST_H

#include "core/checks.h"

/* One run along the last dimension: steps are 1, or 0 where one element serves all. */
typedef void (*sv_pairs)(const void *context, const int8_t *left, int32_t left_step,
                         const int8_t *right, int32_t right_step, int8_t *output, int32_t count);

/* Whether both inputs broadcast to the output, and none that is broadcast is written over. */
sv_status sv_check_broadcast(const sv_call *call);
void sv_run_broadcast(const sv_call *call, sv_pairs pairs, const void *context);

#endif
