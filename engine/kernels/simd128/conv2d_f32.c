/* CONV_2D, float32, in one group with at least eight output channels. Windows are gathered as rows,
 * four at a time, with 0 for taps outside the picture; a window of one tap is a row already. */
#include "core/kernel.h"
#include "kernels/float_stage.h"
#include "kernels/simd128/product_f32.h"
#include "kernels/span.h"

/* Weights of so many bytes stay in the first cache while all rows pass. */
enum { PANEL_BYTES = 16384 };

/* Whether each window is one pixel, and each pixel one window. */
static int is_pointwise(const sv_window *w, const sv_tensor *input, const sv_tensor *output) {
    return w->kernel_h == 1 && w->kernel_w == 1 && w->stride_h == 1 && w->stride_w == 1 &&
           w->pad_top == 0 && w->pad_left == 0 && input->dims[1] == output->dims[1] &&
           input->dims[2] == output->dims[2];
}

static sv_status check(const sv_call *call) {
    const sv_conv2d_f32_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    if (!sv_are(call, SV_FLOAT32) || !sv_is_window(&p->window, input, output) || p->depth < 1 ||
        input->dims[3] != p->depth || output->dims[3] < SV_BLOCK_F32) {
        return SV_BAD_SHAPE;
    }
    const uint64_t blocks = (output->dims[3] + SV_BLOCK_F32 - 1u) / SV_BLOCK_F32;
    const uint64_t terms = (uint64_t)p->window.kernel_h * p->window.kernel_w * p->depth;
    if (terms > INT32_MAX / sizeof(float) / SV_BLOCK_F32 ||
        !sv_has_constants(call, p->weights, terms * blocks * SV_BLOCK_F32, 4)) {
        return SV_BAD_PARAMETER;
    }
    if (!is_pointwise(&p->window, input, output) &&
        call->op->scratch_bytes < terms * SV_ROWS_F32 * sizeof(float)) {
        return SV_BAD_OPERATOR;
    }
    return sv_check_float_stage(call, &p->stage, output->dims[3]);
}

typedef struct job {
    const sv_window *window;
    const sv_f32 *weights, *bias;
    sv_limits_f32 limits;
    int32_t height, width, channels;
    int32_t terms, outputs;
} job;

static sv_f32 *copy(sv_f32 *target, const sv_f32 *source, int32_t count) {
    int32_t i = 0;
    for (; i + 4 <= count; i += 4) {
        wasm_v128_store(target + i, wasm_v128_load(source + i));
    }
    for (; i < count; i++) {
        target[i] = source[i];
    }
    return target + count;
}

static sv_f32 *clear(sv_f32 *target, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        target[i] = 0.0f;
    }
    return target + count;
}

/* One row of a window, of which the taps columns->first..end-1 are inside. */
static sv_f32 *gather_row(const job *j, const sv_f32 *row, const sv_span *columns,
                          sv_f32 *target) {
    const int32_t taps = columns->end - columns->first;
    const int32_t dilation = j->window->dilation_w;
    const int32_t runs = dilation == 1 ? taps > 0 : taps;
    const int32_t length = dilation == 1 ? taps * j->channels : j->channels;
    const sv_f32 *source =
        row + (ptrdiff_t)(columns->start + columns->first * dilation) * j->channels;
    target = clear(target, columns->first * j->channels);
    for (int32_t run = 0; run < runs; run++, source += (ptrdiff_t)dilation * j->channels) {
        target = copy(target, source, length);
    }
    return clear(target, (j->window->kernel_w - columns->end) * j->channels);
}

static void gather(const job *j, const sv_f32 *image, int32_t y, int32_t x, sv_f32 *target) {
    const sv_span rows = sv_rows(j->window, y, j->height);
    const sv_span columns = sv_columns(j->window, x, j->width);
    const int32_t row = j->window->kernel_w * j->channels;
    target = clear(target, rows.first * row);
    for (int32_t ky = rows.first; ky < rows.end; ky++) {
        const ptrdiff_t at = rows.start + ky * j->window->dilation_h;
        target = gather_row(j, image + at * j->width * j->channels, &columns, target);
    }
    clear(target, (j->window->kernel_h - rows.end) * row);
}

