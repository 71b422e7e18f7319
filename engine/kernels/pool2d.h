/* What AVERAGE_POOL_2D and MAX_POOL_2D share: windows of raw int8, clipped to the picture. */
#ifndef SELVEDGE_POOL2D_H
#define SELVEDGE_POOL2D_H

#include "kernels/span.h"

/* Reduce the cells of one window in one channel, cells `row` and `column` bytes apart. */
typedef int32_t (*sv_reduce)(const int8_t *cells, int32_t height, int32_t width, ptrdiff_t row,
                             ptrdiff_t column);

/* Whether every window of a pooling meets the picture. */
int sv_is_pool2d(const sv_window *window, const sv_tensor *input, const sv_tensor *output);

sv_status sv_check_pool2d(const sv_call *call);
void sv_run_pool2d(const sv_call *call, sv_reduce reduce);

#endif
