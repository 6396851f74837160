/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * understudy-history: keeps the history in SQLite, or answers one question about it and ends. Its
 * only files are those of one directory. Nobody waits for it: it may block on the disk for as long
 * as the disk likes. Ends when its control socket closes, with everything written.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/clock.h>
#include <understudy/worker.h>

#include "answer.h"
#include "keeper.h"

#define BEAT_US 5000000
#define BATCH 256 /* records in one transaction at most */

static struct ledger_time now(void)
{
	return (struct ledger_time){ clock_boot_us(), clock_wall_us() };
}

static void tell(struct keeper *k)
{
	/* A supervisor that does not read at the moment gets the next one. */
	(void)ipc_send(WORKER_CONTROL_FD, IPC_HISTORY_STATUS, &k->status, NULL, 0);
	k->status.remark[0] = '\0';
}

/* Everything that waits, in one transaction. False: it is over. */
static bool take_records(struct keeper *k, struct ipc_message *m)
{
	int result = 0;

	for (int i = 0; i < BATCH; i++) {
		result = ipc_recv(WORKER_CONTROL_FD, m);
		if (result != 1) {
			break;
		}
		keeper_take(k, m);
		bool is_over = m->type == IPC_STOP;
		ipc_message_finish(m);
		if (is_over) {
			return false;
		}
	}
	keeper_commit(k);
	return result == 1 || result == -EAGAIN;
}

static void beat(struct keeper *k)
{
	const struct ledger_time present = now();

	keeper_beat(k, &present, clock_monotonic_us());
	tell(k);
}

static void keep(struct ipc_message *m)
{
	struct keeper keeper;
	int64_t beat_us = clock_monotonic_us();
	bool goes_on = true;

	keeper_begin(&keeper, HISTORY_FILE, (const void *)m->body);
	ipc_message_finish(m);
	beat(&keeper);
	while (goes_on) {
		struct pollfd control = { .fd = WORKER_CONTROL_FD, .events = POLLIN };
		int64_t wait_us = beat_us + BEAT_US - clock_monotonic_us();
		bool was_broken = keeper.status.is_broken;

		if (poll(&control, 1, wait_us > 0 ? (int)(wait_us / 1000) + 1 : 0) > 0) {
			goes_on = take_records(&keeper, m);
		}
		if (clock_monotonic_us() - beat_us >= BEAT_US) {
			beat_us = clock_monotonic_us();
			beat(&keeper);
		} else if (keeper.status.is_broken != was_broken) {
			tell(&keeper);
		}
	}
	beat(&keeper);
	keeper_finish(&keeper);
}

int main(void)
{
	static struct ipc_message m;

	worker_begin_in_directory(ROLE_HISTORY, &m);
	if (m.type == IPC_HISTORY_START) {
		keep(&m);
	} else if (m.type == IPC_HISTORY_READ) {
		answer(HISTORY_FILE, (const void *)m.body, m.fds[1]);
	}
	return EXIT_SUCCESS;
}
