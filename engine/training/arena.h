/* Memory handed out piece by piece. */
#ifndef SELVEDGE_TRAINING_ARENA_H
#define SELVEDGE_TRAINING_ARENA_H

#include "training/network.h"

typedef struct sv_arena {
    uint8_t *start; /* null: only counted */
    uint64_t used;
} sv_arena;

/* `count` floats, or as many int32, at the next multiple of 16; more than fits is only counted. */
static inline void *sv_take(sv_arena *arena, uint64_t count) {
    const uint64_t mask = SV_NETWORK_ALIGNMENT - 1;
    uint8_t *piece = arena->start == NULL ? NULL : arena->start + arena->used;
    arena->used += (count * sizeof(float) + mask) & ~mask;
    return piece;
}

#endif
