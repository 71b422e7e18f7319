#include "calls/calls.h"

#include <string.h>

#include "calls/replies.h"
#include "link/bytes.h"

enum { NUMBER = 4, HASH = SV_SHA256_BYTES, ID = SV_PLAN_ID };

/* Bytes of a request before what is handed on as it comes. */
static uint32_t head_bytes(uint32_t method) {
    switch (method) {
    case SV_PLAN_BEGIN:
        return NUMBER + HASH + 4;
    case SV_PLAN_COMMIT:
        return NUMBER + HASH;
    case SV_BENCH:
        return NUMBER + ID + 4;
    case SV_PLAN_DROP:
    case SV_INFER:
        return NUMBER + ID;
    case SV_PLAN_CHUNK:
        return NUMBER + 4;
    case SV_CRASH:
        return NUMBER + 1;
    default:
        return NUMBER;
    }
}

static int is_at_most_once(uint32_t method) { return method >= SV_INFER && method <= SV_CRASH; }

void sv_calls_init(sv_calls *calls, const port_about *port, sv_link *link, sv_plan_store *store,
                   sv_runner *runner) {
    memset(calls, 0, sizeof *calls);
    calls->port = port;
    calls->link = link;
    calls->store = store;
    calls->runner = runner;
}

void sv_calls_opened(sv_calls *calls) { calls->head_count = 0; }

static void refuse(sv_calls *calls, sv_call_status status) { calls->status = (uint8_t)status; }

/* Whether the outputs of the last run may not be overwritten yet. */
static int is_arena_taken(const sv_calls *calls) {
    return calls->is_running || sv_replies_read_arena(calls->link);
}

int sv_calls_take_arena(sv_calls *calls) {
    if (is_arena_taken(calls)) {
        return 0;
    }
    calls->has_last = 0;
    refuse(calls, SV_CALL_BUSY);
    return 1;
}

static void start_infer(sv_calls *calls) {
    const sv_kept_plan *plan = sv_store_find(calls->store, calls->head + NUMBER, ID);
    if (is_arena_taken(calls)) {
        refuse(calls, SV_CALL_BUSY);
    } else if (plan == NULL) {
        refuse(calls, SV_CALL_NO_PLAN);
    } else {
        calls->has_last = 0; /* its outputs are about to go */
        sv_runner_load(calls->runner, (const sv_plan *)(const void *)plan->bytes);
    }
}

static void start_chunk(sv_calls *calls) {
    const sv_plan_store *store = calls->store;
    if (store->upload_bytes == 0 || sv_get32(calls->head + NUMBER) != store->uploaded) {
        refuse(calls, SV_CALL_BAD_OFFSET);
    }
}

/* The head is whole: decide what becomes of the bytes behind it. */
static void start(sv_calls *calls, uint32_t method) {
    const uint32_t number = sv_get32(calls->head);
    calls->is_repeat = is_at_most_once(method) && calls->has_last &&
                       calls->last_number == number && calls->last_method == method;
    if (calls->is_repeat) {
        return;
    }
    if (method == SV_INFER) {
        start_infer(calls);
    } else if (method == SV_PLAN_CHUNK) {
        start_chunk(calls);
    }
}

/* Bytes behind the head. */
static void body(sv_calls *calls, uint32_t method, const uint8_t *bytes, uint32_t count) {
    if (count == 0 || calls->status != SV_CALL_OK || calls->is_repeat) {
        return;
    }
    if (method == SV_INFER) {
        if (!sv_runner_write(calls->runner, bytes, count)) {
            refuse(calls, SV_CALL_BAD_REQUEST);
        }
    } else if (method == SV_PLAN_CHUNK) {
        if (sv_store_append(calls->store, bytes, count) != SV_STORED) {
            refuse(calls, SV_CALL_BAD_REQUEST);
        }
    } else {
        refuse(calls, SV_CALL_BAD_REQUEST);
    }
}

