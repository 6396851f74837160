/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What rehearsals and checks before the event have to do with the inventory (supervisor.h). */
#ifndef SUPERVISOR_REHEARSAL_H
#define SUPERVISOR_REHEARSAL_H

#include "supervisor.h"

/* ---- fault.c: faults made on purpose, for rehearsals ---- */

/* Does what the request says, on behalf of `holder`. False if it cannot be done: `error` says why
 * and what to do. */
bool fault_order(struct show *show, const void *holder, const json_t *request, char *error,
		 size_t size);
/* Undoes what is still in force of one holder's, or of all if it is NULL. */
void fault_undo(struct supervisor *sup, const void *holder);
/* A source is ready whose feed may be meant by a fault. True if the switch shall not have it. */
bool fault_meet(struct source *source);
/* Tells the switch whether what the feed is left for is our doing: the show need not wait the
 * longer for that to return. */
void fault_excuse(const struct feed *feed);
/* "is pulled": what is done to a feed now; NULL = nothing. */
const char *fault_of(const struct feed *feed);

/* ---- practice.c: practice platforms in place of the show's destinations ---- */

/* On behalf of `holder`: which destinations are replaced, and which left out. NULL if it cannot be
 * done: `error` says why and what to do. */
json_t *practice_begin(struct show *show, const void *holder, char *error, size_t size);
/* All is as it was. Nothing if there is none. */
void practice_end(struct show *show);
/* Ends those of one holder, or all if it is NULL. */
void practice_undo(struct supervisor *sup, const void *holder);
/* Sends the relay to what stands in for this destination, without the real one's secrets. */
void practice_divert(const struct destination *d, struct ipc_destination_add *to);
/* From here on silences are measured anew. */
void practice_mark(struct show *show);
/* What it got; null if it is the real one. */
json_t *practice_destination_json(const struct destination *d);

/* ---- witness.c: a witness, while a client watches ---- */

extern const struct child_ops witness_ops;
void witness_attend(struct show *show);
void witness_leave(struct show *show);
/* The show ring is ready, or another one is. */
void witness_give_ring(struct show *show);
/* The switch has said which feeds are twins. */
void witness_tell_twins(struct show *show);
/* It shall tell what it counted until now. False if there is none. */
bool witness_mark(struct show *show, uint32_t mark);

/* ---- preflight.c ---- */

/* Looks at destinations and disks for a client, who is answered when all is known. 0, -ENOMEM, or
 * -EBUSY: too many are looking. */
int preflight_begin(struct show *show, const void *client);
/* The client has gone. */
void preflight_forget(struct supervisor *sup, const void *client);

#endif
