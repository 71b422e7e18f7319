/* Elements in another order, whatever their type: STRIDED_SLICE, SLICE, SPLIT, UNPACK, TRANSPOSE. */
#include "core/checks.h"
#include "core/kernel.h"
#include "selvedge/parameters.h"

/* The counts multiply to fewer than 2^31, so that the sum of all reaches fits in 2^62. */
static int is_inside(const sv_strided_copy_parameters *p, uint32_t elements) {
    int64_t lowest = p->start, highest = p->start;
    for (uint32_t d = 0; d < SV_MAX_RANK; d++) {
        const int64_t reach = (int64_t)(p->counts[d] - 1) * p->steps[d];
        lowest += reach < 0 ? reach : 0;
        highest += reach > 0 ? reach : 0;
    }
    return lowest >= 0 && highest < elements;
}

static sv_status check(const sv_call *call) {
    const sv_strided_copy_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const uint32_t elements = sv_elements(output);
    uint32_t product = 1;
    for (uint32_t d = 0; d < SV_MAX_RANK; d++) {
        if (p->counts[d] < 1 || p->counts[d] > elements / product) {
            return SV_BAD_SHAPE;
        }
        product *= p->counts[d];
    }
    if (product != elements || input->dtype != output->dtype) {
        return SV_BAD_SHAPE;
    }
    return is_inside(p, sv_elements(input)) ? SV_OK : SV_BAD_PARAMETER;
}

static void copy(uint8_t *target, const uint8_t *source, ptrdiff_t count, ptrdiff_t step,
                 uint32_t size) {
    if (step == 1) {
        memcpy(target, source, (size_t)count * size);
    } else if (size == 1) {
        for (ptrdiff_t i = 0; i < count; i++) {
            target[i] = source[i * step];
        }
    } else if (size == 2) {
        for (ptrdiff_t i = 0; i < count; i++) {
            ((sv_u16 *)(void *)target)[i] = ((const sv_u16 *)(const void *)source)[i * step];
        }
    } else {
        for (ptrdiff_t i = 0; i < count; i++) {
            ((sv_u32 *)(void *)target)[i] = ((const sv_u32 *)(const void *)source)[i * step];
        }
    }
}

static void run(const sv_call *call) {
    const sv_strided_copy_parameters *p = sv_parameters(call);
    const uint32_t size = sv_element_bytes(sv_output(call, 0));
    const uint8_t *source = sv_read(call, sv_input(call, 0));
    uint8_t *target = sv_write(call, sv_output(call, 0));
    const uint32_t last = SV_MAX_RANK - 1;
    const uint32_t row = p->counts[last];
    uint32_t at[SV_MAX_RANK] = {0};
    uint32_t from = p->start; /* wraps between rows, but is inside the input at each */
    for (uint32_t rows = sv_elements(sv_output(call, 0)) / row; rows > 0; rows--) {
        copy(target, source + (size_t)from * size, (ptrdiff_t)row, p->steps[last], size);
        target += (size_t)row * size;
        for (uint32_t d = last; d-- > 0;) {
            from += (uint32_t)p->steps[d];
            if (++at[d] < p->counts[d]) {
                break;
            }
            from -= (uint32_t)p->steps[d] * p->counts[d];
            at[d] = 0;
        }
    }
}

const sv_kernel sv_strided_copy = {
    .opcode = SV_STRIDED_COPY,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_strided_copy_parameters),
    .check = check,
    .run = run,
};
