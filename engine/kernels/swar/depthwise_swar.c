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
    sv_manner best;
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

static uint64_t weight_at(const job *j, const int8_t *weights, int32_t tap) {
    return (uint64_t)(int64_t)(weights[(ptrdiff_t)tap * j->outputs] - j->weight_zero_point);
}

/* A row of windows of three by three, side by side, for the rows of all bands. */
SV_INLINE void run_nine(const job *j, const sv_channel *c, sv_manner manner, const int8_t *weights,
                        int8_t *const targets[SV_FIELDS]) {
    const uint64_t w0 = weight_at(j, weights, 0), w1 = weight_at(j, weights, 1);
    const uint64_t w2 = weight_at(j, weights, 2), w3 = weight_at(j, weights, 3);
    const uint64_t w4 = weight_at(j, weights, 4), w5 = weight_at(j, weights, 5);
    const uint64_t w6 = weight_at(j, weights, 6), w7 = weight_at(j, weights, 7);
    const uint64_t w8 = weight_at(j, weights, 8);
    const ptrdiff_t line = (ptrdiff_t)j->columns * j->outputs;
    const ptrdiff_t below = (ptrdiff_t)j->window->dilation_h * j->plane_columns;
    const ptrdiff_t right = j->window->stride_w;
    const ptrdiff_t outputs = j->outputs;
    int8_t *first = targets[0], *second = targets[1], *third = targets[2];
    for (int32_t row = 0; row < j->band; row++) {
        const sv_word *x = j->plane + (ptrdiff_t)row * j->window->stride_h * j->plane_columns;
        const sv_word *y = x + below;
        const sv_word *z = y + below;
        for (const int8_t *end = first + line; first != end;) {
            const uint64_t sums = SV_EMPTY_SUMS + x[0] * w0 + x[1] * w1 + x[2] * w2 + y[0] * w3 +
                                  y[1] * w4 + y[2] * w5 + z[0] * w6 + z[1] * w7 + z[2] * w8;
            sv_store3(c, manner, sv_unpack3(sums), first, second, third);
            x += right;
            y += right;
            z += right;
            first += outputs;
            second += outputs;
            third += outputs;
        }
    }
}

static void run_windows(const job *j, const sv_channel *c, const int8_t *weights,
                        int8_t *const targets[SV_FIELDS]) {
    ptrdiff_t at = 0;
    for (int32_t row = 0; row < j->band; row++) {
        const sv_word *x = j->plane + (ptrdiff_t)row * j->window->stride_h * j->plane_columns;
        for (int32_t i = 0; i < j->columns; i++, x += j->window->stride_w, at += j->outputs) {
            const sv_fields sums = sum_window(j, x, weights);
            if (c->manner == SV_GENERAL) {
                sv_store3(c, SV_GENERAL, sums, targets[0] + at, targets[1] + at, targets[2] + at);
            } else {
                sv_store3(c, SV_SIGNED, sums, targets[0] + at, targets[1] + at, targets[2] + at);
            }
        }
    }
}

static void run_channel(const job *j, int32_t number, const int8_t *weights, int8_t *output) {
    const sv_window *w = j->window;
    const ptrdiff_t line = (ptrdiff_t)j->columns * j->outputs;
    const sv_channel c = sv_open_channel(&j->stage, number, j->best);
    int8_t *const targets[SV_FIELDS] = {output + j->starts[0] * line, output + j->starts[1] * line,
                                        output + j->starts[2] * line};
    if (w->kernel_h != 3 || w->kernel_w != 3 || w->dilation_w != 1 || c.manner == SV_GENERAL) {
        run_windows(j, &c, weights, targets);
    } else if (c.manner == SV_RAMP) {
        run_nine(j, &c, SV_RAMP, weights, targets);
    } else {
        run_nine(j, &c, SV_SIGNED, weights, targets);
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
    j.best = sv_best_manner(&j.stage, p->window.kernel_h * p->window.kernel_w);
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
