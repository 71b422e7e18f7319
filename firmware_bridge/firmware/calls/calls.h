/* Requests of the host and what they do; docs/reference/wire.md is the specification.
 *
 * Requests are taken as they come over the link. Running a plan is work that `sv_calls_work` does
 * one operator at a time, so that the link is served in between. */
#ifndef SELVEDGE_CALLS_H
#define SELVEDGE_CALLS_H

#include "link/link.h"
#include "port/port.h"
#include "runner/runner.h"
#include "store/plan_store.h"

enum sv_method {
    SV_STAT = 1,
    SV_PLAN_BEGIN = 2,
    SV_PLAN_CHUNK = 3,
    SV_PLAN_COMMIT = 4,
    SV_PLAN_DROP = 5,
    SV_INFER = 6,
    SV_BENCH = 7,
    SV_RESTART = 8,
    SV_CRASH = 9
};

typedef enum sv_call_status {
    SV_CALL_OK = 0,
    SV_CALL_UNKNOWN = 1,
    SV_CALL_BAD_REQUEST = 2,
    SV_CALL_NO_PLAN = 3,
    SV_CALL_NO_ROOM = 4,
    SV_CALL_BAD_OFFSET = 5,
    SV_CALL_WRONG_HASH = 6,
    SV_CALL_PLAN_REFUSED = 7,
    SV_CALL_BUSY = 8,
    SV_CALL_NOT_BUILT_IN = 9,
    SV_CALL_FAILED = 10
} sv_call_status;

enum { SV_REQUEST_HEAD = 40, SV_BENCH_RUNS_MAX = 10000 };

typedef struct sv_calls {
    const port_about *port;
    sv_link *link;
    sv_plan_store *store;
    sv_runner *runner;
    uint32_t served;
    /* the request that is coming in */
    uint8_t head[SV_REQUEST_HEAD];
    uint32_t head_count;
    uint32_t body_count; /* bytes behind the head */
    uint8_t status;      /* decided before its end came */
    uint8_t is_repeat;   /* of the last call that happens at most once */
    uint8_t restart;
    /* the last call that happens at most once: its reply is in the runner and the arena */
    uint32_t last_number;
    uint16_t last_method;
    uint8_t has_last;
    uint8_t last_status;
    uint8_t last_detail;
    uint8_t is_running;
    uint32_t runs_left;
    uint32_t asked_in_session;
} sv_calls;

void sv_calls_init(sv_calls *calls, const port_about *port, sv_link *link, sv_plan_store *store,
                   sv_runner *runner);
void sv_calls_opened(sv_calls *calls);
void sv_calls_fragment(sv_calls *calls, const sv_fragment *fragment);

/* Do a piece of what was asked; 0: there is nothing to do. */
int sv_calls_work(sv_calls *calls);

/* Use the runner and the arena for something else; 0: a call needs them. What was kept there is
 * gone: the last reply, and the request that was coming in. */
int sv_calls_take_arena(sv_calls *calls);

#endif
