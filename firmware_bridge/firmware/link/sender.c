#include "link/sender.h"

#include <string.h>

enum {
    LEAST_MS = 30,
    MOST_MS = 4000,
    START_MS = 148, /* four of the longest frames at 115,200 baud, and 20 ms */
    MAX_EXPIRIES = 5,
    GROW_AFTER = 16
};

void sv_sender_open(sv_sender *sender, uint32_t window, uint32_t payload_bytes) {
    memset(sender, 0, sizeof *sender);
    sender->window = window;
    sender->payload_bytes = payload_bytes;
    sender->fragment_bytes = payload_bytes;
    sender->base_ms = START_MS;
}

sv_reply *sv_sender_reply(sv_sender *sender) {
    if (sender->reply_count == SV_REPLIES_MAX) {
        return NULL;
    }
    return &sender->replies[(sender->reply_first + sender->reply_count) % SV_REPLIES_MAX];
}

void sv_sender_keep(sv_sender *sender) { sender->reply_count++; }

static uint32_t timeout_ms(const sv_sender *sender) {
    const uint32_t doubled = sender->base_ms << sender->doublings;
    return doubled < MOST_MS ? doubled : MOST_MS;
}

static uint32_t length_of(const sv_reply *reply) {
    uint32_t length = reply->head_count;
    for (uint32_t i = 0; i < reply->span_count; i++) {
        length += reply->spans[i].count;
    }
    return length;
}

/* Copy `count` bytes of a reply from `offset`. */
static void copy(const sv_reply *reply, uint32_t offset, uint32_t count, uint8_t *target) {
    sv_span span = {reply->head, reply->head_count};
    for (uint32_t i = 0; count > 0; i++) {
        if (offset < span.count) {
            const uint32_t left = span.count - offset;
            const uint32_t taken = left < count ? left : count;
            memcpy(target, span.bytes + offset, taken);
            target += taken;
            count -= taken;
            offset = 0;
        } else {
            offset -= span.count;
        }
        span = i < reply->span_count ? reply->spans[i] : (sv_span){NULL, 0};
    }
}

static sv_sent *cut(sv_sender *sender) {
    const sv_reply *reply = &sender->replies[sender->reply_first];
    const uint32_t left = length_of(reply) - sender->cut;
    const uint32_t count = left < sender->fragment_bytes ? left : sender->fragment_bytes;
    sv_sent *sent = &sender->sent[(sender->first + sender->count) % SV_WINDOW_MAX];
    copy(reply, sender->cut, count, sent->payload);
    sent->is_repeated = 0;
    sent->frame = (sv_frame){
        .type = SV_DATA,
        .flags = (uint8_t)(SV_FLAG_REPLY | (count == left ? SV_FLAG_LAST : 0)),
        .seq = sender->seq++,
        .method = reply->method,
        .length = (uint16_t)count,
        .payload = sent->payload,
    };
    sender->cut += count;
    if (count == left) {
        sender->cut = 0;
        sender->reply_first = (sender->reply_first + 1) % SV_REPLIES_MAX;
        sender->reply_count--;
    }
    sender->count++;
    return sent;
}

const sv_frame *sv_sender_due(sv_sender *sender, uint32_t now_ms) {
    sv_sent *sent;
    if (sender->unsent > 0) {
        sent = &sender->sent[(sender->first + sender->count - sender->unsent) % SV_WINDOW_MAX];
        sender->unsent--;
        sender->repeated++;
        sent->is_repeated = 1;
    } else if (sender->reply_count > 0 && sender->count < sender->window) {
        sent = cut(sender);
    } else {
        return NULL;
    }
    sent->sent_ms = now_ms;
    if (!sender->is_timed) {
        sender->is_timed = 1;
        sender->expires_ms = now_ms + timeout_ms(sender);
    }
    return &sent->frame;
}

static void note_round_trip(sv_sender *sender, uint32_t elapsed_ms) {
    const uint32_t elapsed = elapsed_ms < MOST_MS ? elapsed_ms : MOST_MS;
    if (sender->smoothed_8 == 0) {
        sender->smoothed_8 = elapsed > 0 ? elapsed * 8 : 1;
        sender->variation_4 = elapsed * 2;
    } else {
        const uint32_t smoothed = sender->smoothed_8 >> 3;
        const uint32_t error = elapsed > smoothed ? elapsed - smoothed : smoothed - elapsed;
        const uint32_t next = sender->smoothed_8 + elapsed - smoothed;
        sender->smoothed_8 = next > 0 ? next : 1;
        sender->variation_4 += error - (sender->variation_4 >> 2);
    }
    const uint32_t base = (sender->smoothed_8 >> 3) + sender->variation_4;
    sender->base_ms = base > LEAST_MS ? base : LEAST_MS;
}

static void note_delivery(sv_sender *sender) {
    if (++sender->since_loss >= GROW_AFTER) {
        const uint32_t doubled = sender->fragment_bytes * 2;
        sender->since_loss = 0;
        sender->fragment_bytes =
            doubled < sender->payload_bytes ? doubled : sender->payload_bytes;
    }
}

void sv_sender_acknowledge(sv_sender *sender, uint8_t ack, uint32_t now_ms) {
    const uint8_t base = (uint8_t)(sender->seq - sender->count);
    const uint32_t count = (uint8_t)(ack - base);
    if (count == 0 || count > sender->count) {
        return;
    }
    const sv_sent *newest = &sender->sent[(sender->first + count - 1) % SV_WINDOW_MAX];
    for (uint32_t i = 0; i < count; i++) {
        note_delivery(sender);
    }
    sender->first = (sender->first + count) % SV_WINDOW_MAX;
    sender->count -= count;
    if (sender->unsent > sender->count) {
        sender->unsent = sender->count;
    }
    if (!newest->is_repeated) {
        note_round_trip(sender, now_ms - newest->sent_ms);
    }
    sender->doublings = 0;
    sender->expiries = 0;
    sender->is_timed = sender->count > sender->unsent;
    sender->expires_ms = now_ms + timeout_ms(sender);
}

void sv_sender_go_back(sv_sender *sender) {
    if (sender->count > 0) {
        const uint32_t half = sender->fragment_bytes / 2;
        sender->unsent = sender->count;
        sender->is_timed = 0;
        sender->since_loss = 0;
        sender->fragment_bytes = half > SV_PAYLOAD_MIN ? half : SV_PAYLOAD_MIN;
    }
}

int sv_sender_expire(sv_sender *sender, uint32_t now_ms) {
    if (!sender->is_timed || (int32_t)(now_ms - sender->expires_ms) < 0) {
        return 1;
    }
    sender->doublings++;
    sender->expiries++;
    sv_sender_go_back(sender);
    return sender->expiries < MAX_EXPIRIES;
}
