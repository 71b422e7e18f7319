/* DEPTHWISE_CONV_2D, int8, one output channel for each input channel: eight channels at a time.
 *
 * Two taps of eight channels are interleaved and meet [channel][2] weights in i32x4.dot_i16x8_s.
 * Taps outside the picture point to a row that holds the zero point. */
#include "core/kernel.h"
#include "kernels/simd128/scaling.h"
#include "kernels/span.h"

/* Most taps of a window. */
enum { MAX_TAPS = 128 };

static uint32_t pairs_of(const sv_window *window) {
    return ((uint32_t)window->kernel_h * window->kernel_w + 1) / 2;
}

static sv_status check(const sv_call *call) {
    const sv_depthwise_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    if (!sv_are_s8(call) || !sv_is_window(&p->window, input, output) ||
        p->depth_multiplier != 1 || input->dims[3] != output->dims[3] ||
        input->dims[3] < SV_BLOCK) {
        return SV_BAD_SHAPE;
    }
    const uint64_t blocks = ((uint64_t)input->dims[3] + SV_BLOCK - 1) / SV_BLOCK;
    if ((uint32_t)p->window.kernel_h * p->window.kernel_w > MAX_TAPS ||
        p->stage.weight_zero_point != 0 ||
        !sv_has_constants(call, p->weights, blocks * pairs_of(&p->window) * 16, 1)) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_stage(call, &p->stage, output->dims[3]);
}

typedef struct job {
    const sv_window *window;
    const int8_t *weights; /* of the panel */
    int32_t height, width, channels;
    int32_t pairs;
    const int8_t *outside; /* zero points, as many as a panel has channels */
} job;

/* Where the taps lie, counted from the first; one more, so that they can be taken in pairs. */
typedef uintptr_t taps[MAX_TAPS + 1];

/* The taps of a window that begins at `first`; those outside the picture anywhere in memory. */
static void find_taps(const job *j, const int8_t *first, const sv_span *rows,
                      const sv_span *columns, taps found) {
    const sv_window *w = j->window;
    const uintptr_t outside = (uintptr_t)j->outside - (uintptr_t)first;
    uintptr_t *tap = found;
    for (int32_t ky = 0; ky < w->kernel_h; ky++) {
        const int is_row_inside = ky >= rows->first && ky < rows->end;
        const ptrdiff_t y = (ptrdiff_t)ky * w->dilation_h * j->width;
        for (int32_t kx = 0; kx < w->kernel_w; kx++) {
            const int is_inside = is_row_inside && kx >= columns->first && kx < columns->end;
            const ptrdiff_t x = (ptrdiff_t)kx * w->dilation_w;
            *tap++ = is_inside ? (uintptr_t)((y + x) * j->channels) : outside;
        }
    }
    *tap = found[0]; /* meets weights of 0, if it is used */
}

typedef struct sums {
    v128_t left, right;
} sums;

/* Two taps of eight channels. */
static inline sums add_pair(sums s, uintptr_t inputs, const uintptr_t *tap,
                            const int8_t *weights) {
    const v128_t a = wasm_i16x8_load8x8((const int8_t *)(inputs + tap[0]));
    const v128_t b = wasm_i16x8_load8x8((const int8_t *)(inputs + tap[1]));
    const v128_t low = wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
    const v128_t high = wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
    s.left = wasm_i32x4_add(s.left, wasm_i32x4_dot_i16x8(low, wasm_i16x8_load8x8(weights)));
    s.right = wasm_i32x4_add(s.right, wasm_i32x4_dot_i16x8(high, wasm_i16x8_load8x8(weights + 8)));
    return s;
}

