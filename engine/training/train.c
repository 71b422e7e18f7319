#include "training/activation.h"
#include "training/depthwise.h"
#include "training/linear.h"
#include "training/loss.h"
#include "training/pooling.h"
#include "training/update.h"

static float not_a_number(void) { return __builtin_nanf(""); }

static void pack(const sv_trainer *trainer) {
    for (uint32_t i = 0; i < trainer->layers; i++) {
        const sv_step *step = trainer->steps + i;
        if (step->layer.kind == SV_LINEAR) {
            sv_linear_pack(step, trainer->parameters + step->parameters);
        } else if (step->layer.kind == SV_DEPTHWISE) {
            sv_depthwise_pack(step, trainer->parameters + step->parameters);
        }
    }
}

static void unpack(const sv_trainer *trainer, const sv_f32 *gradient, sv_f32 *flat) {
    for (uint32_t i = 0; i < trainer->layers; i++) {
        const sv_step *step = trainer->steps + i;
        if (step->layer.kind == SV_LINEAR) {
            sv_linear_unpack(step, gradient, flat);
        } else if (step->layer.kind == SV_DEPTHWISE) {
            sv_depthwise_unpack(step, gradient, flat);
        }
    }
}

/* Examples into the first layer's pictures, whose border and filling are zero and stay so. */
static void take_in(const sv_trainer *trainer, uint32_t first, int32_t count) {
    const sv_pictures *in = &trainer->steps[0].input;
    const sv_f32 *from = trainer->examples + (ptrdiff_t)first * trainer->example_floats;
    const int32_t runs = in->pixel == in->channels ? 1 : in->width;
    const int32_t length = in->pixel == in->channels ? in->width * in->channels : in->channels;
    for (int32_t p = 0; p < count; p++) {
        for (int32_t y = 0; y < in->height; y++) {
            sv_f32 *to = trainer->steps[0].inputs + p * in->size + in->inside +
                         (ptrdiff_t)y * in->line;
            for (int32_t run = 0; run < runs; run++, from += length, to += in->pixel) {
                memcpy(to, from, (size_t)length * sizeof *to);
            }
        }
    }
}

static void forward(const sv_trainer *trainer, uint32_t first, int32_t count) {
    take_in(trainer, first, count);
    for (uint32_t i = 0; i < trainer->layers; i++) {
        const sv_step *step = trainer->steps + i;
        switch (step->layer.kind) {
        case SV_LINEAR:
            sv_linear_forward(step, count);
            break;
        case SV_DEPTHWISE:
            sv_depthwise_forward(step, count);
            break;
        case SV_MAX_POOL:
            sv_max_pool_forward(step, count);
            break;
        default:
            sv_average_pool_forward(step, count);
            break;
        }
    }
}

/* Sum of the losses of a group that went forward; `slopes` may be null. */
static double losses(sv_trainer *trainer, uint32_t first, int32_t count, sv_f32 *slopes) {
    const sv_step *last = trainer->steps + trainer->layers - 1;
    const sv_i32 *classes = trainer->labels;
    const sv_f32 *targets = trainer->labels;
    const ptrdiff_t outputs = trainer->outputs;
    double sum = 0.0;
    if (slopes != NULL) {
        memset(slopes, 0, (size_t)count * (size_t)last->output.size * sizeof *slopes);
    }
    for (int32_t p = 0; p < count; p++) {
        const ptrdiff_t number = (ptrdiff_t)first + p;
        const sv_example example = {
            .outputs = last->outputs + p * last->output.size,
            .count = trainer->outputs,
            .answers = trainer->results + number * outputs,
            .slopes = slopes == NULL ? NULL : slopes + p * last->output.size,
        };
        if (trainer->loss == SV_SQUARED_ERROR) {
            sum += (double)sv_squared_error(&example, targets + number * outputs);
            continue;
        }
        sum += (double)sv_softmax_cross_entropy(&example, classes[number]);
        trainer->correct += sv_largest_of(example.outputs, example.count) == classes[number];
    }
    return sum;
}

/* Add the gradient of a group whose slopes by the outputs are in the first buffer. */
static void backward(const sv_trainer *trainer, int32_t count, sv_f32 *gradient) {
    sv_f32 *slopes = trainer->slopes[0], *other = trainer->slopes[1];
    for (uint32_t i = trainer->layers; i-- > 0;) {
        const sv_step *step = trainer->steps + i;
        sv_activation_backward(step, slopes, count);
        switch (step->layer.kind) {
        case SV_LINEAR:
            sv_linear_gradient(step, slopes, gradient, count);
            if (i > 0) {
                sv_linear_backward(step, slopes, other, count);
            }
            break;
        case SV_DEPTHWISE:
            sv_depthwise_gradient(step, slopes, gradient, count);
            if (i > 0) {
                sv_depthwise_backward(step, slopes, other, count);
            }
            break;
        case SV_MAX_POOL:
            if (i > 0) {
                sv_max_pool_backward(step, slopes, other, count);
            }
            break;
        default:
            if (i > 0) {
                sv_average_pool_backward(step, slopes, other, count);
            }
            break;
        }
        sv_f32 *const done = slopes;
        slopes = other;
        other = done;
    }
}

static void clear(const sv_trainer *trainer, sv_f32 *gradient) {
    memset(gradient, 0, (size_t)trainer->gradient_floats * sizeof *gradient);
}

/* The sum of the gradients of all examples; with a limit, each is shortened to it. */
static double descend(sv_trainer *trainer, uint32_t count, float limit) {
    const uint32_t group = limit > 0.0f ? 1 : trainer->group;
    double sum = 0.0;
    clear(trainer, trainer->gradient);
    for (uint32_t first = 0; first < count; first += group) {
        const int32_t here = (int32_t)(count - first < group ? count - first : group);
        forward(trainer, first, here);
        sum += losses(trainer, first, here, trainer->slopes[0]);
        if (limit > 0.0f) {
            clear(trainer, trainer->example_gradient);
            backward(trainer, here, trainer->example_gradient);
            trainer->norms[first] =
                sv_add_clipped(trainer->example_gradient, trainer->gradient_floats, limit,
                               trainer->gradient);
        } else {
            backward(trainer, here, trainer->gradient);
        }
    }
    return sum;
}

void sv_trainer_begin(sv_trainer *trainer) {
    memset(trainer->velocity, 0, trainer->parameter_count * sizeof *trainer->velocity);
}

float sv_trainer_train(sv_trainer *trainer, uint32_t count) {
    if (count < 1 || count > trainer->batch || !sv_labels_are_valid(trainer, count)) {
        return not_a_number();
    }
    pack(trainer);
    trainer->correct = 0;
    const float loss =
        (float)(descend(trainer, count, trainer->hyper[SV_CLIP_NORM]) / (double)count);
    if (!(loss < __builtin_inff())) {
        return not_a_number();
    }
    unpack(trainer, trainer->gradient, trainer->example_gradient);
    sv_update(trainer, trainer->example_gradient, count);
    return loss;
}

float sv_trainer_evaluate(sv_trainer *trainer, uint32_t count) {
    if (count < 1 || count > trainer->batch || !sv_labels_are_valid(trainer, count)) {
        return not_a_number();
    }
    double sum = 0.0;
    pack(trainer);
    trainer->correct = 0;
    for (uint32_t first = 0; first < count; first += trainer->group) {
        const uint32_t left = count - first;
        const int32_t here = (int32_t)(left < trainer->group ? left : trainer->group);
        forward(trainer, first, here);
        sum += losses(trainer, first, here, NULL);
    }
    return (float)(sum / (double)count);
}