static void reply_status(sv_calls *calls, uint32_t method, uint32_t status, uint32_t detail) {
    sv_replies_status(calls->link, method, sv_get32(calls->head), status, detail);
}

static void begin_plan(sv_calls *calls) {
    uint32_t next = 0;
    const uint32_t count = sv_get32(calls->head + NUMBER + HASH);
    if (sv_store_begin(calls->store, calls->head + NUMBER, count, &next) != SV_STORED) {
        reply_status(calls, SV_PLAN_BEGIN, SV_CALL_NO_ROOM, 0);
    } else {
        sv_replies_number(calls->link, SV_PLAN_BEGIN, sv_get32(calls->head), next);
    }
}

static void commit_plan(sv_calls *calls) {
    sv_status why = SV_OK;
    const sv_kept_plan *plan = NULL;
    switch (sv_store_commit(calls->store, calls->head + NUMBER, &why, &plan)) {
    case SV_STORED:
        sv_replies_list_plans(calls->link, calls->store);
        sv_replies_plan(calls->link, sv_get32(calls->head), plan);
        break;
    case SV_STORE_BAD_HASH:
        reply_status(calls, SV_PLAN_COMMIT, SV_CALL_WRONG_HASH, 0);
        break;
    case SV_STORE_REFUSED:
        reply_status(calls, SV_PLAN_COMMIT, SV_CALL_PLAN_REFUSED, (uint32_t)why);
        break;
    default:
        reply_status(calls, SV_PLAN_COMMIT, SV_CALL_BAD_OFFSET, 0);
        break;
    }
}

static void drop_plan(sv_calls *calls) {
    const sv_kept_plan *plan = sv_store_find(calls->store, calls->head + NUMBER, ID);
    sv_call_status status = SV_CALL_OK;
    if (plan == NULL) {
        status = SV_CALL_NO_PLAN;
    } else if (is_arena_taken(calls)) {
        status = SV_CALL_BUSY;
    } else { /* what lies behind it moves: nothing points there any more */
        calls->has_last = 0;
        calls->runner->plan = NULL;
        sv_store_drop(calls->store, plan);
        sv_replies_list_plans(calls->link, calls->store);
    }
    reply_status(calls, SV_PLAN_DROP, status, 0);
}

static void remember(sv_calls *calls, uint32_t method) {
    calls->has_last = 1;
    calls->last_number = sv_get32(calls->head);
    calls->last_method = (uint16_t)method;
    calls->last_status = SV_CALL_OK;
    calls->last_detail = 0;
    calls->asked_in_session = calls->link->sessions;
}

static void run(sv_calls *calls, uint32_t method) {
    remember(calls, method);
    calls->runs_left = method == SV_BENCH ? sv_get32(calls->head + NUMBER + ID) : 1;
    calls->is_running = 1;
}

static void infer(sv_calls *calls) {
    if (calls->runner->written != sv_runner_input_bytes(calls->runner->plan)) {
        reply_status(calls, SV_INFER, SV_CALL_BAD_REQUEST, 0);
        return;
    }
    run(calls, SV_INFER);
}

static void bench(sv_calls *calls) {
    const sv_kept_plan *plan = sv_store_find(calls->store, calls->head + NUMBER, ID);
    const uint32_t runs = sv_get32(calls->head + NUMBER + ID);
    const int is_asked_well = runs > 0 && runs <= SV_BENCH_RUNS_MAX;
    if (plan == NULL || is_arena_taken(calls) || !is_asked_well) {
        const sv_call_status status = plan == NULL            ? SV_CALL_NO_PLAN
                                      : is_arena_taken(calls) ? SV_CALL_BUSY
                                                              : SV_CALL_BAD_REQUEST;
        reply_status(calls, SV_BENCH, status, 0);
        return;
    }
    calls->has_last = 0;
    sv_link_poll(calls->link, port_now_ms()); /* acknowledged first: nothing else runs meanwhile */
    port_flush();
    sv_runner_load(calls->runner, (const sv_plan *)(const void *)plan->bytes);
    sv_runner_rewind_to_zeros(calls->runner);
    run(calls, SV_BENCH);
}

