/* CONV_2D, int8, also in groups. Reads the picture in place: along a row, the taps of a window and
 * their channels are one run of memory. A tap outside the picture counts as the zero point, since
 * the bias holds -zero_point * weight for every tap. */
#include "core/kernel.h"
#include "kernels/dot_s8.h"
#include "kernels/output_stage.h"
#include "kernels/shapes.h"

static sv_status check(const sv_call *call) {
    const sv_conv2d_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    if (!sv_are_s8(call) || !sv_is_conv2d(&p->window, input, output, p->depth)) {
        return SV_BAD_SHAPE;
    }
    const uint32_t area = (uint32_t)p->window.kernel_h * p->window.kernel_w;
    const uint64_t terms = (uint64_t)area * p->depth;
    if (terms > SV_MAX_TERMS ||
        !sv_has_constants(call, p->weights, terms * output->dims[3], 1)) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_stage(call, &p->stage, output->dims[3]);
}

typedef struct job {
    const int8_t *weights;
    const sv_stage stage;
    int32_t kernel_h, kernel_w, dilation_h, dilation_w;
    int32_t height, width, channels, depth;
    int32_t outputs, group_outputs;
} job;

/* Products of `count` taps of one window row with four (or one) output channels. */
static void add_row(const job *j, const int8_t *inputs, const int8_t *weights, ptrdiff_t stride,
                    int32_t count, int32_t *sums, int32_t lanes) {
    const int is_one_run = j->dilation_w == 1 && j->depth == j->channels;
    const int32_t runs = is_one_run ? 1 : count;
    const int32_t length = is_one_run ? count * j->depth : j->depth;
    for (int32_t run = 0; run < runs; run++) {
        if (lanes == 4) {
            sv_dot4_s8(inputs, weights, stride, length, sums);
        } else {
            sums[0] += sv_dot_s8(inputs, weights, length);
        }
        inputs += (ptrdiff_t)j->dilation_w * j->channels;
        weights += j->depth;
    }
}

/* What the taps outside the picture add to one output channel. */
static int32_t outside(const job *j, const int8_t *weights, const sv_span *rows,
                       const sv_span *columns) {
    const ptrdiff_t row = (ptrdiff_t)j->kernel_w * j->depth;
    int32_t sum = 0;
    for (int32_t ky = 0; ky < j->kernel_h; ky++, weights += row) {
        if (ky < rows->first || ky >= rows->end) {
            sum += sv_sum_s8(weights, (int32_t)row);
        } else {
            sum += sv_sum_s8(weights, columns->first * j->depth);
            sum += sv_sum_s8(weights + (ptrdiff_t)columns->end * j->depth,
                             (j->kernel_w - columns->end) * j->depth);
        }
    }
    return sum;
}

/* The sum of one group's inputs under a window, with the zero point for those outside. */
static int32_t sum_window(const job *j, const int8_t *group, int32_t zero_point,
                          const sv_span *rows, const sv_span *columns) {
    const int32_t inside = (rows->end - rows->first) * (columns->end - columns->first);
    int32_t sum = (j->kernel_h * j->kernel_w - inside) * j->depth * zero_point;
    for (int32_t ky = rows->first; ky < rows->end; ky++) {
        const ptrdiff_t y = rows->start + ky * j->dilation_h;
        for (int32_t kx = columns->first; kx < columns->end; kx++) {
            const ptrdiff_t x = columns->start + kx * j->dilation_w;
            sum += sv_sum_s8(group + (y * j->width + x) * j->channels, j->depth);
        }
    }
    return sum;
}

static void pixel(const job *j, const int8_t *image, int32_t zero_point, const sv_span *rows,
                  const sv_span *columns, int8_t *output) {
    const ptrdiff_t filter = (ptrdiff_t)j->kernel_h * j->kernel_w * j->depth;
    const int32_t inside = (rows->end - rows->first) * (columns->end - columns->first);
    const int is_clipped = inside < j->kernel_h * j->kernel_w;
    const int32_t taps = columns->end - columns->first;
    int32_t lanes = 4;
    for (int32_t o = 0; o < j->outputs; o += lanes) {
        const int32_t left_in_group = j->group_outputs - o % j->group_outputs;
        const int8_t *weights = j->weights + o * filter;
        const int8_t *group = image + (ptrdiff_t)(o / j->group_outputs) * j->depth;
        int32_t sums[4] = {0, 0, 0, 0};
        lanes = left_in_group >= 4 ? 4 : 1;
        for (int32_t ky = rows->first; taps > 0 && ky < rows->end; ky++) {
            const ptrdiff_t y = rows->start + ky * j->dilation_h;
            const ptrdiff_t x = columns->start + columns->first * j->dilation_w;
            add_row(j, group + (y * j->width + x) * j->channels,
                    weights + ((ptrdiff_t)ky * j->kernel_w + columns->first) * j->depth, filter,
                    taps, sums, lanes);
        }
        const int32_t correction =
            j->stage.weight_zero_point
                ? j->stage.weight_zero_point * sum_window(j, group, zero_point, rows, columns)
                : 0;
        for (int32_t i = 0; i < lanes; i++) {
            if (is_clipped) {
                sums[i] += zero_point * outside(j, weights + i * filter, rows, columns);
            }
            output[o + i] = sv_to_s8(&j->stage, o + i, sv_wrap_sub(sums[i], correction));
        }
    }
}

static void run(const sv_call *call) {
    const sv_conv2d_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const int32_t channels = (int32_t)input->dims[3];
    const int32_t outputs = (int32_t)output->dims[3];
    const job j = {
        .weights = sv_constant(call, p->weights),
        .stage = sv_open_stage(call, &p->stage),
        .kernel_h = p->window.kernel_h,
        .kernel_w = p->window.kernel_w,
        .dilation_h = p->window.dilation_h,
        .dilation_w = p->window.dilation_w,
        .height = (int32_t)input->dims[1],
        .width = (int32_t)input->dims[2],
        .channels = channels,
        .depth = (int32_t)p->depth,
        .outputs = outputs,
        .group_outputs = outputs / (channels / (int32_t)p->depth),
    };
    const int8_t *image = sv_read(call, input);
    int8_t *target = sv_write(call, output);
    for (uint32_t n = 0; n < input->dims[0]; n++) {
        for (int32_t y = 0; y < (int32_t)output->dims[1]; y++) {
            const sv_span rows = sv_rows(&p->window, y, j.height);
            for (int32_t x = 0; x < (int32_t)output->dims[2]; x++, target += outputs) {
                const sv_span columns = sv_columns(&p->window, x, j.width);
                pixel(&j, image, input->zero_point, &rows, &columns, target);
            }
        }
        image += (ptrdiff_t)j.height * j.width * channels;
    }
}

const sv_kernel sv_conv2d_s8 = {
    .opcode = SV_CONV_2D_S8,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_conv2d_parameters),
    .check = check,
    .run = run,
};
