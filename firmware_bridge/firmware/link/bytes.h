/* Little-endian numbers in bytes, and the CRC-32 over both (zlib's). */
#ifndef SELVEDGE_BYTES_H
#define SELVEDGE_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline uint32_t sv_get16(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static inline uint32_t sv_get32(const uint8_t *at) { return sv_get16(at) | sv_get16(at + 2) << 16; }

static inline uint8_t *sv_put16(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
    return at + 2;
}

static inline uint8_t *sv_put32(uint8_t *at, uint32_t value) {
    return sv_put16(sv_put16(at, value), value >> 16);
}

/* CRC-32/ISO-HDLC of more bytes behind those that gave `crc`; it starts from 0. */
uint32_t sv_crc32_more(uint32_t crc, const uint8_t *bytes, size_t count);

#endif
