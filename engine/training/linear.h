/* Linear layers: convolutions, and dense layers as convolutions with one window. */
#ifndef SELVEDGE_LINEAR_H
#define SELVEDGE_LINEAR_H

#include "training/training.h"

/* Floats of the weights as they are packed, and of their transpose. */
int64_t sv_linear_weights(const sv_step *step);
int64_t sv_linear_reversed(const sv_step *step);

/* From the order of the parameters to that of the layer, and a gradient back. */
void sv_linear_pack(const sv_step *step, const sv_f32 *parameters);
void sv_linear_unpack(const sv_step *step, const sv_f32 *gradient, sv_f32 *flat);

/* Outputs of `count` examples. */
void sv_linear_forward(const sv_step *step, int32_t count);

/* Add to the gradient by weights and biases; `slopes` are those of the loss by the outputs. */
void sv_linear_gradient(const sv_step *step, const sv_f32 *slopes, sv_f32 *gradient, int32_t count);

/* Slopes of the loss by the inputs; rubbish in their border. */
void sv_linear_backward(const sv_step *step, const sv_f32 *slopes, sv_f32 *inputs, int32_t count);

#endif
