/* The exports of a trainer module: the description that `selvedge trainer` put behind the engine,
 * and its arena. docs/reference/train-abi.md is the specification.
 *
 * Memory, from address 0: the stack, the engine's data, the description at the first multiple of 16
 * from `__heap_base`, the arena at the next multiple of 16. */
#include "training/training.h"

#define SV_EXPORT(name) __attribute__((export_name(#name))) name

enum { SV_TRAIN_ABI = 1, SV_PAGE_BYTES = 65536 };

extern uint8_t __heap_base;

static int is_open;
static sv_trainer trainer;

static uintptr_t aligned(uintptr_t address) {
    return (address + SV_NETWORK_ALIGNMENT - 1) & ~(uintptr_t)(SV_NETWORK_ALIGNMENT - 1);
}

/* The trainer; null if its description is refused. Memory does not change its size, so a refusal
 * stays one. */
static sv_trainer *ready(void) {
    const uint64_t end = (uint64_t)__builtin_wasm_memory_size(0) * SV_PAGE_BYTES;
    const uintptr_t start = aligned((uintptr_t)&__heap_base);
    const sv_network *network = (const sv_network *)start;
    if (is_open) {
        return &trainer;
    }
    if (end < start + sizeof *network || end - start < network->length) {
        return NULL;
    }
    const uintptr_t arena = aligned(start + network->length);
    const uint64_t room = arena <= end ? end - arena : 0;
    is_open = sv_trainer_open(&trainer, network, network->length, (void *)arena, (size_t)room) ==
              SV_OK;
    return is_open ? &trainer : NULL;
}

int32_t SV_EXPORT(sv_train_abi)(void) { return SV_TRAIN_ABI; }

int32_t SV_EXPORT(sv_param_count)(void) {
    return ready() ? (int32_t)trainer.parameter_count : 0;
}

int32_t SV_EXPORT(sv_example_floats)(void) { return ready() ? trainer.example_floats : 0; }

int32_t SV_EXPORT(sv_label_kind)(void) {
    return ready() && trainer.loss == SV_SQUARED_ERROR ? trainer.outputs : 0;
}

int32_t SV_EXPORT(sv_output_floats)(void) { return ready() ? trainer.outputs : 0; }

int32_t SV_EXPORT(sv_batch_capacity)(void) { return ready() ? (int32_t)trainer.batch : 0; }

void *SV_EXPORT(sv_params)(void) { return ready() ? trainer.parameters : NULL; }

void *SV_EXPORT(sv_anchor)(void) { return ready() ? trainer.anchor : NULL; }

void *SV_EXPORT(sv_control)(void) { return ready() ? trainer.control : NULL; }

void *SV_EXPORT(sv_hyper)(void) { return ready() ? trainer.hyper : NULL; }

void *SV_EXPORT(sv_examples)(void) { return ready() ? trainer.examples : NULL; }

void *SV_EXPORT(sv_labels)(void) { return ready() ? trainer.labels : NULL; }

void *SV_EXPORT(sv_outputs)(void) { return ready() ? trainer.results : NULL; }

void *SV_EXPORT(sv_norms)(void) { return ready() ? trainer.norms : NULL; }

void SV_EXPORT(sv_begin)(void) {
    if (ready()) {
        sv_trainer_begin(&trainer);
    }
}

float SV_EXPORT(sv_train)(uint32_t count) {
    return ready() ? sv_trainer_train(&trainer, count) : __builtin_nanf("");
}

float SV_EXPORT(sv_evaluate)(uint32_t count) {
    return ready() ? sv_trainer_evaluate(&trainer, count) : __builtin_nanf("");
}

int32_t SV_EXPORT(sv_correct)(void) { return ready() ? trainer.correct : 0; }
