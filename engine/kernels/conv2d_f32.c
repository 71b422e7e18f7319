/* CONV_2D, float32, also in groups. Reads the picture in place, as conv2d_s8.c does; a tap outside
 * the picture counts as 0 and is left out. Sums have the order of the taps. */
#include "core/kernel.h"
#include "kernels/dot_f32.h"
#include "kernels/float_stage.h"
#include "kernels/shapes.h"

static sv_status check(const sv_call *call) {
    const sv_conv2d_f32_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    if (!sv_are(call, SV_FLOAT32) || !sv_is_conv2d(&p->window, input, output, p->depth)) {
        return SV_BAD_SHAPE;
    }
    const uint32_t area = (uint32_t)p->window.kernel_h * p->window.kernel_w;
    const uint64_t terms = (uint64_t)area * p->depth;
    if (terms > INT32_MAX / output->dims[3] ||
        !sv_has_constants(call, p->weights, terms * output->dims[3], 4)) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_float_stage(call, &p->stage, output->dims[3]);
}

typedef struct job {
    const sv_f32 *weights, *bias;
    float low, high;
    int32_t kernel_h, kernel_w, dilation_h, dilation_w;
    int32_t width, channels, depth;
    int32_t outputs, group_outputs;
} job;

/* Products of `count` taps of one window row with four (or one) output channels. */
static void add_row(const job *j, const sv_f32 *inputs, const sv_f32 *weights, ptrdiff_t stride,
                    int32_t count, float *sums, int32_t lanes) {
    const int is_one_run = j->dilation_w == 1 && j->depth == j->channels;
    const int32_t runs = is_one_run ? 1 : count;
    const int32_t length = is_one_run ? count * j->depth : j->depth;
    for (int32_t run = 0; run < runs; run++) {
        if (lanes == 4) {
            sv_dot4_f32(inputs, weights, stride, length, sums);
        } else {
            sums[0] = sv_dot_f32(inputs, weights, length, sums[0]);
        }
        inputs += (ptrdiff_t)j->dilation_w * j->channels;
        weights += j->depth;
    }
}

static void pixel(const job *j, const sv_f32 *image, const sv_span *rows, const sv_span *columns,
                  sv_f32 *output) {
    const ptrdiff_t filter = (ptrdiff_t)j->kernel_h * j->kernel_w * j->depth;
    const int32_t taps = columns->end - columns->first;
    int32_t lanes = 4;
    for (int32_t o = 0; o < j->outputs; o += lanes) {
        const int32_t left_in_group = j->group_outputs - o % j->group_outputs;
        const sv_f32 *weights = j->weights + o * filter;
        const sv_f32 *group = image + (ptrdiff_t)(o / j->group_outputs) * j->depth;
        float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        lanes = left_in_group >= 4 ? 4 : 1;
        for (int32_t ky = rows->first; taps > 0 && ky < rows->end; ky++) {
            const ptrdiff_t y = rows->start + ky * j->dilation_h;
            const ptrdiff_t x = columns->start + columns->first * j->dilation_w;
            add_row(j, group + (y * j->width + x) * j->channels,
                    weights + ((ptrdiff_t)ky * j->kernel_w + columns->first) * j->depth, filter,
                    taps, sums, lanes);
        }
        for (int32_t i = 0; i < lanes; i++) {
            output[o + i] = sv_limit(sums[i] + j->bias[o + i], j->low, j->high);
        }
    }
}

static void run(const sv_call *call) {
    const sv_conv2d_f32_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const int32_t height = (int32_t)input->dims[1];
    const int32_t channels = (int32_t)input->dims[3];
    const int32_t outputs = (int32_t)output->dims[3];
    const job j = {
        .weights = sv_constant(call, p->weights),
        .bias = sv_constant(call, p->stage.bias),
        .low = p->stage.low,
        .high = p->stage.high,
        .kernel_h = p->window.kernel_h,
        .kernel_w = p->window.kernel_w,
        .dilation_h = p->window.dilation_h,
        .dilation_w = p->window.dilation_w,
        .width = (int32_t)input->dims[2],
        .channels = channels,
        .depth = (int32_t)p->depth,
        .outputs = outputs,
        .group_outputs = outputs / (channels / (int32_t)p->depth),
    };
    const sv_f32 *image = sv_read(call, input);
    sv_f32 *target = sv_write(call, output);
    for (uint32_t n = 0; n < input->dims[0]; n++) {
        for (int32_t y = 0; y < (int32_t)output->dims[1]; y++) {
            const sv_span rows = sv_rows(&p->window, y, height);
            for (int32_t x = 0; x < (int32_t)output->dims[2]; x++, target += outputs) {
                const sv_span columns = sv_columns(&p->window, x, j.width);
                pixel(&j, image, &rows, &columns, target);
            }
        }
        image += (ptrdiff_t)height * j.width * channels;
    }
}

const sv_kernel sv_conv2d_f32 = {
    .opcode = SV_CONV_2D_F32,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_conv2d_f32_parameters),
    .check = check,
    .run = run,
};
