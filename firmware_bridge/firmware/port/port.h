/* All that the firmware asks of a board. */
#ifndef SELVEDGE_FIRMWARE_PORT_H
#define SELVEDGE_FIRMWARE_PORT_H

#include <stddef.h>
#include <stdint.h>

typedef enum port_reset_cause {
    PORT_POWER_ON = 0,
    PORT_RESTARTED = 1, /* it was asked to */
    PORT_FAULT = 2,
    PORT_WATCHDOG = 3
} port_reset_cause;

typedef enum port_fault_kind {
    PORT_NO_FAULT = 0,
    PORT_HARD_FAULT = 1,
    PORT_BUS_FAULT = 2,
    PORT_MEMORY_FAULT = 3,
    PORT_USAGE_FAULT = 4,
    PORT_HANG = 5 /* the watchdog barked; pc says where */
} port_fault_kind;

/* What the last crash left behind. */
typedef struct port_fault {
    uint32_t kind;
    uint32_t pc;
    uint32_t lr;
    uint32_t status; /* CFSR */
} port_fault;

typedef struct port_about {
    const char *board; /* at most 16 characters */
    const char *name;  /* for the benchmark's `name` */
    uint32_t tick_hz;
    uint8_t *arena; /* aligned to 16 bytes, as is the store */
    uint32_t arena_bytes;
    uint8_t *store;
    uint32_t store_bytes;
    uint32_t code_bytes; /* text and read-only data */
    uint32_t boot_nonce;
    port_reset_cause reset_cause;
    port_fault fault;
} port_about;

const port_about *port_init(void);

uint32_t port_now_ms(void);
uint32_t port_ticks(void); /* counts up and wraps */

/* Bytes that came; at most `room`, perhaps none. */
size_t port_read(uint8_t *bytes, size_t room);

/* Bytes that come meanwhile are kept. */
void port_write(const uint8_t *bytes, size_t count);

/* Between these two nothing disturbs what is timed; bytes that come meanwhile may be lost. */
void port_hold_interrupts(void);
void port_release_interrupts(void);

/* Wait until all that was written has left. */
void port_flush(void);

/* Sleep until something may have happened, at most some milliseconds. */
void port_idle(void);

void port_kick_watchdog(void);
uint32_t port_bytes_lost(void);
uint32_t port_stack_bytes(void);
uint32_t port_stack_high_water_bytes(void);
void port_restart(void);

/* Crash on purpose, in builds for tests. */
void port_crash(uint8_t kind);

#endif
