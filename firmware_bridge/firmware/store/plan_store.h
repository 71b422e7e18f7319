/* Plans in memory that the port gives, addressed by the sha256 of their bytes.
 *
 * Kept plans lie one behind the other, the upload behind them; dropping one moves the others
 * down. Nothing but whole, checked plans can be found. */
#ifndef SELVEDGE_PLAN_STORE_H
#define SELVEDGE_PLAN_STORE_H

#include "selvedge/engine.h"
#include "store/sha256.h"

enum { SV_PLANS_MAX = 8 };

typedef struct sv_kept_plan {
    uint8_t sha256[SV_SHA256_BYTES];
    uint8_t *bytes;
    uint32_t count;
} sv_kept_plan;

typedef struct sv_plan_store {
    uint8_t *memory; /* aligned to 16 bytes */
    uint32_t memory_bytes;
    uint32_t arena_bytes;
    sv_kept_plan kept[SV_PLANS_MAX];
    uint32_t kept_count;
    uint8_t latest[SV_SHA256_BYTES]; /* of the plan that was committed last */
    /* the upload; its bytes begin where the kept plans end */
    uint8_t sha256[SV_SHA256_BYTES];
    uint32_t upload_bytes; /* 0: there is none */
    uint32_t uploaded;
} sv_plan_store;

typedef enum sv_store_status {
    SV_STORED = 0,
    SV_STORE_FULL,
    SV_STORE_BAD_OFFSET,
    SV_STORE_BAD_HASH,
    SV_STORE_REFUSED /* by the engine's check */
} sv_store_status;

void sv_store_init(sv_plan_store *store, void *memory, uint32_t bytes, uint32_t arena_bytes);

/* Where the next chunk starts; a plan that is kept already needs none. */
sv_store_status sv_store_begin(sv_plan_store *store, const uint8_t *sha256, uint32_t count,
                               uint32_t *next);
sv_store_status sv_store_append(sv_plan_store *store, const uint8_t *bytes, uint32_t count);
sv_store_status sv_store_commit(sv_plan_store *store, const uint8_t *sha256, sv_status *why,
                                const sv_kept_plan **plan);

/* A kept plan by the first bytes of its sha256; null if there is none. */
const sv_kept_plan *sv_store_find(const sv_plan_store *store, const uint8_t *id, size_t id_bytes);

/* The plan that was committed last, again perhaps; null if it is gone. */
const sv_kept_plan *sv_store_latest(const sv_plan_store *store);
void sv_store_drop(sv_plan_store *store, const sv_kept_plan *plan);
uint32_t sv_store_free_bytes(const sv_plan_store *store);

#endif
