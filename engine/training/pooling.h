/* Pooling layers; windows are clipped to the picture. */
#ifndef SELVEDGE_TRAINING_POOLING_H
#define SELVEDGE_TRAINING_POOLING_H

#include "training/training.h"

void sv_max_pool_forward(const sv_step *step, int32_t count);
void sv_average_pool_forward(const sv_step *step, int32_t count);

/* Of equal taps the first gets the slope. */
void sv_max_pool_backward(const sv_step *step, const sv_f32 *slopes, sv_f32 *inputs,
                          int32_t count);
void sv_average_pool_backward(const sv_step *step, const sv_f32 *slopes, sv_f32 *inputs,
                              int32_t count);

#endif
