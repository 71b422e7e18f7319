/* fuzz_plans SEED COUNT PLAN...: mutates plans, mends their CRC, and runs those that pass the check.
 * Built with sanitizers, so that anything but a refusal or a clean run ends it. Prints how often
 * each status was the answer, as a JSON list. */
#include "host/memory.h"

#include "core/crc32.h"
#include "selvedge/engine.h"

enum { STATUSES = 13, MAX_SEEDS = 1024 };

static uint64_t state;

static uint32_t chance(uint32_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % below;
}

static uint32_t odd_number(uint32_t old) {
    static const uint32_t numbers[] = {0,     1,      2,          15,         16,        127,
                                       255,   256,    32767,      32768,      65535,     65536,
                                       0x7fffffffu, 0x80000000u, 0xfffffff0u, 0xffffffffu};
    switch (chance(4)) {
    case 0:
        return numbers[chance(sizeof numbers / sizeof *numbers)];
    case 1:
        return old + chance(33) - 16u;
    case 2:
        return old ^ (1u << chance(32));
    default:
        return (uint32_t)(state >> 16);
    }
}

/* Bytes of parameters that no operator has more of. */
enum { PARAMETER_BYTES = 80 };

/* Most changes go to the records in front and to the parameters of an operator: they say what is
 * done with the rest. */
static void mutate(uint8_t *plan, size_t length, const sv_plan *original) {
    uint32_t start = 0, end = (uint32_t)length;
    if (original->length == length && chance(8)) {
        start = chance(4) ? (uint32_t)sizeof *original : 0;
        end = original->constants;
        if (chance(8) < 5 && original->operator_count > 0) {
            const sv_operator *operators =
                (const sv_operator *)(const void *)((const uint8_t *)original + original->operators);
            start = end + operators[chance(original->operator_count)].parameters;
            end = start + PARAMETER_BYTES < length ? start + PARAMETER_BYTES : (uint32_t)length;
        }
    }
    const uint32_t size = 1u << chance(3);
    const uint32_t at = (start + chance(end - start)) / size * size;
    uint32_t value = 0;
    if (at + size > length) {
        return;
    }
    if (chance(8) == 0) { /* the same bytes as elsewhere: exchanged offsets, doubled operators */
        memmove(plan + at, plan + chance((uint32_t)length - size + 1) / size * size, size);
        return;
    }
    memcpy(&value, plan + at, size);
    value = odd_number(value);
    memcpy(plan + at, &value, size);
}

static sv_status try_one(const uint8_t *seed, size_t length, uint32_t arena_bytes) {
    const sv_plan *original = (const sv_plan *)(const void *)seed;
    const size_t kept = chance(50) == 0 ? chance((uint32_t)length + 1) : length;
    uint8_t *plan = exact(kept);
    uint8_t *arena = exact(arena_bytes);
    memcpy(plan, seed, kept);
    for (uint32_t changes = 1 + chance(4); changes > 0 && kept >= 64; changes--) {
        mutate(plan, kept, original);
    }
    sv_plan *header = (sv_plan *)(void *)plan;
    if (kept >= sizeof *header && header->length <= kept && header->length >= 16 && chance(100)) {
        header->crc32 = sv_crc32(plan + 16, header->length - 16u);
    }
    const sv_status status = sv_plan_check(plan, kept, arena_bytes);
    if (status == SV_OK) {
        for (uint32_t i = 0; i < arena_bytes; i++) {
            arena[i] = (uint8_t)(state >> (i % 57));
        }
        sv_plan_reset(plan, arena);
        sv_plan_run(plan, arena);
    }
    free(plan);
    free(arena);
    return status;
}

int main(int count, char **arguments) {
    uint64_t answers[STATUSES] = {0};
    uint8_t *seeds[MAX_SEEDS];
    size_t lengths[MAX_SEEDS];
    const int plans = count - 3;
    if (plans < 1 || plans > MAX_SEEDS) {
        fputs("usage: fuzz_plans SEED COUNT PLAN...\n", stderr);
        return 2;
    }
    state = strtoull(arguments[1], NULL, 10) * 0x9e3779b97f4a7c15u + 1u;
    for (int i = 0; i < plans; i++) {
        seeds[i] = read_file(arguments[i + 3], &lengths[i]);
    }
    for (uint64_t left = strtoull(arguments[2], NULL, 10); left > 0; left--) {
        const uint32_t i = chance((uint32_t)plans);
        answers[try_one(seeds[i], lengths[i], ((sv_plan *)(void *)seeds[i])->arena_bytes)]++;
    }
    for (int i = 0; i < plans; i++) {
        free(seeds[i]);
    }
    for (int i = 0; i < STATUSES; i++) {
        printf("%s%llu", i ? ", " : "[", (unsigned long long)answers[i]);
    }
    puts("]");
    return 0;
}
