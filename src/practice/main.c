/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * understudy-practice: stands in for one destination during a rehearsal and counts what it gets.
 *
 * The supervisor gives it a listening socket on the loopback interface, the relay dials it like any
 * platform. One publisher at a time; the next is let in when the one before has gone. Blocks in
 * poll(), and for the rest of a chunk that has begun (at most READ_WAIT_S). It ends on STOP, or
 * when the control socket closes.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/flv.h>
#include <understudy/ipc.h>
#include <understudy/log.h>
#include <understudy/text.h>
#include <understudy/worker.h>

#include "platform.h"

#define READ_WAIT_S 5
#define STATUS_US 200000

struct program {
	int listener;
	struct platform *platform; /* NULL: nobody is there */
	char stream[IPC_NAME];
	struct ipc_practice_status status; /* since the beginning, but for the silence */
	int64_t status_us;
	int64_t heard_us; /* when media came last; 0: none yet */
	bool has_last[FLV_DATA];
	uint32_t last_ms[FLV_DATA]; /* timestamps of this session, by type of message */
	bool is_ended;
};

/* ---- what is counted ---- */

static void note_silence(struct program *p, int64_t now_us)
{
	int64_t silence_us = p->heard_us != 0 ? now_us - p->heard_us : 0;

	if (silence_us > p->status.silence_us) {
		p->status.silence_us = silence_us;
	}
}

static void note_message(struct program *p, const struct platform_message *m)
{
	int64_t now_us = clock_monotonic_us();

	p->status.bytes += m->size;
	if (m->type >= FLV_DATA) {
		return;
	}
	note_silence(p, now_us);
	p->heard_us = now_us;
	p->status.messages++;
	if (p->has_last[m->type] && (int32_t)(m->timestamp_ms - p->last_ms[m->type]) < 0) {
		p->status.backwards++;
	}
	p->has_last[m->type] = true;
	p->last_ms[m->type] = m->timestamp_ms;
}

static void tell(struct program *p)
{
	int64_t now_us = clock_monotonic_us();
	int error;

	if (now_us - p->status_us < STATUS_US) {
		return;
	}
	note_silence(p, now_us);
	error = ipc_send(WORKER_CONTROL_FD, IPC_PRACTICE_STATUS, &p->status, NULL, 0);
	p->is_ended |= error != 0 && error != -EAGAIN;
	if (error == 0) {
		p->status.silence_us = 0;
	}
	p->status_us = now_us;
}

/* ---- the publisher ---- */

static void hear(struct program *p)
{
	bool was_publishing = platform_is_publishing(p->platform);
	struct platform_message m;

	do {
		if (!platform_next(p->platform, &m)) {
			platform_destroy(&p->platform);
			return;
		}
		if (m.type != 0) {
			note_message(p, &m);
		}
	} while (platform_has_more(p->platform));
	p->status.publishes += platform_is_publishing(p->platform) && !was_publishing;
}

static void let_in(struct program *p)
{
	const struct timeval patience = { .tv_sec = READ_WAIT_S };
	int fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0) {
		return; /* gone again */
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	p->platform = platform_create(fd, p->stream);
	memset(p->has_last, 0, sizeof(p->has_last));
	if (p->platform != NULL && platform_has_more(p->platform)) {
		hear(p); /* what came with the handshake: the socket does not tell of it again */
	}
}

/* ---- orders ---- */

static void obey(struct program *p)
{
	struct ipc_message m;
	int got = ipc_recv(WORKER_CONTROL_FD, &m);

	if (got == -EAGAIN) {
		return;
	}
	p->is_ended = got <= 0 || m.type == IPC_STOP;
	if (got > 0) {
		ipc_message_finish(&m);
	}
}

/* The first order; says why on the log if it does not come. */
static bool begin(struct program *p)
{
	struct ipc_message m;

	if (!worker_first_order(IPC_PRACTICE_START, &m)) {
		return false;
	}
	const struct ipc_practice_start *start = (const void *)m.body;
	p->listener = ipc_take_fd(&m, 0);
	text_copy(p->stream, sizeof(p->stream), start->stream);
	ipc_message_finish(&m);
	return p->listener >= 0;
}

static void run(struct program *p)
{
	while (!p->is_ended) {
		bool is_alone = p->platform == NULL;
		struct pollfd ready[] = {
			{ .fd = WORKER_CONTROL_FD, .events = POLLIN },
			{ .fd = is_alone ? p->listener : platform_fd(p->platform),
			  .events = POLLIN },
		};
		int64_t wait_us = p->status_us + STATUS_US - clock_monotonic_us();

		poll(ready, 2, wait_us > 0 ? (int)(wait_us / 1000) + 1 : 0);
		if (ready[0].revents != 0) {
			obey(p);
		} else if (ready[1].revents != 0 && is_alone) {
			let_in(p);
		} else if (ready[1].revents != 0) {
			hear(p);
		}
		tell(p);
	}
}

int main(void)
{
	static struct program p = { .listener = -1 };

	worker_begin(ROLE_PRACTICE);
	if (!begin(&p)) {
		return EXIT_FAILURE;
	}
	run(&p);
	platform_destroy(&p.platform);
	close(p.listener);
	return EXIT_SUCCESS;
}
