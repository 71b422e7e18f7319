/* From gradients to parameters. */
#ifndef SELVEDGE_TRAINING_UPDATE_H
#define SELVEDGE_TRAINING_UPDATE_H

#include "training/training.h"

/* Add one example's gradient, shortened to the norm `limit` if it is longer; returns its norm. */
float sv_add_clipped(const sv_f32 *example, ptrdiff_t floats, float limit, sv_f32 *gradient);

/* One step along a gradient in the order of the parameters, which is the sum of `count` examples. */
void sv_update(const sv_trainer *trainer, const sv_f32 *gradient, uint32_t count);

#endif
