/* A function of one int16 by 512 pieces of a line, as TFLite's LUTLookup. */
#ifndef SELVEDGE_LOOKUP_S16_H
#define SELVEDGE_LOOKUP_S16_H

#include "selvedge/port.h"

enum { SV_LOOKUP_ENTRIES = 513 };

/* The value lies between two entries. */
static inline int32_t sv_lookup_s16(const sv_i16 *table, int32_t x) {
    const sv_i16 *piece = table + (256 + (x >> 7));
    return piece[0] + (((piece[1] - piece[0]) * (x & 127) + 64) >> 7);
}

#endif
