/* DEPTHWISE_CONV_2D, int8, with windows of 3×3 and stride 1 or 2: eight channels at a time.
 *
 * Taps meet in pairs, interleaved, [channel][2] weights in i32x4.dot_i16x8_s: the two upper rows of
 * a column, and two neighbours of the last row. Each pair is made once and serves all windows that
 * it is in, whose sums are on the way at once. Weights lie in the order of these pairs. Rows and
 * columns outside the picture are a place that holds the zero point. */
#include "core/kernel.h"
#include "kernels/simd128/kernels.h"
#include "kernels/simd128/scaling.h"
#include "kernels/simd128/unroll.h"
#include "kernels/span.h"

/* Pairs of a window: those of the upper rows by column; nothing and the first of the last row; its
 * others. */
enum { FIRST = 3, OTHERS = 4, PAIRS = 5, BLOCK_BYTES = PAIRS * 2 * SV_BLOCK };

static sv_status check(const sv_call *call) {
    const sv_depthwise_parameters *p = sv_parameters(call);
    const sv_window *w = &p->window;
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    if (!sv_are_s8(call) || !sv_is_window(w, input, output) || w->kernel_h != 3 ||
        w->kernel_w != 3 || w->dilation_h != 1 || w->dilation_w != 1 || w->stride_w > 2 ||
        w->pad_left > 1 || p->depth_multiplier != 1 || input->dims[3] != output->dims[3] ||
        input->dims[3] < SV_BLOCK) {
        return SV_BAD_SHAPE;
    }
    const uint64_t blocks = ((uint64_t)input->dims[3] + SV_BLOCK - 1) / SV_BLOCK;
    if (p->stage.weight_zero_point != 0 ||
        !sv_has_constants(call, p->weights, blocks * BLOCK_BYTES, 1)) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_stage(call, &p->stage, output->dims[3]);
}

typedef struct job {
    const sv_window *window;
    const sv_scaling *scaling;
    int32_t height, width, channels, out_height, out_width;
    const int8_t *outside;
} job;

/* Eight channels: two taps of each in one register, or the sums of each in two. */
typedef struct eight {
    v128_t left, right;
} eight;

/* The three rows of a window; one outside the picture stands still. */
typedef struct bands {
    const int8_t *rows[3];
    ptrdiff_t steps[3];
} bands;

SV_INLINE eight interleave(v128_t a, v128_t b) {
    return (eight){wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11),
                   wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15)};
}

SV_INLINE eight add_pair(eight sums, eight pair, eight weights) {
    return (eight){
        wasm_i32x4_add(sums.left, wasm_i32x4_dot_i16x8(pair.left, weights.left)),
        wasm_i32x4_add(sums.right, wasm_i32x4_dot_i16x8(pair.right, weights.right)),
    };
}

/* One column: the upper two taps as a pair, and the last one. */
typedef struct column {
    eight upper;
    v128_t last;
} column;

SV_INLINE column load_column(const int8_t *const rows[3]) {
    return (column){
        interleave(wasm_i16x8_load8x8(rows[0]), wasm_i16x8_load8x8(rows[1])),
        wasm_i16x8_load8x8(rows[2]),
    };
}

/* Column `x`, which may be outside. */
static column find_column(const job *j, const bands *b, int32_t x) {
    const int is_inside = (uint32_t)x < (uint32_t)j->width;
    const int8_t *rows[3];
    SV_UNROLL for (int32_t ky = 0; ky < 3; ky++) {
        rows[ky] = is_inside ? b->rows[ky] + x * b->steps[ky] : j->outside;
    }
    return load_column(rows);
}

SV_INLINE void move(bands *b, int32_t columns) {
    SV_UNROLL for (int32_t ky = 0; ky < 3; ky++) {
        b->rows[ky] += columns * b->steps[ky];
    }
}

static inline int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }

/* Sums of windows that are not complete. Each column belongs to three windows, with stride 2 each
 * second one to two, and the others to one. */
typedef struct state {
    eight older, newer; /* with stride 2 only the newer one */
    v128_t last;        /* of the column before */
} state;

/* The sums of the window that ends with column `k`. */
SV_INLINE eight slide1(state *s, const eight w[PAIRS], eight bias, column k) {
    const eight last = interleave(s->last, k.last);
    const eight complete = add_pair(add_pair(s->older, k.upper, w[2]), last, w[OTHERS]);
    s->older = add_pair(s->newer, k.upper, w[1]);
    s->newer = add_pair(add_pair(bias, k.upper, w[0]), last, w[FIRST]);
    s->last = k.last;
    return complete;
}

SV_INLINE eight slide2(state *s, const eight w[PAIRS], eight bias, column middle, column k) {
    const eight last = interleave(middle.last, k.last);
    const eight most = add_pair(add_pair(s->newer, middle.upper, w[1]), k.upper, w[2]);
    s->newer = add_pair(add_pair(bias, k.upper, w[0]), last, w[FIRST]);
    return add_pair(most, last, w[OTHERS]);
}

SV_INLINE void keep(v128_t *sums, int32_t number, eight found) {
    sums[2 * number] = found.left;
    sums[2 * number + 1] = found.right;
}

