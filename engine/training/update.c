#include "training/update.h"

#include "training/vector.h"

/* Squares are added in float32 for so many floats, and such sums in float64. */
enum { SPAN = 256 };

/* Gradients are whole lanes long, and zero where they are filled up. */
static double squares(const sv_f32 *values, ptrdiff_t floats) {
    double sum = 0.0;
    for (ptrdiff_t start = 0; start < floats; start += SPAN) {
        const ptrdiff_t end = floats - start < SPAN ? floats : start + SPAN;
        sv_vector part = sv_spread(0.0f);
        for (ptrdiff_t i = start; i < end; i += SV_LANES) {
            const sv_vector value = sv_load(values + i);
            part += value * value;
        }
        sum += ((double)part[0] + (double)part[1]) + ((double)part[2] + (double)part[3]);
    }
    return sum;
}

float sv_add_clipped(const sv_f32 *example, ptrdiff_t floats, float limit, sv_f32 *gradient) {
    const float norm = (float)__builtin_sqrt(squares(example, floats));
    const sv_vector factor = sv_spread(norm > limit ? limit / norm : 1.0f);
    for (ptrdiff_t i = 0; i < floats; i += SV_LANES) {
        sv_store(gradient + i, sv_load(gradient + i) + sv_load(example + i) * factor);
    }
    return norm;
}

/* Gradient of the mean, weight decay, FedProx (Li et al. 2020: mu times the way from the anchor),
 * SCAFFOLD (Karimireddy et al. 2020: the control); then v = momentum v + g, w = w - rate v. */
void sv_update(const sv_trainer *trainer, const sv_f32 *gradient, uint32_t count) {
    const sv_f32 *hyper = trainer->hyper;
    const sv_vector share = sv_spread(1.0f / (float)count);
    const sv_vector decay = sv_spread(hyper[SV_WEIGHT_DECAY]);
    const sv_vector mu = sv_spread(hyper[SV_PROXIMAL_MU]);
    const sv_vector momentum = sv_spread(hyper[SV_MOMENTUM]);
    const sv_vector rate = sv_spread(hyper[SV_LEARNING_RATE]);
    const int32_t floats = sv_whole_lanes((int32_t)trainer->parameter_count);
    for (int32_t i = 0; i < floats; i += SV_LANES) {
        const sv_vector w = sv_load(trainer->parameters + i);
        sv_vector g = sv_load(gradient + i) * share + decay * w;
        g += mu * (w - sv_load(trainer->anchor + i)) + sv_load(trainer->control + i);
        const sv_vector v = momentum * sv_load(trainer->velocity + i) + g;
        sv_store(trainer->velocity + i, v);
        sv_store(trainer->parameters + i, w - rate * v);
    }
}
