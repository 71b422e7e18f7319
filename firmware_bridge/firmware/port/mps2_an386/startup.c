/* Vectors and what happens before `main`. */
#include "port/mps2_an386/board.h"

extern uint32_t data_source, data_start, data_end, bss_start, bss_end;
extern int main(void);

__attribute__((noreturn)) void reset_handler(void) {
    const uint32_t *source = &data_source;
    for (uint32_t *target = &data_start; target != &data_end; target++) {
        *target = *source++;
    }
    for (uint32_t *target = &bss_start; target != &bss_end; target++) {
        *target = 0;
    }
    BOARD_CPACR |= 0xFu << 20; /* the FPU */
    __asm volatile("dsb\n\tisb");
    board_paint_stack();
    main();
    for (;;) {
    }
}

/* Hand the stacked registers to `board_crashed`, whatever state the rest is in. */
#define CRASH_HANDLER(name, kind)                                                                  \
    __attribute__((naked)) static void name(void) {                                                \
        __asm volatile("tst lr, #4\n\t"                                                            \
                       "ite eq\n\t"                                                                \
                       "mrseq r0, msp\n\t"                                                         \
                       "mrsne r0, psp\n\t"                                                         \
                       "movs r1, %0\n\t"                                                           \
                       "b board_crashed" ::"i"(kind));                                             \
    }

CRASH_HANDLER(hard_fault, PORT_HARD_FAULT)
CRASH_HANDLER(bus_fault, PORT_BUS_FAULT)
CRASH_HANDLER(memory_fault, PORT_MEMORY_FAULT)
CRASH_HANDLER(usage_fault, PORT_USAGE_FAULT)
CRASH_HANDLER(watchdog_barked, PORT_HANG)

static void unexpected(void) { __asm volatile("udf #1"); }

typedef void (*vector)(void);

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    vector system[15];
    vector interrupts[16];
} vectors = {
    &stack_end,
    {
        reset_handler,
        unexpected, /* NMI */
        hard_fault,
        memory_fault,
        bus_fault,
        usage_fault,
        0,
        0,
        0,
        0,
        unexpected, /* SVC */
        unexpected,
        0,
        unexpected, /* PendSV */
        board_ticked,
    },
    {
        board_uart_received,
        board_uart_sent,
        unexpected,
        unexpected,
        unexpected,
        unexpected,
        unexpected,
        unexpected,
        unexpected, /* timer 0 */
        watchdog_barked, /* timer 1 */
        unexpected,
        unexpected,
        unexpected,
        unexpected,
        unexpected,
        unexpected,
    },
};
