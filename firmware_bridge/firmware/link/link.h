/* The device's end of a link; firmware_bridge/link/device.py is its model.
 *
 * No I/O: feed it with `sv_link_receive`, call `sv_link_poll` when no more bytes wait, and it
 * writes through `sv_link_user.write`. One host, one session at a time. */
#ifndef SELVEDGE_LINK_H
#define SELVEDGE_LINK_H

#include "link/sender.h"

enum { SV_LINK_PLANS = 8, SV_PLAN_ID = 8, SV_BOARD_NAME = 16 };

typedef enum sv_reason {
    SV_NO_SESSION = 1,
    SV_RETRIES = 2,
    SV_OTHER_VERSION = 3,
    SV_RESTARTING = 4,
    SV_BAD_MESSAGE = 5
} sv_reason;

/* What a WELCOME says. */
typedef struct sv_about {
    uint32_t arena_bytes;
    uint32_t store_bytes;
    uint32_t clock_hz;
    uint8_t engine[8];
    uint8_t board[SV_BOARD_NAME];
    uint8_t has_fault;
    uint8_t target; /* of the engine's kernels */
    uint8_t plan_count;
    uint8_t plans[SV_LINK_PLANS][SV_PLAN_ID];
} sv_about;

/* A part of a request, in order. */
typedef struct sv_fragment {
    uint16_t method;
    uint8_t is_reply; /* a host that replies to us errs */
    uint8_t is_first;
    uint8_t is_last;
    const uint8_t *bytes;
    uint32_t count;
} sv_fragment;

typedef struct sv_link_user {
    void *context;
    void (*write)(void *context, const uint8_t *bytes, size_t count);
    void (*opened)(void *context);
    void (*closed)(void *context, sv_reason reason);
    void (*fragment)(void *context, const sv_fragment *fragment);
} sv_link_user;

typedef struct sv_link {
    sv_link_user user;
    sv_about about;
    uint32_t boot_nonce;
    uint32_t frames_in;
    uint32_t frames_damaged;
    uint32_t sessions;
    /* between two delimiters */
    uint8_t held[SV_STUFFED_BYTES + 1];
    uint32_t held_count;
    /* the open session */
    uint8_t is_open;
    uint8_t hello[12];
    uint32_t number;
    uint32_t window;
    uint32_t payload_bytes;
    sv_sender sender;
    uint8_t expected;
    uint8_t wants_ack;
    uint8_t wants_nak;
    uint8_t has_nak_time;
    uint8_t has_reset_time;
    uint8_t in_message;
    uint8_t message_flags;
    uint16_t message_method;
    uint32_t unanswered;
    uint32_t nak_ms;
    uint32_t reset_ms;
} sv_link;

void sv_link_init(sv_link *link, const sv_link_user *user, uint32_t boot_nonce);

/* Tell a host that may still hold a session of before the restart. */
void sv_link_start(sv_link *link, uint32_t now_ms);

void sv_link_receive(sv_link *link, const uint8_t *bytes, size_t count, uint32_t now_ms);
void sv_link_poll(sv_link *link, uint32_t now_ms);

/* Room for a reply in the open session, or null; see sender.h. */
sv_reply *sv_link_reply(sv_link *link);
void sv_link_send(sv_link *link);

#endif
