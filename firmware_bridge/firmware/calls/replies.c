#include "calls/replies.h"

#include <string.h>

#include "link/bytes.h"

enum { FIRMWARE_VERSION = 1 };

int sv_replies_read_arena(const sv_link *link) {
    const sv_sender *sender = &link->sender;
    for (uint32_t i = 0; link->is_open && i < sender->reply_count; i++) {
        if (sender->replies[(sender->reply_first + i) % SV_REPLIES_MAX].span_count > 0) {
            return 1;
        }
    }
    return 0;
}

/* A reply with its first eight bytes; null if there is no room or no session. */
static sv_reply *begin(sv_link *link, uint32_t method, uint32_t number, uint32_t status,
                       uint8_t **at) {
    sv_reply *reply = sv_link_reply(link);
    if (reply != NULL) {
        reply->method = (uint16_t)method;
        reply->span_count = 0;
        *at = sv_put32(sv_put32(reply->head, number), status);
    }
    return reply;
}

static void end(sv_link *link, sv_reply *reply, const uint8_t *at) {
    reply->head_count = (uint16_t)(at - reply->head);
    sv_link_send(link);
}

void sv_replies_status(sv_link *link, uint32_t method, uint32_t number, uint32_t status,
                       uint32_t detail) {
    uint8_t *at;
    sv_reply *reply = begin(link, method, number, status, &at);
    if (reply != NULL) {
        if (detail != 0) {
            *at++ = (uint8_t)detail;
        }
        end(link, reply, at);
    }
}

void sv_replies_number(sv_link *link, uint32_t method, uint32_t number, uint32_t value) {
    uint8_t *at;
    sv_reply *reply = begin(link, method, number, SV_CALL_OK, &at);
    if (reply != NULL) {
        end(link, reply, sv_put32(at, value));
    }
}

void sv_replies_plan(sv_link *link, uint32_t number, const sv_kept_plan *kept) {
    const sv_plan *plan = (const sv_plan *)(const void *)kept->bytes;
    uint8_t *at;
    sv_reply *reply = begin(link, SV_PLAN_COMMIT, number, SV_CALL_OK, &at);
    if (reply != NULL) {
        at = sv_put32(sv_put32(at, plan->arena_bytes), sv_runner_input_bytes(plan));
        end(link, reply, sv_put32(at, sv_runner_output_bytes(plan)));
    }
}

void sv_replies_stat(sv_calls *calls) {
    const port_about *port = calls->port;
    uint8_t *at;
    sv_reply *reply = begin(calls->link, SV_STAT, sv_get32(calls->head), SV_CALL_OK, &at);
    if (reply == NULL) {
        return;
    }
    at = sv_put32(sv_put32(at, port_now_ms()), port_stack_bytes());
    at = sv_put32(sv_put32(at, port_stack_high_water_bytes()), calls->link->frames_in);
    at = sv_put32(sv_put32(at, calls->link->frames_damaged), calls->served);
    at = sv_put16(sv_put32(at, port_bytes_lost()), FIRMWARE_VERSION);
    *at++ = (uint8_t)port->reset_cause;
    *at++ = (uint8_t)port->fault.kind;
    at = sv_put32(sv_put32(at, port->fault.pc), port->fault.lr);
    at = sv_put32(sv_put32(at, port->fault.status), sv_store_free_bytes(calls->store));
    end(calls->link, reply, sv_put32(at, port->code_bytes));
}

static uint8_t *put64(uint8_t *at, uint64_t value) {
    return sv_put32(sv_put32(at, (uint32_t)value), (uint32_t)(value >> 32));
}

static uint8_t *infer(const sv_runner *runner, sv_reply *reply, uint8_t *at) {
    const uint32_t outputs = runner->plan->output_count;
    for (uint32_t i = 0; i < outputs && i < SV_REPLY_SPANS; i++) {
        reply->spans[i].bytes = sv_runner_output(runner, i, &reply->spans[i].count);
        reply->span_count = i + 1;
    }
    return put64(at, runner->total_ticks);
}

static uint8_t *bench(const sv_runner *runner, sv_reply *reply, uint8_t *at) {
    const uint32_t count = runner->plan->operator_count;
    const uint32_t timed = count < SV_TIMED_OPERATORS ? count : SV_TIMED_OPERATORS;
    reply->spans[0] =
        (sv_span){(const uint8_t *)runner->operator_ticks, timed * (uint32_t)sizeof(uint32_t)};
    reply->span_count = 1;
    return sv_put32(sv_put32(put64(at, runner->total_ticks), port_stack_high_water_bytes()), timed);
}

void sv_replies_last(sv_calls *calls) {
    const uint32_t method = calls->last_method;
    uint8_t *at;
    sv_reply *reply =
        begin(calls->link, method, calls->last_number, calls->last_status, &at);
    if (reply == NULL) {
        return;
    }
    if (calls->last_status != SV_CALL_OK) {
        *at++ = calls->last_detail;
    } else if (method == SV_INFER) {
        at = infer(calls->runner, reply, at);
    } else if (method == SV_BENCH) {
        at = bench(calls->runner, reply, at);
    }
    end(calls->link, reply, at);
}

void sv_replies_list_plans(sv_link *link, const sv_plan_store *store) {
    link->about.plan_count = (uint8_t)store->kept_count;
    for (uint32_t i = 0; i < store->kept_count; i++) {
        memcpy(link->about.plans[i], store->kept[i].sha256, SV_PLAN_ID);
    }
}
