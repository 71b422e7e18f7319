/* Time, watchdog, crashes and memory of the board. */
#include "port/mps2_an386/board.h"

#define TIMER0_CTRL BOARD_REGISTER(0x40000000u)
#define TIMER0_VALUE BOARD_REGISTER(0x40000004u)
#define TIMER0_RELOAD BOARD_REGISTER(0x40000008u)
#define TIMER1_CTRL BOARD_REGISTER(0x40001000u)
#define TIMER1_VALUE BOARD_REGISTER(0x40001004u)
#define TIMER1_RELOAD BOARD_REGISTER(0x40001008u)
#define SYSTICK_CTRL BOARD_REGISTER(0xE000E010u)
#define SYSTICK_RELOAD BOARD_REGISTER(0xE000E014u)
#define SYSTICK_VALUE BOARD_REGISTER(0xE000E018u)

/* An emulator that counts instructions lets time run faster than the host's. */
#ifndef BOARD_MS_TICKS
#define BOARD_MS_TICKS (BOARD_HZ / 1000)
#define WATCHDOG_TICKS (4 * BOARD_HZ)
#else
#define WATCHDOG_TICKS 0xFFFFFFFFu
#endif

enum { TIMER_ON = 1, TIMER_INTERRUPT = 8, SYSTICK_ON = 7 };
enum { ARENA_BYTES = 192 * 1024, STORE_BYTES = 1024 * 1024 };
enum { LEFT_BEHIND = 0x5E1FFA17 };
enum { RESTART_WORD = 0x05FA0004, FAULTS_ON = 7 << 16, TRAP_DIVISION = 1 << 4 };

static uint8_t arena[ARENA_BYTES] __attribute__((aligned(16)));
static uint8_t store[STORE_BYTES] __attribute__((aligned(16), section(".psram")));

/* Survives a reset; garbage after power came, and believed only with its mark. */
static struct {
    uint32_t mark;
    uint32_t starts;
    uint32_t was_asked;
    port_fault fault;
} left_behind __attribute__((section(".noinit")));

static uint32_t *const stack_words = &stack_start;

void board_paint_stack(void) {
    uint32_t *here;
    __asm volatile("mov %0, sp" : "=r"(here));
    for (uint32_t *word = stack_words; word < here - 16; word++) {
        *word = 0xA5A5A5A5u;
    }
}

uint32_t port_stack_bytes(void) {
    return (uint32_t)((uintptr_t)&stack_end - (uintptr_t)&stack_start);
}

uint32_t port_stack_high_water_bytes(void) {
    const uint32_t *word = stack_words;
    while (word < &stack_end && *word == 0xA5A5A5A5u) {
        word++;
    }
    return (uint32_t)((uintptr_t)&stack_end - (uintptr_t)word);
}

uint32_t port_ticks(void) { return 0xFFFFFFFFu - TIMER0_VALUE; }

uint32_t port_now_ms(void) {
    static uint32_t before;
    static uint64_t ticks;
    const uint32_t now = port_ticks();
    ticks += now - before;
    before = now;
    return (uint32_t)(ticks / BOARD_MS_TICKS);
}

void port_kick_watchdog(void) { TIMER1_VALUE = WATCHDOG_TICKS; }

__attribute__((noreturn)) static void reset(void) {
    __asm volatile("dsb");
    BOARD_AIRCR = RESTART_WORD;
    for (;;) {
    }
}

void port_restart(void) {
    port_flush();
    left_behind.was_asked = 1;
    reset();
}

void board_crashed(const uint32_t *stacked, uint32_t kind) {
    left_behind.mark = LEFT_BEHIND;
    left_behind.fault.kind = kind;
    left_behind.fault.lr = stacked[5];
    left_behind.fault.pc = stacked[6];
    left_behind.fault.status = BOARD_CFSR;
    reset();
}

static port_reset_cause cause(void) {
    if (left_behind.fault.kind == PORT_HANG) {
        return PORT_WATCHDOG;
    }
    if (left_behind.fault.kind != PORT_NO_FAULT) {
        return PORT_FAULT;
    }
    return left_behind.was_asked ? PORT_RESTARTED : PORT_POWER_ON;
}

/* Anything that differs between two starts. */
static uint32_t nonce(void) {
    uint32_t mixed = left_behind.starts * 2654435761u ^ port_ticks();
    mixed ^= mixed >> 15;
    mixed *= 2246822519u;
    return mixed ^ mixed >> 13;
}

const port_about *port_init(void) {
    static port_about about = {
        .board = "mps2-an386",
        .name = "selvedge-mps2-an386",
        .tick_hz = BOARD_HZ,
        .arena = arena,
        .arena_bytes = ARENA_BYTES,
        .store = store,
        .store_bytes = STORE_BYTES,
    };
    if (left_behind.mark != LEFT_BEHIND) {
        left_behind.mark = LEFT_BEHIND;
        left_behind.starts = 0;
        left_behind.was_asked = 0;
        left_behind.fault = (port_fault){0};
    }
    about.reset_cause = cause();
    about.fault = left_behind.fault;
    about.code_bytes = (uint32_t)(uintptr_t)&code_end;
    left_behind.fault = (port_fault){0};
    left_behind.was_asked = 0;
    left_behind.starts++;
    TIMER0_RELOAD = 0xFFFFFFFFu;
    TIMER0_VALUE = 0xFFFFFFFFu;
    TIMER0_CTRL = TIMER_ON;
    TIMER1_RELOAD = WATCHDOG_TICKS;
    port_kick_watchdog();
    TIMER1_CTRL = TIMER_ON | TIMER_INTERRUPT;
    BOARD_ISER = 1u << BOARD_IRQ_TIMER1;
    BOARD_SHCSR |= FAULTS_ON;
    BOARD_CCR |= TRAP_DIVISION;
    SYSTICK_RELOAD = BOARD_HZ / 1000;
    about.boot_nonce = nonce();
    board_uart_init();
    return &about;
}

void port_hold_interrupts(void) {
    TIMER1_CTRL = 0; /* the watchdog sleeps as well */
    __asm volatile("cpsid i" ::: "memory");
}

void port_release_interrupts(void) {
    __asm volatile("cpsie i" ::: "memory");
    port_kick_watchdog();
    TIMER1_CTRL = TIMER_ON | TIMER_INTERRUPT;
}

void port_idle(void) { /* a byte ends the sleep, or the next millisecond */
    SYSTICK_VALUE = 0;
    SYSTICK_CTRL = SYSTICK_ON;
    __asm volatile("wfi");
    SYSTICK_CTRL = 0;
}

void board_ticked(void) {}

void port_crash(uint8_t kind) {
    if (kind == 1) {
        __asm volatile("udf #0");
    } else if (kind == 2) {
        BOARD_REGISTER(0xF0000000u) = 1;
    } else {
        for (;;) {
        }
    }
}
