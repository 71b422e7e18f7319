/* A board for tests: a library, whose clock and serial line are the caller's. */
#include "port/port.h"

#include <string.h>

#include "firmware.h"

enum { ARENA_BYTES = 192 * 1024, STORE_BYTES = 1024 * 1024, LINE_BYTES = 1 << 20, ROUNDS = 100000 };

static uint8_t arena[ARENA_BYTES] __attribute__((aligned(16)));
static uint8_t store[STORE_BYTES] __attribute__((aligned(16)));
static uint8_t incoming[LINE_BYTES];
static uint8_t outgoing[LINE_BYTES];
static size_t incoming_first;
static size_t incoming_count;
static size_t outgoing_count;
static uint32_t clock_ms;
static uint32_t lost;
static uint32_t restarts;
static port_about about;

/* What a test calls. */
void virtual_start(uint32_t boot_nonce, uint32_t now_ms);
size_t virtual_exchange(const uint8_t *bytes, size_t count, uint32_t now_ms, uint8_t *said,
                        size_t room);
uint32_t virtual_restarts(void);

void virtual_start(uint32_t boot_nonce, uint32_t now_ms) {
    incoming_first = incoming_count = outgoing_count = 0;
    lost = restarts = 0;
    clock_ms = now_ms;
    about = (port_about){
        .board = "virtual",
        .name = "selvedge-virtual",
        .tick_hz = 1000000,
        .arena = arena,
        .arena_bytes = ARENA_BYTES,
        .store = store,
        .store_bytes = STORE_BYTES,
        .boot_nonce = boot_nonce,
    };
    sv_firmware_start(&about);
}

/* Bytes that come at a time, and what is said until there is nothing left to do. */
size_t virtual_exchange(const uint8_t *bytes, size_t count, uint32_t now_ms, uint8_t *said,
                        size_t room) {
    clock_ms = now_ms;
    if (incoming_first == incoming_count) {
        incoming_first = incoming_count = 0;
    }
    if (count > LINE_BYTES - incoming_count) {
        lost += (uint32_t)count;
        count = 0;
    }
    memcpy(incoming + incoming_count, bytes, count);
    incoming_count += count;
    for (uint32_t round = 0; sv_firmware_round() && round < ROUNDS; round++) {
    }
    const size_t taken = outgoing_count < room ? outgoing_count : room;
    memcpy(said, outgoing, taken);
    memmove(outgoing, outgoing + taken, outgoing_count - taken);
    outgoing_count -= taken;
    return taken;
}

uint32_t virtual_restarts(void) { return restarts; }

const port_about *port_init(void) { return &about; }
uint32_t port_now_ms(void) { return clock_ms; }
uint32_t port_ticks(void) { return clock_ms * 1000u; }

size_t port_read(uint8_t *bytes, size_t room) {
    const size_t left = incoming_count - incoming_first;
    const size_t taken = left < room ? left : room;
    memcpy(bytes, incoming + incoming_first, taken);
    incoming_first += taken;
    return taken;
}

void port_write(const uint8_t *bytes, size_t count) {
    if (count > LINE_BYTES - outgoing_count) {
        lost += (uint32_t)count;
        return;
    }
    memcpy(outgoing + outgoing_count, bytes, count);
    outgoing_count += count;
}

void port_hold_interrupts(void) {}
void port_release_interrupts(void) {}
void port_flush(void) {}
void port_idle(void) {}
void port_kick_watchdog(void) {}
uint32_t port_bytes_lost(void) { return lost; }
uint32_t port_stack_bytes(void) { return 8192; }
uint32_t port_stack_high_water_bytes(void) { return 1234; }
void port_restart(void) { restarts++; }
void port_crash(uint8_t kind) { (void)kind; }
