#include "training/activation.h"

void sv_activation_backward(const sv_step *step, sv_f32 *slopes, int32_t count) {
    if (step->layer.activation == SV_NO_ACTIVATION) {
        return;
    }
    const sv_range range = sv_range_of(step->layer.activation);
    const sv_pictures *out = &step->output;
    const int32_t length = out->width * out->pixel;
    for (int32_t p = 0; p < count; p++) {
        for (int32_t y = 0; y < out->height; y++) {
            const ptrdiff_t start = p * out->size + out->inside + (ptrdiff_t)y * out->line;
            const sv_f32 *outputs = step->outputs + start;
            for (int32_t i = 0; i < length; i += SV_LANES) {
                const sv_vector value = sv_load(outputs + i);
                const sv_mask is_inside = (range.low < value) & (value < range.high);
                sv_store(slopes + start + i, sv_where(is_inside, sv_load(slopes + start + i)));
            }
        }
    }
}
