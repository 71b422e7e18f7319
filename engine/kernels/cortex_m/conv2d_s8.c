/* CONV_2D, int8, layout 128. The inputs under the windows of three pixels are widened to int16 pairs
 * once, and serve all output channels, two at a time. Each row of a window is a whole number of words:
 * what is read beyond its end meets weights of 0. Taps outside the picture are the zero point. */
#include "core/kernel.h"
#include "kernels/cortex_m/kernels.h"
#include "kernels/cortex_m/products.h"
#include "kernels/span.h"

enum { STACK_BYTES = 928 };

typedef struct sizes {
    uint64_t row;   /* bytes of a window's row, in whole words */
    uint64_t terms; /* of a window, in whole turns */
} sizes;

static sizes sizes_of(const sv_conv2d_parameters *p) {
    sizes found;
    found.row = ((uint64_t)p->window.kernel_w * p->depth + SV_WORD - 1) / SV_WORD * SV_WORD;
    found.terms = (found.row * p->window.kernel_h + SV_TURN - 1) / SV_TURN * SV_TURN;
    return found;
}

static sv_status check(const sv_call *call) {
    const sv_conv2d_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    if (!sv_are_s8(call) || !sv_is_window(&p->window, input, output) ||
        p->depth != input->dims[3]) {
        return SV_BAD_SHAPE;
    }
    const sizes s = sizes_of(p);
    const uint32_t pairs = output->dims[3] / 2 + output->dims[3] % 2;
    const uint64_t room = call->op->scratch_bytes > 0 ? call->op->scratch_bytes : STACK_BYTES;
    if (s.terms > SV_MAX_TERMS || 2 * SV_PIXELS * s.terms + s.row > room ||
        !sv_has_constants(call, p->weights, s.terms / SV_WORD * 2 * pairs, SV_WORD)) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_scaling(call, &p->stage, pairs, 2);
}

typedef struct job {
    const sv_window *window;
    int32_t height, width, depth;
    int32_t taps_bytes; /* of a window's row */
    int32_t row;        /* the same in whole words */
    int32_t row_words;
    int32_t zero_point;
    const int8_t *end; /* of the pictures */
    sv_word *columns;
    int8_t *patch; /* a window's row */
} job;

/* A row of a window: in the picture if all of it can be read there, or else copied. */
static const int8_t *window_row(const job *j, const int8_t *image, int32_t y, int32_t x) {
    const sv_window *w = j->window;
    const int32_t last = x + (w->kernel_w - 1) * w->dilation_w;
    const int is_inside = y >= 0 && y < j->height;
    const int8_t *line = image + (ptrdiff_t)(is_inside ? y : 0) * j->width * j->depth;
    if (is_inside && x >= 0 && last < j->width && (w->dilation_w == 1 || w->kernel_w == 1) &&
        j->end - line - (ptrdiff_t)x * j->depth >= j->row) {
        return line + (ptrdiff_t)x * j->depth;
    }
    if (!is_inside) {
        memset(j->patch, j->zero_point, (size_t)j->taps_bytes);
        return j->patch;
    }
    int8_t *target = j->patch;
    for (; x <= last; x += w->dilation_w, target += j->depth) {
        if (x < 0 || x >= j->width) {
            memset(target, j->zero_point, (size_t)j->depth);
        } else {
            memcpy(target, line + (ptrdiff_t)x * j->depth, (size_t)j->depth);
        }
    }
    return j->patch;
}

static void widen_pixel(const job *j, const int8_t *image, int32_t y, int32_t x, sv_word *column) {
    int32_t input_y = y * j->window->stride_h - j->window->pad_top;
    const int32_t input_x = x * j->window->stride_w - j->window->pad_left;
    for (int32_t ky = 0; ky < j->window->kernel_h; ky++, input_y += j->window->dilation_h) {
        sv_widen(window_row(j, image, input_y, input_x), j->row_words, column);
        column += j->row_words * 2 * SV_PIXELS;
    }
}

