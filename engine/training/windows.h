/* The windows of a pooling layer, one after the other. */
#ifndef SELVEDGE_TRAINING_WINDOWS_H
#define SELVEDGE_TRAINING_WINDOWS_H

#include "kernels/span.h"
#include "training/training.h"

/* One window, clipped: its taps, and where the first of them and the output's pixel lie. */
typedef struct sv_taps {
    int32_t rows, columns;
    ptrdiff_t first, output;
} sv_taps;

static inline sv_taps sv_taps_of(const sv_step *step, int32_t p, int32_t y, int32_t x) {
    const sv_pictures *in = &step->input, *out = &step->output;
    const sv_span rows = sv_rows(&step->layer.window, y, in->height);
    const sv_span columns = sv_columns(&step->layer.window, x, in->width);
    const sv_taps taps = {
        .rows = rows.end - rows.first,
        .columns = columns.end - columns.first,
        .first = p * in->size + in->inside + (ptrdiff_t)(rows.start + rows.first) * in->line +
                 (ptrdiff_t)(columns.start + columns.first) * in->pixel,
        .output = p * out->size + out->inside + (ptrdiff_t)y * out->line +
                  (ptrdiff_t)x * out->pixel,
    };
    return taps;
}

#endif
