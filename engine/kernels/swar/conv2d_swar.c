/* CONV_2D, int8, layout 64, also in groups. The inputs under the windows of up to twelve
 * neighbouring pixels are packed, three to a word, and every weight, as it lies in the plan, is
 * multiplied with all of them. Taps outside the picture are filled with the zero point, so that no
 * channel needs a correction. */
#include "core/kernel.h"
#include "kernels/output_stage.h"
#include "kernels/span.h"
#include "kernels/swar/dot3.h"
#include "kernels/swar/pack3.h"
#include "kernels/swar/requantize.h"

enum { MAX_WORDS = SV_BLOCK_WORDS, BLOCK = MAX_WORDS * SV_FIELDS, TILE = 16, STACK_WORDS = 768 };

/* Most inputs whose sum fits in a field. */
enum { MAX_INPUTS = 8191 };

/* The constant of layout 64: a header, then the weights of layout 0. */
typedef struct SV_MAY_ALIAS header {
    uint32_t terms; /* products whose sum fits in a field; else numbers are wrong */
    uint32_t reserved[3];
} header;

static sv_status check(const sv_call *call) {
    const sv_conv2d_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    if (!sv_are_s8(call) || !sv_is_window(&p->window, input, output) || p->depth < 1 ||
        input->dims[3] % p->depth != 0 || output->dims[3] % (input->dims[3] / p->depth) != 0) {
        return SV_BAD_SHAPE;
    }
    const uint32_t area = (uint32_t)p->window.kernel_h * p->window.kernel_w;
    const uint64_t terms = (uint64_t)area * p->depth;
    const uint64_t row = (uint64_t)p->window.kernel_w * p->depth;
    const uint32_t scratch = call->op->scratch_bytes;
    const uint64_t room = scratch > 0 ? scratch : STACK_WORDS * sizeof(sv_word);
    if (terms > SV_MAX_TERMS || p->weights % 4 != 0 ||
        !sv_has_constants(call, p->weights, sizeof(header) + terms * output->dims[3], 1) ||
        ((const header *)sv_constant(call, p->weights))->terms < 1 ||
        terms * MAX_WORDS * sizeof(sv_word) + row * SV_FIELDS > room) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_stage(call, &p->stage, output->dims[3]);
}

typedef struct job {
    const sv_window *window;
    sv_stage stage;
    sv_manner best;
    int32_t height, width, channels, depth;
    int32_t columns, outputs; /* of the output */
    int32_t group_outputs;
    int32_t terms, chunk;
    int32_t zero_point;
    int32_t step;      /* from a lane's pixel to the next lane's */
    sv_word *packed;   /* [term][words of the block] */
    int8_t *row;       /* a window row of three pixels */
} job;

/* The window's row `ky` of the pixel at `y`, `x`: in the picture if it lies there in one piece, or
 * else copied to `row`, with zero points around. */
static const int8_t *window_row(const job *j, const int8_t *image, int32_t y, int32_t x, int32_t ky,
                                int8_t *row) {
    const sv_window *w = j->window;
    const int32_t input_y = y * w->stride_h - w->pad_top + ky * w->dilation_h;
    const int32_t start = x * w->stride_w - w->pad_left;
    const int32_t last = start + (w->kernel_w - 1) * w->dilation_w;
    const int is_inside = input_y >= 0 && input_y < j->height;
    const int is_one_run = w->kernel_w == 1 || (w->dilation_w == 1 && j->depth == j->channels);
    const int8_t *line = image + (ptrdiff_t)(is_inside ? input_y : 0) * j->width * j->channels;
    if (is_inside && start >= 0 && last < j->width && is_one_run) {
        return line + (ptrdiff_t)start * j->channels;
    }
    const size_t depth = (size_t)j->depth;
    int8_t *target = row;
    for (int32_t at = start; at <= last; at += w->dilation_w, target += depth) {
        if (is_inside && at >= 0 && at < j->width) {
            memcpy(target, line + (ptrdiff_t)at * j->channels, depth);
        } else {
            memset(target, j->zero_point, depth);
        }
    }
    return row;
}