/* Rows times blocks first..end-1; the last block ends with the last channel. */
static void multiply(const job *j, const sv_f32 *rows, int32_t count, int32_t first, int32_t end,
                     sv_f32 *outputs) {
    const ptrdiff_t block = (ptrdiff_t)j->terms * SV_BLOCK_F32;
    for (int32_t b = first; b < end; b++) {
        const int32_t last = j->outputs - SV_BLOCK_F32;
        const int32_t channel = b * SV_BLOCK_F32 < last ? b * SV_BLOCK_F32 : last;
        const sv_f32 *weights = j->weights + b * block;
        if (count == SV_ROWS_F32) {
            sv_multiply_f32(rows, j->terms, j->terms, weights, j->bias + channel, j->limits,
                            outputs + channel, j->outputs, SV_ROWS_F32);
            continue;
        }
        for (int32_t r = 0; r < count; r++) {
            sv_multiply_f32(rows + (ptrdiff_t)r * j->terms, j->terms, j->terms, weights,
                            j->bias + channel, j->limits,
                            outputs + (ptrdiff_t)r * j->outputs + channel, j->outputs, 1);
        }
    }
}

/* As many blocks at once as stay in the cache. */
static void multiply_all(const job *j, const sv_f32 *inputs, int32_t rows, sv_f32 *outputs) {
    const int32_t blocks = (j->outputs + SV_BLOCK_F32 - 1) / SV_BLOCK_F32;
    const int32_t bytes = j->terms * (int32_t)(SV_BLOCK_F32 * sizeof(float));
    const int32_t panel = bytes < PANEL_BYTES ? PANEL_BYTES / bytes : 1;
    for (int32_t first = 0; first < blocks; first += panel) {
        const int32_t end = first + panel < blocks ? first + panel : blocks;
        for (int32_t row = 0; row < rows; row += SV_ROWS_F32) {
            const int32_t left = rows - row;
            multiply(j, inputs + (ptrdiff_t)row * j->terms, left < SV_ROWS_F32 ? left : SV_ROWS_F32,
                     first, end, outputs + (ptrdiff_t)row * j->outputs);
        }
    }
}

static void image(const job *j, const sv_f32 *inputs, const sv_tensor *output, sv_f32 *rows,
                  sv_f32 *outputs) {
    const int32_t blocks = (j->outputs + SV_BLOCK_F32 - 1) / SV_BLOCK_F32;
    int32_t waiting = 0;
    for (int32_t y = 0; y < (int32_t)output->dims[1]; y++) {
        for (int32_t x = 0; x < (int32_t)output->dims[2]; x++) {
            gather(j, inputs, y, x, rows + (ptrdiff_t)waiting * j->terms);
            if (++waiting == SV_ROWS_F32) {
                multiply(j, rows, waiting, 0, blocks, outputs);
                outputs += waiting * (ptrdiff_t)j->outputs;
                waiting = 0;
            }
        }
    }
    multiply(j, rows, waiting, 0, blocks, outputs);
}

static void run(const sv_call *call) {
    const sv_conv2d_f32_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const job j = {
        .window = &p->window,
        .weights = sv_constant(call, p->weights),
        .bias = sv_constant(call, p->stage.bias),
        .limits = {wasm_f32x4_splat(p->stage.low), wasm_f32x4_splat(p->stage.high)},
        .height = (int32_t)input->dims[1],
        .width = (int32_t)input->dims[2],
        .channels = (int32_t)p->depth,
        .terms = p->window.kernel_h * p->window.kernel_w * (int32_t)p->depth,
        .outputs = (int32_t)output->dims[3],
    };
    const sv_f32 *inputs = sv_read(call, input);
    sv_f32 *outputs = sv_write(call, output);
    if (is_pointwise(&p->window, input, output)) {
        multiply_all(&j, inputs, (int32_t)(sv_elements(input) / p->depth), outputs);
        return;
    }
    sv_f32 *rows = (sv_f32 *)(void *)(call->arena + call->op->scratch);
    for (uint32_t n = 0; n < input->dims[0]; n++) {
        image(&j, inputs, output, rows, outputs);
        inputs += sv_elements(input) / input->dims[0];
        outputs += sv_elements(output) / output->dims[0];
    }
}

const sv_kernel sv_conv2d_f32_simd128 = {
    .opcode = SV_CONV_2D_F32,
    .version = 1,
    .layout = 96,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_conv2d_f32_parameters),
    .check = check,
    .run = run,
};
