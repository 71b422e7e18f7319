/* DEPTHWISE_CONV_2D, int8: a block of channels at a time, so that their sums stay in registers.
 * A tap outside the picture counts as the zero point, as in conv2d_s8.c. */
#include "core/kernel.h"
#include "kernels/output_stage.h"
#include "kernels/shapes.h"

enum { BLOCK = 16 };

static sv_status check(const sv_call *call) {
    const sv_depthwise_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    if (!sv_are_s8(call) ||
        !sv_is_depthwise(&p->window, input, output, p->depth_multiplier)) {
        return SV_BAD_SHAPE;
    }
    const uint32_t area = (uint32_t)p->window.kernel_h * p->window.kernel_w;
    if (area > SV_MAX_TERMS / 2 ||
        !sv_has_constants(call, p->weights, (uint64_t)area * output->dims[3], 1)) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_stage(call, &p->stage, output->dims[3]);
}

typedef struct job {
    const int8_t *weights;
    const sv_stage stage;
    int32_t kernel_h, kernel_w, dilation_h, dilation_w;
    int32_t width, channels, outputs, multiplier;
    int32_t zero_point;
} job;

static void add_tap(const int8_t *inputs, const int8_t *weights, int32_t *sums, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        sums[i] += inputs[i] * weights[i];
    }
}

static void add_constant(int32_t input, const int8_t *weights, int32_t weight_zero, int32_t *sums,
                         int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        sums[i] += input * (weights[i] - weight_zero);
    }
}

/* One tap for output channels first .. first+count-1; each input channel serves `multiplier`. */
static void add_inside(const job *j, const int8_t *inputs, const int8_t *weights, int32_t first,
                       int32_t count, int32_t *sums) {
    const int32_t weight_zero = j->stage.weight_zero_point;
    const int is_plain = j->multiplier == 1 && weight_zero == 0;
    if (is_plain && count == BLOCK) {
        add_tap(inputs + first, weights, sums, BLOCK); /* of constant length: unrolled */
    } else if (is_plain) {
        add_tap(inputs + first, weights, sums, count);
    } else {
        for (int32_t i = 0; i < count; i++) {
            sums[i] += inputs[(first + i) / j->multiplier] * (weights[i] - weight_zero);
        }
    }
}

static void block(const job *j, const int8_t *image, const sv_span *rows, const sv_span *columns,
                  int32_t first, int32_t count, int8_t *output) {
    const int8_t *weights = j->weights + first;
    int32_t sums[BLOCK] = {0};
    for (int32_t ky = 0; ky < j->kernel_h; ky++) {
        const int is_row_inside = ky >= rows->first && ky < rows->end;
        const ptrdiff_t y = rows->start + ky * j->dilation_h;
        for (int32_t kx = 0; kx < j->kernel_w; kx++, weights += j->outputs) {
            if (is_row_inside && kx >= columns->first && kx < columns->end) {
                const ptrdiff_t x = columns->start + kx * j->dilation_w;
                add_inside(j, image + (y * j->width + x) * j->channels, weights, first, count,
                           sums);
            } else {
                add_constant(j->zero_point, weights, j->stage.weight_zero_point, sums, count);
            }
        }
    }
    for (int32_t i = 0; i < count; i++) {
        output[first + i] = sv_to_s8(&j->stage, first + i, sums[i]);
    }
}

static void run(const sv_call *call) {
    const sv_depthwise_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const int32_t height = (int32_t)input->dims[1];
    const int32_t outputs = (int32_t)output->dims[3];
    const job j = {
        .weights = sv_constant(call, p->weights),
        .stage = sv_open_stage(call, &p->stage),
        .kernel_h = p->window.kernel_h,
        .kernel_w = p->window.kernel_w,
        .dilation_h = p->window.dilation_h,
        .dilation_w = p->window.dilation_w,
        .width = (int32_t)input->dims[2],
        .channels = (int32_t)input->dims[3],
        .outputs = outputs,
        .multiplier = (int32_t)p->depth_multiplier,
        .zero_point = input->zero_point,
    };
    const int8_t *image = sv_read(call, input);
    int8_t *target = sv_write(call, output);
    for (uint32_t n = 0; n < input->dims[0]; n++) {
        for (int32_t y = 0; y < (int32_t)output->dims[1]; y++) {
            const sv_span rows = sv_rows(&p->window, y, height);
            for (int32_t x = 0; x < (int32_t)output->dims[2]; x++, target += outputs) {
                const sv_span columns = sv_columns(&p->window, x, j.width);
                for (int32_t first = 0; first < outputs; first += BLOCK) {
                    const int32_t left = outputs - first;
                    block(&j, image, &rows, &columns, first, left < BLOCK ? left : BLOCK, target);
                }
            }
        }
        image += (ptrdiff_t)height * j.width * j.channels;
    }
}

const sv_kernel sv_depthwise_conv2d_s8 = {
    .opcode = SV_DEPTHWISE_CONV_2D_S8,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_depthwise_parameters),
    .check = check,
    .run = run,
};
