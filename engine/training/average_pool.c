#include "training/pooling.h"
#include "training/vector.h"
#include "training/windows.h"

static sv_vector sum_of(const sv_f32 *first, const sv_taps *taps, const sv_pictures *in) {
    sv_vector sum = sv_spread(0.0f);
    for (int32_t ky = 0; ky < taps->rows; ky++) {
        const sv_f32 *tap = first + (ptrdiff_t)ky * in->line;
        for (int32_t kx = 0; kx < taps->columns; kx++, tap += in->pixel) {
            sum += sv_load(tap);
        }
    }
    return sum;
}

static sv_vector share_of(const sv_taps *taps) {
    return sv_spread(1.0f / (float)(taps->rows * taps->columns));
}

void sv_average_pool_forward(const sv_step *step, int32_t count) {
    const sv_pictures *out = &step->output;
    for (int32_t p = 0; p < count; p++) {
        for (int32_t y = 0; y < out->height; y++) {
            for (int32_t x = 0; x < out->width; x++) {
                const sv_taps taps = sv_taps_of(step, p, y, x);
                for (int32_t c = 0; c < out->pixel; c += SV_LANES) {
                    const sv_vector sum =
                        sum_of(step->inputs + taps.first + c, &taps, &step->input);
                    sv_store(step->outputs + taps.output + c, sum * share_of(&taps));
                }
            }
        }
    }
}

static void send_back(sv_f32 *first, const sv_taps *taps, const sv_pictures *in, sv_vector slope) {
    for (int32_t ky = 0; ky < taps->rows; ky++) {
        sv_f32 *tap = first + (ptrdiff_t)ky * in->line;
        for (int32_t kx = 0; kx < taps->columns; kx++, tap += in->pixel) {
            sv_store(tap, sv_load(tap) + slope);
        }
    }
}

void sv_average_pool_backward(const sv_step *step, const sv_f32 *slopes, sv_f32 *inputs,
                              int32_t count) {
    const sv_pictures *out = &step->output;
    memset(inputs, 0, (size_t)count * (size_t)step->input.size * sizeof *inputs);
    for (int32_t p = 0; p < count; p++) {
        for (int32_t y = 0; y < out->height; y++) {
            for (int32_t x = 0; x < out->width; x++) {
                const sv_taps taps = sv_taps_of(step, p, y, x);
                for (int32_t c = 0; c < out->pixel; c += SV_LANES) {
                    send_back(inputs + taps.first + c, &taps, &step->input,
                              sv_load(slopes + taps.output + c) * share_of(&taps));
                }
            }
        }
    }
}
