/* Windows of int16 pooling: check and walk. */
#include "kernels/pool2d_s16.h"

#include "fixed_point/wrap.h"

sv_status sv_check_pool2d_s16(const sv_call *call) {
    const sv_pool2d_s16_parameters *p = sv_parameters(call);
    if (!sv_are(call, SV_INT16) ||
        !sv_is_pool2d(&p->window, sv_input(call, 0), sv_output(call, 0))) {
        return SV_BAD_SHAPE;
    }
    return p->low <= p->high ? SV_OK : SV_BAD_PARAMETER;
}

void sv_run_pool2d_s16(const sv_call *call, sv_reduce_s16 reduce) {
    const sv_pool2d_s16_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const int32_t height = (int32_t)input->dims[1];
    const int32_t width = (int32_t)input->dims[2];
    const int32_t channels = (int32_t)input->dims[3];
    const ptrdiff_t row = (ptrdiff_t)width * channels;
    const sv_i16 *image = sv_read(call, input);
    sv_i16 *target = sv_write(call, output);
    for (uint32_t n = 0; n < input->dims[0]; n++, image += height * row) {
        for (int32_t y = 0; y < (int32_t)output->dims[1]; y++) {
            const sv_span rows = sv_rows(&p->window, y, height);
            for (int32_t x = 0; x < (int32_t)output->dims[2]; x++) {
                const sv_span columns = sv_columns(&p->window, x, width);
                const sv_i16 *cells = image + (rows.start + rows.first) * row +
                                      (ptrdiff_t)(columns.start + columns.first) * channels;
                for (int32_t channel = 0; channel < channels; channel++) {
                    const int32_t value =
                        reduce(cells + channel, rows.end - rows.first,
                               columns.end - columns.first, row, channels);
                    *target++ = (int16_t)sv_clamp(value, p->low, p->high);
                }
            }
        }
    }
}
