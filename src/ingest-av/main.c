/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * understudy-ingest-av: a transport stream into a feed ring, by libavformat.
 *
 * One process per connection, started by the supervisor; the stream comes from ingest-srt. It
 * blocks in link_read() only, which also listens to the supervisor. It ends when the stream does,
 * on STOP, when the control socket closes, or when what comes is of no use.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/input.h>
#include <understudy/log.h>
#include <understudy/orders.h>
#include <understudy/text.h>
#include <understudy/worker.h>

#include "link.h"
#include "stream.h"

#define MEDIA_WAIT_US 10000000 /* for the first packet that can be carried */
#define OVER_LIMIT_SECONDS 5   /* above max_kbps for so long, then the stream ends */

struct program {
	struct link link;
	struct streams streams;
	struct ipc_stream_start start;
	int wake;
	int64_t started_us, status_us;
	uint64_t bytes_at_status;
	unsigned seconds_over_limit;
	bool is_lost; /* the supervisor cannot be told any more */
	char cause[IPC_TEXT];
};

static void program_end(struct program *p, const char *cause)
{
	if (p->cause[0] == '\0') {
		text_copy(p->cause, sizeof(p->cause), cause);
	}
	link_end(&p->link);
}

/* A full control socket loses a status, which the next one makes good. */
static void program_report(struct program *p, enum ipc_type type, const void *body)
{
	int error = ipc_send(WORKER_CONTROL_FD, type, body, NULL, 0);

	if (error != 0 && error != -EAGAIN) {
		p->is_lost = true;
		link_end(&p->link);
	}
}

static void program_check(struct program *p, int64_t now_us)
{
	uint64_t kbps = (p->link.bytes - p->bytes_at_status) * 8000 /
			(uint64_t)(now_us - p->status_us);
	char cause[IPC_TEXT];

	p->bytes_at_status = p->link.bytes;
	p->seconds_over_limit = p->start.max_kbps != 0 && kbps > p->start.max_kbps
					? p->seconds_over_limit + 1
					: 0;
	if (p->seconds_over_limit >= OVER_LIMIT_SECONDS) {
		text_format(cause, sizeof(cause),
			    "%llu kb/s, above the feed's max_kbps of %u for %d s",
			    (unsigned long long)kbps, p->start.max_kbps, OVER_LIMIT_SECONDS);
		program_end(p, cause);
	}
	if (p->streams.feed.packets == 0 && now_us - p->started_us > MEDIA_WAIT_US) {
		program_end(p, p->link.inspector.report.packets == 0
				       ? "what the encoder sends is no MPEG transport stream"
			       : p->streams.has_codec[0] ? "no key frame in 10 s"
							 : "no video or audio that can be carried");
	}
}

static void program_second(void *program)
{
	struct program *p = program;
	int64_t now_us = clock_monotonic_us();
	struct ipc_ingest_status status = {
		.bytes = p->link.bytes,
		.packets = p->streams.feed.packets,
		.dropped = p->streams.feed.dropped,
	};
	struct ipc_ts_status transport = streams_transport(&p->streams, &p->link.inspector.report);

	transport.gaps = p->link.gaps;
	program_report(p, IPC_INGEST_STATUS, &status);
	program_report(p, IPC_TS_STATUS, &transport);
	program_check(p, now_us);
	p->status_us = now_us;
}

static void program_idle(void *program)
{
	struct program *p = program;

	feed_writer_publish(&p->streams.feed);
}

static bool program_order(void *program, struct ipc_message *m)
{
	struct program *p = program;
	struct ipc_ring_ready ready = { 0 };
	enum orders_result result = orders_obey(&p->streams.feed, &p->wake, m);

	if (result == ORDERS_MOVED) {
		program_report(p, IPC_RING_READY, &ready);
	}
	return result != ORDERS_UNKNOWN;
}

static const struct link_ops ops = { program_idle, program_second, program_order };

static bool program_begin(struct program *p, struct ipc_message *m)
{
	struct ipc_ring_ready ready = { 0 };
	int ring = ipc_take_fd(m, 1), error;

	memcpy(&p->start, m->body, sizeof(p->start));
	p->wake = ipc_take_fd(m, 2);
	p->link = (struct link){ .socket = ipc_take_fd(m, 0),
				 .control = WORKER_CONTROL_FD,
				 .ops = &ops,
				 .owner = p,
				 .backdate_us = p->start.backdate_us };
	link_init(&p->link);
	error = streams_init(&p->streams, ring, p->start.span_us, p->wake);
	close(ring);
	if (error != 0) {
		log_error("cannot open the feed ring: %s", strerror(-error));
		return false;
	}
	p->started_us = p->status_us = clock_monotonic_us();
	program_report(p, IPC_RING_READY, &ready);
	return true;
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

/* A PES packet of video ends where the next one begins: what comes out behind the end of the
 * stream may be half a picture. */
static bool is_cut(const struct program *p, const struct input_packet *packet)
{
	return p->link.is_ended && p->link.at == p->link.filled &&
	       (packet->format == INPUT_AVC || packet->format == INPUT_HEVC);
}

static void program_carry(struct program *p)
{
	struct input *input = NULL;
	struct input_packet packet;
	int got = input_open_ts(link_read, &p->link, &input);

	while (got >= 0 && (got = input_next(input, &packet)) > 0) {
		bool is_video = packet.format == INPUT_AVC || packet.format == INPUT_HEVC;
		int64_t arrival_us = ts_arrival_us(&p->link.inspector, packet.pid, is_video);

		if (!is_cut(p, &packet)) {
			streams_put(&p->streams, input, &packet,
				    arrival_us != INT64_MIN ? arrival_us : p->link.arrival_us);
		}
	}
	if (got < 0 && !p->link.is_ended) {
		log_warn("the transport stream cannot be read: %s", strerror(-got));
		program_end(p, "the transport stream cannot be read");
	}
	input_close(&input);
}

static void program_finish(struct program *p)
{
	struct ipc_ingest_closed closed = { .is_clean = p->cause[0] == '\0' };

	feed_writer_publish(&p->streams.feed);
	if (!p->is_lost) {
		text_copy(closed.cause, sizeof(closed.cause), p->cause);
		program_report(p, IPC_INGEST_CLOSED, &closed);
	}
	streams_finish(&p->streams);
	link_finish(&p->link);
	if (p->wake >= 0) {
		close(p->wake);
	}
}

int main(void)
{
	static struct program p;

	worker_begin(ROLE_INGEST_AV);
	if (!program_start(&p)) {
		return EXIT_FAILURE;
	}
	program_carry(&p);
	program_finish(&p);
	return EXIT_SUCCESS;
}