/* Channels of which there is no pair are computed beside nothing. */
static void last_channel(sv_conv_job tile, int32_t channels) {
    int8_t found[SV_PIXELS][2];
    int8_t *targets[SV_PIXELS];
    for (int32_t i = 0; i < SV_PIXELS; i++) {
        targets[i] = tile.targets[i] + channels - 1;
        tile.targets[i] = found[i];
    }
    const ptrdiff_t words = (tile.columns_end - tile.columns) / SV_PIXELS;
    tile.scaling += channels / 2 * 6;
    tile.weights = tile.weights_end;
    tile.weights_end += words;
    sv_conv_products(&tile);
    for (int32_t i = 0; i < SV_PIXELS; i++) {
        *targets[i] = found[i][0];
    }
}

static void run_image(const job *j, const int8_t *image, sv_conv_job tile,
                      const sv_tensor *output, int8_t *target) {
    const int32_t columns = (int32_t)output->dims[2];
    const int32_t channels = (int32_t)output->dims[3];
    const int32_t pixels = (int32_t)output->dims[1] * columns;
    int32_t y = 0, x = 0;
    for (int32_t pixel = 0; pixel < pixels; pixel += SV_PIXELS) {
        /* Of a last block, the missing pixels are the last one again. */
        for (int32_t i = 0; i < SV_PIXELS; i++) {
            widen_pixel(j, image, y, x, j->columns + i);
            tile.targets[i] = target + ((ptrdiff_t)y * columns + x) * channels;
            if (pixel + i + 1 < pixels && ++x == columns) {
                x = 0;
                y++;
            }
        }
        if (channels > 1) {
            sv_conv_products(&tile);
        }
        if (channels % 2 != 0) {
            last_channel(tile, channels);
        }
    }
}

static void run(const sv_call *call) {
    const sv_conv2d_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const sizes s = sizes_of(p);
    sv_word stack[STACK_BYTES / sizeof(sv_word)];
    sv_word *memory = stack;
    if (call->op->scratch_bytes > 0) {
        memory = (sv_word *)(void *)(call->arena + call->op->scratch);
    }
    const int8_t *image = sv_read(call, input);
    int8_t *target = sv_write(call, output);
    const ptrdiff_t words = (ptrdiff_t)(s.terms / SV_WORD);
    const job j = {
        .window = &p->window,
        .height = (int32_t)input->dims[1],
        .width = (int32_t)input->dims[2],
        .depth = (int32_t)p->depth,
        .taps_bytes = (int32_t)(p->window.kernel_w * p->depth),
        .row = (int32_t)s.row,
        .row_words = (int32_t)s.row / SV_WORD,
        .zero_point = input->zero_point,
        .end = image + sv_elements(input),
        .columns = memory,
        .patch = (int8_t *)(memory + words * 2 * SV_PIXELS),
    };
    const sv_word *weights = sv_constant(call, p->weights);
    const sv_conv_job tile = {
        .scaling = sv_constant(call, p->stage.bias),
        .twice = 2 * output->zero_point + 1,
        .columns = memory,
        .columns_end = memory + words * 2 * SV_PIXELS,
        .weights = weights,
        .weights_end = weights + words * 2 * (ptrdiff_t)(output->dims[3] / 2),
    };
    /* What pads rows and turns meets weights of 0, but must be something. */
    memset(memory, 0, (size_t)(2 * SV_PIXELS * s.terms + s.row));
    for (uint32_t n = 0; n < input->dims[0]; n++) {
        run_image(&j, image, tile, output, target);
        image += (ptrdiff_t)j.height * j.width * j.depth;
        target += output->dims[1] * output->dims[2] * output->dims[3];
    }
    sv_clamp_outputs(p->stage.low, p->stage.high, sv_write(call, output), sv_elements(output));
}

const sv_kernel sv_conv2d_s8_cortex_m = {
    .opcode = SV_CONV_2D_S8,
    .version = 1,
    .layout = 128,
    .check = check,
    .run = run,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_conv2d_parameters),
};
