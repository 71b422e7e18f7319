/* DEPTHWISE_CONV_2D, float32: a block of channels at a time, so that their sums stay in registers.
 * A tap outside the picture counts as 0 and is left out. Sums have the order of the taps. */
#include "core/kernel.h"
#include "kernels/float_stage.h"
#include "kernels/shapes.h"

enum { BLOCK = 16 };

static sv_status check(const sv_call *call) {
    const sv_depthwise_f32_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    if (!sv_are(call, SV_FLOAT32) ||
        !sv_is_depthwise(&p->window, input, output, p->depth_multiplier)) {
        return SV_BAD_SHAPE;
    }
    const uint32_t area = (uint32_t)p->window.kernel_h * p->window.kernel_w;
    if (!sv_has_constants(call, p->weights, (uint64_t)area * output->dims[3], 4)) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_float_stage(call, &p->stage, output->dims[3]);
}

typedef struct job {
    const sv_f32 *weights, *bias;
    float low, high;
    int32_t kernel_w, dilation_h, dilation_w;
    int32_t width, channels, outputs, multiplier;
} job;

static void add_tap(const sv_f32 *inputs, const sv_f32 *weights, float *sums, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        sums[i] += inputs[i] * weights[i];
    }
}

/* One tap for output channels first .. first+count-1; each input channel serves `multiplier`. */
static void add_inside(const job *j, const sv_f32 *inputs, const sv_f32 *weights, int32_t first,
                       int32_t count, float *sums) {
    if (j->multiplier == 1 && count == BLOCK) {
        add_tap(inputs + first, weights, sums, BLOCK); /* of constant length: unrolled */
    } else if (j->multiplier == 1) {
        add_tap(inputs + first, weights, sums, count);
    } else {
        for (int32_t i = 0; i < count; i++) {
            sums[i] += inputs[(first + i) / j->multiplier] * weights[i];
        }
    }
}

static void block(const job *j, const sv_f32 *image, const sv_span *rows, const sv_span *columns,
                  int32_t first, int32_t count, sv_f32 *output) {
    float sums[BLOCK] = {0.0f};
    for (int32_t ky = rows->first; ky < rows->end; ky++) {
        const ptrdiff_t y = rows->start + ky * j->dilation_h;
        for (int32_t kx = columns->first; kx < columns->end; kx++) {
            const ptrdiff_t x = columns->start + kx * j->dilation_w;
            const ptrdiff_t tap = (ptrdiff_t)ky * j->kernel_w + kx;
            add_inside(j, image + (y * j->width + x) * j->channels,
                       j->weights + tap * j->outputs + first, first, count, sums);
        }
    }
    for (int32_t i = 0; i < count; i++) {
        output[first + i] = sv_limit(sums[i] + j->bias[first + i], j->low, j->high);
    }
}

static void run(const sv_call *call) {
    const sv_depthwise_f32_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const int32_t height = (int32_t)input->dims[1];
    const int32_t outputs = (int32_t)output->dims[3];
    const job j = {
        .weights = sv_constant(call, p->weights),
        .bias = sv_constant(call, p->stage.bias),
        .low = p->stage.low,
        .high = p->stage.high,
        .kernel_w = p->window.kernel_w,
        .dilation_h = p->window.dilation_h,
        .dilation_w = p->window.dilation_w,
        .width = (int32_t)input->dims[2],
        .channels = (int32_t)input->dims[3],
        .outputs = outputs,
        .multiplier = (int32_t)p->depth_multiplier,
    };
    const sv_f32 *image = sv_read(call, input);
    sv_f32 *target = sv_write(call, output);
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

const sv_kernel sv_depthwise_conv2d_f32 = {
    .opcode = SV_DEPTHWISE_CONV_2D_F32,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_depthwise_f32_parameters),
    .check = check,
    .run = run,
};
