/* One operator with its plan and arena, as kernels see it. */
#ifndef SELVEDGE_CALL_H
#define SELVEDGE_CALL_H

#include "selvedge/engine.h"

typedef struct sv_call {
    const sv_plan *plan;
    const sv_operator *op;
    uint8_t *arena; /* null while the plan is checked */
} sv_call;

static inline const uint8_t *sv_bytes(const sv_plan *plan, uint32_t offset) {
    return (const uint8_t *)plan + offset;
}

static inline const void *sv_constant(const sv_call *call, uint32_t offset) {
    return sv_bytes(call->plan, call->plan->constants) + offset;
}

static inline const void *sv_parameters(const sv_call *call) {
    return sv_constant(call, call->op->parameters);
}

static inline const sv_tensor *sv_tensors(const sv_plan *plan) {
    return (const sv_tensor *)(const void *)sv_bytes(plan, plan->tensors);
}

static inline const sv_operator *sv_operators(const sv_plan *plan) {
    return (const sv_operator *)(const void *)sv_bytes(plan, plan->operators);
}

static inline const sv_u16 *sv_operands(const sv_plan *plan) {
    return (const sv_u16 *)(const void *)sv_bytes(plan, plan->operands);
}

/* Operand `number`, counted through inputs and then outputs. */
static inline const sv_tensor *sv_operand(const sv_call *call, uint32_t number) {
    return sv_tensors(call->plan) + sv_operands(call->plan)[call->op->operands + number];
}

static inline const sv_tensor *sv_input(const sv_call *call, uint32_t number) {
    return sv_operand(call, number);
}

static inline const sv_tensor *sv_output(const sv_call *call, uint32_t number) {
    return sv_operand(call, call->op->input_count + number);
}

static inline const void *sv_read(const sv_call *call, const sv_tensor *tensor) {
    return tensor->place == SV_IN_ARENA ? call->arena + tensor->offset
                                        : sv_constant(call, tensor->offset);
}

static inline void *sv_write(const sv_call *call, const sv_tensor *output) {
    return call->arena + output->offset;
}

#endif
