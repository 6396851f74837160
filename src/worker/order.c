/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a worker is told what to do (worker.h). Workers, at their start; blocks for a few seconds. */
#include <poll.h>

#include <understudy/ipc.h>
#include <understudy/log.h>
#include <understudy/worker.h>

#define START_WAIT_MS 5000

bool worker_first_order(enum ipc_type type, struct ipc_message *ret)
{
	struct pollfd control = { .fd = WORKER_CONTROL_FD, .events = POLLIN };

	if (poll(&control, 1, START_WAIT_MS) <= 0 || ipc_recv(WORKER_CONTROL_FD, ret) <= 0) {
		log_error("no order from the supervisor");
		return false;
	}
	if (ret->type != type) {
		log_error("unexpected first order type=%s", ipc_type_str(ret->type));
		ipc_message_finish(ret);
		return false;
	}
	return true;
}
