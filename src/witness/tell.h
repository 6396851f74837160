/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What both witnesses tell, and how they wait for an order. */
#ifndef WITNESS_TELL_H
#define WITNESS_TELL_H

#include <stdbool.h>
#include <stdint.h>

#include <understudy/ipc.h>
#include <understudy/witness.h>

/* Sends; waits for room if `patient`, else what does not fit is left out. */
void tell(enum ipc_type type, const void *body, bool patient);
/* Everything found since the last call. */
void tell_events(struct witness *w, bool patient);
/* The summary since the last one. */
void tell_summary(struct witness *w, uint32_t mark, int64_t now_us, bool patient);
/* The next order, within `timeout_ms` (-1: for ever): 1, 0 if none came, or negative: it is over.
 * The message is the caller's to finish after 1. */
int take_order(struct ipc_message *m, int timeout_ms);

#endif
