/* What AVERAGE_POOL_2D and MAX_POOL_2D of float32 share: all channels of a window at once. */
#ifndef SELVEDGE_POOL2D_F32_H
#define SELVEDGE_POOL2D_F32_H

#include "kernels/float_stage.h"
#include "kernels/pool2d.h"

/* Reduce `rows` × `columns` cells of `channels` values, rows `stride` values apart. */
typedef void (*sv_reduce_f32)(const sv_f32 *restrict cells, int32_t rows, int32_t columns,
                              ptrdiff_t stride, int32_t channels, sv_f32 *restrict output);

sv_status sv_check_pool2d_f32(const sv_call *call);
void sv_run_pool2d_f32(const sv_call *call, sv_reduce_f32 reduce);

#endif
