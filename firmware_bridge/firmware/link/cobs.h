/* Consistent overhead byte stuffing: bytes without a zero (Cheshire and Baker, 1999). */
#ifndef SELVEDGE_COBS_H
#define SELVEDGE_COBS_H

#include <stddef.h>
#include <stdint.h>

/* Most bytes that `count` bytes become. */
#define SV_COBS_BYTES(count) ((count) + (count) / 254u + 1u)

/* Stuff into `target`, which has room for SV_COBS_BYTES(count); returns how many bytes it became. */
size_t sv_cobs_encode(const uint8_t *data, size_t count, uint8_t *target);

/* Undo it, also in place; `stuffed` holds no zero. Returns the count, or -1 if it is not stuffed. */
ptrdiff_t sv_cobs_decode(const uint8_t *stuffed, size_t count, uint8_t *target);

#endif
