/* fuzz_networks SEED COUNT DESCRIPTION...: mutates descriptions of networks, mends the counts that
 * they claim, and trains those that pass the check. Built with sanitizers, so that anything but a
 * refusal or a clean run ends it. Prints how often each status was the answer, as a JSON list, and
 * behind them how many were trained. */
#include "host/memory.h"

#include "training/training.h"

enum { STATUSES = 13, MAX_SEEDS = 1024, MAX_ARENA_BYTES = 1 << 20, MAX_WORK = 4000000 };

static uint64_t state;
static sv_trainer trainer;

static uint32_t chance(uint32_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % below;
}

static uint32_t odd_number(uint32_t old) {
    static const uint32_t numbers[] = {0,     1,     2,     3,      4,           5,          8,
                                       32767, 65535, 65536, 1u << 20, 0x7fffffffu, 0x80000000u,
                                       0xffffffffu};
    switch (chance(3)) {
    case 0:
        return numbers[chance(sizeof numbers / sizeof *numbers)];
    case 1:
        return old + chance(9) - 4u;
    default:
        return chance(12);
    }
}

/* Another number in some field: fields have two or four bytes, or one. */
static void mutate(uint8_t *description, size_t length) {
    const uint32_t size = 1u << chance(3);
    const uint32_t at = chance((uint32_t)length) / size * size;
    uint32_t value = 0;
    if (at + size > length) {
        return;
    }
    memcpy(&value, description + at, size);
    value = odd_number(value);
    memcpy(description + at, &value, size);
}

/* So many multiplications one example takes at most. */
static double work(void) {
    double sum = 0.0;
    for (uint32_t i = 0; i < trainer.layers; i++) {
        const sv_step *step = trainer.steps + i;
        sum += (double)step->output.height * step->output.width * step->layer.window.kernel_h *
               step->layer.window.kernel_w * step->output.pixel *
               (step->layer.kind == SV_LINEAR ? step->input.pixel : 1);
    }
    return sum;
}

/* Mostly such as train well; now and then the largest, the smallest, infinity, NaN. */
static float number(void) {
    static const float odd[] = {3.4e38f, -3.4e38f, 1e-45f, -0.0f, 1e20f};
    switch (chance(200)) {
    case 0:
        return __builtin_nanf("");
    case 1:
        return chance(2) ? __builtin_inff() : -__builtin_inff();
    case 2:
        return odd[chance(sizeof odd / sizeof *odd)];
    default:
        return (float)(chance(2001)) * 0.001f - 1.0f;
    }
}

static void fill(float *to, uint32_t count, int odd) {
    for (uint32_t i = 0; i < count; i++) {
        to[i] = odd ? number() : (float)(chance(2001)) * 0.001f - 1.0f;
    }
}

static void train(void) {
    const uint32_t n = 1 + chance(trainer.batch < 3 ? trainer.batch : 3);
    const uint32_t floats = n * (uint32_t)trainer.example_floats;
    sv_i32 *labels = trainer.labels;
    fill(trainer.parameters, trainer.parameter_count, chance(4) == 0);
    fill(trainer.examples, floats, chance(4) == 0);
    for (uint32_t i = 0; i < n && trainer.loss == SV_SOFTMAX_CROSS_ENTROPY; i++) {
        const uint32_t classes = (uint32_t)trainer.outputs, label = chance(classes + 1);
        labels[i] = (int32_t)(label < classes ? label : odd_number(label)); /* or a wrong one */
    }
    if (trainer.loss == SV_SQUARED_ERROR) {
        fill(trainer.labels, n * (uint32_t)trainer.outputs, chance(4) == 0);
    }
    trainer.hyper[SV_LEARNING_RATE] = 0.1f;
    trainer.hyper[SV_CLIP_NORM] = chance(2) ? 0.5f : 0.0f;
    if (chance(4) == 0) {
        fill(trainer.hyper, SV_HYPER_COUNT, 1);
    }
    sv_trainer_train(&trainer, n);
    sv_trainer_evaluate(&trainer, n);
    sv_trainer_begin(&trainer);
}

static sv_status try_one(const uint8_t *seed, size_t length, uint64_t *trained) {
    const size_t kept = chance(50) == 0 ? chance((uint32_t)length + 1) : length;
    uint8_t *description = exact(kept);
    sv_network *network = (sv_network *)(void *)description;
    sv_counts counts = {0, 0};
    memcpy(description, seed, kept);
    for (uint32_t changes = 1 + chance(4); changes > 0 && kept > 0; changes--) {
        mutate(description, kept);
    }
    sv_status status = sv_trainer_measure(&trainer, description, kept, &counts);
    if (status == SV_OK && counts.arena_bytes <= MAX_ARENA_BYTES) {
        if (chance(20) != 0) {
            network->parameters = counts.parameters;
            network->arena_bytes = counts.arena_bytes;
        }
        const uint32_t room = counts.arena_bytes - (chance(50) == 0 ? 16 : 0);
        uint8_t *arena = exact(room);
        status = sv_trainer_open(&trainer, description, kept, arena, room);
        if (status == SV_OK && work() <= MAX_WORK) {
            train();
            ++*trained;
        }
        free(arena);
    }
    free(description);
    return status;
}

int main(int count, char **arguments) {
    uint64_t answers[STATUSES] = {0}, trained = 0;
    uint8_t *seeds[MAX_SEEDS];
    size_t lengths[MAX_SEEDS];
    const int descriptions = count - 3;
    if (descriptions < 1 || descriptions > MAX_SEEDS) {
        fputs("usage: fuzz_networks SEED COUNT DESCRIPTION...\n", stderr);
        return 2;
    }
    state = strtoull(arguments[1], NULL, 10) * 0x9e3779b97f4a7c15u + 1u;
    for (int i = 0; i < descriptions; i++) {
        seeds[i] = read_file(arguments[i + 3], &lengths[i]);
    }
    for (uint64_t left = strtoull(arguments[2], NULL, 10); left > 0; left--) {
        const uint32_t i = chance((uint32_t)descriptions);
        answers[try_one(seeds[i], lengths[i], &trained)]++;
    }
    for (int i = 0; i < descriptions; i++) {
        free(seeds[i]);
    }
    for (int i = 0; i < STATUSES; i++) {
        printf("%s%llu", i ? ", " : "[", (unsigned long long)answers[i]);
    }
    printf(", %llu]\n", (unsigned long long)trained);
    return 0;
}
