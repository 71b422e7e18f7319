/* exp without a library: within 1.11 units in the last place, measured on all float32. */
#ifndef SELVEDGE_EXP_H
#define SELVEDGE_EXP_H

#include "selvedge/port.h"

/* 2^n for n in -126..127. */
static inline float sv_power_of_two(int32_t n) {
    const uint32_t bits = (uint32_t)(n + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return power;
}

/* exp(x) = 2^n exp(r) with r at most half of ln 2: 1 + r + r^2 q(r), where q has the smallest
 * largest error. 2^n goes in in two steps, so that results may be denormal. What is no number
 * stays none. */
static inline float sv_exp(float x) {
    if (!(x > -104.0f)) { /* below half of the smallest number */
        return x <= -104.0f ? 0.0f : x;
    }
    if (x > 89.0f) {
        x = 89.0f; /* infinite as well */
    }
    const float steps = x * 1.44269504f;
    const int32_t n = (int32_t)(steps + (steps < 0.0f ? -0.5f : 0.5f));
    const float whole = (float)n;
    const float r = (x - whole * 0.693359375f) - whole * -2.12194440e-4f;
    const float q =
        0.5f +
        r * (0.166665196f + r * (0.0416683927f + r * (0.00836878084f + r * 0.00138144672f)));
    const float scaled = (1.0f + (r + r * r * q)) * sv_power_of_two(n / 2);
    return scaled * sv_power_of_two(n - n / 2);
}

#endif
