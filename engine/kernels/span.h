/* Which taps of a window lie inside the picture. */
#ifndef SELVEDGE_SPAN_H
#define SELVEDGE_SPAN_H

#include "core/checks.h"
#include "selvedge/parameters.h"

/* Taps first..end-1 of one row or column of a window; tap t lies at start + t * dilation. */
typedef struct sv_span {
    int32_t start;
    int32_t first;
    int32_t end;
} sv_span;

/* The window of output position `output`, clipped to 0..length-1. All but `output`, which the
 * output's own shape bounds, are at most SV_MAX_LENGTH, so nothing here overflows. */
static inline sv_span sv_clip(int32_t output, int32_t stride, int32_t pad, int32_t taps,
                              int32_t dilation, int32_t length) {
    const int32_t start = output * stride - pad;
    if (start >= 0 && start + (taps - 1) * dilation < length) {
        const sv_span inside = {start, 0, taps}; /* most windows; without a division */
        return inside;
    }
    const int32_t first = start < 0 ? (-start + dilation - 1) / dilation : 0;
    const int32_t last = start < length ? (length - 1 - start) / dilation : -1;
    sv_span span;
    span.start = start;
    span.first = first < taps ? first : taps;
    span.end = last < taps ? last + 1 : taps;
    span.end = span.end > span.first ? span.end : span.first;
    return span;
}

static inline sv_span sv_rows(const sv_window *window, int32_t y, int32_t height) {
    return sv_clip(y, window->stride_h, window->pad_top, window->kernel_h, window->dilation_h,
                   height);
}

static inline sv_span sv_columns(const sv_window *window, int32_t x, int32_t width) {
    return sv_clip(x, window->stride_w, window->pad_left, window->kernel_w, window->dilation_w,
                   width);
}

/* Whether a window over `input` can be computed with and gives as many images as `output` has. */
static inline int sv_is_window(const sv_window *window, const sv_tensor *input,
                               const sv_tensor *output) {
    return sv_is_image(input) && sv_is_image(output) && input->dims[0] == output->dims[0] &&
           window->kernel_h - 1u < SV_MAX_LENGTH && window->kernel_w - 1u < SV_MAX_LENGTH &&
           window->stride_h - 1u < SV_MAX_LENGTH && window->stride_w - 1u < SV_MAX_LENGTH &&
           window->dilation_h - 1u < SV_MAX_LENGTH && window->dilation_w - 1u < SV_MAX_LENGTH &&
           window->pad_top <= SV_MAX_LENGTH && window->pad_left <= SV_MAX_LENGTH;
}

#endif
