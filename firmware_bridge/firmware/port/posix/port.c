/* The firmware as a process: stdin and stdout are its serial port. For tests and sanitizers. */
#define _POSIX_C_SOURCE 200809L

#include "port/port.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { ARENA_BYTES = 192 * 1024, STORE_BYTES = 1024 * 1024, IDLE_MS = 5 };

static uint8_t arena[ARENA_BYTES] __attribute__((aligned(16)));
static uint8_t store[STORE_BYTES] __attribute__((aligned(16)));

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

const port_about *port_init(void) {
    static port_about about = {
        .board = "posix",
        .name = "selvedge-posix",
        .tick_hz = 1000000,
        .arena = arena,
        .arena_bytes = ARENA_BYTES,
        .store = store,
        .store_bytes = STORE_BYTES,
    };
    const char *nonce = getenv("SELVEDGE_BOOT_NONCE");
    about.boot_nonce = nonce != NULL ? (uint32_t)strtoul(nonce, NULL, 0) : (uint32_t)now_us();
    return &about;
}

uint32_t port_now_ms(void) { return (uint32_t)(now_us() / 1000u); }

uint32_t port_ticks(void) { return (uint32_t)now_us(); }

static int is_ready(short what, int descriptor, int wait_ms) {
    struct pollfd wanted = {descriptor, what, 0};
    return poll(&wanted, 1, wait_ms) > 0;
}

size_t port_read(uint8_t *bytes, size_t room) {
    if (!is_ready(POLLIN, STDIN_FILENO, 0)) {
        return 0;
    }
    const ssize_t count = read(STDIN_FILENO, bytes, room);
    if (count == 0) {
        exit(0); /* the cable is out */
    }
    return count > 0 ? (size_t)count : 0;
}

void port_write(const uint8_t *bytes, size_t count) {
    while (count > 0) {
        const ssize_t written = write(STDOUT_FILENO, bytes, count);
        if (written > 0) {
            bytes += written;
            count -= (size_t)written;
        } else if (errno != EINTR && errno != EAGAIN) {
            exit(0);
        }
    }
}

void port_flush(void) {}
void port_hold_interrupts(void) {}
void port_release_interrupts(void) {}

void port_idle(void) { is_ready(POLLIN, STDIN_FILENO, IDLE_MS); }

void port_kick_watchdog(void) {}
uint32_t port_bytes_lost(void) { return 0; }
uint32_t port_stack_bytes(void) { return 0; }
uint32_t port_stack_high_water_bytes(void) { return 0; }
void port_restart(void) { exit(0); }

void port_crash(uint8_t kind) {
    if (kind == 3) {
        for (;;) {
            port_idle();
        }
    }
    abort();
}
