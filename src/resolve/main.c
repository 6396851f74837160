/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * understudy-resolve: host names into addresses, one question at a time. Blocks in
 * getaddrinfo(3); the supervisor ends it when an answer takes too long and starts another. Holds no
 * secrets and owns nothing but the control socket.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include <understudy/ipc.h>
#include <understudy/log.h>
#include <understudy/worker.h>

#include "lookup.h"

static void wait_for(short events)
{
	struct pollfd p = { .fd = WORKER_CONTROL_FD, .events = events };

	(void)poll(&p, 1, -1);
}

/* 0 or a negative errno: the supervisor is gone. */
static int answer(const struct ipc_resolve_ask *ask)
{
	struct ipc_resolve_answer reply;
	int error;

	lookup_host(ask->host, ask->port, &reply);
	reply.query = ask->query;
	while ((error = ipc_send(WORKER_CONTROL_FD, IPC_RESOLVE_ANSWER, &reply, NULL, 0)) ==
	       -EAGAIN) {
		wait_for(POLLOUT);
	}
	return error;
}

/* Handles one message; the process' exit code, or -1 to go on. */
static int serve(struct ipc_message *m)
{
	struct ipc_resolve_ask ask;

	switch (m->type) {
	case IPC_STOP:
		return 0;
	case IPC_RESOLVE_ASK:
		memcpy(&ask, m->body, sizeof(ask));
		return answer(&ask) < 0 ? 0 : -1;
	default:
		log_error("unexpected message type=%s", ipc_type_str(m->type));
		return 1;
	}
}

int main(void)
{
	static struct ipc_message m;
	int result, code = -1;

	worker_begin(ROLE_RESOLVE);
	while (code < 0) {
		result = ipc_recv(WORKER_CONTROL_FD, &m);
		if (result == 1) {
			code = serve(&m);
			ipc_message_finish(&m);
		} else if (result == -EAGAIN) {
			wait_for(POLLIN);
		} else if (result == 0) {
			code = 0;
		} else {
			log_error("control socket failed error=%s", strerror(-result));
			code = 1;
		}
	}
	return code;
}
