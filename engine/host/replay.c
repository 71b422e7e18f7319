/* replay PLAN INPUTS OUTPUTS: runs a plan on each of the inputs, which lie one behind the other. */
#include "host/memory.h"

#include "selvedge/engine.h"

int main(int count, char **arguments) {
    if (count != 4) {
        fputs("usage: replay PLAN INPUTS OUTPUTS\n", stderr);
        return 2;
    }
    size_t plan_bytes, input_bytes;
    uint8_t *plan = read_file(arguments[1], &plan_bytes);
    uint8_t *inputs = read_file(arguments[2], &input_bytes);
    sv_plan header;
    memcpy(&header, plan, plan_bytes < sizeof header ? 0 : sizeof header);
    uint8_t *arena = exact(header.arena_bytes);
    const sv_status status = sv_plan_check(plan, plan_bytes, header.arena_bytes);
    if (status != SV_OK) {
        fprintf(stderr, "refused with status %d\n", (int)status);
        return 1;
    }
    FILE *outputs = fopen(arguments[3], "wb");
    if (outputs == NULL) {
        perror(arguments[3]);
        return 1;
    }
    sv_plan_reset(plan, arena);
    for (size_t at = 0; at < input_bytes;) {
        for (uint32_t i = 0; i < header.input_count; i++) {
            const uint32_t tensor = sv_plan_input(plan, i);
            const size_t size = sv_plan_tensor(plan, tensor)->bytes;
            if (size > input_bytes - at) {
                fputs("the inputs end in the middle of one\n", stderr);
                return 1;
            }
            memcpy(sv_plan_data(plan, arena, tensor), inputs + at, size);
            at += size;
        }
        sv_plan_run(plan, arena);
        for (uint32_t i = 0; i < header.output_count; i++) {
            const uint32_t tensor = sv_plan_output(plan, i);
            fwrite(sv_plan_data(plan, arena, tensor), 1, sv_plan_tensor(plan, tensor)->bytes,
                   outputs);
        }
    }
    free(plan);
    free(inputs);
    free(arena);
    return fclose(outputs) == 0 ? 0 : 1;
}
