#include "firmware.h"

#include <string.h>

#include "calls/calls.h"
#include "calls/replies.h"
#include "selvedge_engine_hash.h"
#include "text/benchmark.h"

enum { TEXT_AGAIN_MS = 2000, READ_BYTES = 512 };

static sv_link the_link;
static sv_plan_store store;
static sv_runner runner;
static sv_calls calls;
static sv_benchmark benchmark;
static uint8_t is_binary;
static uint32_t frames;   /* that came before this round */
static uint32_t frame_ms; /* when the last one came */

static void write(void *context, const uint8_t *bytes, size_t count) {
    (void)context;
    port_write(bytes, count);
}

static void opened(void *context) { sv_calls_opened(context); }

static void closed(void *context, sv_reason reason) {
    (void)reason;
    sv_calls_opened(context);
}

static void fragment(void *context, const sv_fragment *part) { sv_calls_fragment(context, part); }

void sv_firmware_start(const port_about *port) {
    static const uint8_t engine[8] = SV_ENGINE_HASH;
    const sv_link_user user = {&calls, write, opened, closed, fragment};
    is_binary = 0;
    frames = 0;
    sv_store_init(&store, port->store, port->store_bytes, port->arena_bytes);
    sv_runner_init(&runner, port->arena, port_ticks);
    sv_link_init(&the_link, &user, port->boot_nonce);
    sv_calls_init(&calls, port, &the_link, &store, &runner);
    sv_benchmark_init(&benchmark, &calls, port_write);
    sv_about *about = &the_link.about;
    about->arena_bytes = port->arena_bytes;
    about->store_bytes = port->store_bytes;
    about->clock_hz = port->tick_hz;
    about->target = sv_kernel_target;
    about->has_fault = port->fault.kind != PORT_NO_FAULT;
    memcpy(about->engine, engine, sizeof engine);
    for (uint32_t i = 0; i < SV_BOARD_NAME && port->board[i] != 0; i++) {
        about->board[i] = (uint8_t)port->board[i];
    }
    sv_benchmark_greet(&benchmark);
    sv_link_start(&the_link, port_now_ms());
}

/* Take text, up to a zero, which begins binary; returns how many bytes were taken. */
static size_t take_text(const uint8_t *bytes, size_t count, uint32_t now_ms) {
    for (size_t at = 0; at < count; at++) {
        if (bytes[at] == 0) {
            is_binary = 1;
            frame_ms = now_ms;
            sv_benchmark_stop(&benchmark);
            return at + 1;
        }
        sv_benchmark_receive(&benchmark, (char)bytes[at]);
    }
    return count;
}

int sv_firmware_round(void) {
    uint8_t bytes[READ_BYTES];
    const size_t count = port_read(bytes, sizeof bytes);
    const uint32_t now_ms = port_now_ms();
    if (now_ms - frame_ms >= TEXT_AGAIN_MS) {
        is_binary = 0;
    }
    const size_t text = is_binary ? 0 : take_text(bytes, count, now_ms);
    sv_link_receive(&the_link, bytes + text, count - text, now_ms);
    const int is_working = sv_calls_work(&calls) + sv_benchmark_work(&benchmark);
    if (count < sizeof bytes) {
        sv_link_poll(&the_link, now_ms);
    }
    if (the_link.frames_in != frames) {
        frames = the_link.frames_in;
        frame_ms = now_ms;
    }
    if (calls.restart && the_link.sender.count == 0 && the_link.sender.reply_count == 0) {
        port_restart();
    }
    return count > 0 || is_working;
}
