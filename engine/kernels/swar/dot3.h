/* Products of packed inputs with the weights of several channels, for blocks of three or four words;
 * the inputs of a term lie side by side. An interpreter reads them once and keeps them at hand while
 * the channels go by. */
#ifndef SELVEDGE_SWAR_DOT3_H
#define SELVEDGE_SWAR_DOT3_H

#include "kernels/swar/pack3.h"

/* Words of the largest block, for which each channel's sums have room; and terms at hand. */
enum { SV_BLOCK_WORDS = 4, SV_TURN = 8 };

/* Sums that grow in turn, a term each, take an interpreter less time than one that grows to its end
 * before the next: no result waits for the one before. The compiler would join the terms of a sum. */
#define SV_HOLD(value) __asm__ volatile("" : "+r"(value))

#define SV_TURN_OF(name, word)                                                                     \
    const uint64_t name##0 = x[0 * words + (word)], name##1 = x[1 * words + (word)];               \
    const uint64_t name##2 = x[2 * words + (word)], name##3 = x[3 * words + (word)];               \
    const uint64_t name##4 = x[4 * words + (word)], name##5 = x[5 * words + (word)];               \
    const uint64_t name##6 = x[6 * words + (word)], name##7 = x[7 * words + (word)]

#define SV_ADD_TERM(k)                                                                             \
    do {                                                                                           \
        const uint64_t w = sv_widen(weights[k]);                                                   \
        s0 += w * a##k;                                                                            \
        SV_HOLD(s0);                                                                               \
        s1 += w * b##k;                                                                            \
        SV_HOLD(s1);                                                                               \
        s2 += w * c##k;                                                                            \
        SV_HOLD(s2);                                                                               \
        if (words > 3) {                                                                           \
            s3 += w * d##k;                                                                        \
            SV_HOLD(s3);                                                                           \
        }                                                                                          \
    } while (0)

/* Whether a turn's weights are all zero: much of some models, where training left channels unused.
 * The compiler is kept from taking the weights out of the word, which needs more operations than
 * reading them. */
SV_INLINE int sv_is_turn_empty(const int8_t *weights) {
    uint64_t all;
    __builtin_memcpy(&all, weights, sizeof all);
    __asm__ volatile("" ::: "memory");
    return all == 0;
}

/* `words` is constant, 3 or 4; `step` from a channel's weights to the next one's. */
SV_INLINE void sv_add_turn(const sv_word *x, const int8_t *weights, ptrdiff_t step, int32_t words,
                           uint64_t *sums, const uint64_t *end) {
    SV_TURN_OF(a, 0);
    SV_TURN_OF(b, 1);
    SV_TURN_OF(c, 2);
    SV_TURN_OF(d, words - 1);
    for (; sums != end; sums += SV_BLOCK_WORDS, weights += step) {
        if (sv_is_turn_empty(weights)) {
            continue;
        }
        uint64_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
        SV_ADD_TERM(0);
        SV_ADD_TERM(1);
        SV_ADD_TERM(2);
        SV_ADD_TERM(3);
        SV_ADD_TERM(4);
        SV_ADD_TERM(5);
        SV_ADD_TERM(6);
        SV_ADD_TERM(7);
        sums[0] = s0;
        sums[1] = s1;
        sums[2] = s2;
        if (words > 3) {
            sums[3] = s3;
        }
    }
}

#endif