static void pack_run(const int8_t *a, const int8_t *b, const int8_t *c, int32_t count,
                     int32_t words, sv_word *target) {
    const int8_t *end = a + (count & ~1);
    for (; a != end; a += 2, b += 2, c += 2, target += 2 * words) {
        target[0] = sv_pack3(a[0], b[0], c[0]);
        target[words] = sv_pack3(a[1], b[1], c[1]);
    }
    if (count & 1) {
        target[0] = sv_pack3(*a, *b, *c);
    }
}

static void pack_block(const job *j, const int8_t *image, int32_t first, int32_t words) {
    const int32_t run = j->window->kernel_w * j->depth;
    int32_t y = first / j->columns, x = first % j->columns;
    for (int32_t word = 0; word < words; word++) {
        int32_t ys[SV_FIELDS], xs[SV_FIELDS];
        for (int32_t i = 0; i < SV_FIELDS; i++) {
            ys[i] = y;
            xs[i] = x;
            x += j->step;
            if (x == j->columns) {
                x = 0;
                y++;
            }
        }
        sv_word *target = j->packed + word;
        for (int32_t ky = 0; ky < j->window->kernel_h; ky++, target += run * words) {
            const int8_t *a = window_row(j, image, ys[0], xs[0], ky, j->row);
            const int8_t *b = window_row(j, image, ys[1], xs[1], ky, j->row + run);
            const int8_t *c = window_row(j, image, ys[2], xs[2], ky, j->row + 2 * run);
            pack_run(a, b, c, run, words, target);
        }
    }
}

