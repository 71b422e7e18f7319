#include "training/depthwise.h"

#include "training/activation.h"
#include "training/vector.h"

/* Taps of a window line whose sums are kept at once. */
enum { TAPS = 4 };

typedef struct walk {
    const sv_step *step;
    int32_t kernel_h, kernel_w;
    int32_t channels;          /* filled up */
    ptrdiff_t line, pixel;     /* from window to window */
} walk;

static walk walk_over(const sv_step *step) {
    const sv_window *window = &step->layer.window;
    const walk way = {
        .step = step,
        .kernel_h = window->kernel_h,
        .kernel_w = window->kernel_w,
        .channels = step->input.pixel,
        .line = (ptrdiff_t)window->stride_h * step->input.line,
        .pixel = (ptrdiff_t)window->stride_w * step->input.pixel,
    };
    return way;
}

int64_t sv_depthwise_weights(const sv_step *step) {
    return (int64_t)step->layer.window.kernel_h * step->layer.window.kernel_w * step->input.pixel;
}

/* Between rows that are filled up and rows that are not: weights, then biases. */
static void copy_rows(const sv_step *step, sv_f32 *to, ptrdiff_t to_row, const sv_f32 *from,
                      ptrdiff_t from_row) {
    const int32_t rows = step->layer.window.kernel_h * step->layer.window.kernel_w + 1;
    for (int32_t row = 0; row < rows; row++) {
        memcpy(to + row * to_row, from + row * from_row,
               (size_t)step->input.channels * sizeof *to);
    }
}

void sv_depthwise_pack(const sv_step *step, const sv_f32 *parameters) {
    copy_rows(step, step->weights, step->input.pixel, parameters, step->input.channels);
}

void sv_depthwise_unpack(const sv_step *step, const sv_f32 *gradient, sv_f32 *flat) {
    copy_rows(step, flat + step->parameters, step->input.channels, gradient + step->gradient,
              step->input.pixel);
}

static void forward_pixel(const walk *way, const sv_f32 *window, sv_f32 *outputs,
                          sv_range range) {
    for (int32_t c = 0; c < way->channels; c += SV_LANES) {
        const sv_f32 *weights = way->step->weights + c;
        const sv_f32 *line = window + c;
        sv_vector sum = sv_load(way->step->biases + c);
        for (int32_t ky = 0; ky < way->kernel_h; ky++, line += way->step->input.line) {
            const sv_f32 *tap = line;
            for (int32_t kx = 0; kx < way->kernel_w; kx++) {
                sum += sv_load(tap) * sv_load(weights);
                tap += way->channels;
                weights += way->channels;
            }
        }
        sv_store(outputs + c, sv_within(sum, range));
    }
}

void sv_depthwise_forward(const sv_step *step, int32_t count) {
    const walk way = walk_over(step);
    const sv_range range = sv_range_of(step->layer.activation);
    const sv_pictures *out = &step->output;
    for (int32_t p = 0; p < count; p++) {
        for (int32_t y = 0; y < out->height; y++) {
            const sv_f32 *windows = step->inputs + p * step->input.size + y * way.line;
            sv_f32 *outputs =
                step->outputs + p * out->size + out->inside + (ptrdiff_t)y * out->line;
            for (int32_t x = 0; x < out->width; x++) {
                forward_pixel(&way, windows + x * way.pixel, outputs + x * way.channels, range);
            }
        }
    }
}

/* Sums over all pixels of one picture for `taps` neighbours of a window line. */
SV_INLINE void gradient_taps(const walk *way, const sv_f32 *windows, const sv_f32 *slopes,
                             sv_f32 *gradient, const int32_t taps) {
    const sv_pictures *out = &way->step->output;
    sv_vector sums[TAPS];
    SV_UNROLL for (int32_t t = 0; t < taps; t++) {
        sums[t] = sv_load(gradient + t * way->channels);
    }
    for (int32_t y = 0; y < out->height; y++) {
        const sv_f32 *window = windows + y * way->line;
        const sv_f32 *line = slopes + (ptrdiff_t)y * out->line;
        for (int32_t x = 0; x < out->width; x++) {
            const sv_vector slope = sv_load(line);
            SV_UNROLL for (int32_t t = 0; t < taps; t++) {
                sums[t] += sv_load(window + t * way->channels) * slope;
            }
            window += way->pixel;
            line += way->channels;
        }
    }
    SV_UNROLL for (int32_t t = 0; t < taps; t++) {
        sv_store(gradient + t * way->channels, sums[t]);
    }
}

