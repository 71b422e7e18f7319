/* Runs plans. The caller owns all memory: the plan, which is only read and may lie in flash, and
 * the arena. Both are aligned to 16 bytes. Nothing is allocated and there is no global state. */
#ifndef SELVEDGE_ENGINE_H
#define SELVEDGE_ENGINE_H

#include "selvedge/plan.h"
#include "selvedge/status.h"

/* Decide whether a plan is safe to run in an arena of this size, whatever its bytes are. What
 * passes may run any number of times, as long as its bytes stay what they are. */
sv_status sv_plan_check(const void *plan, size_t length, size_t arena_bytes);

/* Set the variables of a checked plan to what they are at first: once before the first run, and
 * whenever a stream begins anew. Inputs are written afterwards. Plans without variables need none. */
sv_status sv_plan_reset(const void *plan, void *arena);

/* Run a checked plan once. The inputs' memory may be used for other tensors: inputs
 * are written anew before each run. */
sv_status sv_plan_run(const void *plan, void *arena);

/* Run one operator of a checked plan; to look at tensors in between. */
sv_status sv_plan_step(const void *plan, void *arena, uint32_t number);

/* Tensor numbers of a checked plan's inputs and outputs, and where a tensor's bytes are. */
uint32_t sv_plan_input(const void *plan, uint32_t number);
uint32_t sv_plan_output(const void *plan, uint32_t number);
const sv_tensor *sv_plan_tensor(const void *plan, uint32_t number);
void *sv_plan_data(const void *plan, void *arena, uint32_t tensor);

/* Whose packing of constants this build has kernels for, beside the portable one: an sv_target. */
extern const uint8_t sv_kernel_target;

#endif
