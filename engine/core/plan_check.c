/* Everything that makes a plan safe to run, asked once. */
#include "core/checks.h"
#include "core/crc32.h"
#include "core/kernel.h"

static int is_aligned(const void *memory) { return (uintptr_t)memory % SV_PLAN_ALIGNMENT == 0; }

static int has_section(const sv_plan *plan, uint32_t offset, uint64_t bytes) {
    return offset >= sizeof(sv_plan) && offset % SV_PLAN_ALIGNMENT == 0 && offset <= plan->length &&
           bytes <= plan->length - offset;
}

static sv_status check_header(const sv_plan *plan, size_t length, size_t arena_bytes) {
    if (length < sizeof(sv_plan)) {
        return SV_TRUNCATED;
    }
    if (plan->magic[0] != 'S' || plan->magic[1] != 'V' || plan->magic[2] != 'P' ||
        plan->magic[3] != 'L' || plan->version != SV_PLAN_VERSION) {
        return SV_NOT_A_PLAN;
    }
    if (plan->length < sizeof(sv_plan) || plan->length > length) {
        return SV_TRUNCATED;
    }
    if (sv_crc32(sv_bytes(plan, 16), plan->length - 16u) != plan->crc32) {
        return SV_CORRUPT;
    }
    if (plan->rounding > SV_ROUND_SINGLE || plan->target > SV_TARGET_CORTEX_M ||
        plan->reset_count > plan->operator_count ||
        !has_section(plan, plan->tensors, plan->tensor_count * (uint64_t)sizeof(sv_tensor)) ||
        !has_section(plan, plan->operators, plan->operator_count * (uint64_t)sizeof(sv_operator)) ||
        !has_section(plan, plan->operands, plan->operand_count * UINT64_C(2)) ||
        !has_section(plan, plan->constants, plan->constants_bytes) ||
        !has_section(plan, plan->strings, plan->strings_bytes) ||
        plan->operand_count < (uint32_t)plan->input_count + plan->output_count) {
        return SV_BAD_HEADER;
    }
    if (plan->strings_bytes > 0 &&
        *sv_bytes(plan, plan->strings + plan->strings_bytes - 1u) != 0) {
        return SV_BAD_HEADER; /* the last name would not end */
    }
    return plan->arena_bytes <= arena_bytes ? SV_OK : SV_ARENA_TOO_SMALL;
}

static int is_zero_point(const sv_tensor *tensor) {
    const int32_t zero_point = tensor->zero_point;
    return tensor->dtype == SV_INT8 ? zero_point >= -128 && zero_point <= 127 : zero_point == 0;
}

static sv_status check_tensor(const sv_plan *plan, const sv_tensor *tensor) {
    const uint32_t size = sv_element_bytes(tensor);
    const uint32_t room =
        tensor->place == SV_IN_ARENA ? plan->arena_bytes : plan->constants_bytes;
    uint64_t bytes = size;
    if (size == 0 || tensor->rank > SV_MAX_RANK || tensor->place > SV_IN_CONSTANTS ||
        tensor->flags > (SV_UINT8_OUTSIDE | SV_VARIABLE) || !is_zero_point(tensor)) {
        return SV_BAD_TENSOR;
    }
    for (uint32_t i = 0; i < SV_MAX_RANK; i++) {
        const uint32_t length = tensor->dims[i];
        if (length < 1 || (i >= tensor->rank && length != 1) || length > INT32_MAX / bytes) {
            return SV_BAD_TENSOR;
        }
        bytes *= length;
    }
    if (tensor->bytes != bytes || tensor->offset % size != 0 || tensor->offset > room ||
        bytes > room - tensor->offset || (tensor->name && tensor->name >= plan->strings_bytes)) {
        return SV_BAD_TENSOR;
    }
    return SV_OK;
}

/* Both lie in the arena, so that no sum overflows. */
static int is_apart(uint32_t left, uint32_t left_bytes, uint32_t right, uint32_t right_bytes) {
    return left + left_bytes <= right || right + right_bytes <= left;
}

