/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * understudy-ingest-srt: the SRT port. Reads no media; each caller's transport stream goes to an
 * ingest-av of its own.
 *
 * One process per port. libsrt brings threads of its own and cannot wait for our descriptors, so
 * the loop waits in libsrt for some milliseconds at a time and looks at the control socket
 * between. It ends on STOP and when the control socket closes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/log.h>
#include <understudy/worker.h>

#include "port.h"

/* False if it is time to end. */
static bool obey(struct port *p, struct ipc_message *m)
{
	switch (m->type) {
	case IPC_SRT_FEEDS: {
		struct ipc_srt_feeds *piece = (void *)m->body;

		door_learn(&p->door, piece);
		explicit_bzero(piece, sizeof(*piece));
		return true;
	}
	case IPC_SRT_CARRY:
		port_carry(p, ((const struct ipc_srt_carry *)(const void *)m->body)->connection,
			   ipc_take_fd(m, 0));
		return true;
	case IPC_SRT_DROP:
		port_drop(p, ((const struct ipc_srt_drop *)(const void *)m->body)->connection);
		return true;
	case IPC_STOP:
		return false;
	default:
		log_warn("unexpected order type=%s", ipc_type_str(m->type));
		return true;
	}
}

static bool obey_all(struct port *p)
{
	static struct ipc_message m;
	bool goes_on = !p->is_lost;

	while (goes_on) {
		int got = ipc_recv(WORKER_CONTROL_FD, &m);

		if (got == -EAGAIN) {
			return true;
		}
		goes_on = got > 0 && obey(p, &m);
		if (got > 0) {
			ipc_message_finish(&m);
		}
	}
	return false;
}

static bool start(struct port *p)
{
	struct ipc_message m;

	if (!worker_first_order(IPC_SRT_START, &m)) {
		return false;
	}
	bool is_open = port_open(p, ipc_take_fd(&m, 0), WORKER_CONTROL_FD) == 0;
	ipc_message_finish(&m);
	return is_open;
}

int main(void)
{
	static struct port port;

	worker_begin(ROLE_INGEST_SRT);
	if (!start(&port)) {
		return EXIT_FAILURE;
	}
	while (obey_all(&port)) {
		port_serve(&port);
	}
	port_close(&port);
	return EXIT_SUCCESS;
}
