#include "training/linear.h"

#include "training/activation.h"
#include "training/product.h"

/* How a layer walks over its outputs. A layer with one window takes its examples for pixels. */
typedef struct walk {
    int32_t pictures;
    sv_places places; /* left: windows in the input, right: pixels of the output */
    ptrdiff_t picture_left, picture_right;
    int32_t run;   /* numbers of one window line: they are neighbours */
    int32_t lines; /* of a window */
} walk;

static walk walk_over(const sv_step *step, int32_t count) {
    const sv_pictures *in = &step->input, *out = &step->output;
    const sv_window *window = &step->layer.window;
    const int is_one_window = out->height == 1 && out->width == 1;
    const walk way = {
        .pictures = is_one_window ? 1 : count,
        .places =
            {
                .lines = out->height,
                .pixels = is_one_window ? count : out->width,
                .line_left = (ptrdiff_t)window->stride_h * in->line,
                .pixel_left =
                    is_one_window ? in->size : (ptrdiff_t)window->stride_w * in->pixel,
                .line_right = out->line,
                .pixel_right = is_one_window ? out->size : out->pixel,
            },
        .picture_left = in->size,
        .picture_right = out->size,
        .run = window->kernel_w * in->pixel,
        .lines = window->kernel_h,
    };
    return way;
}

/* A tile of outputs: the biases, every line of the windows, the activation. */
SV_INLINE void forward_tile(const sv_step *step, const walk *way, const sv_f32 *window,
                            const sv_f32 *weights, const sv_f32 *biases, sv_f32 *outputs,
                            const int32_t rows, const int32_t vectors) {
    sv_tile sums;
    SV_UNROLL for (int32_t r = 0; r < rows; r++) {
        SV_UNROLL for (int32_t v = 0; v < vectors; v++) {
            sums[r][v] = sv_load(biases + v * SV_LANES);
        }
    }
    for (int32_t line = 0; line < way->lines; line++, window += step->input.line) {
        weights = sv_add_products(window, way->places.pixel_left, way->run, weights, sums, rows,
                                  vectors);
    }
    const sv_range range = sv_range_of(step->layer.activation);
    SV_UNROLL for (int32_t r = 0; r < rows; r++) {
        SV_UNROLL for (int32_t v = 0; v < vectors; v++) {
            sv_store(outputs + r * way->places.pixel_right + v * SV_LANES,
                     sv_within(sums[r][v], range));
        }
    }
}

/* A line of pixels in tiles of four; the last tile ends with the last pixel. */
SV_INLINE void forward_line(const sv_step *step, const walk *way, const sv_f32 *windows,
                            const sv_f32 *weights, const sv_f32 *biases, sv_f32 *outputs,
                            const int32_t vectors) {
    const sv_places *places = &way->places;
    const int32_t last = places->pixels - SV_TILE_ROWS;
    if (last < 0) {
        for (int32_t x = 0; x < places->pixels; x++) {
            forward_tile(step, way, windows + x * places->pixel_left, weights, biases,
                         outputs + x * places->pixel_right, 1, vectors);
        }
        return;
    }
    for (int32_t x = 0; x < places->pixels; x += SV_TILE_ROWS) {
        const int32_t at = x < last ? x : last;
        forward_tile(step, way, windows + at * places->pixel_left, weights, biases,
                     outputs + at * places->pixel_right, SV_TILE_ROWS, vectors);
    }
}

void sv_linear_forward(const sv_step *step, int32_t count) {
    const walk way = walk_over(step, count);
    const int32_t channels = step->output.pixel;
    const ptrdiff_t terms = (ptrdiff_t)way.lines * way.run;
    for (int32_t p = 0; p < way.pictures; p++) {
        for (int32_t y = 0; y < way.places.lines; y++) {
            const sv_f32 *windows =
                step->inputs + p * way.picture_left + y * way.places.line_left;
            sv_f32 *outputs = step->outputs + step->output.inside + p * way.picture_right +
                              y * way.places.line_right;
            int32_t o = 0;
            for (; o + SV_BLOCK <= channels; o += SV_BLOCK) {
                forward_line(step, &way, windows, step->weights + o * terms, step->biases + o,
                             outputs + o, 2);
            }
            if (o < channels) {
                forward_line(step, &way, windows, step->weights + o * terms, step->biases + o,
                             outputs + o, 1);
            }
        }
    }
}

