/* What the int16 poolings share: windows clipped to the picture. */
#ifndef SELVEDGE_POOL2D_S16_H
#define SELVEDGE_POOL2D_S16_H

#include "kernels/pool2d.h"

/* Reduce the cells of one window in one channel, cells `row` and `column` elements apart. */
typedef int32_t (*sv_reduce_s16)(const sv_i16 *cells, int32_t height, int32_t width,
                                 ptrdiff_t row, ptrdiff_t column);

sv_status sv_check_pool2d_s16(const sv_call *call);
void sv_run_pool2d_s16(const sv_call *call, sv_reduce_s16 reduce);

#endif
