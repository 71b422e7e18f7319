/* Losses: of one example, and their slopes by the network's outputs. */
#ifndef SELVEDGE_TRAINING_LOSS_H
#define SELVEDGE_TRAINING_LOSS_H

#include "training/training.h"

/* One example: `answers` get the probabilities, or the outputs as they are. */
typedef struct sv_example {
    const sv_f32 *outputs;
    int32_t count;
    sv_f32 *answers;
    sv_f32 *slopes; /* null: not wanted */
} sv_example;

/* Whether the labels of `count` examples can be used. */
int sv_labels_are_valid(const sv_trainer *trainer, uint32_t count);

/* -log of the label's share among exp(outputs). */
float sv_softmax_cross_entropy(const sv_example *example, int32_t label);

/* Mean of the squared differences. */
float sv_squared_error(const sv_example *example, const sv_f32 *targets);

/* The place of the largest; of equal ones the first. */
int32_t sv_largest_of(const sv_f32 *values, int32_t count);

#endif
