/* The two functions that the engine wants from outside, each one wasm instruction. */
#include "selvedge/port.h"

#ifndef __wasm_bulk_memory__
#error "without bulk memory these would call themselves; build with -mcpu=…+bulk_memory"
#endif

void *memcpy(void *restrict target, const void *restrict source, size_t count) {
    return __builtin_memcpy(target, source, count);
}

void *memset(void *target, int value, size_t count) {
    return __builtin_memset(target, value, count);
}