/* One channel, a term at a time: what does not fill a turn, and small blocks. */
static void dot(const sv_word *x, const int8_t *weights, int32_t count, int32_t words,
                uint64_t *sums) {
    const int8_t *end = weights + count;
    uint64_t s0 = SV_EMPTY_SUMS, s1 = s0, s2 = s0, s3 = s0;
    if (words == MAX_WORDS) {
        for (; weights != end; x += MAX_WORDS, weights++) {
            const uint64_t w = sv_widen(*weights);
            s0 += w * x[0];
            s1 += w * x[1];
            s2 += w * x[2];
            s3 += w * x[3];
        }
    } else {
        const ptrdiff_t second = words > 1, third = words > 2 ? 2 : 0;
        for (; weights != end; x += words, weights++) {
            const uint64_t w = sv_widen(*weights);
            s0 += w * x[0];
            s1 += w * x[second];
            s2 += w * x[third];
        }
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

/* The sums of `channels` over `count` terms. Those that do not fill a turn come first. */
static void sum_tile(const sv_word *x, const int8_t *weights, ptrdiff_t step, int32_t channels,
                     int32_t count, int32_t words, uint64_t *sums) {
    const int32_t rest = words < 3 ? count : count % SV_TURN;
    const uint64_t *end = sums + channels * MAX_WORDS;
    for (int32_t i = 0; i < channels; i++) {
        dot(x, weights + i * step, rest, words, sums + i * MAX_WORDS);
    }
    x += (ptrdiff_t)rest * words;
    for (int32_t at = rest; at < count; at += SV_TURN, x += SV_TURN * words) {
        if (words == MAX_WORDS) {
            sv_add_turn(x, weights + at, step, MAX_WORDS, sums, end);
        } else {
            sv_add_turn(x, weights + at, step, 3, sums, end);
        }
    }
}

SV_INLINE void store_words(const sv_channel *c, sv_manner manner, const uint64_t *words,
                           const uint64_t *end, const int64_t *earlier, int8_t *output,
                           ptrdiff_t step) {
    for (; words != end; words++) {
        sv_fields sums = sv_unpack3(*words);
        if (earlier) {
            sums.low += earlier[0];
            sums.middle += earlier[1];
            sums.high += earlier[2];
            earlier += SV_FIELDS;
        }
        int8_t *second = output + step;
        int8_t *third = second + step;
        sv_store3(c, manner, sums, output, second, third);
        output = third + step;
    }
}

/* Whether all sums are zero, as where all weights of a channel are. */
static int are_empty(const uint64_t *words, const uint64_t *end) {
    while (words != end && *words == SV_EMPTY_SUMS) {
        words++;
    }
    return words == end;
}

static void store_empty(const job *j, int32_t number, int32_t words, int8_t *output) {
    const int8_t value = sv_to_s8(&j->stage, number, 0);
    const ptrdiff_t step = j->outputs * j->step;
    for (int32_t i = 0; i < words * SV_FIELDS; i++, output += step) {
        *output = value;
    }
}

static void store_channel(const job *j, int32_t number, const uint64_t *words, const uint64_t *end,
                          const int64_t *earlier, int8_t *output) {
    if (!earlier && are_empty(words, end)) {
        store_empty(j, number, (int32_t)(end - words), output);
        return;
    }
    const sv_channel c = sv_open_channel(&j->stage, number, j->best);
    const ptrdiff_t step = j->outputs * j->step;
    if (c.manner == SV_RAMP && !earlier) {
        store_words(&c, SV_RAMP, words, end, NULL, output, step);
    } else if (c.manner != SV_GENERAL) {
        store_words(&c, SV_SIGNED, words, end, earlier, output, step);
    } else {
        store_words(&c, SV_GENERAL, words, end, earlier, output, step);
    }
}

static void add_fields(const uint64_t *words, int32_t count, int64_t factor, int64_t *sums) {
    for (int32_t word = 0; word < count; word++, sums += SV_FIELDS) {
        const sv_fields found = sv_unpack3(words[word]);
        sums[0] += (found.low - SV_HALF_FIELD) * factor;
        sums[1] += (found.middle - SV_HALF_FIELD) * factor;
        sums[2] += found.high * factor;
    }
}

/* What the weights' zero point takes away: that times the sum of the inputs of each pixel. */
static void start_sums(const job *j, int32_t words, int64_t *sums) {
    const sv_word *x = j->packed;
    for (int32_t left = j->terms; left > 0;) {
        uint64_t found[MAX_WORDS] = {SV_EMPTY_SUMS, SV_EMPTY_SUMS, SV_EMPTY_SUMS, SV_EMPTY_SUMS};
        const int32_t count = left < MAX_INPUTS ? left : MAX_INPUTS;
        for (int32_t i = 0; i < count; i++) {
            for (int32_t word = 0; word < words; word++) {
                found[word] += *x++;
            }
        }
        add_fields(found, words, -j->stage.weight_zero_point, sums);
        left -= count;
    }
}

/* `channels` of a group, at most TILE, for a block of pixels. */
static void run_tile(const job *j, const int8_t *weights, int32_t channel, int32_t channels,
                     int32_t words, const int64_t *start, int8_t *output) {
    uint64_t found[TILE * MAX_WORDS];
    int64_t sums[TILE * BLOCK];
    const sv_word *x = j->packed;
    const int has_earlier = start != NULL || j->terms > j->chunk;
    int32_t left = j->terms;
    for (int32_t i = 0; has_earlier && i < channels; i++) {
        if (start) {
            memcpy(sums + i * BLOCK, start, BLOCK * sizeof *sums);
        } else {
            memset(sums + i * BLOCK, 0, BLOCK * sizeof *sums);
        }
    }
    for (; left > j->chunk; left -= j->chunk, x += (ptrdiff_t)j->chunk * words) {
        sum_tile(x, weights, j->terms, channels, j->chunk, words, found);
        for (int32_t i = 0; i < channels; i++) {
            add_fields(found + i * MAX_WORDS, words, 1, sums + i * BLOCK);
        }
        weights += j->chunk;
    }
    sum_tile(x, weights, j->terms, channels, left, words, found);
    for (int32_t i = 0; i < channels; i++) {
        const uint64_t *those = found + i * MAX_WORDS;
        store_channel(j, channel + i, those, those + words, has_earlier ? sums + i * BLOCK : NULL,
                      output + i);
    }
}

static void run_block(const job *j, const int8_t *weights, int32_t channel, int32_t words,
                      int8_t *output) {
    int64_t start[BLOCK] = {0};
    const int has_start = j->stage.weight_zero_point != 0;
    if (has_start) {
        start_sums(j, words, start);
    }
    for (int32_t done = 0; done < j->group_outputs; done += TILE) {
        const int32_t left = j->group_outputs - done;
        run_tile(j, weights + (ptrdiff_t)done * j->terms, channel + done, left < TILE ? left : TILE,
                 words, has_start ? start : NULL, output + done);
    }
}

/* Words of the next block: three or four, for which there are short ways, if `pixels` in all are
 * enough, and never more than they fill. A pixel that fills a word alone is a block alone. */
static int32_t words_of_next(int32_t left, int32_t pixels) {
    const int32_t words = (left + SV_FIELDS - 1) / SV_FIELDS;
    const int32_t most = pixels < SV_FIELDS ? 1 : pixels / SV_FIELDS;
    if (words > MAX_WORDS) {
        return words % MAX_WORDS == 1 || words % MAX_WORDS == 2 ? 3 : MAX_WORDS;
    }
    const int32_t wanted = words < 3 ? 3 : words;
    return wanted < most ? wanted : most;
}

static void run_group(const job *j, const int8_t *image, const int8_t *weights, int32_t channel,
                      int32_t pixels, int8_t *target) {
    const int32_t lanes = j->step ? SV_FIELDS : 1;
    for (int32_t done = 0; done < pixels;) {
        const int32_t words = words_of_next(pixels - done, pixels);
        /* The last block may begin before the end of the last but one. */
        const int32_t last = pixels - words * lanes;
        const int32_t first = done < last ? done : last;
        pack_block(j, image, first, words);
        run_block(j, weights, channel, words, target + (ptrdiff_t)first * j->outputs);
        done = first + words * lanes;
    }
}

static void run(const sv_call *call) {
    const sv_conv2d_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const header *constant = sv_constant(call, p->weights);
    sv_word stack[STACK_WORDS];
    sv_word *memory = stack;
    if (call->op->scratch_bytes > 0) {
        memory = (sv_word *)(void *)(call->arena + call->op->scratch);
    }
    const int32_t terms = p->window.kernel_h * p->window.kernel_w * (int32_t)p->depth;
    const int32_t channels = (int32_t)input->dims[3];
    const int32_t outputs = (int32_t)output->dims[3];
    const int32_t pixels = (int32_t)(output->dims[1] * output->dims[2]);
    const sv_stage stage = sv_open_stage(call, &p->stage);
    const job j = {
        .window = &p->window,
        .stage = stage,
        .best = sv_best_manner(&stage, terms),
        .height = (int32_t)input->dims[1],
        .width = (int32_t)input->dims[2],
        .channels = channels,
        .depth = (int32_t)p->depth,
        .columns = (int32_t)output->dims[2],
        .outputs = outputs,
        .group_outputs = outputs / (channels / (int32_t)p->depth),
        .terms = terms,
        .chunk = constant->terms < (uint32_t)terms ? (int32_t)constant->terms : terms,
        .zero_point = input->zero_point,
        .step = pixels >= SV_FIELDS, /* of fewer pixels each fills a word */
        .packed = memory,
        .row = (int8_t *)(memory + (ptrdiff_t)terms * MAX_WORDS),
    };
    const int8_t *image = sv_read(call, input);
    int8_t *target = sv_write(call, output);
    for (uint32_t n = 0; n < input->dims[0]; n++) {
        const int8_t *weights = (const int8_t *)(constant + 1);
        for (int32_t channel = 0; channel < outputs; channel += j.group_outputs) {
            const ptrdiff_t group = channel / j.group_outputs;
            run_group(&j, image + group * j.depth, weights, channel, pixels, target + channel);
            weights += (ptrdiff_t)terms * j.group_outputs;
        }
        image += (ptrdiff_t)j.height * j.width * channels;
        target += (ptrdiff_t)pixels * outputs;
    }
}

const sv_kernel sv_conv2d_swar = {
    .opcode = SV_CONV_2D_S8,
    .version = 1,
    .layout = 64,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_conv2d_parameters),
    .check = check,
    .run = run,
};
