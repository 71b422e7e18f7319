/* Windows of pooling: check and walk. */
#include "kernels/pool2d.h"

#include "fixed_point/wrap.h"

/* Most int8, less -128, whose sum fits in int32. */
enum { MAX_CELLS = 1 << 23 };

/* Windows move in one direction, so if the first and the last meet the picture, all do. */
static int all_meet(uint32_t outputs, uint32_t stride, uint32_t pad, uint32_t taps,
                    uint32_t length) {
    return pad < taps && (uint64_t)(outputs - 1) * stride < (uint64_t)length + pad;
}

int sv_is_pool2d(const sv_window *w, const sv_tensor *input, const sv_tensor *output) {
    return sv_is_window(w, input, output) && input->dims[3] == output->dims[3] &&
           w->dilation_h == 1 && w->dilation_w == 1 &&
           (uint64_t)input->dims[1] * input->dims[2] <= MAX_CELLS &&
           all_meet(output->dims[1], w->stride_h, w->pad_top, w->kernel_h, input->dims[1]) &&
           all_meet(output->dims[2], w->stride_w, w->pad_left, w->kernel_w, input->dims[2]);
}

sv_status sv_check_pool2d(const sv_call *call) {
    const sv_pool2d_parameters *p = sv_parameters(call);
    if (!sv_are_s8(call) || !sv_is_pool2d(&p->window, sv_input(call, 0), sv_output(call, 0))) {
        return SV_BAD_SHAPE;
    }
    return p->low <= p->high ? SV_OK : SV_BAD_PARAMETER;
}

void sv_run_pool2d(const sv_call *call, sv_reduce reduce) {
    const sv_pool2d_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const int32_t height = (int32_t)input->dims[1];
    const int32_t width = (int32_t)input->dims[2];
    const int32_t channels = (int32_t)input->dims[3];
    const ptrdiff_t row = (ptrdiff_t)width * channels;
    const int8_t *image = sv_read(call, input);
    int8_t *target = sv_write(call, output);
    for (uint32_t n = 0; n < input->dims[0]; n++, image += height * row) {
        for (int32_t y = 0; y < (int32_t)output->dims[1]; y++) {
            const sv_span rows = sv_rows(&p->window, y, height);
            for (int32_t x = 0; x < (int32_t)output->dims[2]; x++) {
                const sv_span columns = sv_columns(&p->window, x, width);
                const int8_t *cells = image + (rows.start + rows.first) * row +
                                      (ptrdiff_t)(columns.start + columns.first) * channels;
                for (int32_t channel = 0; channel < channels; channel++) {
                    const int32_t value =
                        reduce(cells + channel, rows.end - rows.first,
                               columns.end - columns.first, row, channels);
                    *target++ = (int8_t)sv_clamp(value, p->low, p->high);
                }
            }
        }
    }
}
