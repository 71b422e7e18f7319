#include "training/pooling.h"
#include "training/vector.h"
#include "training/windows.h"

static sv_vector largest(const sv_f32 *first, const sv_taps *taps, const sv_pictures *in) {
    sv_vector found = sv_load(first);
    for (int32_t ky = 0; ky < taps->rows; ky++) {
        const sv_f32 *tap = first + (ptrdiff_t)ky * in->line;
        for (int32_t kx = 0; kx < taps->columns; kx++, tap += in->pixel) {
            found = sv_larger(found, sv_load(tap));
        }
    }
    return found;
}

void sv_max_pool_forward(const sv_step *step, int32_t count) {
    const sv_pictures *out = &step->output;
    for (int32_t p = 0; p < count; p++) {
        for (int32_t y = 0; y < out->height; y++) {
            for (int32_t x = 0; x < out->width; x++) {
                const sv_taps taps = sv_taps_of(step, p, y, x);
                for (int32_t c = 0; c < out->pixel; c += SV_LANES) {
                    sv_store(step->outputs + taps.output + c,
                             largest(step->inputs + taps.first + c, &taps, &step->input));
                }
            }
        }
    }
}

/* The slope goes to the first tap that is the output. */
static void send_back(const sv_f32 *first, sv_f32 *slopes, const sv_taps *taps,
                      const sv_pictures *in, sv_vector output, sv_vector slope) {
    for (int32_t ky = 0; ky < taps->rows; ky++) {
        ptrdiff_t at = (ptrdiff_t)ky * in->line;
        for (int32_t kx = 0; kx < taps->columns; kx++, at += in->pixel) {
            const sv_mask is_output = sv_load(first + at) == output;
            sv_store(slopes + at, sv_load(slopes + at) + sv_where(is_output, slope));
            slope = sv_where(~is_output, slope);
        }
    }
}

void sv_max_pool_backward(const sv_step *step, const sv_f32 *slopes, sv_f32 *inputs,
                          int32_t count) {
    const sv_pictures *out = &step->output;
    memset(inputs, 0, (size_t)count * (size_t)step->input.size * sizeof *inputs);
    for (int32_t p = 0; p < count; p++) {
        for (int32_t y = 0; y < out->height; y++) {
            for (int32_t x = 0; x < out->width; x++) {
                const sv_taps taps = sv_taps_of(step, p, y, x);
                for (int32_t c = 0; c < out->pixel; c += SV_LANES) {
                    send_back(step->inputs + taps.first + c, inputs + taps.first + c, &taps,
                              &step->input, sv_load(step->outputs + taps.output + c),
                              sv_load(slopes + taps.output + c));
                }
            }
        }
    }
}
