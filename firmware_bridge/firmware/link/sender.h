/* The sending half of a session: cuts replies into frames, and repeats what gets lost. */
#ifndef SELVEDGE_SENDER_H
#define SELVEDGE_SENDER_H

#include "link/frame.h"

enum { SV_WINDOW_MAX = 8, SV_REPLIES_MAX = 8, SV_REPLY_HEAD = 256, SV_REPLY_SPANS = 4 };

typedef struct sv_span {
    const uint8_t *bytes;
    uint32_t count;
} sv_span;

/* A message: bytes that are kept here, then spans that must stay as they are until it is cut. */
typedef struct sv_reply {
    uint16_t method;
    uint16_t head_count;
    uint8_t head[SV_REPLY_HEAD];
    uint32_t span_count;
    sv_span spans[SV_REPLY_SPANS];
} sv_reply;

typedef struct sv_sent {
    sv_frame frame;
    uint8_t payload[SV_PAYLOAD_MAX];
    uint32_t sent_ms;
    uint8_t is_repeated;
} sv_sent;

typedef struct sv_sender {
    uint32_t window;
    uint32_t payload_bytes;
    uint32_t fragment_bytes;
    uint32_t since_loss;
    uint32_t expiries;
    uint32_t repeated;
    uint32_t expires_ms;
    uint8_t is_timed;
    uint8_t seq;
    /* the round trip: RFC 6298 in integers */
    uint32_t base_ms;
    uint32_t doublings;
    uint32_t smoothed_8;
    uint32_t variation_4;
    /* the unacknowledged frames, oldest first, from `first` in a ring */
    sv_sent sent[SV_WINDOW_MAX];
    uint32_t first;
    uint32_t count;
    uint32_t unsent; /* how many of them, counted from the last, must be sent again */
    /* replies that wait to be cut, from `reply_first` in a ring, and how much of the first is cut */
    sv_reply replies[SV_REPLIES_MAX];
    uint32_t reply_first;
    uint32_t reply_count;
    uint32_t cut;
} sv_sender;

void sv_sender_open(sv_sender *sender, uint32_t window, uint32_t payload_bytes);

/* Room for one more reply, to be filled and then kept by `sv_sender_keep`; null if there is none. */
sv_reply *sv_sender_reply(sv_sender *sender);
void sv_sender_keep(sv_sender *sender);

/* The next frame to send now, or null. Its `ack` is the caller's to fill in. */
const sv_frame *sv_sender_due(sv_sender *sender, uint32_t now_ms);

void sv_sender_acknowledge(sv_sender *sender, uint8_t ack, uint32_t now_ms);
void sv_sender_go_back(sv_sender *sender);

/* Go back if the time is up; 0: it was up too often. */
int sv_sender_expire(sv_sender *sender, uint32_t now_ms);

#endif
