#include "text/benchmark.h"

#include <string.h>

static void say(const sv_benchmark *b, const char *text) { sv_say(b->write, text); }

static void line(const sv_benchmark *b, const char *text) {
    say(b, text);
    sv_end_line(b->write);
}

static void numbered(const sv_benchmark *b, const char *text, uint32_t number, const char *rest) {
    say(b, text);
    sv_say_number(b->write, number);
    line(b, rest);
}

void sv_benchmark_init(sv_benchmark *benchmark, const port_about *port,
                       const sv_plan_store *store, sv_runner *runner, sv_write write) {
    memset(benchmark, 0, sizeof *benchmark);
    benchmark->port = port;
    benchmark->store = store;
    benchmark->runner = runner;
    benchmark->write = write;
}

void sv_benchmark_greet(const sv_benchmark *benchmark) {
    line(benchmark, "m-init-done");
    line(benchmark, "m-ready");
}

/* The last plan that was uploaded is the one under test. */
static const sv_plan *plan_under_test(const sv_benchmark *b) {
    const uint32_t count = b->store->kept_count;
    return count == 0 ? NULL : (const sv_plan *)(const void *)b->store->kept[count - 1].bytes;
}

static void lap(const sv_benchmark *b) {
    numbered(b, "m-lap-us-", port_ticks() / (b->port->tick_hz / 1000000u), "");
}

static void announce(sv_benchmark *b, const char *number) {
    uint32_t count;
    if (!sv_read_number(&number, &count) || *number != 0 || count == 0 || count > SV_SAMPLE_MAX) {
        line(b, "e-[Command 'db load' wants a number of bytes from 1 to 32768]");
        return;
    }
    b->sample_bytes = count;
    b->sample_count = 0;
    numbered(b, "m-[Expecting ", count, " bytes]");
}

static void take_hex(sv_benchmark *b, const char *digits) {
    if (b->sample_bytes == 0) {
        line(b, "e-[Data before 'db load']");
        return;
    }
    for (; digits[0] != 0 && b->sample_count < b->sample_bytes; digits += 2) {
        const int high = sv_digit(digits[0]);
        const int low = sv_digit(digits[1]);
        if (high < 0 || low < 0) {
            line(b, "e-[Data must be pairs of hexadecimal digits]");
            return;
        }
        b->sample[b->sample_count++] = (uint8_t)(high << 4 | low);
        if (b->sample_count == b->sample_bytes) {
            line(b, "m-load-done");
        }
    }
}

static void print_sample(const sv_benchmark *b) {
    for (uint32_t i = 0; i < b->sample_count; i++) {
        say(b, i % 8 == 0 ? "m-buffer-" : "-");
        sv_say_hex(b->write, b->sample[i]);
        if (i % 8 == 7 || i + 1 == b->sample_count) {
            sv_end_line(b->write);
        }
    }
}

static void results(const sv_benchmark *b) {
    const sv_plan *plan = b->runner->plan;
    if (plan == NULL || plan != plan_under_test(b) || plan->output_count < 1) {
        line(b, "e-[No results: nothing was run]");
        return;
    }
    const sv_tensor *tensor = sv_plan_tensor(plan, sv_plan_output(plan, 0));
    uint32_t count;
    const uint8_t *bytes = sv_runner_output(b->runner, 0, &count);
    say(b, "m-results-[");
    for (uint32_t i = 0; tensor->dtype == SV_INT8 && i < count; i++) {
        if (i > 0) {
            say(b, ",");
        }
        sv_say_real(b->write, (float)((int8_t)bytes[i] - tensor->zero_point) * tensor->scale);
    }
    line(b, "]");
}

/* One run over the sample; 0: it cannot be. */
static int run_once(const sv_benchmark *b, const sv_plan *plan) {
    sv_runner_load(b->runner, plan);
    if (!sv_runner_write(b->runner, b->sample, b->sample_bytes)) {
        return 0;
    }
    int step;
    do {
        port_kick_watchdog();
        step = sv_runner_step(b->runner);
    } while (step > 0);
    return step == 0;
}

static void infer(const sv_benchmark *b, const char *numbers) {
    const sv_plan *plan = plan_under_test(b);
    uint32_t count = 1;
    uint32_t warmups = 10;
    if (*numbers != 0 && (!sv_read_number(&numbers, &count) ||
                          (*numbers != 0 && !sv_read_number(&numbers, &warmups)) ||
                          *numbers != 0 || count == 0)) {
        line(b, "e-[Command 'infer' wants numbers of runs and of warm-ups]");
        return;
    }
    if (plan == NULL || b->sample_count != sv_runner_input_bytes(plan)) {
        line(b, plan == NULL ? "e-[No model: upload one first]"
                             : "e-[The data loaded are not one input of the model]");
        return;
    }
    int is_sound = 1;
    numbered(b, "m-warmup-start-", warmups, "");
    for (uint32_t i = 0; is_sound && i < warmups; i++) {
        is_sound = run_once(b, plan);
    }
    line(b, "m-warmup-done");
    numbered(b, "m-infer-start-", count, "");
    lap(b);
    for (uint32_t i = 0; is_sound && i < count; i++) {
        is_sound = run_once(b, plan);
    }
    lap(b);
    line(b, is_sound ? "m-infer-done" : "e-[The model failed]");
    results(b);
}

static const struct {
    const char *model;
    uint32_t input_bytes;
    uint32_t output_bytes;
} tasks[] = {{"ad01", 640, 640}, {"kws01", 490, 12}, {"ic01", 3072, 10},
             {"vww01", 27648, 2}, {"strww01", 1200, 3}};

static void profile(const sv_benchmark *b) {
    const sv_plan *plan = plan_under_test(b);
    const char *model = "none";
    for (uint32_t i = 0; plan != NULL && i < sizeof tasks / sizeof tasks[0]; i++) {
        if (tasks[i].input_bytes == sv_runner_input_bytes(plan) &&
            tasks[i].output_bytes == sv_runner_output_bytes(plan)) {
            model = tasks[i].model;
        }
    }
    line(b, "m-profile-[ULPMark for tinyML Firmware V0.0.1]");
    say(b, "m-model-[");
    say(b, model);
    line(b, "]");
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
    if ((rest = after(command, "name")) != NULL) {
        say(b, "m-name-dut-[");
        say(b, b->port->name);
        line(b, "]");
    } else if ((rest = after(command, "profile")) != NULL) {
        profile(b);
    } else if ((rest = after(command, "timestamp")) != NULL) {
        lap(b);
    } else if ((rest = after(command, "db load")) != NULL) {
        announce(b, rest);
    } else if ((rest = after(command, "db print")) != NULL) {
        print_sample(b);
    } else if ((rest = after(command, "db")) != NULL) {
        take_hex(b, rest);
    } else if ((rest = after(command, "infer")) != NULL) {
        infer(b, rest);
    } else if ((rest = after(command, "results")) != NULL) {
        results(b);
    } else if ((rest = after(command, "help")) != NULL) {
        line(b, "m-[name, profile, timestamp, db load N, db HEX, db print, infer N W, results]");
    } else {
        say(b, "e-[Unknown command: ");
        say(b, command);
        line(b, "]");
    }
    line(b, "m-ready");
}

void sv_benchmark_receive(sv_benchmark *benchmark, char letter) {
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