SV_INLINE void gradient_block(const sv_f32 *windows, const sv_f32 *slopes, const walk *way,
                              sv_f32 *gradient, const int32_t vectors) {
    const int32_t width = vectors * SV_LANES;
    int32_t k = 0;
    for (; k + SV_TILE_ROWS <= way->run; k += SV_TILE_ROWS) {
        sv_add_over_places(windows + k, slopes, &way->places, gradient + k * width, SV_TILE_ROWS,
                           vectors);
    }
    switch (way->run - k) {
    case 3:
        sv_add_over_places(windows + k, slopes, &way->places, gradient + k * width, 3, vectors);
        break;
    case 2:
        sv_add_over_places(windows + k, slopes, &way->places, gradient + k * width, 2, vectors);
        break;
    case 1:
        sv_add_over_places(windows + k, slopes, &way->places, gradient + k * width, 1, vectors);
        break;
    default:
        break;
    }
}

static void bias_gradient(const sv_f32 *slopes, const sv_places *places, int32_t channels,
                          sv_f32 *gradient) {
    for (int32_t o = 0; o < channels; o += SV_LANES) {
        sv_vector sum = sv_load(gradient + o);
        for (int32_t y = 0; y < places->lines; y++) {
            const sv_f32 *line = slopes + o + y * places->line_right;
            for (int32_t x = 0; x < places->pixels; x++, line += places->pixel_right) {
                sum += sv_load(line);
            }
        }
        sv_store(gradient + o, sum);
    }
}

void sv_linear_gradient(const sv_step *step, const sv_f32 *slopes, sv_f32 *gradient,
                        int32_t count) {
    const walk way = walk_over(step, count);
    const int32_t channels = step->output.pixel;
    const ptrdiff_t terms = (ptrdiff_t)way.lines * way.run;
    sv_f32 *weights = gradient + step->gradient;
    for (int32_t p = 0; p < way.pictures; p++) {
        const sv_f32 *right = slopes + step->output.inside + p * way.picture_right;
        for (int32_t line = 0; line < way.lines; line++) {
            const sv_f32 *windows =
                step->inputs + p * way.picture_left + (ptrdiff_t)line * step->input.line;
            int32_t o = 0;
            for (; o + SV_BLOCK <= channels; o += SV_BLOCK) {
                gradient_block(windows, right + o, &way,
                               weights + o * terms + (ptrdiff_t)line * way.run * SV_BLOCK, 2);
            }
            if (o < channels) {
                gradient_block(windows, right + o, &way,
                               weights + o * terms + (ptrdiff_t)line * way.run * SV_LANES, 1);
            }
        }
        bias_gradient(right, &way.places, channels, weights + channels * terms);
    }
}

/* Add what a tile of pixels sends back to one block of each one's window line. Windows overlap, so
 * rows are added one after the other. */
SV_INLINE void backward_tile(const sv_f32 *slopes, const walk *way, int32_t outputs,
                             const sv_f32 *reversed, sv_f32 *inputs, const int32_t rows,
                             const int32_t vectors) {
    sv_tile sums;
    SV_UNROLL for (int32_t r = 0; r < rows; r++) {
        SV_UNROLL for (int32_t v = 0; v < vectors; v++) { sums[r][v] = sv_spread(0.0f); }
    }
    sv_add_products(slopes, way->places.pixel_right, outputs, reversed, sums, rows, vectors);
    SV_UNROLL for (int32_t r = 0; r < rows; r++) {
        SV_UNROLL for (int32_t v = 0; v < vectors; v++) {
            sv_f32 *to = inputs + r * way->places.pixel_left + v * SV_LANES;
            sv_store(to, sv_load(to) + sums[r][v]);
        }
    }
}

SV_INLINE void backward_line(const sv_f32 *slopes, const walk *way, int32_t outputs,
                             const sv_f32 *reversed, sv_f32 *inputs, const int32_t vectors) {
    const sv_places *places = &way->places;
    int32_t x = 0;
    for (; x + SV_TILE_ROWS <= places->pixels; x += SV_TILE_ROWS) {
        backward_tile(slopes + x * places->pixel_right, way, outputs, reversed,
                      inputs + x * places->pixel_left, SV_TILE_ROWS, vectors);
    }
    for (; x < places->pixels; x++) {
        backward_tile(slopes + x * places->pixel_right, way, outputs, reversed,
                      inputs + x * places->pixel_left, 1, vectors);
    }
}