static void gradient_line(const walk *way, const sv_f32 *windows, const sv_f32 *slopes,
                          sv_f32 *gradient) {
    int32_t kx = 0;
    for (; kx + TAPS <= way->kernel_w; kx += TAPS) {
        gradient_taps(way, windows + kx * way->channels, slopes, gradient + kx * way->channels,
                      TAPS);
    }
    windows += kx * way->channels;
    gradient += kx * way->channels;
    switch (way->kernel_w - kx) {
    case 3:
        gradient_taps(way, windows, slopes, gradient, 3);
        break;
    case 2:
        gradient_taps(way, windows, slopes, gradient, 2);
        break;
    case 1:
        gradient_taps(way, windows, slopes, gradient, 1);
        break;
    default:
        break;
    }
}

static void bias_gradient(const sv_pictures *out, const sv_f32 *slopes, sv_f32 *gradient) {
    sv_vector sum = sv_load(gradient);
    for (int32_t y = 0; y < out->height; y++) {
        for (int32_t x = 0; x < out->width; x++) {
            sum += sv_load(slopes + (ptrdiff_t)y * out->line + x * out->pixel);
        }
    }
    sv_store(gradient, sum);
}

void sv_depthwise_gradient(const sv_step *step, const sv_f32 *slopes, sv_f32 *gradient,
                           int32_t count) {
    const walk way = walk_over(step);
    const ptrdiff_t row = (ptrdiff_t)way.kernel_w * way.channels;
    gradient += step->gradient;
    for (int32_t p = 0; p < count; p++) {
        const sv_f32 *inputs = step->inputs + p * step->input.size;
        const sv_f32 *right = slopes + p * step->output.size + step->output.inside;
        for (int32_t c = 0; c < way.channels; c += SV_LANES) {
            for (int32_t ky = 0; ky < way.kernel_h; ky++) {
                gradient_line(&way, inputs + (ptrdiff_t)ky * step->input.line + c, right + c,
                              gradient + ky * row + c);
            }
            bias_gradient(&step->output, right + c, gradient + way.kernel_h * row + c);
        }
    }
}

static void backward_pixel(const walk *way, const sv_f32 *slopes, sv_f32 *window) {
    for (int32_t c = 0; c < way->channels; c += SV_LANES) {
        const sv_vector slope = sv_load(slopes + c);
        const sv_f32 *weights = way->step->weights + c;
        sv_f32 *line = window + c;
        for (int32_t ky = 0; ky < way->kernel_h; ky++, line += way->step->input.line) {
            sv_f32 *tap = line;
            for (int32_t kx = 0; kx < way->kernel_w; kx++) {
                sv_store(tap, sv_load(tap) + slope * sv_load(weights));
                tap += way->channels;
                weights += way->channels;
            }
        }
    }
}

void sv_depthwise_backward(const sv_step *step, const sv_f32 *slopes, sv_f32 *inputs,
                           int32_t count) {
    const walk way = walk_over(step);
    const sv_pictures *out = &step->output;
    memset(inputs, 0, (size_t)count * (size_t)step->input.size * sizeof *inputs);
    for (int32_t p = 0; p < count; p++) {
        for (int32_t y = 0; y < out->height; y++) {
            const sv_f32 *line =
                slopes + p * out->size + out->inside + (ptrdiff_t)y * out->line;
            sv_f32 *windows = inputs + p * step->input.size + y * way.line;
            for (int32_t x = 0; x < out->width; x++) {
                backward_pixel(&way, line + x * way.channels, windows + x * way.pixel);
            }
        }
    }
}
