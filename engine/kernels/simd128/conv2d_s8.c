/* CONV_2D, int8, in one group: windows are gathered as rows, four at a time, with the zero
 * point for taps outside the picture; then rows are multiplied. */
#include "core/kernel.h"
#include "kernels/simd128/product.h"
#include "kernels/span.h"

static sv_status check(const sv_call *call) {
    const sv_conv2d_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    if (!sv_are_s8(call) || !sv_is_window(&p->window, input, output) || p->depth < 1 ||
        input->dims[3] != p->depth) {
        return SV_BAD_SHAPE;
    }
    const uint64_t terms = (uint64_t)p->window.kernel_h * p->window.kernel_w * p->depth;
    if (terms > SV_MAX_TERMS) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_product(call, &p->stage, p->weights, (uint32_t)terms, output->dims[3]);
}

typedef struct job {
    const sv_window *window;
    const int8_t *image;
    const int8_t *end; /* of the whole input */
    int32_t height, width, channels;
    int32_t zero_point;
} job;

static int8_t *fill(int8_t *target, int32_t count, int32_t value) {
    const v128_t values = wasm_i8x16_splat((int8_t)value);
    for (int32_t i = 0; i < count; i += 16) {
        wasm_v128_store(target + i, values);
    }
    return target + count;
}

/* One row of a window, of which the taps columns->first..end-1 are inside. */
static int8_t *gather_row(const job *j, const int8_t *row, const sv_span *columns,
                           int8_t *target) {
    const int32_t taps = columns->end - columns->first;
    const int32_t dilation = j->window->dilation_w;
    const int is_one_run = dilation == 1;
    const int32_t runs = is_one_run ? taps > 0 : taps;
    const int32_t length = is_one_run ? taps * j->channels : j->channels;
    const int8_t *source =
        row + (ptrdiff_t)(columns->start + columns->first * dilation) * j->channels;
    target = fill(target, columns->first * j->channels, j->zero_point);
    for (int32_t run = 0; run < runs; run++) {
        sv_gather(target, source, j->end, length);
        source += (ptrdiff_t)dilation * j->channels;
        target += length;
    }
    return fill(target, (j->window->kernel_w - columns->end) * j->channels, j->zero_point);
}

static void gather(const job *j, const sv_span *rows, const sv_span *columns, int8_t *target) {
    const int32_t row = j->window->kernel_w * j->channels;
    if (rows->end - rows->first == j->window->kernel_h && j->window->dilation_w == 1 &&
        columns->end - columns->first == j->window->kernel_w) {
        const ptrdiff_t pitch = (ptrdiff_t)j->width * j->channels;
        const int8_t *source =
            j->image + rows->start * pitch + (ptrdiff_t)columns->start * j->channels;
        for (int32_t ky = 0; ky < j->window->kernel_h; ky++, target += row) {
            sv_gather(target, source, j->end, row);
            source += j->window->dilation_h * pitch;
        }
        return;
    }
    target = fill(target, rows->first * row, j->zero_point);
    for (int32_t ky = rows->first; ky < rows->end; ky++) {
        const ptrdiff_t y = rows->start + ky * j->window->dilation_h;
        target = gather_row(j, j->image + y * j->width * j->channels, columns, target);
    }
    fill(target, (j->window->kernel_h - rows->end) * row, j->zero_point);
}

/* Whether the windows of four neighbouring outputs are read in place: all inside, in whole runs. */
static int are_in_place(const job *j, const sv_span *rows, int32_t x, int32_t width) {
    const sv_window *w = j->window;
    const int32_t start = x * w->stride_w - w->pad_left;
    const int32_t reach = (SV_ROWS - 1) * w->stride_w + w->kernel_w;
    return w->dilation_w == 1 && w->kernel_w * j->channels % 8 == 0 && x + SV_ROWS <= width &&
           rows->end - rows->first == w->kernel_h && start >= 0 && start + reach <= j->width;
}

