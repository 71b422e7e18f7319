#include "link/link.h"

#include <string.h>

#include "link/bytes.h"

enum { RESET_AGAIN_MS = 100, NAK_AGAIN_MS = 100, HELLO_BYTES = 12, WELCOME_BYTES = 52 };

static void write_frame(sv_link *link, const sv_frame *frame) {
    uint8_t wire[SV_WIRE_BYTES];
    const size_t count = sv_frame_encode(frame, link->number, wire);
    link->user.write(link->user.context, wire, count);
}

static void say_reset(sv_link *link, sv_reason reason, uint32_t now_ms) {
    uint8_t payload[5] = {(uint8_t)reason};
    sv_put32(payload + 1, link->boot_nonce);
    const sv_frame frame = {.type = SV_RESET, .length = sizeof payload, .payload = payload};
    link->reset_ms = now_ms;
    link->has_reset_time = 1;
    write_frame(link, &frame);
}

void sv_link_init(sv_link *link, const sv_link_user *user, uint32_t boot_nonce) {
    memset(link, 0, sizeof *link);
    link->user = *user;
    link->boot_nonce = boot_nonce;
}

void sv_link_start(sv_link *link, uint32_t now_ms) { say_reset(link, SV_RESTARTING, now_ms); }

sv_reply *sv_link_reply(sv_link *link) {
    return link->is_open ? sv_sender_reply(&link->sender) : NULL;
}

void sv_link_send(sv_link *link) { sv_sender_keep(&link->sender); }

static void close(sv_link *link, sv_reason reason, uint32_t now_ms) {
    link->is_open = 0;
    say_reset(link, reason, now_ms);
    link->user.closed(link->user.context, reason);
}

static void lost(sv_link *link, uint32_t now_ms) {
    if (!link->has_nak_time || now_ms - link->nak_ms >= NAK_AGAIN_MS) {
        link->nak_ms = now_ms;
        link->has_nak_time = 1;
        link->wants_nak = 1;
    }
}

static void senseless(sv_link *link, uint32_t now_ms) {
    if (link->is_open) {
        lost(link, now_ms);
    } else if (!link->has_reset_time || now_ms - link->reset_ms >= RESET_AGAIN_MS) {
        say_reset(link, SV_NO_SESSION, now_ms);
    }
}

static uint32_t lower(uint32_t left, uint32_t right) { return left < right ? left : right; }

static void open_session(sv_link *link, const uint8_t *hello) {
    uint8_t nonces[8];
    memcpy(link->hello, hello, HELLO_BYTES);
    memcpy(nonces, hello + 8, 4);
    sv_put32(nonces + 4, link->boot_nonce);
    link->number = sv_crc32_more(0, nonces, sizeof nonces);
    link->is_open = 1;
    link->expected = 0;
    link->unanswered = 0;
    link->wants_ack = 0;
    link->wants_nak = 0;
    link->has_nak_time = 0;
    link->in_message = 0;
    link->sessions++;
    sv_sender_open(&link->sender, link->window, link->payload_bytes);
    link->user.opened(link->user.context);
}

static void say_welcome(sv_link *link, const uint8_t *hello, uint32_t window, uint32_t limit) {
    const sv_about *about = &link->about;
    uint8_t payload[WELCOME_BYTES + SV_LINK_PLANS * SV_PLAN_ID];
    payload[0] = SV_LINK_VERSION;
    payload[1] = (uint8_t)window;
    payload[2] = about->has_fault;
    payload[3] = about->plan_count;
    uint8_t *at = sv_put16(sv_put16(payload + 4, limit), about->target);
    memcpy(at, hello + 8, 4);
    at = sv_put32(at + 4, link->boot_nonce);
    at = sv_put32(sv_put32(sv_put32(at, about->arena_bytes), about->store_bytes), about->clock_hz);
    memcpy(at, about->engine, sizeof about->engine);
    memcpy(at + 8, about->board, SV_BOARD_NAME);
    at += 8 + SV_BOARD_NAME;
    const size_t plans = (size_t)about->plan_count * SV_PLAN_ID;
    memcpy(at, about->plans, plans);
    const sv_frame frame = {
        .type = SV_WELCOME, .length = (uint16_t)(WELCOME_BYTES + plans), .payload = payload};
    write_frame(link, &frame);
}

