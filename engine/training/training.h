/* Training of small networks in float32. The caller owns all memory; `sv_trainer_open` checks every
 * size once, the other calls check nothing but their arguments.
 *
 * All builds give the same bytes: sums are kept in four lanes whose order is fixed by the shapes,
 * with or without SIMD, and a product is never fused with a sum. */
#ifndef SELVEDGE_TRAINING_H
#define SELVEDGE_TRAINING_H

#include "selvedge/status.h"
#include "training/network.h"

/* Pictures of a group, channels last. Around each is the border of zeros into which the windows of
 * the next layer reach; channels are filled up with zeros to a multiple of four, except those of
 * examples that a linear layer reads. Lengths count floats. */
typedef struct sv_pictures {
    int32_t height, width, channels;
    int32_t pixel;       /* from one pixel to the next */
    int32_t line;        /* from one line to the next */
    int32_t inside;      /* from a picture's border to its first pixel */
    ptrdiff_t size;      /* of one picture with its border */
} sv_pictures;

/* A layer that has been checked. Weights are packed once for each batch. */
typedef struct sv_step {
    sv_layer layer;
    sv_pictures input, output;
    sv_f32 *inputs, *outputs; /* of the whole group */
    ptrdiff_t parameters;     /* where its weights begin among all; its biases stand behind them */
    sv_f32 *weights, *biases; /* [blocks of 8 or 4 outputs][taps and inputs][block] */
    sv_f32 *reversed;         /* [window line][blocks of inputs][outputs][block]; null: not needed */
    ptrdiff_t gradient;       /* where its part begins in a gradient, packed as `weights` */
} sv_step;

enum {
    SV_LEARNING_RATE,
    SV_MOMENTUM,
    SV_WEIGHT_DECAY,
    SV_PROXIMAL_MU,
    SV_CLIP_NORM, /* of one example's gradient; 0: none */
    SV_HYPER_COUNT = 8
};

typedef struct sv_trainer {
    uint32_t parameter_count, batch, group, layers, loss;
    int32_t example_floats, outputs;
    sv_f32 *hyper, *parameters, *anchor, *control, *velocity;
    sv_f32 *gradient, *example_gradient;
    ptrdiff_t gradient_floats;
    sv_f32 *examples;
    void *labels;
    sv_f32 *norms, *results;
    sv_f32 *slopes[2]; /* of the loss by a layer's outputs, and by its inputs */
    int32_t correct;
    sv_step steps[SV_MAX_LAYERS];
} sv_trainer;

/* What a description needs. */
typedef struct sv_counts {
    uint32_t parameters;
    uint32_t arena_bytes;
} sv_counts;

/* Check all of a description but the counts that it claims, and count. */
sv_status sv_trainer_measure(sv_trainer *trainer, const void *network, size_t length,
                             sv_counts *counts);

/* Check a description and place everything in the arena, which is then all zeros. */
sv_status sv_trainer_open(sv_trainer *trainer, const void *network, size_t length, void *arena,
                          size_t arena_bytes);

/* Forget the momentum. */
void sv_trainer_begin(sv_trainer *trainer);

/* One step of stochastic gradient descent on the first examples; their mean loss. It is no number,
 * and the parameters are as before, where labels or the count are wrong or the loss is not finite. */
float sv_trainer_train(sv_trainer *trainer, uint32_t count);

/* The mean loss of the first examples, without learning; fills `results` and `correct`. */
float sv_trainer_evaluate(sv_trainer *trainer, uint32_t count);

#endif
