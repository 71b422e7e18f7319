/* The products in C: what the assembly must give, for machines without it. */
#include "kernels/cortex_m/products.h"

#if !SV_HAS_DSP

/* Bytes 0 and 2 of a word, sign-extended; SXTB16. */
static sv_word extend(sv_word word) {
    const uint32_t low = (uint32_t)(int32_t)(int8_t)(word & 0xff);
    const uint32_t high = (uint32_t)(int32_t)(int8_t)(word >> 16 & 0xff);
    return (low & 0xffff) | high << 16;
}

static int32_t multiply(sv_word a, sv_word b, int32_t sum) {
    const int32_t low = (int16_t)(a & 0xffff) * (int16_t)(b & 0xffff);
    const int32_t high = (int16_t)(a >> 16) * (int16_t)(b >> 16);
    return sv_wrap_add(sv_wrap_add(sum, low), high);
}

static sv_word load(const int8_t *bytes) {
    sv_word word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static int8_t scale(const sv_i32 *scales, int32_t twice, int32_t sum) {
    const uint32_t shift = (uint32_t)scales[1];
    return (int8_t)sv_scale_s8(sum, scales[0], shift, sv_half(twice, shift));
}

void sv_conv_products(const sv_conv_job *job) {
    const sv_i32 *scaling = job->scaling;
    const sv_word *weights = job->weights;
    for (int32_t channel = 0; weights != job->weights_end; channel += 2, scaling += 6) {
        int32_t sums[2][SV_PIXELS];
        for (int32_t i = 0; i < SV_PIXELS; i++) {
            sums[0][i] = scaling[0];
            sums[1][i] = scaling[1];
        }
        for (const sv_word *x = job->columns; x != job->columns_end; x += 6, weights += 2) {
            for (int32_t i = 0; i < SV_PIXELS; i++) {
                for (int32_t k = 0; k < 2; k++) {
                    const int32_t even = multiply(extend(weights[k]), x[i], sums[k][i]);
                    sums[k][i] = multiply(extend(weights[k] >> 8), x[SV_PIXELS + i], even);
                }
            }
        }
        for (int32_t i = 0; i < SV_PIXELS; i++) {
            job->targets[i][channel] = scale(scaling + 2, job->twice, sums[0][i]);
            job->targets[i][channel + 1] = scale(scaling + 4, job->twice, sums[1][i]);
        }
    }
}

void sv_widen(const int8_t *source, int32_t words, sv_word *column) {
    for (; words > 0; words--, source += SV_WORD, column += 2 * SV_PIXELS) {
        const sv_word word = load(source);
        column[0] = extend(word);
        column[SV_PIXELS] = extend(word >> 8);
    }
}

void sv_depthwise_products(const sv_depthwise_job *job) {
    const sv_i32 *scaling = job->scaling;
    const sv_i16 *weights = job->weights;
    int8_t *target = job->target;
    for (uint32_t at = job->offset; at != job->end; at += 4, scaling += 12, target += 4) {
        int32_t sums[4] = {scaling[0], scaling[1], scaling[2], scaling[3]};
        for (const int8_t *const *tap = job->taps; tap != job->taps_end; tap += 2, weights += 8) {
            for (int32_t i = 0; i < 4; i++) {
                const int32_t pair =
                    tap[0][at + (uint32_t)i] * weights[2 * i] + tap[1][at + (uint32_t)i] * weights[2 * i + 1];
                sums[i] = sv_wrap_add(sums[i], pair);
            }
        }
        for (int32_t i = 0; i < 4; i++) {
            target[i] = scale(scaling + 4 + 2 * i, job->twice, sums[i]);
        }
    }
}

void sv_units_products(const sv_units_job *job) {
    const sv_i32 *scaling = job->scaling;
    const sv_word *weights = job->weights;
    int8_t *target = job->target;
    for (; weights != job->weights_end; scaling += 12, target += 4) {
        int32_t sums[4] = {scaling[0], scaling[1], scaling[2], scaling[3]};
        for (const int8_t *at = job->inputs; at != job->inputs_end; at += SV_WORD, weights += 4) {
            const sv_word x = load(at);
            const sv_word swapped = (x & 0x00ff00ff) << 8 | (x >> 8 & 0x00ff00ff);
            for (int32_t i = 0; i < 4; i++) {
                const int32_t raw = multiply(weights[i], extend(x >> 8), sums[i]);
                sums[i] = multiply(extend(weights[i]), swapped ^ 0x007f007f, raw);
            }
        }
        for (int32_t i = 0; i < 4; i++) {
            target[i] = scale(scaling + 4 + 2 * i, job->twice, sums[i] >> 8);
        }
    }
}

#else
typedef int sv_products_are_in_assembly;
#endif
