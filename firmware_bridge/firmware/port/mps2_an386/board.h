/* Registers of the board, and what its files know of each other. */
#ifndef SELVEDGE_MPS2_AN386_H
#define SELVEDGE_MPS2_AN386_H

#include "port/port.h"

#define BOARD_REGISTER(address) (*(volatile uint32_t *)(address))

#define BOARD_CPACR BOARD_REGISTER(0xE000ED88u)
#define BOARD_AIRCR BOARD_REGISTER(0xE000ED0Cu)
#define BOARD_SHCSR BOARD_REGISTER(0xE000ED24u)
#define BOARD_CCR BOARD_REGISTER(0xE000ED14u)
#define BOARD_CFSR BOARD_REGISTER(0xE000ED28u)
#define BOARD_ISER BOARD_REGISTER(0xE000E100u)

enum { BOARD_IRQ_UART_RX = 0, BOARD_IRQ_UART_TX = 1, BOARD_IRQ_TIMER1 = 9 };
enum { BOARD_HZ = 25000000 };

extern uint32_t stack_start, stack_end, code_end, data_start, data_end;

void board_paint_stack(void);
void board_uart_init(void);
void board_uart_received(void);
void board_uart_sent(void);
void board_ticked(void);
__attribute__((noreturn)) void board_crashed(const uint32_t *stacked, uint32_t kind);

#endif
