/* One frame between two delimiters; docs/reference/wire.md is the specification. */
#ifndef SELVEDGE_FRAME_H
#define SELVEDGE_FRAME_H

#include "link/cobs.h"

enum {
    SV_LINK_VERSION = 1,
    SV_PAYLOAD_MIN = 32,
    SV_PAYLOAD_MAX = 360,
    SV_FRAME_HEADER = 8,
    SV_FRAME_OVERHEAD = 12,
    SV_FRAME_BYTES = SV_PAYLOAD_MAX + SV_FRAME_OVERHEAD,
    SV_STUFFED_BYTES = SV_FRAME_BYTES + 2,
    SV_WIRE_BYTES = SV_STUFFED_BYTES + 2
};

enum { SV_FLAG_LAST = 1, SV_FLAG_REPLY = 2 };

typedef enum sv_frame_type {
    SV_HELLO = 1,
    SV_WELCOME = 2,
    SV_DATA = 3,
    SV_ACK = 4,
    SV_NAK = 5,
    SV_RESET = 6
} sv_frame_type;

/* What is wrong with bytes between two delimiters; firmware_bridge/link/frame.py numbers alike. */
typedef enum sv_verdict {
    SV_IS_FRAME = 0,
    SV_TOO_LONG = 1,
    SV_BAD_STUFFING = 2,
    SV_TOO_SHORT = 3,
    SV_BAD_CRC = 4,
    SV_BAD_VERSION = 5,
    SV_BAD_TYPE = 6,
    SV_BAD_FRAME_HEADER = 7
} sv_verdict;

typedef struct sv_frame {
    uint8_t type;
    uint8_t flags;
    uint8_t seq;
    uint8_t ack;
    uint16_t method;
    uint16_t length;
    const uint8_t *payload;
} sv_frame;

/* Write a frame with its delimiters to `wire`, which has room for SV_WIRE_BYTES; returns the count. */
size_t sv_frame_encode(const sv_frame *frame, uint32_t session, uint8_t *wire);

/* Read what stood between two delimiters, in place; the payload points into it. */
sv_verdict sv_frame_decode(uint8_t *stuffed, size_t count, uint32_t session, sv_frame *frame);

#endif