static void hello(sv_link *link, const sv_frame *frame, uint32_t now_ms) {
    const uint8_t *asked = frame->payload;
    if (frame->length != HELLO_BYTES) {
        return;
    }
    const uint32_t window = asked[2];
    const uint32_t limit = sv_get16(asked + 4);
    if (window < 1 || window > SV_WINDOW_MAX || limit < SV_PAYLOAD_MIN || limit > SV_PAYLOAD_MAX) {
        return;
    }
    if (asked[0] > SV_LINK_VERSION || asked[1] < SV_LINK_VERSION) {
        say_reset(link, SV_OTHER_VERSION, now_ms);
        return;
    }
    say_welcome(link, asked, lower(window, SV_WINDOW_MAX), lower(limit, SV_PAYLOAD_MAX));
    if (link->is_open && memcmp(link->hello, asked, HELLO_BYTES) == 0) {
        return; /* said again: the first WELCOME may be lost */
    }
    link->window = lower(window, SV_WINDOW_MAX);
    link->payload_bytes = lower(limit, SV_PAYLOAD_MAX);
    open_session(link, asked);
}

static void answered(sv_link *link) {
    link->unanswered = 0;
    link->wants_ack = 0;
}

static void acknowledge(sv_link *link) {
    const sv_frame frame = {.type = SV_ACK, .ack = link->expected};
    answered(link);
    write_frame(link, &frame);
}

/* Hand a fragment on; 0 if it belongs to no message. */
static int take(sv_link *link, const sv_frame *frame) {
    const uint8_t flags = frame->flags & SV_FLAG_REPLY;
    const int is_first = !link->in_message;
    if (!is_first && (frame->method != link->message_method || flags != link->message_flags)) {
        return 0;
    }
    if (frame->length > link->payload_bytes) {
        return 0;
    }
    link->in_message = (frame->flags & SV_FLAG_LAST) == 0;
    link->message_method = frame->method;
    link->message_flags = flags;
    if (link->unanswered * 2 >= link->window) {
        acknowledge(link);
    }
    const sv_fragment fragment = {
        .method = frame->method,
        .is_reply = flags != 0,
        .is_first = (uint8_t)is_first,
        .is_last = !link->in_message,
        .bytes = frame->payload,
        .count = frame->length,
    };
    link->user.fragment(link->user.context, &fragment);
    return 1;
}

static void in_session(sv_link *link, const sv_frame *frame, uint32_t now_ms) {
    sv_sender_acknowledge(&link->sender, frame->ack, now_ms);
    if (frame->type == SV_NAK) {
        sv_sender_go_back(&link->sender);
    }
    if (frame->type != SV_DATA) {
        return;
    }
    const uint8_t behind = (uint8_t)(link->expected - frame->seq);
    if (behind == 0) {
        link->expected++;
        link->unanswered++;
        link->has_nak_time = 0;
        link->wants_nak = 0;
        if (!take(link, frame)) {
            close(link, SV_BAD_MESSAGE, now_ms);
        }
    } else if (behind <= link->window) {
        link->wants_ack = 1;
    } else {
        lost(link, now_ms);
    }
}

static void receive_frame(sv_link *link, uint32_t now_ms) {
    sv_frame frame;
    const uint32_t session = link->is_open ? link->number : 0;
    if (sv_frame_decode(link->held, link->held_count, session, &frame) != SV_IS_FRAME) {
        link->frames_damaged++;
        senseless(link, now_ms);
        return;
    }
    link->frames_in++;
    if (frame.type == SV_HELLO) {
        hello(link, &frame, now_ms);
    } else if (frame.type == SV_WELCOME || frame.type == SV_RESET) {
        return;
    } else if (link->is_open) {
        in_session(link, &frame, now_ms);
    } else {
        senseless(link, now_ms);
    }
}

void sv_link_receive(sv_link *link, const uint8_t *bytes, size_t count, uint32_t now_ms) {
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0) {
            if (link->held_count < sizeof link->held) {
                link->held[link->held_count++] = bytes[i];
            }
        } else if (link->held_count > 0) {
            receive_frame(link, now_ms);
            link->held_count = 0;
        }
    }
}

void sv_link_poll(sv_link *link, uint32_t now_ms) {
    if (!link->is_open) {
        return;
    }
    if (!sv_sender_expire(&link->sender, now_ms)) {
        close(link, SV_RETRIES, now_ms);
        return;
    }
    if (link->wants_nak) {
        const sv_frame frame = {.type = SV_NAK, .ack = link->expected};
        link->wants_nak = 0;
        answered(link);
        write_frame(link, &frame);
    }
    for (const sv_frame *due; (due = sv_sender_due(&link->sender, now_ms)) != NULL;) {
        sv_frame frame = *due;
        frame.ack = link->expected;
        answered(link);
        write_frame(link, &frame);
    }
    if (link->unanswered > 0 || link->wants_ack) {
        acknowledge(link);
    }
}
