/* From float32 sums to outputs: bias and activation. */
#ifndef SELVEDGE_FLOAT_STAGE_H
#define SELVEDGE_FLOAT_STAGE_H

#include "core/checks.h"
#include "selvedge/parameters.h"

/* What is no number stays none. */
static inline float sv_limit(float x, float low, float high) {
    const float raised = x < low ? low : x;
    return high < raised ? high : raised;
}

/* Whether there is a range, which no limit that is no number makes. */
static inline int sv_is_range(float low, float high) { return low <= high; }

static inline sv_status sv_check_float_stage(const sv_call *call, const sv_float_stage *stage,
                                             uint32_t channels) {
    return sv_has_constants(call, stage->bias, channels, 4) && sv_is_range(stage->low, stage->high)
               ? SV_OK
               : SV_BAD_PARAMETER;
}

#endif
