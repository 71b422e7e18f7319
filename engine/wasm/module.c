/* The exports of a wasm module: the plan that `convert` put behind the engine, and its arena.
 *
 * Memory, from address 0: the stack, the engine's data, the plan at the first multiple of 16 from
 * `__heap_base`, the arena at the next multiple of 16. Nothing else tells where things are, so the
 * engine is the same bytes for every model. docs/reference/module.md is the specification. */
#include "selvedge/engine.h"

#define SV_EXPORT(name) __attribute__((export_name(#name))) name

enum { SV_ABI = 1, SV_PAGE_BYTES = 65536, SV_NOT_CHECKED = -1 };

/* What `sv_describe` shows; addresses are in this module's memory. */
typedef struct sv_description {
    uint32_t abi;
    uint32_t plan;
    uint32_t tensors;  /* records of 48 bytes */
    uint32_t operands; /* u16 tensor numbers: the inputs, then the outputs */
    uint32_t input_count;
    uint32_t output_count;
    uint32_t strings; /* a tensor's name counts from here */
    uint32_t arena;
    uint32_t arena_bytes;
} sv_description;

extern uint8_t __heap_base;

static int32_t plan_status = SV_NOT_CHECKED;
static sv_description description;

static uintptr_t aligned(uintptr_t address) {
    return (address + SV_PLAN_ALIGNMENT - 1) & ~(uintptr_t)(SV_PLAN_ALIGNMENT - 1);
}

static const sv_plan *the_plan(void) {
    return (const sv_plan *)aligned((uintptr_t)&__heap_base);
}

static uint8_t *the_arena(void) {
    return (uint8_t *)aligned((uintptr_t)the_plan() + the_plan()->length);
}

static sv_status check(void) {
    const uint64_t end = (uint64_t)__builtin_wasm_memory_size(0) * SV_PAGE_BYTES;
    const uint64_t start = (uintptr_t)the_plan();
    if (end < start + sizeof(sv_plan) || end - start < the_plan()->length) {
        return SV_TRUNCATED;
    }
    const uint64_t arena = (start + the_plan()->length + SV_PLAN_ALIGNMENT - 1) &
                           ~(uint64_t)(SV_PLAN_ALIGNMENT - 1);
    const uint64_t room = arena <= end ? end - arena : 0;
    return sv_plan_check(the_plan(), the_plan()->length, (size_t)room);
}

/* The plan is checked once, when it is first needed: its bytes do not change. Then variables are
 * set for the first time. */
static sv_status ready(void) {
    if (plan_status == SV_NOT_CHECKED) {
        plan_status = (int32_t)check();
        if (plan_status == SV_OK) {
            plan_status = (int32_t)sv_plan_reset(the_plan(), the_arena());
        }
    }
    return (sv_status)plan_status;
}

int32_t SV_EXPORT(sv_abi)(void) { return SV_ABI; }

/* Where input `number` is written before each run; null if there is none. */
void *SV_EXPORT(sv_input)(uint32_t number) {
    if (ready() != SV_OK || number >= the_plan()->input_count) {
        return NULL;
    }
    return sv_plan_data(the_plan(), the_arena(), sv_plan_input(the_plan(), number));
}

/* Where output `number` is read after each run; null if there is none. */
const void *SV_EXPORT(sv_output)(uint32_t number) {
    if (ready() != SV_OK || number >= the_plan()->output_count) {
        return NULL;
    }
    return sv_plan_data(the_plan(), the_arena(), sv_plan_output(the_plan(), number));
}

/* Run the model once; 0, or why not. */
int32_t SV_EXPORT(sv_invoke)(void) {
    const sv_status status = ready();
    return (int32_t)(status == SV_OK ? sv_plan_run(the_plan(), the_arena()) : status);
}

/* Set the variables to what they are before the first run; 0, or why not. */
int32_t SV_EXPORT(sv_reset)(void) {
    const sv_status status = ready();
    return (int32_t)(status == SV_OK ? sv_plan_reset(the_plan(), the_arena()) : status);
}

/* The table of tensors; null if the plan is refused. */
const sv_description *SV_EXPORT(sv_describe)(void) {
    if (ready() != SV_OK) {
        return NULL;
    }
    const sv_plan *plan = the_plan();
    const uint32_t base = (uint32_t)(uintptr_t)plan;
    description = (sv_description){
        .abi = SV_ABI,
        .plan = base,
        .tensors = base + plan->tensors,
        .operands = base + plan->operands,
        .input_count = plan->input_count,
        .output_count = plan->output_count,
        .strings = base + plan->strings,
        .arena = (uint32_t)(uintptr_t)the_arena(),
        .arena_bytes = plan->arena_bytes,
    };
    return &description;
}
