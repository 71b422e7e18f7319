/* What the host's programs share: files, and memory whose last byte is watched by sanitizers. */
#ifndef SELVEDGE_HOST_MEMORY_H
#define SELVEDGE_HOST_MEMORY_H

#define _POSIX_C_SOURCE 200809L

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "selvedge/plan.h"

static inline void *exact(size_t size) {
    void *memory = NULL;
    if (posix_memalign(&memory, SV_PLAN_ALIGNMENT, size ? size : 1) != 0) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

static inline uint8_t *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        perror(path);
        exit(1);
    }
    *length = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = exact(*length);
    if (fread(bytes, 1, *length, file) != *length) {
        perror(path);
        exit(1);
    }
    fclose(file);
    return bytes;
}

#endif
