/* Three int8 in the fields of one 64-bit word: bits 0-20, 21-41 and 42-63. A product with an int8
 * multiplies all three, and sums of products stay apart as long as each fits its field when it is
 * taken out; what does not fit gives wrong numbers and nothing worse, since words wrap. */
#ifndef SELVEDGE_SWAR_PACK3_H
#define SELVEDGE_SWAR_PACK3_H

#include "selvedge/port.h"

typedef uint64_t SV_MAY_ALIAS sv_word;

enum { SV_FIELD_BITS = 21, SV_FIELDS = 3 };

/* Loops that an interpreter runs must not be shared between numbers of words. */
#define SV_INLINE static inline __attribute__((always_inline))

static inline uint64_t sv_widen(int8_t value) { return (uint64_t)(int64_t)value; }

static inline uint64_t sv_pack3(int8_t a, int8_t b, int8_t c) {
    return sv_widen(a) + (sv_widen(b) << SV_FIELD_BITS) + (sv_widen(c) << 2 * SV_FIELD_BITS);
}

/* The lowest field, as a signed number. */
static inline int64_t sv_field(uint64_t word) {
    return (int64_t)(word << (64 - SV_FIELD_BITS)) >> (64 - SV_FIELD_BITS);
}

/* The word without its lowest field; gives back what a negative one had borrowed. */
static inline uint64_t sv_next_field(uint64_t word, int64_t field) {
    return (uint64_t)((int64_t)(word - (uint64_t)field) >> SV_FIELD_BITS);
}

#endif