/* One pixel in all channels of the panel. */
static void pixel(const job *j, const sv_scaling *scaling, const int8_t *picture,
                  const uintptr_t *tap, int8_t *output) {
    const int8_t *weights = j->weights;
    for (int32_t first = 0; first < scaling->count; first += SV_BLOCK) {
        /* The last block ends with the last channel, and may begin in the one before. */
        const int32_t c =
            first + SV_BLOCK <= scaling->count ? first : scaling->count - SV_BLOCK;
        const uintptr_t inputs = (uintptr_t)(picture + c);
        sums s = {wasm_v128_load(scaling->bias + c), wasm_v128_load(scaling->bias + c + 4)};
        if (j->pairs == 5) {
            s = add_pair(s, inputs, tap, weights);
            s = add_pair(s, inputs, tap + 2, weights + 16);
            s = add_pair(s, inputs, tap + 4, weights + 32);
            s = add_pair(s, inputs, tap + 6, weights + 48);
            s = add_pair(s, inputs, tap + 8, weights + 64);
        } else {
            for (int32_t pair = 0; pair < j->pairs; pair++) {
                s = add_pair(s, inputs, tap + 2 * pair, weights + 16 * pair);
            }
        }
        weights += 16 * j->pairs;
        wasm_v128_store64_lane(output + c, sv_scale8(scaling, c, s.left, s.right), 0);
    }
}

static void image(const job *j, const sv_scaling *s, const sv_tensor *output,
                  const int8_t *picture, int8_t *target) {
    const sv_window *w = j->window;
    const sv_span all_rows = {0, 0, w->kernel_h}, all_columns = {0, 0, w->kernel_w};
    taps inside, clipped;
    find_taps(j, picture, &all_rows, &all_columns, inside);
    for (int32_t y = 0; y < (int32_t)output->dims[1]; y++) {
        const sv_span rows = sv_rows(w, y, j->height);
        const int is_row_inside = rows.end - rows.first == w->kernel_h;
        for (int32_t x = 0; x < (int32_t)output->dims[2]; x++, target += j->channels) {
            const sv_span columns = sv_columns(w, x, j->width);
            const int8_t *first = (const int8_t *)(
                (uintptr_t)picture +
                (uintptr_t)(((ptrdiff_t)rows.start * j->width + columns.start) * j->channels));
            const uintptr_t *tap = inside;
            if (!is_row_inside || columns.end - columns.first < w->kernel_w) {
                find_taps(j, first, &rows, &columns, clipped);
                tap = clipped;
            }
            pixel(j, s, first, tap, target);
        }
    }
}

static void run(const sv_call *call) {
    const sv_depthwise_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const sv_stage stage = sv_open_stage(call, &p->stage);
    int8_t outside[SV_PANEL];
    sv_scaling scaling;
    job j = {
        .window = &p->window,
        .height = (int32_t)input->dims[1],
        .width = (int32_t)input->dims[2],
        .channels = (int32_t)input->dims[3],
        .pairs = (int32_t)pairs_of(&p->window),
        .outside = outside,
    };
    memset(outside, input->zero_point, sizeof outside);
    int32_t count = 0;
    for (int32_t first = 0; first < j.channels; first += count) {
        const int32_t left = j.channels - first;
        const int32_t most = left < SV_PANEL ? left : SV_PANEL;
        /* No panel is shorter than a block. */
        count = left > most && left < most + SV_BLOCK ? most - SV_BLOCK : most;
        sv_open_scaling(&scaling, &stage, p->window.kernel_h * p->window.kernel_w, first, count);
        j.weights = (const int8_t *)sv_constant(call, p->weights) +
                    (ptrdiff_t)first / SV_BLOCK * j.pairs * 16;
        for (uint32_t n = 0; n < input->dims[0]; n++) {
            image(&j, &scaling, output,
                  (const int8_t *)sv_read(call, input) + n * (size_t)(input->bytes / input->dims[0]) + first,
                  (int8_t *)sv_write(call, output) + n * (size_t)(output->bytes / output->dims[0]) + first);
        }
    }
}

const sv_kernel sv_depthwise_conv2d_s8_simd128 = {
    .opcode = SV_DEPTHWISE_CONV_2D_S8,
    .version = 1,
    .layout = 33,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_depthwise_parameters),
    .check = check,
    .run = run,
};
