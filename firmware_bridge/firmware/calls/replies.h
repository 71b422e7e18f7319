/* The replies, byte by byte. A reply for which the queue has no room is not sent: the host asks again. */
#ifndef SELVEDGE_REPLIES_H
#define SELVEDGE_REPLIES_H

#include "calls/calls.h"

/* Whether a reply that waits reads the outputs in the arena. */
int sv_replies_read_arena(const sv_link *link);

void sv_replies_status(sv_link *link, uint32_t method, uint32_t number, uint32_t status,
                       uint32_t detail);
void sv_replies_number(sv_link *link, uint32_t method, uint32_t number, uint32_t value);
void sv_replies_plan(sv_link *link, uint32_t number, const sv_kept_plan *plan);
void sv_replies_stat(sv_calls *calls);

/* The reply of the last call that happens at most once. */
void sv_replies_last(sv_calls *calls);

/* Keep what a WELCOME says of plans true. */
void sv_replies_list_plans(sv_link *link, const sv_plan_store *store);

#endif
