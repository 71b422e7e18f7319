/* Depthwise layers: every channel has a window of its own. */
#ifndef SELVEDGE_DEPTHWISE_H
#define SELVEDGE_DEPTHWISE_H

#include "training/training.h"

/* As in linear.h; weights are packed as [taps][channels filled up]. */
int64_t sv_depthwise_weights(const sv_step *step);
void sv_depthwise_pack(const sv_step *step, const sv_f32 *parameters);
void sv_depthwise_unpack(const sv_step *step, const sv_f32 *gradient, sv_f32 *flat);
void sv_depthwise_forward(const sv_step *step, int32_t count);
void sv_depthwise_gradient(const sv_step *step, const sv_f32 *slopes, sv_f32 *gradient,
                           int32_t count);
void sv_depthwise_backward(const sv_step *step, const sv_f32 *slopes, sv_f32 *inputs,
                           int32_t count);

#endif
