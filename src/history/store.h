/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The database: one writer, readers beside it (WAL). Every call may block on the disk.
 *
 *   run    one life of the relay (a re-execution is no new one): which boot, when it began and
 *          when it was last known to live, by the clock that counts on in sleep and by wall time
 *   event  what people want to know, in words
 *   state  from then on it was so: shows, destinations, feeds
 *   drill  rehearsals and their reports
 *   lost   records that could not be written
 *
 * Moments are (run, boot_us): the wall time beside them is for people and may have been set.
 */
#ifndef HISTORY_STORE_H
#define HISTORY_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include <understudy/ipc.h>

struct store {
	sqlite3 *db;
	int64_t run;     /* the row of the run that goes on; 0 = none */
	bool is_writing; /* a transaction is open */
};

/* Opens, makes or brings up to date. 0; -EUCLEAN: the file is damaged or no database;
 * -ENOTSUP: made by a newer version; or another negative errno. `why` in words. */
int store_open(struct store *s, const char *file, bool may_write, char why[IPC_TEXT]);
void store_close(struct store *s);

/* Calls below: 0, or a negative errno with `store_why()`; within a transaction that
 * store_commit() ends. After a failure the store is to be closed. */
int store_begin_run(struct store *s, const struct ipc_history_start *start);
int store_event(struct store *s, const struct ipc_history_event *e);
int store_state(struct store *s, const struct ipc_history_state *state);
/* Whatever has had no state in this run is no more. */
int store_whole(struct store *s, const struct ledger_time *at);
/* From `at` on nothing is known: until states are told again. */
int store_lost(struct store *s, const struct ledger_time *at, uint64_t count);
/* The machine slept from one moment to the other. */
int store_sleep(struct store *s, const struct ledger_time *from, const struct ledger_time *to);
int store_drill(struct store *s, const struct ipc_history_drill *d);
/* The relay lives. */
int store_beat(struct store *s, const struct ledger_time *at);
/* Forgets what is older than `before_us` (wall), and the oldest events while the database has more
 * than `most_bytes`. States in force then stay known. */
int store_prune(struct store *s, int64_t before_us, int64_t most_bytes);
int store_commit(struct store *s);
int64_t store_bytes(struct store *s);
const char *store_why(const struct store *s);

#endif
