#include "link/cobs.h"

enum { LONGEST_RUN = 254 };

size_t sv_cobs_encode(const uint8_t *data, size_t count, uint8_t *target) {
    uint8_t *code = target;
    uint8_t *next = target + 1;
    for (size_t i = 0; i < count; i++) {
        if (data[i] != 0) {
            *next++ = data[i];
        }
        if (data[i] == 0 || next - code > LONGEST_RUN) {
            *code = (uint8_t)(next - code);
            code = next++;
        }
    }
    *code = (uint8_t)(next - code);
    return (size_t)(next - target);
}

ptrdiff_t sv_cobs_decode(const uint8_t *stuffed, size_t count, uint8_t *target) {
    uint8_t *next = target;
    size_t at = 0;
    while (at < count) {
        const size_t code = stuffed[at];
        if (code == 0 || at + code > count) {
            return -1;
        }
        for (size_t i = 1; i < code; i++) {
            *next++ = stuffed[at + i];
        }
        at += code;
        if (code <= LONGEST_RUN && at < count) {
            *next++ = 0;
        }
    }
    return next - target;
}