void sv_linear_backward(const sv_step *step, const sv_f32 *slopes, sv_f32 *inputs, int32_t count) {
    const walk way = walk_over(step, count);
    const int32_t outputs = step->output.channels;
    memset(inputs, 0, (size_t)count * (size_t)step->input.size * sizeof *inputs);
    for (int32_t p = 0; p < way.pictures; p++) {
        for (int32_t y = 0; y < way.places.lines; y++) {
            const sv_f32 *line = slopes + step->output.inside + p * way.picture_right +
                                 y * way.places.line_right;
            sv_f32 *windows = inputs + p * way.picture_left + y * way.places.line_left;
            const sv_f32 *reversed = step->reversed;
            for (int32_t ky = 0; ky < way.lines; ky++, windows += step->input.line) {
                int32_t k = 0;
                for (; k + SV_BLOCK <= way.run; k += SV_BLOCK, reversed += outputs * SV_BLOCK) {
                    backward_line(line, &way, outputs, reversed, windows + k, 2);
                }
                if (k < way.run) {
                    backward_line(line, &way, outputs, reversed, windows + k, 1);
                    reversed += outputs * SV_LANES;
                }
            }
        }
    }
}

int64_t sv_linear_weights(const sv_step *step) {
    return (int64_t)step->layer.window.kernel_h * step->layer.window.kernel_w *
           step->input.pixel * step->output.pixel;
}

int64_t sv_linear_reversed(const sv_step *step) {
    return (int64_t)step->layer.window.kernel_h * step->layer.window.kernel_w *
           step->input.pixel * step->output.channels;
}

/* Floats of one row of the block in which a column is; there are a multiple of four columns. */
static int32_t block_width(int32_t column, int32_t columns) {
    return columns - (column & ~(SV_BLOCK - 1)) < SV_BLOCK ? SV_LANES : SV_BLOCK;
}

static ptrdiff_t in_blocks(int32_t column, int32_t columns, ptrdiff_t row, ptrdiff_t rows) {
    const int32_t start = column & ~(SV_BLOCK - 1);
    return start * rows + row * block_width(column, columns) + (column - start);
}

/* Parameters have the order of TFLite: outputs, window, inputs; then the biases. What fills lines
 * up was zero from the start and stays so. */
void sv_linear_pack(const sv_step *step, const sv_f32 *parameters) {
    const int32_t outputs = step->output.channels, inputs = step->input.channels;
    const int32_t taps = step->layer.window.kernel_h * step->layer.window.kernel_w;
    const int32_t pixel = step->input.pixel, width = step->layer.window.kernel_w;
    const int32_t run = width * pixel;
    const ptrdiff_t terms = (ptrdiff_t)taps * pixel;
    for (int32_t o = 0; o < outputs; o++) {
        sv_f32 *column = step->weights + in_blocks(o, step->output.pixel, 0, terms);
        const int32_t stride = block_width(o, step->output.pixel);
        for (int32_t tap = 0; tap < taps; tap++, parameters += inputs) {
            sv_f32 *to = column + (ptrdiff_t)tap * pixel * stride;
            for (int32_t c = 0; c < inputs; c++) {
                to[(ptrdiff_t)c * stride] = parameters[c];
            }
            if (step->reversed != NULL) {
                sv_f32 *line = step->reversed + (ptrdiff_t)(tap / width) * run * outputs;
                const int32_t first = tap % width * pixel;
                for (int32_t c = 0; c < inputs; c++) {
                    line[in_blocks(first + c, run, o, outputs)] = parameters[c];
                }
            }
        }
    }
    memcpy(step->biases, parameters, (size_t)outputs * sizeof *parameters);
}

void sv_linear_unpack(const sv_step *step, const sv_f32 *gradient, sv_f32 *flat) {
    const int32_t outputs = step->output.channels, inputs = step->input.channels;
    const int32_t taps = step->layer.window.kernel_h * step->layer.window.kernel_w;
    const int32_t pixel = step->input.pixel;
    const ptrdiff_t terms = (ptrdiff_t)taps * pixel;
    gradient += step->gradient;
    flat += step->parameters;
    for (int32_t o = 0; o < outputs; o++) {
        const sv_f32 *column = gradient + in_blocks(o, step->output.pixel, 0, terms);
        const int32_t stride = block_width(o, step->output.pixel);
        for (int32_t tap = 0; tap < taps; tap++, flat += inputs) {
            const sv_f32 *from = column + (ptrdiff_t)tap * pixel * stride;
            for (int32_t c = 0; c < inputs; c++) {
                flat[c] = from[(ptrdiff_t)c * stride];
            }
        }
    }
    memcpy(flat, gradient + step->output.pixel * terms, (size_t)outputs * sizeof *flat);
}
