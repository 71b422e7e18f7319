/* DEPTHWISE_CONV_2D, int8, layout 64. The output is cut into three bands of rows; for one channel at
 * a time, the rows of the picture that the bands read are packed into one plane, a band to a field,
 * with zero points around. Three outputs come of one walk over a window. */
#include "core/kernel.h"
#include "kernels/output_stage.h"
#include "kernels/span.h"
#include "kernels/swar/pack3.h"
#include "kernels/swar/requantize.h"

/* The stack holds this many words; of |weight - zero point| <= 255, so many products fit in a field. */
enum { STACK_WORDS = 768, FIELD_TERMS = 32 };

/* Rows of the output in a band, and rows and columns of the plane. */
typedef struct plane {
    uint64_t band;
    uint64_t rows;
    uint64_t columns;
} plane;

static plane plane_of(const sv_window *w, const sv_tensor *output) {
    plane found;
    found.band = (output->dims[1] + SV_FIELDS - 1) / SV_FIELDS;
    found.rows = (found.band - 1) * w->stride_h + (w->kernel_h - UINT64_C(1)) * w->dilation_h + 1;
    found.columns = (output->dims[2] - UINT64_C(1)) * w->stride_w +
                    (w->kernel_w - UINT64_C(1)) * w->dilation_w + 1;
    return found;
}

static sv_status check(const sv_call *call) {
    const sv_depthwise_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    if (!sv_are_s8(call) || !sv_is_window(&p->window, input, output) || p->depth_multiplier < 1 ||
        (uint64_t)input->dims[3] * p->depth_multiplier != output->dims[3]) {
        return SV_BAD_SHAPE;
    }
    const uint32_t area = (uint32_t)p->window.kernel_h * p->window.kernel_w;
    const uint32_t scratch = call->op->scratch_bytes;
    const uint64_t room = scratch > 0 ? scratch / sizeof(sv_word) : STACK_WORDS;
    const plane wanted = plane_of(&p->window, output);
    if (area > SV_MAX_TERMS / 2 ||
        !sv_has_constants(call, p->weights, (uint64_t)area * output->dims[3], 1) ||
        wanted.columns > room || wanted.rows > room / wanted.columns) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_stage(call, &p->stage, output->dims[3]);
}

typedef struct job {
    const sv_window *window;
    sv_stage stage;
    int32_t height, width, channels;
    int32_t columns, outputs; /* of the output */
    int32_t band, plane_rows, plane_columns;
    int32_t starts[SV_FIELDS]; /* first row of each band: the last ones may overlap */
    int8_t zero_point;
    int32_t weight_zero_point;
    sv_word *plane;
} job;

/* One row of the plane, but for the columns beside the picture. */
static void pack_row(const job *j, const int8_t *channel, int32_t row, int32_t count,
                     sv_word *target) {
    const int8_t *lanes[SV_FIELDS];
    ptrdiff_t steps[SV_FIELDS];
    for (int32_t i = 0; i < SV_FIELDS; i++) {
        const int32_t y = j->starts[i] * j->window->stride_h - j->window->pad_top + row;
        const int is_inside = y >= 0 && y < j->height;
        lanes[i] = is_inside ? channel + (ptrdiff_t)y * j->width * j->channels : &j->zero_point;
        steps[i] = is_inside ? j->channels : 0;
    }
    const int8_t *a = lanes[0], *b = lanes[1], *c = lanes[2];
    const ptrdiff_t step_a = steps[0], step_b = steps[1], step_c = steps[2];
    for (const sv_word *end = target + count; target != end; target++) {
        *target = sv_pack3(*a, *b, *c);
        a += step_a;
        b += step_b;
        c += step_c;
    }
}

static void pack_plane(const job *j, const int8_t *channel) {
    const int32_t left = j->window->pad_left;
    const int32_t room = j->plane_columns > left ? j->plane_columns - left : 0;
    const int32_t count = room < j->width ? room : j->width;
    for (int32_t row = 0; count > 0 && row < j->plane_rows; row++) {
        pack_row(j, channel, row, count, j->plane + (ptrdiff_t)row * j->plane_columns + left);
    }
}

static void add_word(uint64_t word, sv_fields *sums) {
    const sv_fields found = sv_unpack3(word);
    sums->low += found.low - SV_HALF_FIELD;
    sums->middle += found.middle - SV_HALF_FIELD;
    sums->high += found.high;
}

/* Any window: sums in int64, since there may be more products than fit in a field. */
static sv_fields sum_window(const job *j, const sv_word *corner, const int8_t *weights) {
    sv_fields sums = {SV_HALF_FIELD, SV_HALF_FIELD, 0};
    uint64_t word = SV_EMPTY_SUMS;
    int32_t terms = 0;
    for (int32_t ky = 0; ky < j->window->kernel_h; ky++) {
        const sv_word *x = corner + (ptrdiff_t)ky * j->window->dilation_h * j->plane_columns;
        for (int32_t kx = 0; kx < j->window->kernel_w; kx++, weights += j->outputs) {
            word += (uint64_t)(int64_t)(*weights - j->weight_zero_point) * *x;
            x += j->window->dilation_w;
            if (++terms % FIELD_TERMS == 0) {
                add_word(word, &sums);
                word = SV_EMPTY_SUMS;
            }
        }
    }
    add_word(word, &sums);
    return sums;
}

