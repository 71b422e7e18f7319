/* ADD and SUB of single elements, for the kernels of every target. */
#ifndef SELVEDGE_ADD_S8_H
#define SELVEDGE_ADD_S8_H

#include "kernels/broadcast.h"
#include "selvedge/parameters.h"

/* Bits by which inputs are multiplied before they are scaled, with double rounding. */
enum { SV_ADD_LEFT_SHIFT = 20 };

typedef struct sv_add_job {
    const sv_add_parameters *p;
    int32_t left_zero, right_zero, output_zero;
    int32_t low, high; /* less the zero point */
    sv_pairs pairs;    /* a loop over elements, for which the job is the context */
} sv_add_job;

sv_status sv_check_add(const sv_call *call);
sv_add_job sv_open_add(const sv_call *call);

#endif
