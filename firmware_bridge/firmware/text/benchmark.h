/* The text protocol of the MLPerf Tiny benchmark: commands ended by '%', replies by "m-ready".
 *
 * `infer` is work that `sv_benchmark_work` does one operator at a time: meanwhile letters are not
 * heard, and `sv_benchmark_stop` ends it. */
#ifndef SELVEDGE_BENCHMARK_H
#define SELVEDGE_BENCHMARK_H

#include "calls/calls.h"
#include "text/sample.h"

enum { SV_COMMAND_MAX = 80, SV_RUNS_MAX = 1000000 };

typedef struct sv_benchmark {
    sv_calls *calls; /* the arena is shared with them */
    sv_write write;
    char command[SV_COMMAND_MAX + 1];
    uint32_t command_count;
    sv_sample sample;
    uint32_t ticks_before; /* of the port, which wrap */
    uint64_t ticks;
    const sv_plan *plan; /* that runs; null: none does */
    uint32_t warmups_left;
    uint32_t runs;
    uint32_t runs_left;
    uint8_t has_results; /* of the sample, in the arena */
} sv_benchmark;

void sv_benchmark_init(sv_benchmark *benchmark, sv_calls *calls, sv_write write);

/* What a runner waits for after a reset. */
void sv_benchmark_greet(const sv_benchmark *benchmark);
void sv_benchmark_receive(sv_benchmark *benchmark, char letter);

/* Do a piece of what was asked, and follow the clock; 0: there is nothing to do. */
int sv_benchmark_work(sv_benchmark *benchmark);

/* Forget the command that was coming in, and the one that is being done. */
void sv_benchmark_stop(sv_benchmark *benchmark);

#endif
