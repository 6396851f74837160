/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What both witnesses tell (tell.h). */
#include <errno.h>
#include <poll.h>

#include <understudy/worker.h>

#include "tell.h"

void tell(enum ipc_type type, const void *body, bool patient)
{
	while (ipc_send(WORKER_CONTROL_FD, type, body, NULL, 0) == -EAGAIN && patient) {
		struct pollfd control = { .fd = WORKER_CONTROL_FD, .events = POLLOUT };

		poll(&control, 1, -1);
	}
}

void tell_events(struct witness *w, bool patient)
{
	struct ipc_witness_event message = { 0 };

	while (witness_next(w, &message.event)) {
		tell(IPC_WITNESS_EVENT, &message, patient);
	}
}

void tell_summary(struct witness *w, uint32_t mark, int64_t now_us, bool patient)
{
	struct ipc_witness_summary message = { .mark = mark };

	witness_take(w, now_us, &message.summary);
	tell(IPC_WITNESS_SUMMARY, &message, patient);
}

int take_order(struct ipc_message *m, int timeout_ms)
{
	struct pollfd control = { .fd = WORKER_CONTROL_FD, .events = POLLIN };
	int result;

	if (poll(&control, 1, timeout_ms) <= 0) {
		return 0;
	}
	result = ipc_recv(WORKER_CONTROL_FD, m);
	if (result == -EAGAIN) {
		return 0;
	}
	return result == 1 && m->type != IPC_STOP ? 1 : -EPIPE;
}
