/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The states of a history played again on one axis of time (ledger.h): every change of every
 * thing, with the ends of runs as changes of their own.
 */
#ifndef HISTORY_REPLAY_H
#define HISTORY_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "store.h"

struct thing {
	uint32_t what; /* enum history_what */
	char show[HISTORY_NAME], name[HISTORY_NAME];
	char state[HISTORY_WORD];
	enum ledger_class class;
	char cause[LEDGER_CAUSE];
	int64_t since_us; /* on the axis */
	struct ledger ledger;
	bool is_in_period;
};

struct replay {
	const struct ipc_history_read *question;
	int64_t from_us, to_us; /* the period, on the axis; from_us may be INT64_MIN */
	/* A state that lasted until `to_us` is over; may be NULL. */
	void (*span)(void *context, const struct thing *thing, int64_t to_us);
	void *context;
	struct thing **things; /* owned */
	size_t count;
	struct ledger_run *runs; /* owned; ... */
	int64_t *run_ids;        /* ... and the rows they are; 0 = the present, if none runs */
	size_t run_count;
};

/* 0 or a negative errno. Afterwards each thing's ledger is that of the period. */
int replay_run(struct replay *r, struct store *s);
void replay_finish(struct replay *r);

#endif
