/* The tasks of the benchmark: which model is which, what its samples are, and what it answers.
 *
 * Samples are the model's int8 as they are, but pictures have bytes without sign, and windows of
 * sound (anomaly detection) are float32, whose answer is the mean square of what the model misses. */
#ifndef SELVEDGE_TASK_H
#define SELVEDGE_TASK_H

#include "runner/runner.h"
#include "text/lines.h"

/* The name that the benchmark has for a model; "none" for others. */
const char *sv_task_name(const sv_plan *plan);

/* Whether so many bytes are one sample for the model. */
int sv_task_takes(const sv_plan *plan, uint32_t count);

/* Write a sample into the model's input; of a size that it takes. */
void sv_task_write(sv_runner *runner, const uint8_t *sample, uint32_t count);

/* Say the results of the run over that sample, with commas between. */
void sv_task_say(const sv_runner *runner, const uint8_t *sample, uint32_t count, sv_write write);

#endif
