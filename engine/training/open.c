/* From a description to a trainer: what is checked here is never checked again. */
#include "training/arena.h"
#include "training/depthwise.h"
#include "training/linear.h"
#include "training/vector.h"

/* Longest height, width, window and stride; most channels; most floats of one piece of memory. */
enum { MAX_LENGTH = 32767, MAX_CHANNELS = 1 << 20, MAX_FLOATS = 1 << 28 };

static int is_between(uint32_t value, uint32_t least, uint32_t most) {
    return value >= least && value <= most;
}

static int has_weights(const sv_layer *layer) {
    return layer->kind == SV_LINEAR || layer->kind == SV_DEPTHWISE;
}

/* Pictures without a border, or with the one into which the windows of `reader` reach. Returns 0
 * where they are too large. */
static int lay_out(sv_pictures *pictures, const sv_layer *reader) {
    int64_t top = 0, left = 0, height = pictures->height, width = pictures->width;
    if (reader != NULL && has_weights(reader)) {
        const sv_window *window = &reader->window;
        const int64_t lines =
            (reader->height - (int64_t)1) * window->stride_h + window->kernel_h;
        const int64_t pixels = (reader->width - (int64_t)1) * window->stride_w + window->kernel_w;
        top = window->pad_top;
        left = window->pad_left;
        height = lines > top + height ? lines : top + height;
        width = pixels > left + width ? pixels : left + width;
    }
    if (height > 2 * MAX_LENGTH || width * pictures->pixel > MAX_FLOATS ||
        height * width * pictures->pixel > MAX_FLOATS) {
        return 0;
    }
    pictures->line = (int32_t)width * pictures->pixel;
    pictures->inside = (int32_t)top * pictures->line + (int32_t)left * pictures->pixel;
    pictures->size = sv_whole_lanes((int32_t)height * pictures->line);
    return 1;
}

/* Whether each window has a tap inside the picture, so that no pool is empty. */
static int meets(uint32_t outputs, uint32_t stride, uint32_t kernel, uint32_t pad, int32_t length) {
    return pad < kernel && (int64_t)(outputs - 1) * stride - pad < length;
}

static sv_status check_layer(const sv_layer *layer, const sv_pictures *input) {
    const sv_window *w = &layer->window;
    if (!is_between(layer->kind, SV_LINEAR, SV_AVERAGE_POOL) || layer->reserved != 0 ||
        layer->activation > (has_weights(layer) ? SV_RELU6 : SV_NO_ACTIVATION)) {
        return SV_UNKNOWN_OPERATOR;
    }
    if (!is_between(layer->height, 1, MAX_LENGTH) || !is_between(layer->width, 1, MAX_LENGTH) ||
        !is_between(layer->channels, 1, MAX_CHANNELS) ||
        (layer->kind != SV_LINEAR && layer->channels != (uint32_t)input->channels)) {
        return SV_BAD_SHAPE;
    }
    if (w->dilation_h != 1 || w->dilation_w != 1 || !is_between(w->kernel_h, 1, MAX_LENGTH) ||
        !is_between(w->kernel_w, 1, MAX_LENGTH) || !is_between(w->stride_h, 1, MAX_LENGTH) ||
        !is_between(w->stride_w, 1, MAX_LENGTH) ||
        !meets(layer->height, w->stride_h, w->kernel_h, w->pad_top, input->height) ||
        !meets(layer->width, w->stride_w, w->kernel_w, w->pad_left, input->width)) {
        return SV_BAD_PARAMETER;
    }
    return SV_OK;
}

