/* One plan in the arena: its inputs are written, it is run operator by operator, and timed. */
#ifndef SELVEDGE_RUNNER_H
#define SELVEDGE_RUNNER_H

#include "store/plan_store.h"

enum { SV_TIMED_OPERATORS = 256 };

typedef struct sv_runner {
    uint8_t *arena;
    uint32_t (*ticks)(void);
    const sv_plan *plan; /* null: none is loaded */
    uint32_t written;    /* bytes of input */
    uint32_t next;       /* operator */
    uint64_t total_ticks;
    uint32_t operator_ticks[SV_TIMED_OPERATORS];
} sv_runner;

void sv_runner_init(sv_runner *runner, uint8_t *arena, uint32_t (*ticks)(void));
void sv_runner_load(sv_runner *runner, const sv_plan *plan);

uint32_t sv_runner_input_bytes(const sv_plan *plan);
uint32_t sv_runner_output_bytes(const sv_plan *plan);

/* Begin a run; inputs are written one behind the other. 0: more than there is room for. */
void sv_runner_rewind(sv_runner *runner);
int sv_runner_write(sv_runner *runner, const uint8_t *bytes, uint32_t count);

/* Begin a run over inputs of zeros, so that what is counted is the same each time. */
void sv_runner_rewind_to_zeros(sv_runner *runner);

/* Run the next operator; 1: more follow, 0: done, negative: the engine's status, negated. */
int sv_runner_step(sv_runner *runner);

/* Where an output lies. */
const uint8_t *sv_runner_output(const sv_runner *runner, uint32_t number, uint32_t *count);

#endif