static void restart(sv_calls *calls) {
    remember(calls, SV_RESTART);
    reply_status(calls, SV_RESTART, SV_CALL_OK, 0);
    calls->restart = 1;
}

static void crash(sv_calls *calls) {
#ifdef SV_WITH_CRASHES
    port_crash(calls->head[NUMBER]);
#endif
    reply_status(calls, SV_CRASH, SV_CALL_NOT_BUILT_IN, 0);
}

static void reply_again(sv_calls *calls) {
    calls->asked_in_session = calls->link->sessions;
    if (!calls->is_running) {
        sv_replies_last(calls);
    }
}

static void execute(sv_calls *calls, uint32_t method) {
    switch (method) {
    case SV_STAT:
        sv_replies_stat(calls);
        break;
    case SV_PLAN_BEGIN:
        begin_plan(calls);
        break;
    case SV_PLAN_CHUNK:
        sv_replies_number(calls->link, method, sv_get32(calls->head), calls->store->uploaded);
        break;
    case SV_PLAN_COMMIT:
        commit_plan(calls);
        break;
    case SV_PLAN_DROP:
        drop_plan(calls);
        break;
    case SV_INFER:
        infer(calls);
        break;
    case SV_BENCH:
        bench(calls);
        break;
    case SV_RESTART:
        restart(calls);
        break;
    case SV_CRASH:
        crash(calls);
        break;
    default:
        reply_status(calls, method, SV_CALL_UNKNOWN, 0);
        break;
    }
}

void sv_calls_fragment(sv_calls *calls, const sv_fragment *fragment) {
    const uint32_t wanted = head_bytes(fragment->method);
    const uint8_t *bytes = fragment->bytes;
    uint32_t count = fragment->count;
    if (fragment->is_reply) {
        return; /* nobody was asked */
    }
    if (fragment->is_first) {
        calls->head_count = 0;
        calls->status = SV_CALL_OK;
        calls->is_repeat = 0;
    }
    const uint32_t lacking = wanted - calls->head_count;
    const uint32_t taken = lacking < count ? lacking : count;
    memcpy(calls->head + calls->head_count, bytes, taken);
    calls->head_count += taken;
    if (lacking > 0 && calls->head_count == wanted) {
        start(calls, fragment->method);
    }
    body(calls, fragment->method, bytes + taken, count - taken);
    if (!fragment->is_last) {
        return;
    }
    calls->served++;
    if (calls->head_count < NUMBER) {
        return; /* there is no number to reply to */
    }
    if (calls->head_count < wanted) {
        refuse(calls, SV_CALL_BAD_REQUEST);
    }
    if (calls->is_repeat) {
        reply_again(calls);
    } else if (calls->status != SV_CALL_OK) {
        reply_status(calls, fragment->method, calls->status, 0);
    } else {
        execute(calls, fragment->method);
    }
}

static void finish(sv_calls *calls, int step) {
    calls->is_running = 0;
    if (step < 0) {
        calls->last_status = SV_CALL_FAILED;
        calls->last_detail = (uint8_t)-step;
    }
    if (calls->link->is_open && calls->asked_in_session == calls->link->sessions) {
        sv_replies_last(calls);
    }
}

int sv_calls_work(sv_calls *calls) {
    if (!calls->is_running) {
        return 0;
    }
    const int is_timed = calls->last_method == SV_BENCH;
    if (is_timed) {
        port_hold_interrupts();
    }
    const int step = sv_runner_step(calls->runner);
    if (is_timed) {
        port_release_interrupts();
    }
    if (step > 0) {
        return 1;
    }
    if (step == 0 && --calls->runs_left > 0) {
        sv_runner_rewind_to_zeros(calls->runner);
        return 1;
    }
    finish(calls, step);
    return 0;
}