/* Shapes, from the examples to the outputs. */
static sv_status shape(sv_trainer *trainer, const sv_network *network, const sv_layer *layers) {
    sv_pictures now = {
        .height = (int32_t)network->height,
        .width = (int32_t)network->width,
        .channels = (int32_t)network->channels,
    };
    const int is_dense = layers[0].kind == SV_LINEAR;
    now.pixel = is_dense ? now.channels : sv_whole_lanes(now.channels);
    for (uint32_t i = 0; i < network->layers; i++) {
        sv_step *step = trainer->steps + i;
        const sv_status status = check_layer(layers + i, &now);
        if (status != SV_OK) {
            return status;
        }
        if (!lay_out(&now, layers + i)) {
            return SV_BAD_SHAPE;
        }
        step->layer = layers[i];
        step->input = now;
        now.height = layers[i].height;
        now.width = layers[i].width;
        now.channels = (int32_t)layers[i].channels;
        now.pixel = sv_whole_lanes(now.channels);
        if (!lay_out(&now, i + 1 < network->layers ? layers + i + 1 : NULL)) {
            return SV_BAD_SHAPE;
        }
        step->output = now;
    }
    return now.height == 1 && now.width == 1 ? SV_OK : SV_BAD_SHAPE;
}

/* Weights of one layer: among the parameters, packed, and in a gradient. */
static int place_weights(sv_step *step, sv_arena *arena, int is_first, int64_t *parameters,
                         int64_t *gradient) {
    const int is_linear = step->layer.kind == SV_LINEAR;
    if (!has_weights(&step->layer)) {
        return 1;
    }
    const int64_t taps =
        (int64_t)step->layer.window.kernel_h * step->layer.window.kernel_w;
    const int64_t inputs = is_linear ? step->input.pixel : 1;
    if (taps > MAX_FLOATS / inputs || taps * inputs > MAX_FLOATS / step->output.pixel) {
        return 0;
    }
    const int64_t packed = is_linear ? sv_linear_weights(step) : sv_depthwise_weights(step);
    step->parameters = (ptrdiff_t)*parameters;
    step->gradient = (ptrdiff_t)*gradient;
    *parameters += (taps * (is_linear ? step->input.channels : 1) + 1) * step->output.channels;
    *gradient += packed + step->output.pixel;
    if (*gradient > MAX_FLOATS) {
        return 0;
    }
    /* The biases of a depthwise layer are one more row. */
    step->weights = sv_take(arena, (uint64_t)(packed + step->output.pixel));
    step->biases = step->weights == NULL ? NULL : step->weights + packed;
    step->reversed = is_linear && !is_first
                         ? sv_take(arena, (uint64_t)sv_linear_reversed(step))
                         : NULL;
    return 1;
}

/* Everything that has a size of its own; the order is that of toolchain/training/memory.py. */
static sv_status place(sv_trainer *trainer, const sv_network *network, sv_arena *arena) {
    int64_t parameters = 0, gradient = 0;
    uint64_t slopes = 0;
    sv_step *last = trainer->steps + network->layers - 1;
    for (uint32_t i = 0; i < network->layers; i++) {
        sv_step *step = trainer->steps + i;
        if (!place_weights(step, arena, i == 0, &parameters, &gradient)) {
            return SV_BAD_SHAPE;
        }
        step->inputs = i == 0 ? sv_take(arena, (uint64_t)network->group *
                                                   (uint64_t)step->input.size)
                              : step[-1].outputs;
        step->outputs = sv_take(arena, (uint64_t)network->group * (uint64_t)step->output.size);
        const uint64_t floats = (uint64_t)network->group * (uint64_t)step->output.size;
        slopes = floats > slopes ? floats : slopes;
    }
    trainer->parameter_count = (uint32_t)parameters;
    const uint64_t batch = network->batch;
    const uint64_t outputs = (uint64_t)last->output.channels;
    trainer->hyper = sv_take(arena, SV_HYPER_COUNT);
    trainer->parameters = sv_take(arena, (uint64_t)parameters);
    trainer->anchor = sv_take(arena, (uint64_t)parameters);
    trainer->control = sv_take(arena, (uint64_t)parameters);
    trainer->velocity = sv_take(arena, (uint64_t)parameters);
    trainer->gradient = sv_take(arena, (uint64_t)gradient);
    trainer->example_gradient = sv_take(arena, (uint64_t)gradient);
    trainer->slopes[0] = sv_take(arena, slopes);
    trainer->slopes[1] = sv_take(arena, slopes);
    trainer->examples =
        sv_take(arena, batch * network->height * network->width * network->channels);
    trainer->labels = sv_take(arena, batch * (network->loss == SV_SQUARED_ERROR ? outputs : 1));
    trainer->norms = sv_take(arena, batch);
    trainer->results = sv_take(arena, batch * outputs);
    trainer->gradient_floats = (ptrdiff_t)gradient;
    return arena->used <= INT32_MAX ? SV_OK : SV_ARENA_TOO_SMALL;
}

