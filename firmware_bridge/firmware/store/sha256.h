/* SHA-256 (FIPS 180-4). */
#ifndef SELVEDGE_SHA256_H
#define SELVEDGE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SV_SHA256_BYTES = 32 };

void sv_sha256(const uint8_t *bytes, size_t count, uint8_t digest[SV_SHA256_BYTES]);

#endif
