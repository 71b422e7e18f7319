/* Three int8 in the fields of one 64-bit word: bits 0-20, 21-41 and 42-63. A product with an int8
 * multiplies all three, and sums of products stay apart as long as each fits its field in the end;
 * what does not fit gives wrong numbers and nothing worse, since words wrap. */
#ifndef SELVEDGE_SWAR_PACK3_H
#define SELVEDGE_SWAR_PACK3_H

#include "selvedge/port.h"

typedef uint64_t SV_MAY_ALIAS sv_word;

enum { SV_FIELDS = 3, SV_FIELD_BITS = 21 };

/* What sums start from: with half a field more, the two lower fields are never negative. */
#define SV_HALF_FIELD (INT64_C(1) << (SV_FIELD_BITS - 1))
#define SV_EMPTY_SUMS (UINT64_C(1) << (SV_FIELD_BITS - 1) | UINT64_C(1) << (2 * SV_FIELD_BITS - 1))

/* For loops of an interpreter, in which no operation is cheap: they are compiled for constants. */
#define SV_INLINE static inline __attribute__((always_inline))

static inline uint64_t sv_widen(int8_t value) { return (uint64_t)(int64_t)value; }

static inline uint64_t sv_pack3(int8_t a, int8_t b, int8_t c) {
    return sv_widen(a) + (sv_widen(b) << SV_FIELD_BITS) + (sv_widen(c) << 2 * SV_FIELD_BITS);
}

typedef struct sv_fields {
    int64_t low;    /* by half a field too large */
    int64_t middle; /* likewise */
    int64_t high;
} sv_fields;

static inline sv_fields sv_unpack3(uint64_t sums) {
    const uint64_t mask = (UINT64_C(1) << SV_FIELD_BITS) - 1;
    const sv_fields fields = {
        .low = (int64_t)(sums & mask),
        .middle = (int64_t)(sums >> SV_FIELD_BITS & mask),
        .high = (int64_t)sums >> 2 * SV_FIELD_BITS,
    };
    return fields;
}

#endif
