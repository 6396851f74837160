/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * understudy-ingest-av-pull: a URL fetched into a feed ring, by libavformat.
 *
 * One process per feed, started by the supervisor while the show is. It blocks in libavformat,
 * whose interrupt callback looks after the supervisor's orders, the second and the time limits. It
 * ends when the stream does, on STOP, when the control socket closes, when nothing comes, or when
 * what comes is of no use; the supervisor starts another one.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/orders.h>
#include <understudy/text.h>
#include <understudy/worker.h>

#include "carry.h"
#include "names.h"

#define SECOND_US 1000000
#define LOOK_US 20000        /* how often the interrupt callback really looks */
#define OVER_LIMIT_SECONDS 5 /* above max_kbps for so long, then the stream ends */

void pull_end(struct pull *p, const char *cause)
{
	if (p->cause[0] == '\0') {
		text_copy(p->cause, sizeof(p->cause), cause);
	}
	p->is_ended = true;
}

/* ---- the supervisor ---- */

/* A full control socket loses a status, which the next one makes good. */
void pull_report(struct pull *p, enum ipc_type type, const void *body)
{
	int error = ipc_send(WORKER_CONTROL_FD, type, body, NULL, 0);

	if (error != 0 && error != -EAGAIN) {
		p->is_over = p->is_ended = true;
	}
}

static bool program_order(struct pull *p, struct ipc_message *m)
{
	struct ipc_ring_ready ready = { 0 };
	enum orders_result result = orders_obey(&p->streams.feed, &p->wake, m);

	if (result == ORDERS_MOVED) {
		pull_report(p, IPC_RING_READY, &ready);
	}
	return result != ORDERS_UNKNOWN;
}

static void program_obey(struct pull *p)
{
	struct ipc_message m;
	int got = ipc_recv(WORKER_CONTROL_FD, &m);

	if (got == -EAGAIN) {
		return;
	}
	if (got <= 0 || m.type == IPC_STOP) {
		p->is_over = p->is_ended = true;
	} else if (m.type == IPC_RESOLVE_ANSWER) {
		names_answer((const void *)m.body);
	} else if (!program_order(p, &m)) {
		log_warn("unexpected order type=%s", ipc_type_str(m.type));
	}
	if (got > 0) {
		ipc_message_finish(&m);
	}
}

static void program_check(struct pull *p, int64_t now_us)
{
	uint64_t kbps = (p->bytes - p->bytes_at_status) * 8000 / (uint64_t)(now_us - p->status_us);
	char cause[IPC_TEXT];

	p->bytes_at_status = p->bytes;
	p->seconds_over_limit = p->start.max_kbps != 0 && kbps > p->start.max_kbps
					? p->seconds_over_limit + 1
					: 0;
	if (p->seconds_over_limit >= OVER_LIMIT_SECONDS) {
		text_format(cause, sizeof(cause),
			    "%llu kb/s, above the feed's max_kbps of %u for %d s",
			    (unsigned long long)kbps, p->start.max_kbps, OVER_LIMIT_SECONDS);
		pull_end(p, cause);
	}
}

static void program_second(struct pull *p, int64_t now_us)
{
	struct ipc_ingest_status status = {
		.bytes = p->bytes,
		.packets = p->streams.feed.packets,
		.dropped = p->streams.feed.dropped,
	};
	struct ipc_ts_status transport = streams_transport(&p->streams, &p->inspector.report);

	pull_report(p, IPC_INGEST_STATUS, &status);
	pull_report(p, IPC_TS_STATUS, &transport);
	program_check(p, now_us);
	p->status_us = now_us;
	p->second_us = now_us + SECOND_US;
}

/* Orders, the second, the time limit. */
void pull_attend(struct pull *p)
{
	int64_t now_us = clock_monotonic_us();

	if (now_us - p->looked_us < LOOK_US) {
		return;
	}
	p->looked_us = now_us;
	program_obey(p);
	carry_flow(p);
	if (now_us >= p->second_us) {
		program_second(p, now_us);
	}
	if (names_refusal()[0] != '\0') {
		pull_end(p, names_refusal());
	} else if (fetch_trouble(&p->fetch)[0] != '\0') {
		pull_end(p, fetch_trouble(&p->fetch));
	} else if (now_us >= p->deadline_us) {
		pull_end(p, p->bytes == 0   ? "no answer in time"
			    : !p->has_media ? "nothing in it that can be carried came in time"
					    : "the source sends nothing any more");
	}
}

static int on_interrupt(void *program)
{
	struct pull *p = program;

	pull_attend(p);
	return p->is_ended;
}

void pull_wait(struct pull *p, int64_t until_us)
{
	struct pollfd control = { .fd = WORKER_CONTROL_FD, .events = POLLIN };
	int64_t left_us = until_us - clock_monotonic_us();

	if (left_us > 0 && poll(&control, 1, (int)(left_us / 1000) + 1) > 0) {
		p->looked_us = 0; /* an order is no reason to wait for the next look */
	}
	pull_attend(p);
}

static bool on_names_wait(void *program)
{
	struct pull *p = program;

	pull_wait(p, clock_monotonic_us() + LOOK_US);
	return !p->is_ended;
}

/* ---- begin and end ---- */

static bool program_begin(struct pull *p, struct ipc_message *m)
{
	static const struct names_ops names_ops = { on_names_wait };
	int ring = ipc_take_fd(m, 0), error;
	int64_t now_us = clock_monotonic_us();

	memcpy(&p->start, m->body, sizeof(p->start));
	p->fetch.trust = ipc_take_fd(m, 1);
	p->wake = ipc_take_fd(m, 2);
	p->fetch.interrupt = (AVIOInterruptCB){ on_interrupt, p };
	error = streams_init(&p->streams, ring, p->start.span_us, p->wake);
	close(ring);
	if (error != 0) {
		log_error("cannot open the feed ring: %s", strerror(-error));
		return false;
	}
	p->status_us = now_us;
	p->second_us = now_us + SECOND_US;
	fetch_split(p->start.url, &p->address);
	p->deadline_us = now_us + p->start.connect_us +
			 (int64_t)fetch_latency_ms(&p->start, &p->address) * 1000;
	names_begin(p->address.host, p->start.allow_private, &names_ops, p);
	fetch_begin_log();
	return true;
}

static bool program_start(struct pull *p)
{
	struct ipc_message m;

	if (!worker_first_order(IPC_PULL_START, &m)) {
		return false;
	}
	bool is_begun = program_begin(p, &m);
	explicit_bzero(m.body, sizeof(m.body));
	ipc_message_finish(&m);
	return is_begun;
}

static void program_finish(struct pull *p)
{
	struct ipc_ingest_closed closed = { .is_clean = p->cause[0] == '\0' };

	feed_writer_publish(&p->streams.feed);
	if (!p->is_over) {
		text_copy(closed.cause, sizeof(closed.cause),
			  p->cause[0] != '\0' ? p->cause : "the source ended the stream");
		pull_report(p, IPC_INGEST_CLOSED, &closed);
	}
	streams_finish(&p->streams);
	explicit_bzero(&p->start, sizeof(p->start));
	close(p->fetch.trust);
	if (p->wake >= 0) {
		close(p->wake);
	}
}

int main(void)
{
	static struct pull p;

	worker_begin(ROLE_INGEST_AV_PULL);
	if (!program_start(&p)) {
		return EXIT_FAILURE;
	}
	carry_all(&p);
	program_finish(&p);
	return EXIT_SUCCESS;
}
