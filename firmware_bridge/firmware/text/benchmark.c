#include "text/benchmark.h"

#include <string.h>

#include "text/task.h"

enum { DEFAULT_RUNS = 1, DEFAULT_WARMUPS = 10, MICROSECONDS = 1000000 };

static void say(const sv_benchmark *b, const char *text) { sv_say(b->write, text); }

static void line(const sv_benchmark *b, const char *text) { sv_say_line(b->write, text); }

static void numbered(const sv_benchmark *b, const char *text, uint64_t number) {
    say(b, text);
    sv_say_number(b->write, number);
    line(b, "");
}

static void bracketed(const sv_benchmark *b, const char *text, const char *word) {
    say(b, text);
    say(b, word);
    line(b, "]");
}

void sv_benchmark_init(sv_benchmark *benchmark, sv_calls *calls, sv_write write) {
    memset(benchmark, 0, sizeof *benchmark);
    benchmark->calls = calls;
    benchmark->write = write;
    benchmark->ticks_before = port_ticks();
}

void sv_benchmark_greet(const sv_benchmark *benchmark) {
    line(benchmark, "m-init-done");
    line(benchmark, "m-ready");
}

/* The plan that was committed last is the one under test. */
static const sv_plan *plan_under_test(const sv_benchmark *b) {
    const sv_kept_plan *kept = sv_store_latest(b->calls->store);
    return kept == NULL ? NULL : (const sv_plan *)(const void *)kept->bytes;
}

static void follow_clock(sv_benchmark *b) {
    const uint32_t now = port_ticks();
    b->ticks += now - b->ticks_before;
    b->ticks_before = now;
}

static void lap(sv_benchmark *b) {
    follow_clock(b);
    numbered(b, "m-lap-us-", b->ticks / (b->calls->port->tick_hz / MICROSECONDS));
}

static void results(const sv_benchmark *b) {
    const sv_plan *plan = plan_under_test(b);
    const sv_runner *runner = b->calls->runner;
    if (!b->has_results || plan == NULL || runner->plan != plan ||
        runner->next < plan->operator_count) {
        line(b, "e-[No results: nothing was run]");
        return;
    }
    say(b, "m-results-[");
    sv_task_say(runner, b->sample.bytes, b->sample.count, b->write);
    line(b, "]");
}

static void load(sv_benchmark *b) {
    sv_runner_load(b->calls->runner, b->plan);
    sv_task_write(b->calls->runner, b->sample.bytes, b->sample.count);
}

static void start_runs(sv_benchmark *b) {
    line(b, "m-warmup-done");
    numbered(b, "m-infer-start-", b->runs);
    lap(b);
    b->runs_left = b->runs;
}

static void infer(sv_benchmark *b, const char *numbers) {
    uint32_t runs = DEFAULT_RUNS;
    uint32_t warmups = DEFAULT_WARMUPS;
    const sv_plan *plan = plan_under_test(b);
    if (*numbers != 0 && (!sv_read_number(&numbers, &runs) ||
                          (*numbers != 0 && !sv_read_number(&numbers, &warmups)) ||
                          *numbers != 0 || runs == 0 || runs > SV_RUNS_MAX ||
                          warmups > SV_RUNS_MAX)) {
        line(b, "e-[Command 'infer' wants numbers of runs and of warm-ups up to 1000000]");
    } else if (plan == NULL) {
        line(b, "e-[No model: upload one first]");
    } else if (!sv_sample_is_whole(&b->sample) || !sv_task_takes(plan, b->sample.count)) {
        line(b, "e-[The data loaded are not one input of the model]");
    } else if (!sv_calls_take_arena(b->calls)) {
        line(b, "e-[Busy with a call of the host]");
    } else {
        b->plan = plan;
        b->has_results = 0;
        b->runs = runs;
        b->runs_left = 0;
        b->warmups_left = warmups;
        numbered(b, "m-warmup-start-", warmups);
        if (warmups == 0) {
            start_runs(b);
        }
        load(b);
    }
}

static void finish(sv_benchmark *b, int is_sound) {
    b->plan = NULL;
    b->has_results = (uint8_t)is_sound;
    lap(b);
    if (is_sound) {
        line(b, "m-infer-done");
        results(b);
    } else {
        line(b, "e-[The model failed]");
    }
    line(b, "m-ready");
}

int sv_benchmark_work(sv_benchmark *b) {
    follow_clock(b);
    if (b->plan == NULL) {
        return 0;
    }
    const int step = sv_runner_step(b->calls->runner);
    if (step > 0) {
        return 1;
    }
    if (step < 0) {
        finish(b, 0);
    } else if (b->runs_left == 0) { /* that was a warm-up */
        if (--b->warmups_left == 0) {
            start_runs(b);
        }
        load(b);
    } else if (--b->runs_left == 0) {
        finish(b, 1);
    } else {
        load(b);
    }
    return b->plan != NULL;
}

void sv_benchmark_stop(sv_benchmark *benchmark) {
    benchmark->plan = NULL;
    benchmark->command_count = 0;
}

static void profile(const sv_benchmark *b) {
    const sv_plan *plan = plan_under_test(b);
    line(b, "m-profile-[ULPMark for tinyML Firmware V0.0.1]");
    bracketed(b, "m-model-[", plan == NULL ? "none" : sv_task_name(plan));
}

/* What follows `word` and a space in `command`; null if it is another command. */
static const char *after(const char *command, const char *word) {
    while (*word != 0 && *command == *word) {
        command++;
        word++;
    }
    if (*word != 0 || (*command != 0 && *command != ' ')) {
        return NULL;
    }
    while (*command == ' ') {
        command++;
    }
    return command;
}

static void execute(sv_benchmark *b) {
    const char *command = b->command;
    const char *rest;
    if (after(command, "name") != NULL) {
        bracketed(b, "m-name-dut-[", b->calls->port->name);
    } else if (after(command, "profile") != NULL) {
        profile(b);
    } else if (after(command, "timestamp") != NULL) {
        lap(b);
    } else if ((rest = after(command, "db load")) != NULL) {
        b->has_results = 0;
        sv_sample_announce(&b->sample, rest, b->write);
    } else if (after(command, "db print") != NULL) {
        sv_sample_print(&b->sample, b->write);
    } else if ((rest = after(command, "db")) != NULL) {
        sv_sample_take(&b->sample, rest, b->write);
    } else if ((rest = after(command, "infer")) != NULL) {
        infer(b, rest);
    } else if (after(command, "results") != NULL) {
        results(b);
    } else if (after(command, "help") != NULL) {
        line(b, "m-[name, profile, timestamp, db load N, db HEX, db print, infer N W, results]");
    } else {
        bracketed(b, "e-[Unknown command: ", command);
    }
    if (b->plan == NULL) {
        line(b, "m-ready");
    }
}

void sv_benchmark_receive(sv_benchmark *benchmark, char letter) {
    if (benchmark->plan != NULL) {
        return;
    }
    if (letter == '%') {
        benchmark->command[benchmark->command_count] = 0;
        if (benchmark->command_count == SV_COMMAND_MAX) {
            line(benchmark, "e-[Command longer than 79 characters]");
            line(benchmark, "m-ready");
        } else {
            execute(benchmark);
        }
        benchmark->command_count = 0;
    } else if (letter >= ' ' && letter <= '~' && benchmark->command_count < SV_COMMAND_MAX) {
        benchmark->command[benchmark->command_count++] = letter;
    }
}
