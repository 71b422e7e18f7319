/* DEPTHWISE_CONV_2D, int8, layout 129: four channels at a time, through a list of where the taps of a
 * window lie. Taps outside the picture lie in a line of zero points. Along a row of the picture one
 * list serves all windows that are wholly inside. */
#include "core/kernel.h"
#include "kernels/cortex_m/kernels.h"
#include "kernels/cortex_m/products.h"
#include "kernels/span.h"

enum { LINE_BYTES = 256, MAX_TAPS = 32, QUAD = 4 };

static sv_status check(const sv_call *call) {
    const sv_depthwise_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const uint32_t channels = output->dims[3];
    if (!sv_are_s8(call) || !sv_is_window(&p->window, input, output) || p->depth_multiplier != 1 ||
        input->dims[3] != channels || channels < QUAD) {
        return SV_BAD_SHAPE;
    }
    const uint32_t taps = (uint32_t)p->window.kernel_h * p->window.kernel_w;
    const uint32_t quads = (channels + QUAD - 1) / QUAD;
    const uint32_t room = call->op->scratch_bytes > 0 ? call->op->scratch_bytes : LINE_BYTES;
    if (taps > MAX_TAPS || channels > room ||
        !sv_has_constants(call, p->weights, (uint64_t)(taps + taps % 2) * quads * QUAD / 2, 4)) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_scaling(call, &p->stage, quads, QUAD);
}

typedef struct job {
    const sv_window *window;
    int32_t height, width, channels;
    int32_t columns; /* of the output */
    const int8_t *line;
    const int8_t **taps;
    sv_depthwise_job products;
} job;

/* Where the taps of the window at `y`, `x` lie. */
static void list_taps(const job *j, const int8_t *image, int32_t y, int32_t x) {
    const sv_window *w = j->window;
    const int8_t **tap = j->taps;
    for (int32_t ky = 0; ky < w->kernel_h; ky++, y += w->dilation_h) {
        const int is_inside = y >= 0 && y < j->height;
        const int8_t *line = image + (ptrdiff_t)(is_inside ? y : 0) * j->width * j->channels;
        for (int32_t kx = 0, at = x; kx < w->kernel_w; kx++, at += w->dilation_w) {
            const int is_there = is_inside && at >= 0 && at < j->width;
            *tap++ = is_there ? line + (ptrdiff_t)at * j->channels : j->line;
        }
    }
}

static void run_window(const job *j, uint32_t offset, int8_t *target) {
    sv_depthwise_job products = j->products;
    const uint32_t quads = (uint32_t)j->channels / QUAD;
    products.target = target;
    products.offset = offset;
    products.end = offset + quads * QUAD;
    sv_depthwise_products(&products);
    if (j->channels % QUAD != 0) {
        products.target = target + j->channels - QUAD;
        products.offset = offset + (uint32_t)j->channels - QUAD;
        products.end = products.offset + QUAD;
        products.scaling += quads * 3 * QUAD;
        products.weights += (products.taps_end - products.taps) * QUAD * (ptrdiff_t)quads;
        sv_depthwise_products(&products);
    }
}

static void run_row(const job *j, const int8_t *image, int32_t y, int8_t *target) {
    const sv_window *w = j->window;
    const int32_t top = y * w->stride_h - w->pad_top;
    const int32_t reach = (w->kernel_w - 1) * w->dilation_w;
    const int is_inside = top >= 0 && top + (w->kernel_h - 1) * w->dilation_h < j->height;
    int is_listed = 0;
    uint32_t offset = 0;
    int32_t left = -w->pad_left;
    for (int32_t x = 0; x < j->columns; x++, left += w->stride_w, target += j->channels) {
        if (is_listed && left + reach < j->width) {
            offset += (uint32_t)w->stride_w * (uint32_t)j->channels;
        } else {
            list_taps(j, image, top, left);
            offset = 0;
            is_listed = is_inside && left >= 0 && left + reach < j->width;
        }
        run_window(j, offset, target);
    }
}

static void run(const sv_call *call) {
    const sv_depthwise_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    int8_t stack[LINE_BYTES];
    int8_t *line = call->op->scratch_bytes > 0 ? (int8_t *)call->arena + call->op->scratch : stack;
    const int32_t taps = p->window.kernel_h * p->window.kernel_w;
    const int8_t *list[MAX_TAPS];
    const job j = {
        .window = &p->window,
        .height = (int32_t)input->dims[1],
        .width = (int32_t)input->dims[2],
        .channels = (int32_t)input->dims[3],
        .columns = (int32_t)output->dims[2],
        .line = line,
        .taps = list,
        .products = {
            .scaling = sv_constant(call, p->stage.bias),
            .twice = 2 * output->zero_point + 1,
            .taps = list,
            .taps_end = list + taps + taps % 2,
            .weights = sv_constant(call, p->weights),
        },
    };
    const int8_t *image = sv_read(call, input);
    int8_t *target = sv_write(call, output);
    memset(line, input->zero_point, (size_t)j.channels);
    for (uint32_t n = 0; n < input->dims[0]; n++) {
        list[taps + taps % 2 - 1] = image; /* where a last tap has no pair, any place is good */
        for (int32_t y = 0; y < (int32_t)output->dims[1]; y++) {
            run_row(&j, image, y, target);
            target += (ptrdiff_t)j.columns * j.channels;
        }
        image += (ptrdiff_t)j.height * j.width * j.channels;
    }
    sv_clamp_outputs(p->stage.low, p->stage.high, sv_write(call, output), sv_elements(output));
}

const sv_kernel sv_depthwise_conv2d_s8_cortex_m = {
    .opcode = SV_DEPTHWISE_CONV_2D_S8,
    .version = 1,
    .layout = 129,
    .check = check,
    .run = run,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_depthwise_parameters),
};
