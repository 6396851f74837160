/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The writer (keeper.h). Runs in history; blocks on the disk. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <understudy/text.h>

#include "keeper.h"

#define SLEPT_US 2000000
#define PRUNE_US INT64_C(3600000000)
#define DAY_US (INT64_C(86400) * 1000000)

/* ---- a database that fails ---- */

static void lose(struct keeper *k, uint64_t count, const struct ledger_time *at)
{
	if (k->losing == 0) {
		k->lost_at = *at;
	}
	k->losing += count;
	k->status.lost += count;
}

static void break_down(struct keeper *k, const char *why)
{
	text_copy(k->status.error, sizeof(k->status.error), why);
	k->status.is_broken = true;
	if (k->uncommitted > 0) {
		lose(k, k->uncommitted, &k->last_uncommitted);
		k->uncommitted = 0;
	}
	store_close(&k->store);
}

/* False if it failed: nothing is open any more. */
static bool check(struct keeper *k, int result)
{
	if (result < 0) {
		char why[IPC_TEXT];

		text_copy(why, sizeof(why), store_why(&k->store));
		break_down(k, why);
	}
	return result == 0;
}

static void put_aside(struct keeper *k)
{
	char name[128];

	text_format(name, sizeof(name), "damaged-%lld.db",
		    (long long)(k->start.began.wall_us / 1000000));
	if (rename(k->file, name) == 0) {
		text_format(k->status.remark, sizeof(k->status.remark),
			    "the history was damaged; it is put aside as %s/%s and another is "
			    "begun",
			    HISTORY_FOLDER, name);
	}
	text_format(name, sizeof(name), "%s-wal", k->file);
	unlink(name);
	text_format(name, sizeof(name), "%s-shm", k->file);
	unlink(name);
}

static void try_to_open(struct keeper *k)
{
	char why[IPC_TEXT] = "";
	int result = store_open(&k->store, k->file, true, why);

	if (result == -EUCLEAN) {
		put_aside(k);
		result = store_open(&k->store, k->file, true, why);
	}
	if (result < 0) {
		break_down(k, why);
		return;
	}
	if (!check(k, store_begin_run(&k->store, &k->start))) {
		return;
	}
	if (k->losing > 0 && !check(k, store_lost(&k->store, &k->lost_at, k->losing))) {
		return;
	}
	if (check(k, store_commit(&k->store))) {
		k->status.is_broken = false;
		k->status.error[0] = '\0';
		k->losing = 0;
	}
}

/* ---- records ---- */

void keeper_begin(struct keeper *k, const char *file, const struct ipc_history_start *start)
{
	*k = (struct keeper){ .file = file, .start = *start };
	try_to_open(k);
}

static const struct ledger_time *time_of(const struct ipc_message *m)
{
	switch (m->type) {
	case IPC_HISTORY_EVENT:
		return &((const struct ipc_history_event *)(const void *)m->body)->at;
	case IPC_HISTORY_STATE:
		return &((const struct ipc_history_state *)(const void *)m->body)->at;
	case IPC_HISTORY_WHOLE:
		return &((const struct ipc_history_whole *)(const void *)m->body)->at;
	case IPC_HISTORY_LOST:
		return &((const struct ipc_history_lost *)(const void *)m->body)->at;
	case IPC_HISTORY_DRILL:
		return &((const struct ipc_history_drill *)(const void *)m->body)->at;
	default:
		return NULL;
	}
}

static int write_record(struct keeper *k, const struct ipc_message *m)
{
	const void *body = m->body;
	const struct ipc_history_lost *lost = body;

	switch (m->type) {
	case IPC_HISTORY_EVENT:
		return store_event(&k->store, body);
	case IPC_HISTORY_STATE:
		return store_state(&k->store, body);
	case IPC_HISTORY_WHOLE:
		return store_whole(&k->store, &((const struct ipc_history_whole *)body)->at);
	case IPC_HISTORY_LOST:
		return store_lost(&k->store, &lost->at, lost->count);
	default:
		return store_drill(&k->store, body);
	}
}

void keeper_take(struct keeper *k, const struct ipc_message *m)
{
	const struct ledger_time *at = time_of(m);

	if (at == NULL) {
		return;
	}
	k->status.taken++;
	if (k->status.is_broken) {
		lose(k, 1, at);
		return;
	}
	if (k->uncommitted++ == 0) {
		k->last_uncommitted = *at;
	}
	check(k, write_record(k, m));
}

void keeper_commit(struct keeper *k)
{
	if (!k->status.is_broken && check(k, store_commit(&k->store))) {
		k->uncommitted = 0;
	}
}

/* ---- time passes ---- */

static void note_sleep(struct keeper *k, const struct ledger_time *now, int64_t monotonic_us)
{
	int64_t asleep_us = now->boot_us - monotonic_us;
	bool has_slept = k->beat.boot_us != 0 && asleep_us > k->asleep_us + SLEPT_US;

	if (has_slept && !k->status.is_broken) {
		check(k, store_sleep(&k->store, &k->beat, now));
	}
	k->asleep_us = asleep_us;
	k->beat = *now;
}

static void prune(struct keeper *k, const struct ledger_time *now, int64_t monotonic_us)
{
	int64_t most_bytes = (int64_t)k->start.max_mb << 20;
	bool is_due = k->pruned_us == 0 || monotonic_us - k->pruned_us >= PRUNE_US ||
		      (int64_t)k->status.bytes > most_bytes;

	if (k->status.is_broken || !is_due) {
		return;
	}
	k->pruned_us = monotonic_us;
	check(k, store_prune(&k->store, now->wall_us - k->start.keep_days * DAY_US, most_bytes));
}

void keeper_beat(struct keeper *k, const struct ledger_time *now, int64_t monotonic_us)
{
	if (k->status.is_broken) {
		try_to_open(k);
	}
	note_sleep(k, now, monotonic_us);
	if (!k->status.is_broken) {
		check(k, store_beat(&k->store, now));
	}
	keeper_commit(k);
	if (!k->status.is_broken) {
		k->status.bytes = (uint64_t)store_bytes(&k->store);
	}
	prune(k, now, monotonic_us);
}

void keeper_finish(struct keeper *k)
{
	keeper_commit(k);
	store_close(&k->store);
}
