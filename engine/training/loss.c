#include "training/loss.h"

#include "floating_point/exp.h"
#include "floating_point/log.h"

int sv_labels_are_valid(const sv_trainer *trainer, uint32_t count) {
    if (trainer->loss == SV_SQUARED_ERROR) {
        return 1; /* a target that is no number makes a loss that is none */
    }
    const sv_i32 *labels = trainer->labels;
    for (uint32_t i = 0; i < count; i++) {
        if (labels[i] < 0 || labels[i] >= trainer->outputs) {
            return 0;
        }
    }
    return 1;
}

int32_t sv_largest_of(const sv_f32 *values, int32_t count) {
    int32_t found = 0;
    for (int32_t i = 1; i < count; i++) {
        found = values[i] > values[found] ? i : found;
    }
    return found;
}

float sv_softmax_cross_entropy(const sv_example *example, int32_t label) {
    const sv_f32 *outputs = example->outputs;
    const float largest = outputs[sv_largest_of(outputs, example->count)];
    float sum = 0.0f;
    for (int32_t i = 0; i < example->count; i++) {
        example->answers[i] = sv_exp(outputs[i] - largest);
        sum += example->answers[i];
    }
    const float share = 1.0f / sum;
    for (int32_t i = 0; i < example->count; i++) {
        example->answers[i] *= share;
        if (example->slopes != NULL) {
            example->slopes[i] = example->answers[i] - (i == label ? 1.0f : 0.0f);
        }
    }
    return sv_log(sum) - (outputs[label] - largest);
}

float sv_squared_error(const sv_example *example, const sv_f32 *targets) {
    float sum = 0.0f;
    for (int32_t i = 0; i < example->count; i++) {
        const float difference = example->outputs[i] - targets[i];
        sum += difference * difference;
        example->answers[i] = example->outputs[i];
        if (example->slopes != NULL) {
            example->slopes[i] = 2.0f * difference / (float)example->count;
        }
    }
    return sum / (float)example->count;
}
