/* The C side of the link as a process: commands on stdin, what became of them on stdout.
 *
 * Command: u32 kind, u32 now_ms, u32 count, bytes. Kinds: 0 receive, 1 poll, 2 start, 3 reply (u16 method, then
 * the body; the part beyond the head goes into a span), 4 decode (u32 session, then what stood between delimiters).
 * Answer: u32 count, then records of u8 kind, u16 length, bytes: 'w' written, 'o' opened, 'c' closed (reason),
 * 'f' fragment (u16 method, u8 is_reply, is_first, is_last, bytes), 'v' verdict (u8, then the frame's fields). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link/bytes.h"
#include "link/link.h"

enum { MAX_COMMAND = 1 << 20 };

static uint8_t answer[1 << 24];
static size_t answer_count;
static uint8_t spare[SV_REPLIES_MAX * 4][1 << 14];
static uint32_t spare_next;

static void record(uint8_t kind, const void *head, size_t head_count, const void *bytes,
                   size_t count) {
    if (answer_count + 3 + head_count + count > sizeof answer) {
        abort();
    }
    uint8_t *at = answer + answer_count;
    *at = kind;
    sv_put16(at + 1, (uint32_t)(head_count + count));
    memcpy(at + 3, head, head_count);
    if (count > 0) {
        memcpy(at + 3 + head_count, bytes, count);
    }
    answer_count += 3 + head_count + count;
}

static void on_write(void *context, const uint8_t *bytes, size_t count) {
    (void)context;
    record('w', "", 0, bytes, count);
}

static void on_opened(void *context) {
    (void)context;
    record('o', "", 0, "", 0);
}

static void on_closed(void *context, sv_reason reason) {
    (void)context;
    const uint8_t number = (uint8_t)reason;
    record('c', &number, 1, "", 0);
}

static void on_fragment(void *context, const sv_fragment *fragment) {
    (void)context;
    uint8_t head[5];
    sv_put16(head, fragment->method);
    head[2] = fragment->is_reply;
    head[3] = fragment->is_first;
    head[4] = fragment->is_last;
    record('f', head, sizeof head, fragment->bytes, fragment->count);
}

static void reply(sv_link *link, const uint8_t *bytes, uint32_t count) {
    sv_reply *room = sv_link_reply(link);
    if (room == NULL || count < 2) {
        return;
    }
    const uint32_t body = count - 2;
    const uint32_t head = body < SV_REPLY_HEAD ? body : SV_REPLY_HEAD;
    uint8_t *rest = spare[spare_next++ % (SV_REPLIES_MAX * 4)];
    if (body - head > sizeof spare[0]) {
        abort();
    }
    room->method = (uint16_t)sv_get16(bytes);
    room->head_count = (uint16_t)head;
    memcpy(room->head, bytes + 2, head);
    memcpy(rest, bytes + 2 + head, body - head);
    room->span_count = 2;
    room->spans[0] = (sv_span){rest, (body - head) / 3};
    room->spans[1] = (sv_span){rest + (body - head) / 3, body - head - (body - head) / 3};
    sv_link_send(link);
}

static void decode(uint8_t *bytes, uint32_t count) {
    sv_frame frame;
    uint8_t fields[8] = {0};
    const uint32_t session = sv_get32(bytes);
    fields[0] = (uint8_t)sv_frame_decode(bytes + 4, count - 4, session, &frame);
    if (fields[0] != SV_IS_FRAME) {
        record('v', fields, 1, "", 0);
        return;
    }
    fields[1] = frame.type;
    fields[2] = frame.flags;
    fields[3] = frame.seq;
    fields[4] = frame.ack;
    sv_put16(fields + 5, frame.method);
    record('v', fields, 7, frame.payload, frame.length);
}

int main(int argc, char **argv) {
    const sv_link_user user = {NULL, on_write, on_opened, on_closed, on_fragment};
    static sv_link link;
    sv_link_init(&link, &user, argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 0);
    uint8_t head[12];
    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        const uint32_t now_ms = sv_get32(head + 4);
        const uint32_t count = sv_get32(head + 8);
        if (count > MAX_COMMAND) {
            return 2;
        }
        uint8_t *bytes = malloc(count > 0 ? count : 1); /* of just this size, for the sanitizer */
        if (bytes == NULL || fread(bytes, 1, count, stdin) != count) {
            return 2;
        }
        answer_count = 0;
        switch (sv_get32(head)) {
        case 0:
            sv_link_receive(&link, bytes, count, now_ms);
            break;
        case 1:
            sv_link_poll(&link, now_ms);
            break;
        case 2:
            sv_link_start(&link, now_ms);
            break;
        case 3:
            reply(&link, bytes, count);
            break;
        case 4:
            decode(bytes, count);
            break;
        default:
            return 2;
        }
        free(bytes);
        uint8_t length[4];
        sv_put32(length, (uint32_t)answer_count);
        fwrite(length, 1, sizeof length, stdout);
        fwrite(answer, 1, answer_count, stdout);
    }
    return fflush(stdout);
}
