/* DEPTHWISE_CONV_2D, int16 with int8 weights: a block of channels at a time. */
#include "core/kernel.h"
#include "kernels/dot_s16.h"
#include "kernels/output_stage_s16.h"
#include "kernels/shapes.h"

enum { BLOCK = 16 };

static sv_status check(const sv_call *call) {
    const sv_depthwise_s16_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    if (!sv_are(call, SV_INT16) ||
        !sv_is_depthwise(&p->window, input, output, p->depth_multiplier)) {
        return SV_BAD_SHAPE;
    }
    const uint32_t area = (uint32_t)p->window.kernel_h * p->window.kernel_w;
    if (area > SV_TERMS_S16 ||
        !sv_has_constants(call, p->weights, (uint64_t)area * output->dims[3], 1)) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_stage_s16(call, &p->stage, output->dims[3]);
}

typedef struct job {
    const int8_t *weights;
    const sv_stage_s16 stage;
    int32_t kernel_w, dilation_h, dilation_w;
    int32_t width, channels, outputs, multiplier;
} job;

static void add_tap(const sv_i16 *inputs, const int8_t *weights, int32_t *sums, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        sums[i] += inputs[i] * weights[i];
    }
}

/* One tap for output channels first .. first+count-1; each input channel serves `multiplier`. */
static void add_inside(const job *j, const sv_i16 *inputs, const int8_t *weights, int32_t first,
                       int32_t count, int32_t *sums) {
    if (j->multiplier == 1 && count == BLOCK) {
        add_tap(inputs + first, weights, sums, BLOCK); /* of constant length: unrolled */
    } else {
        for (int32_t i = 0; i < count; i++) {
            sums[i] += inputs[(first + i) / j->multiplier] * weights[i];
        }
    }
}

static void block(const job *j, const sv_i16 *image, const sv_span *rows, const sv_span *columns,
                  int32_t first, int32_t count, sv_i16 *output) {
    int32_t sums[BLOCK] = {0};
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
        output[first + i] = sv_to_s16(&j->stage, first + i, sums[i]);
    }
}

static void run(const sv_call *call) {
    const sv_depthwise_s16_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const int32_t height = (int32_t)input->dims[1];
    const int32_t outputs = (int32_t)output->dims[3];
    const job j = {
        .weights = sv_constant(call, p->weights),
        .stage = sv_open_stage_s16(call, &p->stage),
        .kernel_w = p->window.kernel_w,
        .dilation_h = p->window.dilation_h,
        .dilation_w = p->window.dilation_w,
        .width = (int32_t)input->dims[2],
        .channels = (int32_t)input->dims[3],
        .outputs = outputs,
        .multiplier = (int32_t)p->depth_multiplier,
    };
    const sv_i16 *image = sv_read(call, input);
    sv_i16 *target = sv_write(call, output);
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

const sv_kernel sv_depthwise_conv2d_s16 = {
    .opcode = SV_DEPTHWISE_CONV_2D_S16,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_depthwise_s16_parameters),
    .check = check,
    .run = run,
};
