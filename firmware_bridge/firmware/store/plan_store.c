#include "store/plan_store.h"

#include <string.h>

static uint32_t aligned(uint32_t count) { return (count + 15u) & ~15u; }

/* Where the kept plans end. */
static uint8_t *end_of_kept(const sv_plan_store *store) {
    uint8_t *end = store->memory;
    for (uint32_t i = 0; i < store->kept_count; i++) {
        end += aligned(store->kept[i].count);
    }
    return end;
}

void sv_store_init(sv_plan_store *store, void *memory, uint32_t bytes, uint32_t arena_bytes) {
    memset(store, 0, sizeof *store);
    store->memory = memory;
    store->memory_bytes = bytes;
    store->arena_bytes = arena_bytes;
}

uint32_t sv_store_free_bytes(const sv_plan_store *store) {
    return store->memory_bytes - (uint32_t)(end_of_kept(store) - store->memory);
}

const sv_kept_plan *sv_store_find(const sv_plan_store *store, const uint8_t *id, size_t id_bytes) {
    for (uint32_t i = 0; i < store->kept_count; i++) {
        if (memcmp(store->kept[i].sha256, id, id_bytes) == 0) {
            return &store->kept[i];
        }
    }
    return NULL;
}

sv_store_status sv_store_begin(sv_plan_store *store, const uint8_t *sha256, uint32_t count,
                               uint32_t *next) {
    if (sv_store_find(store, sha256, SV_SHA256_BYTES) != NULL) {
        *next = count;
        return SV_STORED;
    }
    const int is_same = store->upload_bytes == count &&
                        memcmp(store->sha256, sha256, SV_SHA256_BYTES) == 0;
    if (!is_same) {
        store->upload_bytes = 0;
        if (store->kept_count == SV_PLANS_MAX || count < sizeof(sv_plan) ||
            count > (sv_store_free_bytes(store) & ~15u)) {
            return SV_STORE_FULL;
        }
        memcpy(store->sha256, sha256, SV_SHA256_BYTES);
        store->upload_bytes = count;
        store->uploaded = 0;
    }
    *next = store->uploaded;
    return SV_STORED;
}

sv_store_status sv_store_append(sv_plan_store *store, const uint8_t *bytes, uint32_t count) {
    if (count > store->upload_bytes || store->uploaded > store->upload_bytes - count) {
        return SV_STORE_BAD_OFFSET;
    }
    memcpy(end_of_kept(store) + store->uploaded, bytes, count);
    store->uploaded += count;
    return SV_STORED;
}

const sv_kept_plan *sv_store_latest(const sv_plan_store *store) {
    return sv_store_find(store, store->latest, SV_SHA256_BYTES);
}

sv_store_status sv_store_commit(sv_plan_store *store, const uint8_t *sha256, sv_status *why,
                                const sv_kept_plan **plan) {
    *plan = sv_store_find(store, sha256, SV_SHA256_BYTES);
    if (*plan != NULL) {
        memcpy(store->latest, sha256, SV_SHA256_BYTES);
        return SV_STORED;
    }
    if (store->upload_bytes == 0 || store->uploaded != store->upload_bytes) {
        return SV_STORE_BAD_OFFSET;
    }
    sv_kept_plan *kept = &store->kept[store->kept_count];
    kept->bytes = end_of_kept(store);
    kept->count = store->upload_bytes;
    store->upload_bytes = 0; /* whatever comes out, this upload is over */
    sv_sha256(kept->bytes, kept->count, kept->sha256);
    if (memcmp(kept->sha256, store->sha256, SV_SHA256_BYTES) != 0 ||
        memcmp(kept->sha256, sha256, SV_SHA256_BYTES) != 0) {
        return SV_STORE_BAD_HASH;
    }
    *why = sv_plan_check(kept->bytes, kept->count, store->arena_bytes);
    if (*why != SV_OK) {
        return SV_STORE_REFUSED;
    }
    store->kept_count++;
    memcpy(store->latest, sha256, SV_SHA256_BYTES);
    *plan = kept;
    return SV_STORED;
}

void sv_store_drop(sv_plan_store *store, const sv_kept_plan *plan) {
    uint8_t *target = plan->bytes;
    uint32_t number = (uint32_t)(plan - store->kept);
    store->upload_bytes = 0; /* it lies behind what moves */
    for (; number + 1 < store->kept_count; number++) {
        sv_kept_plan *next = &store->kept[number + 1];
        memmove(target, next->bytes, next->count);
        store->kept[number] = *next;
        store->kept[number].bytes = target;
        target += aligned(next->count);
    }
    store->kept_count--;
}