static sv_status check_header(const sv_network *network, size_t length) {
    if (network == NULL || (uintptr_t)network % SV_NETWORK_ALIGNMENT != 0) {
        return SV_BAD_ARGUMENT;
    }
    if (length < sizeof *network) {
        return SV_TRUNCATED;
    }
    if (network->magic != SV_NETWORK_MAGIC || network->version != SV_NETWORK_VERSION) {
        return SV_NOT_A_PLAN;
    }
    if (!is_between(network->layers, 1, SV_MAX_LAYERS) ||
        network->length != sizeof *network + network->layers * sizeof(sv_layer)) {
        return SV_BAD_HEADER;
    }
    if (length < network->length) {
        return SV_TRUNCATED;
    }
    if (!is_between(network->height, 1, MAX_LENGTH) || !is_between(network->width, 1, MAX_LENGTH) ||
        !is_between(network->channels, 1, MAX_CHANNELS) ||
        !is_between(network->batch, 1, MAX_LENGTH) ||
        !is_between(network->group, 1, network->batch) || network->loss > SV_SQUARED_ERROR) {
        return SV_BAD_HEADER;
    }
    return SV_OK;
}

sv_status sv_trainer_measure(sv_trainer *trainer, const void *description, size_t length,
                             sv_counts *counts) {
    const sv_network *network = description;
    sv_status status = check_header(network, length);
    if (status != SV_OK) {
        return status;
    }
    memset(trainer, 0, sizeof *trainer);
    status = shape(trainer, network, (const sv_layer *)(const void *)(network + 1));
    if (status != SV_OK) {
        return status;
    }
    sv_arena counted = {NULL, 0};
    status = place(trainer, network, &counted);
    counts->parameters = trainer->parameter_count;
    counts->arena_bytes = (uint32_t)counted.used;
    return status;
}

/* Sizes are counted first: nothing is handed out of memory that is not there. */
sv_status sv_trainer_open(sv_trainer *trainer, const void *description, size_t length, void *memory,
                          size_t arena_bytes) {
    const sv_network *network = description;
    sv_counts counts;
    sv_status status = sv_trainer_measure(trainer, description, length, &counts);
    if (status != SV_OK) {
        return status;
    }
    if (counts.arena_bytes != network->arena_bytes || counts.parameters != network->parameters) {
        return SV_BAD_HEADER;
    }
    if (memory == NULL || (uintptr_t)memory % SV_NETWORK_ALIGNMENT != 0) {
        return SV_BAD_ARGUMENT;
    }
    if (arena_bytes < counts.arena_bytes) {
        return SV_ARENA_TOO_SMALL;
    }
    sv_arena arena = {memory, 0};
    place(trainer, network, &arena);
    memset(memory, 0, counts.arena_bytes);
    trainer->batch = network->batch;
    trainer->group = network->group;
    trainer->layers = network->layers;
    trainer->loss = network->loss;
    trainer->example_floats = (int32_t)(network->height * network->width * network->channels);
    trainer->outputs = trainer->steps[network->layers - 1].output.channels;
    return SV_OK;
}
