/* UART 0 of the CMSDK: a ring each way, moved by interrupts. */
#include "port/mps2_an386/board.h"

#define UART_DATA BOARD_REGISTER(0x40004000u)
#define UART_STATE BOARD_REGISTER(0x40004004u)
#define UART_CTRL BOARD_REGISTER(0x40004008u)
#define UART_INT BOARD_REGISTER(0x4000400Cu)
#define UART_BAUDDIV BOARD_REGISTER(0x40004010u)

enum { TX_FULL = 1, RX_FULL = 2, RX_OVERRUN = 8 };
enum { TX_ENABLE = 1, RX_ENABLE = 2, TX_INTERRUPT = 4, RX_INTERRUPT = 8 };
enum { INT_TX = 1, INT_RX = 2 };
enum { RING_BYTES = 8192, BAUD = 921600 }; /* a window of the longest frames, twice over */

typedef struct ring {
    volatile uint32_t in;
    volatile uint32_t out;
    uint8_t bytes[RING_BYTES];
} ring;

static ring received;
static ring to_send;
static volatile uint32_t lost;

void board_uart_init(void) {
    UART_BAUDDIV = BOARD_HZ / BAUD;
    UART_CTRL = TX_ENABLE | RX_ENABLE | TX_INTERRUPT | RX_INTERRUPT;
    BOARD_ISER = 1u << BOARD_IRQ_UART_RX | 1u << BOARD_IRQ_UART_TX;
}

void board_uart_received(void) {
    UART_INT = INT_RX;
    while ((UART_STATE & RX_FULL) != 0) {
        const uint8_t byte = (uint8_t)UART_DATA;
        if (received.in - received.out < RING_BYTES) {
            received.bytes[received.in % RING_BYTES] = byte;
            received.in++;
        } else {
            lost++;
        }
    }
    if ((UART_STATE & RX_OVERRUN) != 0) {
        UART_STATE = RX_OVERRUN;
        lost++;
    }
}

static void send(void) {
    while (to_send.in != to_send.out && (UART_STATE & TX_FULL) == 0) {
        UART_DATA = to_send.bytes[to_send.out % RING_BYTES];
        to_send.out++;
    }
}

void board_uart_sent(void) {
    UART_INT = INT_TX;
    send();
}

static void start_sending(void) {
    __asm volatile("cpsid i");
    send();
    __asm volatile("cpsie i" ::: "memory");
}

size_t port_read(uint8_t *bytes, size_t room) {
    size_t count = 0;
    while (count < room && received.out != received.in) {
        bytes[count++] = received.bytes[received.out % RING_BYTES];
        received.out++;
    }
    return count;
}

void port_write(const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        while (to_send.in - to_send.out == RING_BYTES) {
            start_sending();
        }
        to_send.bytes[to_send.in % RING_BYTES] = bytes[i];
        to_send.in++;
    }
    start_sending();
}

void port_flush(void) {
    while (to_send.in != to_send.out) {
        start_sending();
    }
}

uint32_t port_bytes_lost(void) { return lost; }
