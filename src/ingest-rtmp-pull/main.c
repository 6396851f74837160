/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * understudy-ingest-rtmp-pull: librtmp plays a remote stream into a feed ring.
 *
 * One process per pulled feed, started by the supervisor beside understudy-ingest-rtmp-tunnel. All
 * it has of the network is a socketpair to that; it knows neither address nor name nor key of what
 * it plays. It blocks for its first order, and in librtmp for the rest of a message whose beginning
 * is there. It ends on STOP, which comes when the tunnel has ended, or when the control socket
 * closes; when the stream ends, it lets the tunnel go first, whose end tells why.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/flv.h>
#include <understudy/intake.h>
#include <understudy/ipc.h>
#include <understudy/log.h>
#include <understudy/orders.h>
#include <understudy/text.h>
#include <understudy/worker.h>

#include "player.h"

#define STATUS_US 1000000
#define OVER_LIMIT_SECONDS 5 /* above max_kbps for so long, then the stream ends */
#define STOP_WAIT_MS 1000

struct program {
	struct player *player;
	struct intake intake;
	struct ipc_stream_start start;
	int socket; /* the player's */
	int wake;   /* owned, -1 = none */
	int64_t status_us;
	uint64_t bytes, bytes_at_status;
	unsigned seconds_over_limit;
	bool has_media, is_ended, is_told; /* to end, or there is nobody to tell it */
};

static void program_report(struct program *p, enum ipc_type type, const void *body)
{
	int error = ipc_send(WORKER_CONTROL_FD, type, body, NULL, 0);

	if (error != 0 && error != -EAGAIN) {
		p->is_ended = p->is_told = true; /* nobody is there any more */
	}
}

/* ---- each second ---- */

static void program_check_rate(struct program *p, int64_t elapsed_us)
{
	uint64_t kbps = (p->bytes - p->bytes_at_status) * 8000 / (uint64_t)elapsed_us;
	struct ipc_ingest_closed closed = { 0 };

	p->bytes_at_status = p->bytes;
	p->seconds_over_limit = p->start.max_kbps != 0 && kbps > p->start.max_kbps
					? p->seconds_over_limit + 1
					: 0;
	if (p->seconds_over_limit >= OVER_LIMIT_SECONDS) {
		text_format(closed.cause, sizeof(closed.cause),
			    "%llu kb/s, above the feed's max_kbps of %u for %d s",
			    (unsigned long long)kbps, p->start.max_kbps, OVER_LIMIT_SECONDS);
		program_report(p, IPC_INGEST_CLOSED, &closed);
		p->is_ended = true;
	}
}

static void program_status(struct program *p, int64_t now_us)
{
	struct ipc_ingest_status status = {
		.bytes = p->bytes,
		.packets = p->intake.feed.packets,
		.dropped = p->intake.feed.dropped,
	};

	if (now_us - p->status_us < STATUS_US) {
		return;
	}
	text_copy(status.encoder, sizeof(status.encoder), p->intake.encoder);
	program_report(p, IPC_INGEST_STATUS, &status);
	program_check_rate(p, now_us - p->status_us);
	p->status_us = now_us;
}

/* ---- media ---- */

/* The switch gets to know the feed with its first media. */
static void program_take(struct program *p, const struct player_message *m, int64_t now_us)
{
	struct ipc_ring_ready ready = { 0 };

	p->bytes += m->size;
	intake_message(&p->intake, m->type, m->timestamp_ms, m->body, m->size, now_us);
	if (!p->has_media && m->type != FLV_DATA) {
		p->has_media = true;
		program_report(p, IPC_RING_READY, &ready);
	}
}

/* Everything that can be read without waiting. */
static void program_read(struct program *p)
{
	struct player_message m;
	int64_t now_us = clock_monotonic_us();

	do {
		if (!player_next(p->player, &m)) {
			p->is_ended = true;
		} else if (m.type != 0) {
			program_take(p, &m, now_us);
		}
	} while (!p->is_ended && player_has_more(p->player));
	intake_publish(&p->intake);
}

/* The last of it: what the tunnel has said before it went. */
static void program_drain(struct program *p)
{
	struct pollfd socket = { .fd = p->socket, .events = POLLIN };

	while (!p->is_ended && poll(&socket, 1, 0) > 0) {
		program_read(p);
	}
	p->is_ended = true;
}

/* ---- orders ---- */

static void program_obey(struct program *p)
{
	struct ipc_message m;
	int got = ipc_recv(WORKER_CONTROL_FD, &m);
	struct ipc_ring_ready ready = { 0 };

	if (got == -EAGAIN) {
		return;
	}
	if (got <= 0) {
		p->is_ended = p->is_told = true;
	} else if (m.type == IPC_STOP) {
		p->is_told = true;
		program_drain(p);
	} else {
		switch (orders_obey(&p->intake.feed, &p->wake, &m)) {
		case ORDERS_MOVED:
			program_report(p, IPC_RING_READY, &ready);
			break;
		case ORDERS_UNKNOWN:
			log_warn("unexpected order type=%s", ipc_type_str(m.type));
			break;
		case ORDERS_DONE:
			break;
		}
	}
	if (got > 0) {
		ipc_message_finish(&m);
	}
}

static void program_run(struct program *p)
{
	struct pollfd ready[] = {
		{ .fd = p->socket, .events = POLLIN },
		{ .fd = WORKER_CONTROL_FD, .events = POLLIN },
	};

	while (!p->is_ended) {
		int64_t wait_us = p->status_us + STATUS_US - clock_monotonic_us();

		poll(ready, 2, wait_us > 0 ? (int)(wait_us / 1000) + 1 : 0);
		if (ready[1].revents != 0) {
			program_obey(p);
		}
		if (!p->is_ended && ready[0].revents != 0) {
			program_read(p);
		}
		program_status(p, clock_monotonic_us());
	}
}

/* The tunnel ends as well, now that nobody is behind it, or has before. It is buried first: what
 * became of it is why the feed is lost. */
static void program_await_stop(struct program *p)
{
	struct pollfd control = { .fd = WORKER_CONTROL_FD, .events = POLLIN };

	p->is_ended = true; /* if it ever began */
	while (!p->is_told && poll(&control, 1, STOP_WAIT_MS) > 0) {
		program_obey(p);
	}
}

/* ---- life ---- */

static bool program_begin(struct program *p, struct ipc_message *m)
{
	int ring = ipc_take_fd(m, 1), error;

	memcpy(&p->start, m->body, sizeof(p->start));
	p->socket = ipc_take_fd(m, 0);
	p->wake = ipc_take_fd(m, 2);
	error = intake_init(&p->intake, ring, p->start.span_us, p->wake);
	close(ring);
	if (error != 0) {
		log_error("cannot open the feed ring: %s", strerror(-error));
		return false;
	}
	p->status_us = clock_monotonic_us();
	p->player = player_create(p->socket);
	return p->player != NULL; /* else the tunnel says why */
}

static bool program_start(struct program *p)
{
	struct ipc_message m;

	if (!worker_first_order(IPC_STREAM_START, &m)) {
		return false;
	}
	bool is_begun = program_begin(p, &m);
	ipc_message_finish(&m);
	return is_begun;
}

int main(void)
{
	static struct program p = { .socket = -1, .wake = -1 };

	worker_begin(ROLE_INGEST_RTMP_PULL);
	if (program_start(&p)) {
		program_run(&p);
	}
	player_destroy(&p.player);
	program_await_stop(&p);
	intake_finish(&p.intake);
	if (p.wake >= 0) {
		close(p.wake);
	}
	return EXIT_SUCCESS;
}
