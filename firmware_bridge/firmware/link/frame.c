#include "link/frame.h"

#include "link/bytes.h"

static int is_unsealed(uint32_t type) {
    return type == SV_HELLO || type == SV_WELCOME || type == SV_RESET;
}

size_t sv_frame_encode(const sv_frame *frame, uint32_t session, uint8_t *wire) {
    uint8_t content[SV_FRAME_BYTES];
    content[0] = (uint8_t)(SV_LINK_VERSION << 4 | frame->type);
    content[1] = frame->flags;
    content[2] = frame->seq;
    content[3] = frame->ack;
    uint8_t *at = sv_put16(sv_put16(content + 4, frame->method), frame->length);
    for (size_t i = 0; i < frame->length; i++) {
        *at++ = frame->payload[i];
    }
    const size_t count = (size_t)(at - content);
    at = sv_put32(at, sv_crc32_more(is_unsealed(frame->type) ? 0 : session, content, count));
    wire[0] = 0;
    const size_t stuffed = sv_cobs_encode(content, (size_t)(at - content), wire + 1);
    wire[1 + stuffed] = 0;
    return stuffed + 2;
}

static int is_sound(const sv_frame *frame) {
    if (frame->length > SV_PAYLOAD_MAX || (frame->flags & ~(SV_FLAG_LAST | SV_FLAG_REPLY)) != 0) {
        return 0;
    }
    if (frame->type == SV_DATA) {
        return 1;
    }
    if (frame->flags != 0 || frame->seq != 0 || frame->method != 0) {
        return 0;
    }
    return is_unsealed(frame->type) ? frame->ack == 0 : frame->length == 0;
}

sv_verdict sv_frame_decode(uint8_t *stuffed, size_t count, uint32_t session, sv_frame *frame) {
    if (count > SV_STUFFED_BYTES) {
        return SV_TOO_LONG;
    }
    const ptrdiff_t decoded = sv_cobs_decode(stuffed, count, stuffed);
    if (decoded < 0) {
        return SV_BAD_STUFFING;
    }
    if (decoded < SV_FRAME_OVERHEAD) {
        return SV_TOO_SHORT;
    }
    const size_t covered = (size_t)decoded - 4;
    const uint32_t type = stuffed[0] & 15u;
    const uint32_t crc = sv_crc32_more(is_unsealed(type) ? 0 : session, stuffed, covered);
    if (crc != sv_get32(stuffed + covered)) {
        return SV_BAD_CRC;
    }
    if (stuffed[0] >> 4 != SV_LINK_VERSION) {
        return SV_BAD_VERSION;
    }
    if (type < SV_HELLO || type > SV_RESET) {
        return SV_BAD_TYPE;
    }
    frame->type = (uint8_t)type;
    frame->flags = stuffed[1];
    frame->seq = stuffed[2];
    frame->ack = stuffed[3];
    frame->method = (uint16_t)sv_get16(stuffed + 4);
    frame->length = (uint16_t)sv_get16(stuffed + 6);
    frame->payload = stuffed + SV_FRAME_HEADER;
    const int is_whole = frame->length == covered - SV_FRAME_HEADER;
    return is_whole && is_sound(frame) ? SV_IS_FRAME : SV_BAD_FRAME_HEADER;
}