static void run_channel(const job *j, int32_t number, const int8_t *weights, int8_t *output) {
    const sv_window *w = j->window;
    const int is_nine = w->kernel_h == 3 && w->kernel_w == 3 && w->dilation_w == 1;
    sv_channel c = sv_open_channel(&j->stage, number, w->kernel_h * w->kernel_w);
    uint64_t w0 = 0, w1 = 0, w2 = 0, w3 = 0, w4 = 0, w5 = 0, w6 = 0, w7 = 0, w8 = 0;
    if (is_nine) {
        const ptrdiff_t step = j->outputs;
        const int32_t zero = j->weight_zero_point;
        w0 = (uint64_t)(int64_t)(weights[0] - zero);
        w1 = (uint64_t)(int64_t)(weights[step] - zero);
        w2 = (uint64_t)(int64_t)(weights[2 * step] - zero);
        w3 = (uint64_t)(int64_t)(weights[3 * step] - zero);
        w4 = (uint64_t)(int64_t)(weights[4 * step] - zero);
        w5 = (uint64_t)(int64_t)(weights[5 * step] - zero);
        w6 = (uint64_t)(int64_t)(weights[6 * step] - zero);
        w7 = (uint64_t)(int64_t)(weights[7 * step] - zero);
        w8 = (uint64_t)(int64_t)(weights[8 * step] - zero);
    }
    const ptrdiff_t line = (ptrdiff_t)j->columns * j->outputs;
    const ptrdiff_t below = (ptrdiff_t)w->dilation_h * j->plane_columns;
    for (int32_t row = 0; row < j->band; row++, output += line) {
        const sv_word *x = j->plane + (ptrdiff_t)row * w->stride_h * j->plane_columns;
        const sv_word *y = is_nine ? x + below : x;
        const sv_word *z = is_nine ? y + below : x;
        int8_t *first = output + j->starts[0] * line;
        int8_t *second = output + j->starts[1] * line;
        int8_t *third = output + j->starts[2] * line;
        for (const int8_t *end = first + line; first != end;) {
            sv_fields sums;
            if (is_nine) {
                sums = sv_unpack3(SV_EMPTY_SUMS + x[0] * w0 + x[1] * w1 + x[2] * w2 + y[0] * w3 +
                                  y[1] * w4 + y[2] * w5 + z[0] * w6 + z[1] * w7 + z[2] * w8);
                y += w->stride_w;
                z += w->stride_w;
            } else {
                sums = sum_window(j, x, weights);
            }
            x += w->stride_w;
            sv_store3(&c, sums, first, second, third);
            first += j->outputs;
            second += j->outputs;
            third += j->outputs;
        }
    }
}

static void run(const sv_call *call) {
    const sv_depthwise_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const plane size = plane_of(&p->window, output);
    const int32_t rows = (int32_t)output->dims[1];
    sv_word stack[STACK_WORDS];
    job j = {
        .window = &p->window,
        .stage = sv_open_stage(call, &p->stage),
        .height = (int32_t)input->dims[1],
        .width = (int32_t)input->dims[2],
        .channels = (int32_t)input->dims[3],
        .columns = (int32_t)output->dims[2],
        .outputs = (int32_t)output->dims[3],
        .band = (int32_t)size.band,
        .plane_rows = (int32_t)size.rows,
        .plane_columns = (int32_t)size.columns,
        .zero_point = (int8_t)input->zero_point,
        .weight_zero_point = p->stage.weight_zero_point,
        .plane = stack,
    };
    j.stage.weight_zero_point = 0; /* taken from the weights */
    if (call->op->scratch_bytes > 0) {
        j.plane = (sv_word *)(void *)(call->arena + call->op->scratch);
    }
    for (int32_t i = 0; i < SV_FIELDS; i++) {
        j.starts[i] = i * j.band < rows - j.band ? i * j.band : rows - j.band;
    }
    const uint64_t outside = sv_pack3(j.zero_point, j.zero_point, j.zero_point);
    for (int32_t i = 0; i < j.plane_rows * j.plane_columns; i++) {
        j.plane[i] = outside;
    }
    const int8_t *weights = sv_constant(call, p->weights);
    const int8_t *image = sv_read(call, input);
    int8_t *target = sv_write(call, output);
    for (uint32_t n = 0; n < input->dims[0]; n++) {
        for (int32_t number = 0; number < j.outputs; number++) {
            if (number % (int32_t)p->depth_multiplier == 0) {
                pack_plane(&j, image + number / (int32_t)p->depth_multiplier);
            }
            run_channel(&j, number, weights + number, target + number);
        }
        image += (ptrdiff_t)j.height * j.width * j.channels;
        target += (ptrdiff_t)rows * j.columns * j.outputs;
    }
}

const sv_kernel sv_depthwise_swar = {
    .opcode = SV_DEPTHWISE_CONV_2D_S8,
    .version = 1,
    .layout = 64,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_depthwise_parameters),
    .check = check,
    .run = run,
};