static void multiply_in_place(const job *j, const sv_product *p, const sv_scaling *scaling,
                              const sv_span *rows, int32_t x, int8_t *target) {
    const sv_window *w = j->window;
    const ptrdiff_t row = (ptrdiff_t)j->width * j->channels;
    const sv_runs runs = {w->kernel_h, w->kernel_w * j->channels, w->dilation_h * row};
    const ptrdiff_t start = x * w->stride_w - w->pad_left;
    sv_multiply(p, scaling, j->image + rows->start * row + start * j->channels,
                (ptrdiff_t)w->stride_w * j->channels, runs, SV_ROWS, target);
}

static void image(const job *j, const sv_product *p, const sv_scaling *scaling,
                  const sv_tensor *output, int8_t *target) {
    const int32_t width = (int32_t)output->dims[2];
    int32_t waiting = 0;
    for (int32_t y = 0; y < (int32_t)output->dims[1]; y++) {
        const sv_span rows = sv_rows(j->window, y, j->height);
        for (int32_t x = 0; x < width;) {
            if (waiting == 0 && are_in_place(j, &rows, x, width)) {
                multiply_in_place(j, p, scaling, &rows, x, target);
                target += SV_ROWS * (ptrdiff_t)p->outputs;
                x += SV_ROWS;
                continue;
            }
            const sv_span columns = sv_columns(j->window, x++, j->width);
            gather(j, &rows, &columns, sv_gathered_row(p, waiting));
            if (++waiting == SV_ROWS) {
                sv_multiply_gathered(p, scaling, waiting, target);
                target += waiting * (ptrdiff_t)p->outputs;
                waiting = 0;
            }
        }
    }
    if (waiting > 0) {
        sv_multiply_gathered(p, scaling, waiting, target);
    }
}

/* Whether each window is one pixel, and each pixel one window. */
static int is_pointwise(const sv_window *w, const sv_tensor *input, const sv_tensor *output) {
    return w->kernel_h == 1 && w->kernel_w == 1 && w->stride_h == 1 && w->stride_w == 1 &&
           w->pad_top == 0 && w->pad_left == 0 && input->dims[1] == output->dims[1] &&
           input->dims[2] == output->dims[2];
}

static void run(const sv_call *call) {
    const sv_conv2d_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const sv_stage stage = sv_open_stage(call, &p->stage);
    const uint32_t terms = (uint32_t)p->window.kernel_h * p->window.kernel_w * p->depth;
    sv_product_memory memory;
    const sv_product product =
        sv_open_product(call, &stage, p->weights, terms, output->dims[3], &memory);
    const int8_t *inputs = sv_read(call, input);
    int8_t *outputs = sv_write(call, output);
    job j = {
        .window = &p->window,
        .end = inputs + input->bytes,
        .height = (int32_t)input->dims[1],
        .width = (int32_t)input->dims[2],
        .channels = (int32_t)input->dims[3],
        .zero_point = input->zero_point,
    };
    sv_scaling scaling;
    for (int32_t first = 0; first < product.outputs; first += SV_PANEL) {
        const int32_t left = product.outputs - first;
        sv_open_scaling(&scaling, &stage, product.terms, first, left < SV_PANEL ? left : SV_PANEL);
        if (is_pointwise(&p->window, input, output)) {
            sv_multiply_all(&product, &scaling, inputs, j.end, outputs);
            continue;
        }
        for (uint32_t n = 0; n < input->dims[0]; n++) {
            j.image = inputs + n * (size_t)(input->bytes / input->dims[0]);
            image(&j, &product, &scaling, output,
                  outputs + n * (size_t)(output->bytes / output->dims[0]));
        }
    }
}

const sv_kernel sv_conv2d_s8_simd128 = {
    .opcode = SV_CONV_2D_S8,
    .version = 1,
    .layout = 32,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_conv2d_parameters),
    .check = check,
    .run = run,
};
