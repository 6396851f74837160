/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * understudy-ingest-file: a recording into a feed ring, over and over, at the pace of the clock.
 *
 * One process per feed, started by the supervisor, which gives it the file as a descriptor: it
 * opens none itself. It looks through the whole file first and reports what it is; where it was
 * given no ring, that is all. It blocks on the file and in program_wait(). It ends on STOP, when
 * the control socket closes, or when the file is of no use or changes.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/feed.h>
#include <understudy/ipc.h>
#include <understudy/log.h>
#include <understudy/orders.h>
#include <understudy/text.h>
#include <understudy/worker.h>

#include "player.h"

#define SECOND_US 1000000

struct program {
	int file, wake; /* wake -1: none */
	int64_t second_us;
	struct player player;
	struct feed_writer feed; /* without a ring if the file is only looked at */
	struct pace pace;
	uint64_t bytes;
	bool is_told;        /* to end */
	char why[CLIP_TEXT]; /* what is wrong with the file, "" = nothing */
};

static void program_report(struct program *p, enum ipc_type type, const void *body)
{
	int error = ipc_send(WORKER_CONTROL_FD, type, body, NULL, 0);

	p->is_told |= error != 0 && error != -EAGAIN;
}

static void program_obey(struct program *p)
{
	struct ipc_message m;
	int got = ipc_recv(WORKER_CONTROL_FD, &m);
	enum orders_result result;

	if (got <= 0 || m.type == IPC_STOP) {
		p->is_told = got != -EAGAIN;
	} else {
		result = orders_obey(&p->feed, &p->wake, &m);
		if (result == ORDERS_MOVED) {
			program_report(p, IPC_RING_READY, &(struct ipc_ring_ready){ 0 });
		} else if (result == ORDERS_UNKNOWN) {
			log_warn("unexpected order type=%s", ipc_type_str(m.type));
		}
	}
	if (got > 0) {
		ipc_message_finish(&m);
	}
}

static void program_second(struct program *p, int64_t now_us)
{
	const struct ipc_ingest_status status = {
		.bytes = p->bytes,
		.packets = p->feed.packets,
		.dropped = p->feed.dropped,
	};

	if (now_us >= p->second_us) {
		p->second_us = now_us + SECOND_US;
		program_report(p, IPC_INGEST_STATUS, &status);
	}
}

/* Until then, and for orders meanwhile. */
static void program_wait(struct program *p, int64_t at_us)
{
	struct pollfd control = { .fd = WORKER_CONTROL_FD, .events = POLLIN };
	int64_t now_us = clock_monotonic_us();

	do {
		int64_t left_us = at_us - now_us;

		if (poll(&control, 1, left_us > 0 ? (int)((left_us + 999) / 1000) : 0) > 0) {
			program_obey(p);
		}
		now_us = clock_monotonic_us();
		program_second(p, now_us);
	} while (now_us < at_us && !p->is_told);
}

/* ---- the file ---- */

static bool program_survey(struct program *p)
{
	int more = player_init(&p->player, p->file, p->why);

	for (more = more == 0 ? 1 : more; more > 0 && !p->is_told;) {
		more = player_survey(&p->player, p->why);
		program_wait(p, 0);
	}
	return more == 0 && !p->is_told;
}

static void program_describe(struct program *p, bool is_usable)
{
	const struct carousel *loop = &p->player.loop;
	const struct carousel_track *picture = &loop->tracks[PACKET_VIDEO];
	struct ipc_loop_report report = { .is_usable = is_usable };

	if (is_usable) {
		report.video = p->player.params[PACKET_VIDEO];
		report.audio = p->player.params[PACKET_AUDIO];
		report.length_ms = (uint32_t)(loop->period_90k / 90);
		report.gop_ms = (uint32_t)(loop->gop_90k / 90);
		report.fps_milli = picture->frames > 0 ? (uint32_t)(MEDIA_HZ * INT64_C(1000) /
								    picture->frame_90k)
						       : 0;
	}
	text_copy(report.remark, sizeof(report.remark), is_usable ? p->player.remark : p->why);
	program_report(p, IPC_LOOP_REPORT, &report);
}

/* ---- on air ---- */

static int program_send(struct program *p, struct held *h)
{
	int64_t due_us = pace_due_us(&p->pace, h->packet.dts_90k, clock_monotonic_us());

	if (due_us > clock_monotonic_us()) {
		feed_writer_publish(&p->feed);
		program_wait(p, due_us);
	}
	h->packet.arrival_us = clock_monotonic_us();
	feed_writer_put(&p->feed, &h->packet, h->payload);
	p->bytes += h->packet.size;
	return p->is_told ? -EINTR : 0;
}

static void program_play(struct program *p)
{
	const struct ipc_ring_ready ready = { 0 };
	struct held *h = NULL;
	int error = 0;

	program_report(p, IPC_RING_READY, &ready);
	while (error == 0) {
		error = player_next(&p->player, &h, p->why);
		if (error == 0) {
			error = program_send(p, h);
			free(h);
		}
	}
	feed_writer_publish(&p->feed);
}

/* ---- beginning and end ---- */

static bool program_begin(struct program *p, struct ipc_message *m)
{
	const struct ipc_loop_start *order = (const void *)m->body;
	int ring = ipc_take_fd(m, 1), error = 0;

	p->file = ipc_take_fd(m, 0);
	p->wake = ipc_take_fd(m, 2);
	if (ring >= 0) {
		error = feed_writer_init(&p->feed, ring, order->span_us, p->wake);
		close(ring);
	}
	if (error != 0) {
		log_error("cannot open the feed ring: %s", strerror(-error));
	}
	return error == 0;
}

static bool program_start(struct program *p)
{
	struct ipc_message m;

	if (!worker_first_order(IPC_LOOP_START, &m)) {
		return false;
	}
	bool is_begun = program_begin(p, &m);
	ipc_message_finish(&m);
	return is_begun;
}

int main(void)
{
	static struct program p;
	struct ipc_ingest_closed closed = { 0 };

	worker_begin(ROLE_INGEST_FILE);
	if (!program_start(&p)) {
		return EXIT_FAILURE;
	}
	bool is_usable = program_survey(&p);
	program_describe(&p, is_usable);
	if (is_usable && p.feed.ring != NULL) {
		program_play(&p);
	}
	if (!p.is_told) {
		text_copy(closed.cause, sizeof(closed.cause), p.why);
		program_report(&p, IPC_INGEST_CLOSED, &closed);
	}
	player_finish(&p.player);
	feed_writer_finish(&p.feed);
	return EXIT_SUCCESS;
}
