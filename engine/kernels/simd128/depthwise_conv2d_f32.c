/* DEPTHWISE_CONV_2D, float32: four channels at a time; the weights are those of layout 0. Of a 3×3
 * window with stride 1 or 2 each input is read once for all columns of windows that it is in. */
#include "kernels/float_stage.h"
#include "kernels/simd128/product_f32.h"
#include "kernels/kernels.h"
#include "kernels/span.h"

enum { LANES = 4 };

static sv_status check(const sv_call *call) { return sv_depthwise_conv2d_f32.check(call); }

typedef struct job {
    const sv_window *window;
    const sv_f32 *weights, *bias;
    sv_limits_f32 limits;
    int32_t width, channels, out_width;
} job;

/* The three picture rows of a window; one outside is a row of zeros that stands still. */
typedef struct bands {
    const sv_f32 *rows[3];
    ptrdiff_t steps[3];
} bands;

static const sv_f32 zeros[LANES] = {0.0f, 0.0f, 0.0f, 0.0f};

SV_INLINE v128_t add_column(v128_t sum, const v128_t x[3], const v128_t *weights) {
    SV_UNROLL for (int32_t ky = 0; ky < 3; ky++) {
        sum = wasm_f32x4_add(sum, wasm_f32x4_mul(x[ky], weights[3 * ky]));
    }
    return sum;
}

SV_INLINE void load_column(const job *j, const bands *b, int32_t column, v128_t x[3]) {
    const int is_inside = (uint32_t)column < (uint32_t)j->width;
    SV_UNROLL for (int32_t ky = 0; ky < 3; ky++) {
        x[ky] = is_inside ? wasm_v128_load(b->rows[ky] + column * b->steps[ky])
                          : wasm_f32x4_const_splat(0.0f);
    }
}

SV_INLINE void put(const job *j, v128_t sum, sv_f32 *output) {
    wasm_v128_store(output, sv_limit_f32x4(sum, j->limits.low, j->limits.high));
}

/* Each column belongs to three windows, whose sums are on the way at once. */
static void row_stride1(const job *j, const bands *b, const v128_t weights[9], v128_t bias,
                        sv_f32 *output) {
    int32_t column = -(int32_t)j->window->pad_left;
    v128_t x[3];
    load_column(j, b, column++, x);
    v128_t older = add_column(bias, x, weights);
    load_column(j, b, column++, x);
    older = add_column(older, x, weights + 1);
    v128_t newer = add_column(bias, x, weights);
    for (int32_t left = j->out_width; left > 0; left--, output += j->channels) {
        load_column(j, b, column++, x);
        put(j, add_column(older, x, weights + 2), output);
        older = add_column(newer, x, weights + 1);
        newer = add_column(bias, x, weights);
    }
}

/* Every other column belongs to two windows. */
static void row_stride2(const job *j, const bands *b, const v128_t weights[9], v128_t bias,
                        sv_f32 *output) {
    int32_t column = -(int32_t)j->window->pad_left;
    v128_t x[3];
    load_column(j, b, column++, x);
    v128_t sum = add_column(bias, x, weights);
    for (int32_t left = j->out_width; left > 0; left--, output += j->channels) {
        load_column(j, b, column++, x);
        sum = add_column(sum, x, weights + 1);
        load_column(j, b, column++, x);
        put(j, add_column(sum, x, weights + 2), output);
        sum = add_column(bias, x, weights);
    }
}

/* One row of outputs under 3×3 windows; the last four channels may overlap those before. */
static void row_of_3x3(const job *j, const sv_f32 *image, const sv_span *rows, sv_f32 *output) {
    const ptrdiff_t row = (ptrdiff_t)j->width * j->channels;
    for (int32_t c = 0; c < j->channels; c += LANES) {
        const int32_t first = c + LANES <= j->channels ? c : j->channels - LANES;
        bands b;
        v128_t weights[9];
        for (int32_t ky = 0; ky < 3; ky++) {
            const int is_inside = ky >= rows->first && ky < rows->end;
            b.rows[ky] = is_inside ? image + (rows->start + ky) * row + first : zeros;
            b.steps[ky] = is_inside ? j->channels : 0;
        }
        SV_UNROLL for (int32_t tap = 0; tap < 9; tap++) {
            weights[tap] = wasm_v128_load(j->weights + (ptrdiff_t)tap * j->channels + first);
        }
        const v128_t bias = wasm_v128_load(j->bias + first);
        if (j->window->stride_w == 1) {
            row_stride1(j, &b, weights, bias, output + first);
        } else {
            row_stride2(j, &b, weights, bias, output + first);
        }
    }
}

/* One row of outputs under any windows. */
static void row_of_any(const job *j, const sv_f32 *image, const sv_span *rows, sv_f32 *output) {
    const sv_window *w = j->window;
    for (int32_t ox = 0; ox < j->out_width; ox++, output += j->channels) {
        const sv_span columns = sv_columns(w, ox, j->width);
        for (int32_t c = 0; c < j->channels; c += LANES) {
            const int32_t first = c + LANES <= j->channels ? c : j->channels - LANES;
            v128_t sum = wasm_v128_load(j->bias + first);
            for (int32_t ky = rows->first; ky < rows->end; ky++) {
                const ptrdiff_t y = rows->start + ky * w->dilation_h;
                for (int32_t kx = columns.first; kx < columns.end; kx++) {
                    const ptrdiff_t x = columns.start + kx * w->dilation_w;
                    const ptrdiff_t tap = (ptrdiff_t)ky * w->kernel_w + kx;
                    sum = wasm_f32x4_add(
                        sum, wasm_f32x4_mul(
                                 wasm_v128_load(image + (y * j->width + x) * j->channels + first),
                                 wasm_v128_load(j->weights + tap * j->channels + first)));
                }
            }
            put(j, sum, output + first);
        }
    }
}

static void run(const sv_call *call) {
    const sv_depthwise_f32_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const sv_window *w = &p->window;
    if (p->depth_multiplier != 1 || input->dims[3] < LANES) {
        sv_depthwise_conv2d_f32.run(call);
        return;
    }
    const job j = {
        .window = w,
        .weights = sv_constant(call, p->weights),
        .bias = sv_constant(call, p->stage.bias),
        .limits = {wasm_f32x4_splat(p->stage.low), wasm_f32x4_splat(p->stage.high)},
        .width = (int32_t)input->dims[2],
        .channels = (int32_t)input->dims[3],
        .out_width = (int32_t)output->dims[2],
    };
    const int is_3x3 = w->kernel_h == 3 && w->kernel_w == 3 && w->dilation_h == 1 &&
                       w->dilation_w == 1 && w->stride_w <= 2;
    const int32_t height = (int32_t)input->dims[1];
    const sv_f32 *image = sv_read(call, input);
    sv_f32 *target = sv_write(call, output);
    for (uint32_t n = 0; n < input->dims[0]; n++) {
        for (int32_t y = 0; y < (int32_t)output->dims[1]; y++) {
            const sv_span rows = sv_rows(w, y, height);
            (is_3x3 ? row_of_3x3 : row_of_any)(&j, image, &rows, target);
            target += (ptrdiff_t)j.out_width * j.channels;
        }
        image += (ptrdiff_t)height * j.width * j.channels;
    }
}

const sv_kernel sv_depthwise_conv2d_f32_simd128 = {
    .opcode = SV_DEPTHWISE_CONV_2D_F32,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_depthwise_f32_parameters),
    .check = check,
    .run = run,
};
