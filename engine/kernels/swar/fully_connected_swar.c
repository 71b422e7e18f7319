/* FULLY_CONNECTED, int8, layout 64: each weight is used once, so they lie densely, plus 128 and
 * eight units to a word; one product with an input serves several units. */
#include "core/kernel.h"
#include "kernels/output_stage.h"
#include "kernels/swar/pack3.h"

/* UNITS weights of one input in a word; CHUNK products of 255 * 128 fit in a signed field of 24 bits. */
enum { UNITS = 8, WEIGHT_OFFSET = 128, CHUNK = 256, MAX_DEPTH = 32768 };

static uint64_t blocks_of(uint32_t units) { return ((uint64_t)units + UNITS - 1) / UNITS; }

static sv_status check(const sv_call *call) {
    const sv_fully_connected_parameters *p = sv_parameters(call);
    if (!sv_are_s8(call) || p->depth < 1 || p->depth > MAX_DEPTH || p->units < 1) {
        return SV_BAD_SHAPE;
    }
    const uint32_t inputs = sv_elements(sv_input(call, 0));
    const uint32_t rows = inputs / p->depth;
    if (inputs % p->depth != 0 || (uint64_t)rows * p->units != sv_elements(sv_output(call, 0))) {
        return SV_BAD_SHAPE;
    }
    if (p->weights % sizeof(sv_word) != 0 ||
        !sv_has_constants(call, p->weights, blocks_of(p->units) * p->depth * UNITS, 1)) {
        return SV_BAD_PARAMETER;
    }
    return sv_check_stage(call, &p->stage, p->units);
}

static int64_t lowest(uint64_t sums, int32_t bits) {
    return (int64_t)(sums << (64 - bits)) >> (64 - bits);
}

/* The two sums in a word whose second begins at `bits`. */
static void split(uint64_t sums, int32_t bits, int64_t *first, int64_t *second) {
    *first = lowest(sums, bits);
    *second = (int64_t)(sums - (uint64_t)*first) >> bits;
}

/* Sum j has weights 8j bits up. The sums of all eight and of the upper four run into each other;
 * four that are kept apart, at least 24 bits from one another, tell the rest. */
typedef struct mixed {
    uint64_t all;   /* 0 to 7 */
    uint64_t upper; /* 4 to 7, from bit 0 */
    uint64_t odd;   /* 1 and 5 */
    uint64_t even;  /* 2 and 6, from bit 0 */
} mixed;

static void add_mixed(const mixed *m, int32_t *sums) {
    int64_t s[UNITS];
    split((uint64_t)((int64_t)m->odd >> 8), 32, &s[1], &s[5]);
    split(m->even, 32, &s[2], &s[6]);
    split(m->upper - ((uint64_t)s[5] << 8) - ((uint64_t)s[6] << 16), 24, &s[4], &s[7]);
    split(m->all - ((uint64_t)s[1] << 8) - ((uint64_t)s[2] << 16) - (m->upper << 32), 24, &s[0],
          &s[3]);
    for (int32_t i = 0; i < UNITS; i++) {
        sums[i] = sv_wrap_add(sums[i], (int32_t)s[i]);
    }
}

#define SV_INPUT(k)                                                                                \
    do {                                                                                           \
        const uint64_t x = sv_widen(inputs[k]);                                                    \
        const uint64_t w = weights[k];                                                             \
        m.all += w * x;                                                                            \
        m.upper += (w >> 32) * x;                                                                  \
        m.odd += (w & UINT64_C(0x0000ff000000ff00)) * x;                                           \
        m.even += (w >> 16 & UINT64_C(0x000000ff000000ff)) * x;                                    \
    } while (0)

static void add_chunk(const int8_t *inputs, const sv_word *weights, int32_t count, int32_t *sums) {
    mixed m = {0, 0, 0, 0};
    const int32_t rest = count % 8;
    const int8_t *end = inputs + (count - rest);
    for (; inputs != end; inputs += 8, weights += 8) {
        SV_INPUT(0);
        SV_INPUT(1);
        SV_INPUT(2);
        SV_INPUT(3);
        SV_INPUT(4);
        SV_INPUT(5);
        SV_INPUT(6);
        SV_INPUT(7);
    }
    for (end += rest; inputs != end; inputs++, weights++) {
        SV_INPUT(0);
    }
    add_mixed(&m, sums);
}

static int32_t sum_of(const int8_t *inputs, int32_t count) {
    int32_t sum = 0;
    for (int32_t i = 0; i < count; i++) {
        sum += inputs[i];
    }
    return sum;
}

static void run(const sv_call *call) {
    const sv_fully_connected_parameters *p = sv_parameters(call);
    const sv_stage stage = sv_open_stage(call, &p->stage);
    const int32_t depth = (int32_t)p->depth;
    const int32_t units = (int32_t)p->units;
    const int8_t *inputs = sv_read(call, sv_input(call, 0));
    const int8_t *end = inputs + sv_elements(sv_input(call, 0));
    int8_t *outputs = sv_write(call, sv_output(call, 0));
    for (; inputs != end; inputs += depth, outputs += units) {
        const int32_t off = (WEIGHT_OFFSET + stage.weight_zero_point) * sum_of(inputs, depth);
        const sv_word *weights = sv_constant(call, p->weights);
        for (int32_t unit = 0; unit < units; unit += UNITS) {
            int32_t sums[UNITS] = {0};
            for (int32_t done = 0; done < depth; done += CHUNK) {
                const int32_t count = depth - done < CHUNK ? depth - done : CHUNK;
                add_chunk(inputs + done, weights, count, sums);
                weights += count;
            }
            for (int32_t i = 0; i < UNITS && unit + i < units; i++) {
                outputs[unit + i] = sv_to_s8(&stage, unit + i, sv_wrap_sub(sums[i], off));
            }
        }
    }
}

const sv_kernel sv_fully_connected_swar = {
    .opcode = SV_FULLY_CONNECTED_S8,
    .version = 1,
    .layout = 64,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_fully_connected_parameters),
    .check = check,
    .run = run,
};
