/* train DESCRIPTION PARAMETERS HYPER EXAMPLES LABELS COUNT RESULT: takes steps over batches of COUNT
 * examples, writes the parameters, and prints the losses. Built with sanitizers. */
#include "host/memory.h"

#include "training/training.h"

static sv_trainer trainer;

static void copy_file(const char *path, void *to, size_t most) {
    size_t length;
    uint8_t *bytes = read_file(path, &length);
    if (length > most) {
        fprintf(stderr, "%s: longer than %zu bytes\n", path, most);
        exit(2);
    }
    memcpy(to, bytes, length);
    free(bytes);
}

int main(int count, char **arguments) {
    if (count != 8) {
        fputs("usage: train DESCRIPTION PARAMETERS HYPER EXAMPLES LABELS COUNT RESULT\n", stderr);
        return 2;
    }
    size_t length, example_bytes, label_bytes;
    uint8_t *description = read_file(arguments[1], &length);
    const uint32_t arena_bytes = ((sv_network *)(void *)description)->arena_bytes;
    uint8_t *arena = exact(arena_bytes);
    const sv_status status = sv_trainer_open(&trainer, description, length, arena, arena_bytes);
    if (status != SV_OK) {
        fprintf(stderr, "status %d\n", (int)status);
        return 1;
    }
    const size_t parameter_bytes = trainer.parameter_count * sizeof(float);
    copy_file(arguments[2], trainer.parameters, parameter_bytes);
    copy_file(arguments[3], trainer.hyper, SV_HYPER_COUNT * sizeof(float));
    uint8_t *examples = read_file(arguments[4], &example_bytes);
    uint8_t *labels = read_file(arguments[5], &label_bytes);
    const size_t step = strtoull(arguments[6], NULL, 10);
    const size_t example = (size_t)trainer.example_floats * sizeof(float);
    const size_t all = example_bytes / example;
    const size_t label = label_bytes / all;
    for (size_t at = 0; at + step <= all; at += step) {
        memcpy(trainer.examples, examples + at * example, step * example);
        memcpy(trainer.labels, labels + at * label, step * label);
        printf("%.9g\n", (double)sv_trainer_train(&trainer, (uint32_t)step));
    }
    FILE *file = fopen(arguments[7], "wb");
    if (file == NULL || fwrite(trainer.parameters, 1, parameter_bytes, file) != parameter_bytes) {
        perror(arguments[7]);
        return 1;
    }
    fclose(file);
    free(labels);
    free(examples);
    free(arena);
    free(description);
    return 0;
}
