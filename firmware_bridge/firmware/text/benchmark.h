/* The text protocol of the MLPerf Tiny benchmark: commands ended by '%', replies by "m-ready". */
#ifndef SELVEDGE_BENCHMARK_H
#define SELVEDGE_BENCHMARK_H

#include "port/port.h"
#include "runner/runner.h"
#include "text/lines.h"

enum { SV_COMMAND_MAX = 80, SV_SAMPLE_MAX = 32768 };

typedef struct sv_benchmark {
    const port_about *port;
    const sv_plan_store *store;
    sv_runner *runner;
    sv_write write;
    char command[SV_COMMAND_MAX + 1];
    uint32_t command_count;
    uint32_t sample_bytes; /* announced by "db load" */
    uint32_t sample_count; /* arrived */
    uint8_t sample[SV_SAMPLE_MAX];
} sv_benchmark;

void sv_benchmark_init(sv_benchmark *benchmark, const port_about *port,
                       const sv_plan_store *store, sv_runner *runner, sv_write write);

/* What a runner waits for after a reset. */
void sv_benchmark_greet(const sv_benchmark *benchmark);
void sv_benchmark_receive(sv_benchmark *benchmark, char letter);

#endif