/* The inputs, other outputs and scratch must lie apart from the output. */
static int is_free_to_write(const sv_call *call, const sv_kernel *kernel, uint32_t number) {
    const sv_operator *op = call->op;
    const sv_tensor *output = sv_operand(call, number);
    if (output->place != SV_IN_ARENA) {
        return 0;
    }
    for (uint32_t i = 0; i < number; i++) {
        const sv_tensor *other = sv_operand(call, i);
        const int may_be_same = kernel->in_place && i < op->input_count;
        if (other->place != SV_IN_ARENA ||
            (may_be_same && other->offset == output->offset && other->bytes == output->bytes)) {
            continue;
        }
        if (!is_apart(other->offset, other->bytes, output->offset, output->bytes)) {
            return 0;
        }
    }
    return 1;
}

static int has_free_scratch(const sv_call *call) {
    const sv_operator *op = call->op;
    const uint32_t count = (uint32_t)op->input_count + op->output_count;
    if (op->scratch % SV_PLAN_ALIGNMENT != 0 || op->scratch > call->plan->arena_bytes ||
        op->scratch_bytes > call->plan->arena_bytes - op->scratch) {
        return 0;
    }
    for (uint32_t i = 0; op->scratch_bytes > 0 && i < count; i++) {
        const sv_tensor *tensor = sv_operand(call, i);
        if (tensor->place == SV_IN_ARENA &&
            !is_apart(tensor->offset, tensor->bytes, op->scratch, op->scratch_bytes)) {
            return 0;
        }
    }
    return 1;
}

static sv_status check_operator(const sv_call *call) {
    const sv_operator *op = call->op;
    const sv_kernel *kernel = sv_find_kernel(op);
    const uint32_t count = (uint32_t)op->input_count + op->output_count;
    if (kernel == NULL) {
        return SV_UNKNOWN_OPERATOR;
    }
    if (op->input_count < kernel->inputs_min || op->input_count > kernel->inputs_max ||
        op->output_count != 1 || op->operands > call->plan->operand_count ||
        count > call->plan->operand_count - op->operands ||
        op->parameters % 4 != 0 ||
        !sv_has_constants(call, op->parameters, kernel->parameter_bytes, 1)) {
        return SV_BAD_OPERATOR;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (sv_operands(call->plan)[op->operands + i] >= call->plan->tensor_count) {
            return SV_BAD_OPERATOR;
        }
    }
    if (!is_free_to_write(call, kernel, op->input_count) || !has_free_scratch(call)) {
        return SV_OVERLAP;
    }
    return kernel->check(call);
}

static sv_status check_ports(const sv_plan *plan) {
    const uint32_t count = (uint32_t)plan->input_count + plan->output_count;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t tensor = sv_operands(plan)[i];
        if (tensor >= plan->tensor_count ||
            (i < plan->input_count && sv_tensors(plan)[tensor].place != SV_IN_ARENA)) {
            return SV_BAD_HEADER;
        }
    }
    return SV_OK;
}

sv_status sv_plan_check(const void *memory, size_t length, size_t arena_bytes) {
    const sv_plan *plan = memory;
    if (plan == NULL || !is_aligned(plan)) {
        return SV_BAD_ARGUMENT;
    }
    sv_status status = check_header(plan, length, arena_bytes);
    if (status != SV_OK) {
        return status;
    }
    for (uint32_t i = 0; status == SV_OK && i < plan->tensor_count; i++) {
        status = check_tensor(plan, sv_tensors(plan) + i);
    }
    if (status == SV_OK) {
        status = check_ports(plan);
    }
    for (uint32_t i = 0; status == SV_OK && i < plan->operator_count; i++) {
        const sv_call call = {plan, sv_operators(plan) + i, NULL};
        status = check_operator(&call);
    }
    return status;
}
