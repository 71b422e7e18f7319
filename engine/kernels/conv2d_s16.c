/* CONV_2D, int16 with int8 weights, also in groups. Zero points are 0, so that a tap outside the
 * picture adds nothing. */
#include "core/kernel.h"
#include "kernels/dot_s16.h"
#include "kernels/output_stage_s16.h"
#include "kernels/shapes.h"

static sv_status check(const sv_call *call) {
    const sv_conv2d_s16_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    if (!sv_are(call, SV_INT16) || !sv_is_conv2d(&p->window, input, output, p->depth)) {
        return SV_BAD_SHAPE;
    }
    const uint32_t area = (uint32_t)p->window.kernel_h * p->window.kernel_w;
    const uint64_t terms = (uint64_t)area * p->depth;
    if (terms > SV_MAX_TERMS ||
        !sv_has_constants(call, p->weights, terms * output->dims[3], 1)) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_stage_s16(call, &p->stage, output->dims[3]);
}

typedef struct job {
    const int8_t *weights;
    const sv_stage_s16 stage;
    int32_t kernel_h, kernel_w, dilation_h, dilation_w;
    int32_t height, width, channels, depth;
    int32_t outputs, group_outputs;
} job;

/* Products of `count` taps of one window row with four (or one) output channels. */
static void add_row(const job *j, const sv_i16 *inputs, const int8_t *weights, ptrdiff_t stride,
                    int32_t count, int64_t *sums, int32_t lanes) {
    const int is_one_run = j->dilation_w == 1 && j->depth == j->channels;
    const int32_t runs = is_one_run ? 1 : count;
    const int32_t length = is_one_run ? count * j->depth : j->depth;
    for (int32_t run = 0; run < runs; run++) {
        if (lanes == 4) {
            sv_dot4_s16(inputs, weights, stride, length, sums);
        } else {
            sums[0] += sv_dot_s16(inputs, weights, length);
        }
        inputs += (ptrdiff_t)j->dilation_w * j->channels;
        weights += j->depth;
    }
}

static void pixel(const job *j, const sv_i16 *image, const sv_span *rows, const sv_span *columns,
                  sv_i16 *output) {
    const ptrdiff_t filter = (ptrdiff_t)j->kernel_h * j->kernel_w * j->depth;
    const int32_t taps = columns->end - columns->first;
    int32_t lanes = 4;
    for (int32_t o = 0; o < j->outputs; o += lanes) {
        const int32_t left_in_group = j->group_outputs - o % j->group_outputs;
        const int8_t *weights = j->weights + o * filter;
        const sv_i16 *group = image + (ptrdiff_t)(o / j->group_outputs) * j->depth;
        int64_t sums[4] = {0, 0, 0, 0};
        lanes = left_in_group >= 4 ? 4 : 1;
        for (int32_t ky = rows->first; taps > 0 && ky < rows->end; ky++) {
            const ptrdiff_t y = rows->start + ky * j->dilation_h;
            const ptrdiff_t x = columns->start + columns->first * j->dilation_w;
            add_row(j, group + (y * j->width + x) * j->channels,
                    weights + ((ptrdiff_t)ky * j->kernel_w + columns->first) * j->depth, filter,
                    taps, sums, lanes);
        }
        for (int32_t i = 0; i < lanes; i++) {
            output[o + i] = sv_to_s16(&j->stage, o + i, sums[i]);
        }
    }
}

static void run(const sv_call *call) {
    const sv_conv2d_s16_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const int32_t channels = (int32_t)input->dims[3];
    const int32_t outputs = (int32_t)output->dims[3];
    const job j = {
        .weights = sv_constant(call, p->weights),
        .stage = sv_open_stage_s16(call, &p->stage),
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
    const sv_i16 *image = sv_read(call, input);
    sv_i16 *target = sv_write(call, output);
    for (uint32_t n = 0; n < input->dims[0]; n++) {
        for (int32_t y = 0; y < (int32_t)output->dims[1]; y++) {
            const sv_span rows = sv_rows(&p->window, y, j.height);
            for (int32_t x = 0; x < (int32_t)output->dims[2]; x++, target += outputs) {
                const sv_span columns = sv_columns(&p->window, x, j.width);
                pixel(&j, image, &rows, &columns, target);
            }
        }
        image += (ptrdiff_t)j.height * j.width * channels;
    }
}

const sv_kernel sv_conv2d_s16 = {
    .opcode = SV_CONV_2D_S16,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_conv2d_s16_parameters),
    .check = check,
    .run = run,
};
