/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The writer: takes records, whatever the disk does.
 *
 *   WRITING --a write fails--> BROKEN --once in five seconds: it can be written--> WRITING
 *                              counts what is lost           notes how much was lost
 *
 * A database that is damaged is put aside and another begun.
 */
#ifndef HISTORY_KEEPER_H
#define HISTORY_KEEPER_H

#include "store.h"

struct keeper {
	const char *file;
	struct ipc_history_start start;
	struct store store;
	struct ipc_history_status status;
	struct ledger_time lost_at;          /* where the present loss began */
	uint64_t losing;                     /* records lost since then */
	uint64_t uncommitted;                /* records in the open transaction */
	struct ledger_time last_uncommitted; /* when the first of them was */
	int64_t asleep_us;                   /* boot time less monotonic time, at the last beat */
	struct ledger_time beat;             /* the last one */
	int64_t pruned_us;                   /* monotonic; 0 = not yet */
};

void keeper_begin(struct keeper *k, const char *file, const struct ipc_history_start *start);
/* One order of ipc.h, except START and READ. */
void keeper_take(struct keeper *k, const struct ipc_message *m);
/* What was taken is on its way to the disk. */
void keeper_commit(struct keeper *k);
/* Once in five seconds: the relay lives; a broken database is tried again; old records go. */
void keeper_beat(struct keeper *k, const struct ledger_time *now, int64_t monotonic_us);
void keeper_finish(struct keeper *k);

#endif