static void row_stride1(const job *j, const bands *b, const eight w[PAIRS], eight bias, int32_t c,
                        int8_t *output) {
    const int32_t x = 2 - (int32_t)j->window->pad_left;
    const int32_t inside = least(j->width - x, j->out_width);
    v128_t sums[2 * SV_RUN + 2];
    state s = {bias, bias, wasm_i32x4_splat(0)};
    slide1(&s, w, bias, find_column(j, b, x - 2));
    slide1(&s, w, bias, find_column(j, b, x - 1));
    bands at = *b;
    move(&at, x);
    for (int32_t first = 0, end; first < j->out_width; first = end) {
        end = least(first + SV_RUN, j->out_width);
        int32_t i = first;
        for (; i < least(end, inside); i++) {
            keep(sums, i - first, slide1(&s, w, bias, load_column(at.rows)));
            move(&at, 1);
        }
        for (; i < end; i++) {
            keep(sums, i - first, slide1(&s, w, bias, find_column(j, b, x + i)));
        }
        sv_scale_run(j->scaling, c, sums, end - first, output + first * (ptrdiff_t)j->channels,
                     j->channels);
    }
}

static void row_stride2(const job *j, const bands *b, const eight w[PAIRS], eight bias, int32_t c,
                        int8_t *output) {
    const int32_t x = 1 - (int32_t)j->window->pad_left;
    const int32_t inside = least((j->width - x) / 2, j->out_width);
    v128_t sums[2 * SV_RUN + 2];
    state s = {bias, bias, wasm_i32x4_splat(0)};
    const column before = find_column(j, b, x - 1);
    slide2(&s, w, bias, before, before);
    bands at = *b;
    move(&at, x);
    for (int32_t first = 0, end; first < j->out_width; first = end) {
        end = least(first + SV_RUN, j->out_width);
        int32_t i = first;
        for (; i < least(end, inside); i++) {
            const column middle = load_column(at.rows);
            move(&at, 1);
            keep(sums, i - first, slide2(&s, w, bias, middle, load_column(at.rows)));
            move(&at, 1);
        }
        for (; i < end; i++) {
            keep(sums, i - first, slide2(&s, w, bias, find_column(j, b, x + 2 * i),
                                         find_column(j, b, x + 2 * i + 1)));
        }
        sv_scale_run(j->scaling, c, sums, end - first, output + first * (ptrdiff_t)j->channels,
                     j->channels);
    }
}

/* Eight channels, from `c` of the panel, of a whole picture. */
static void block(const job *j, const int8_t *picture, const int8_t *weights, int32_t c,
                  int8_t *output) {
    const eight bias = {wasm_v128_load(j->scaling->bias + c),
                        wasm_v128_load(j->scaling->bias + c + 4)};
    eight w[PAIRS];
    for (int32_t pair = 0; pair < PAIRS; pair++, weights += 2 * SV_BLOCK) {
        w[pair].left = wasm_i16x8_load8x8(weights);
        w[pair].right = wasm_i16x8_load8x8(weights + SV_BLOCK);
    }
    for (int32_t row = 0; row < j->out_height; row++) {
        bands b;
        for (int32_t ky = 0; ky < 3; ky++) {
            const int32_t y = row * j->window->stride_h - j->window->pad_top + ky;
            const int is_inside = (uint32_t)y < (uint32_t)j->height;
            b.rows[ky] = is_inside ? picture + (ptrdiff_t)y * j->width * j->channels : j->outside;
            b.steps[ky] = is_inside ? j->channels : 0;
        }
        (j->window->stride_w == 1 ? row_stride1 : row_stride2)(j, &b, w, bias, c, output);
        output += j->out_width * (ptrdiff_t)j->channels;
    }
}

static void run(const sv_call *call) {
    const sv_depthwise_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const sv_stage stage = sv_open_stage(call, &p->stage);
    const size_t input_bytes = input->bytes / input->dims[0];
    const size_t output_bytes = output->bytes / output->dims[0];
    const int32_t channels = (int32_t)input->dims[3];
    int8_t outside[SV_BLOCK];
    memset(outside, input->zero_point, sizeof outside);
    sv_scaling scaling;
    const job j = {
        .window = &p->window,
        .scaling = &scaling,
        .height = (int32_t)input->dims[1],
        .width = (int32_t)input->dims[2],
        .channels = channels,
        .out_height = (int32_t)output->dims[1],
        .out_width = (int32_t)output->dims[2],
        .outside = outside,
    };
    const int8_t *weights = sv_constant(call, p->weights);
    for (int32_t start = 0; start < channels; start += SV_BLOCK, weights += BLOCK_BYTES) {
        /* The last block ends with the last channel, and may begin in the one before. */
        const int32_t c = start + SV_BLOCK <= channels ? start : channels - SV_BLOCK;
        if (start % SV_PANEL == 0 || c != start) {
            const int32_t left = channels - c;
            sv_open_scaling(&scaling, &stage, 9, c, left < SV_PANEL ? left : SV_PANEL);
        }
        for (uint32_t n = 0; n < input->dims[0]; n++) {
            const int8_t *picture = sv_read(call, input);
            int8_t *target = sv_write(call, output);
            block(&j, picture + n * input_bytes + c, weights, c - scaling.first,
                  target + n * output_bytes + c);
        }
    }
}

const sv_kernel sv_depthwise_3x3_s8_simd128 = {
    .opcode = SV_DEPTHWISE_CONV_2D_S8,
    .version = 1,
    .layout = 35,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_depthwise_parameters),
    .check = check,
    .run = run,
};
