/* DEPTHWISE_CONV_2D, int8, one output channel for each input channel: eight channels at a time.
 *
 * Two taps of eight channels are interleaved and meet [channel][2] weights in i32x4.dot_i16x8_s.
 * Taps outside the picture point to a row that holds the zero point. */
#include "core/kernel.h"
#include "kernels/simd128/scaling.h"
#include "kernels/simd128/unroll.h"
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

/* Where the taps of a window begin in the panel's channels. */
static void find_taps(const job *j, const int8_t *image, const sv_span *rows,
                      const sv_span *columns, const int8_t *taps[MAX_TAPS]) {
    const sv_window *w = j->window;
    for (int32_t ky = 0; ky < w->kernel_h; ky++) {
        const int is_row_inside = ky >= rows->first && ky < rows->end;
        const ptrdiff_t y = rows->start + ky * w->dilation_h;
        for (int32_t kx = 0; kx < w->kernel_w; kx++) {
            const ptrdiff_t x = columns->start + kx * w->dilation_w;
            const int is_inside = is_row_inside && kx >= columns->first && kx < columns->end;
            *taps++ = is_inside ? image + (y * j->width + x) * j->channels : j->outside;
        }
    }
    *taps = j->outside;
}

static void pixel(const job *j, const sv_scaling *s, const int8_t *const *taps, int8_t *output) {
    const int8_t *weights = j->weights;
    for (int32_t first = 0; first < s->count; first += SV_BLOCK) {
        /* The last block ends with the last channel, and may begin in the one before. */
        const int32_t c = first + SV_BLOCK <= s->count ? first : s->count - SV_BLOCK;
        v128_t left = wasm_v128_load(s->bias + c);
        v128_t right = wasm_v128_load(s->bias + c + 4);
        for (int32_t pair = 0; pair < j->pairs; pair++, weights += 16) {
            const v128_t a = wasm_i16x8_load8x8(taps[2 * pair] + c);
            const v128_t b = wasm_i16x8_load8x8(taps[2 * pair + 1] + c);
            const v128_t low = wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
            const v128_t high = wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
            left = wasm_i32x4_add(left, wasm_i32x4_dot_i16x8(low, wasm_i16x8_load8x8(weights)));
            right =
                wasm_i32x4_add(right, wasm_i32x4_dot_i16x8(high, wasm_i16x8_load8x8(weights + 8)));
        }
        wasm_v128_store64_lane(output + c, sv_scale8(s, c, left, right), 0);
    }
}

static void run(const sv_call *call) {
    const sv_depthwise_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const sv_stage stage = sv_open_stage(call, &p->stage);
    int8_t outside[SV_PANEL];
    const int8_t *taps[MAX_TAPS + 1];
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
    int32_t end = 0;
    for (int32_t first = 0; first < j.channels; first = end) {
        /* No panel is shorter than a block. */
        const int32_t left = j.channels - first;
        end = left < SV_PANEL + SV_BLOCK && left > SV_PANEL ? first + SV_PANEL - SV_BLOCK
              : left < SV_PANEL                             ? first + left
                                                            : first + SV_PANEL;
        sv_open_scaling(&scaling, &stage, first, end - first);
        j.weights = (const int8_t *)sv_constant(call, p->weights) +
                    (ptrdiff_t)first / SV_BLOCK * j.pairs * 16;
        const int8_t *image = (const int8_t *)sv_read(call, input) + first;
        int8_t *target = (int8_t *)sv_write(call, output) + first;
        for (uint32_t n = 0; n < input->dims[0]; n++) {
            for (int32_t y = 0; y < (int32_t)output->dims[1]; y++) {
                const sv_span rows = sv_rows(&p->window, y, j.height);
                for (int32_t x = 0; x < (int32_t)output->dims[2]; x++, target += j.channels) {
                    const sv_span columns = sv_columns(&p->window, x, j.width);
                    find_taps(&j, image, &rows, &columns, taps);
                    pixel(&j, &scaling, taps, target);
                }
            }
            image += (ptrdiff_t)j.height * j.width * j.channels;
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
