/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One encoder's connection (session.h). ingest-rtmp; never blocks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/text.h>

#include "pem.h"
#include "session.h"

#define READS_MAX 4 /* a step, so that a flood leaves room for control and timers */
#define STATUS_US 1000000
#define LEAVE_US 500000
#define GATHER_BYTES (128 * 1024) /* more than that is not gathered */
#define OVER_LIMIT_SECONDS 5      /* above max_kbps for so long, then the connection ends */

static struct stream *session_secure_stream(int socket, int chain, int key, const char **ret_error)
{
	struct pem certificates = { 0 }, secret = { 0 };
	struct stream *stream = NULL;

	if (pem_read(chain, &certificates) != 0) {
		*ret_error = "cannot read the certificate chain";
	} else if (pem_read(key, &secret) != 0) {
		*ret_error = "cannot read the private key";
	} else {
		stream = stream_create_tls_server(socket, certificates.text, certificates.size,
						  secret.text, secret.size, ret_error);
	}
	pem_finish(&certificates);
	pem_finish(&secret);
	return stream;
}

struct session *session_create(int socket, bool is_tls, int chain, int key, int control,
			       const char **ret_error)
{
	uint8_t random[1528];
	int64_t now_us = clock_monotonic_us();
	struct session *s = calloc(1, sizeof(*s));

	*ret_error = "out of memory";
	if (s == NULL) {
		close(socket);
		return NULL;
	}
	s->control = control;
	s->wake = -1;
	s->leave_us = CLOCK_NEVER;
	s->status_us = now_us;
	s->phase = is_tls ? SESSION_SECURING : SESSION_TALKING;
	net_tune_ingest(socket);
	s->stream = is_tls ? session_secure_stream(socket, chain, key, ret_error)
			   : stream_create_plain(socket);
	if (s->stream == NULL) {
		close(socket);
		session_destroy(&s);
		return NULL;
	}
	rtmp_limits_default(&s->limits);
	if (getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random)) {
		s->rtmp = rtmp_server_create(&s->limits, random, now_us);
	}
	if (s->rtmp == NULL) {
		session_destroy(&s);
	}
	return s;
}

void session_destroy(struct session **s)
{
	if (*s == NULL) {
		return;
	}
	/* Without a proper leave the encoder is to see a reset at once and dial again. */
	stream_destroy(&(*s)->stream, (*s)->leave_us == CLOCK_NEVER);
	rtmp_server_destroy(&(*s)->rtmp);
	intake_finish(&(*s)->intake);
	if ((*s)->wake >= 0) {
		close((*s)->wake);
	}
	free(*s);
	*s = NULL;
}

/* A full control socket loses a status, which the next one makes good; anything else that
 * cannot be said to the supervisor ends the worker. */
static bool session_report(struct session *s, enum ipc_type type, const void *body)
{
	bool may_be_lost = type == IPC_INGEST_STATUS || type == IPC_ALIVE;
	int error = ipc_send(s->control, type, body, NULL, 0);

	if (error == 0 || (error == -EAGAIN && may_be_lost)) {
		return true;
	}
	s->phase = SESSION_GONE;
	return false;
}

static void session_closed(struct session *s, bool is_clean, const char *cause)
{
	struct ipc_ingest_closed closed = { .is_clean = is_clean };

	intake_publish(&s->intake);
	text_copy(closed.cause, sizeof(closed.cause), cause);
	session_report(s, IPC_INGEST_CLOSED, &closed);
}

/* The peer is gone: nobody to tell but the supervisor. */
static void session_lost(struct session *s, const char *cause)
{
	session_closed(s, false, cause);
	s->phase = SESSION_GONE;
}

static void session_leave(struct session *s, bool is_clean, const char *cause)
{
	session_closed(s, is_clean, cause);
	if (s->phase != SESSION_GONE) {
		s->phase = SESSION_LEAVING;
		s->leave_us = clock_monotonic_us() + LEAVE_US;
	}
}

static void session_lost_by_error(struct session *s, ssize_t error)
{
	char cause[IPC_TEXT];

	if (s->phase >= SESSION_LEAVING) {
		s->phase = SESSION_GONE; /* told already */
	} else if (error == 0) {
		session_lost(s, "connection closed by encoder");
	} else if (error == -ECONNRESET || error == -EPIPE) {
		session_lost(s, "connection reset");
	} else {
		text_format(cause, sizeof(cause), "connection lost: %s",
			    stream_error_str(s->stream));
		session_lost(s, cause);
	}
}

/* All replies of a step in one write. */
static void session_flush(struct session *s)
{
	const uint8_t *bytes = NULL;
	size_t size;
	ssize_t n;

	while ((size = rtmp_server_output(s->rtmp, &bytes)) > 0) {
		struct iovec part = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = size };

		n = stream_write(s->stream, &part, 1);
		if (n <= 0) {
			break;
		}
		rtmp_server_sent(s->rtmp, (size_t)n);
	}
	n = size > 0 ? n : stream_flush(s->stream);
	if (n < 0 && n != -EAGAIN) {
		session_lost_by_error(s, n);
	} else if (n == 0 && s->phase == SESSION_LEAVING && !s->is_finished) {
		stream_finish(s->stream);
		s->is_finished = true;
	}
}

/* Once a connection: after a refusal the RTMP session is over. */
static void session_ask(struct session *s, const struct rtmp_event *event)
{
	struct ipc_publish_ask ask = { 0 };

	text_escape(s->encoder, sizeof(s->encoder), event->encoder, strlen(event->encoder));
	text_copy(ask.encoder, sizeof(ask.encoder), s->encoder);
	if (!text_copy(ask.app, sizeof(ask.app), event->app) ||
	    !text_copy(ask.stream, sizeof(ask.stream), event->stream)) {
		rtmp_server_answer(s->rtmp, false, "application or stream name too long");
		session_leave(s, false, "publish refused: application or stream name too long");
	} else if (session_report(s, IPC_PUBLISH_ASK, &ask)) {
		s->phase = SESSION_ASKING;
	}
	explicit_bzero(&ask, sizeof(ask));
}

static void session_event(struct session *s, const struct rtmp_event *event)
{
	switch (event->type) {
	case RTMP_EVENT_PUBLISH:
		session_ask(s, event);
		break;
	case RTMP_EVENT_MEDIA:
		intake_message(&s->intake, event->message, event->timestamp_ms, event->body,
			       event->size, s->read_us);
		break;
	case RTMP_EVENT_UNPUBLISH:
		session_leave(s, true, "encoder ended the stream");
		break;
	default:
		break;
	}
}

static bool session_is_parsing(const struct session *s)
{
	return s->phase == SESSION_TALKING || s->phase == SESSION_LIVE;
}

/* Parses what was read, up to a publish that waits for its answer. */
static void session_feed(struct session *s)
{
	struct rtmp_event event;

	while (session_is_parsing(s) && s->at < s->filled) {
		ssize_t used = rtmp_server_feed(s->rtmp, s->in + s->at, s->filled - s->at,
						s->read_us);
		if (used < 0) {
			session_leave(s, false, rtmp_error_str((int)used));
			return;
		}
		s->at += (size_t)used;
		while (session_is_parsing(s) && rtmp_server_next(s->rtmp, &event)) {
			session_event(s, &event);
		}
	}
}

static void session_read(struct session *s)
{
	s->is_readable = false;
	for (unsigned i = 0; i < READS_MAX && session_is_parsing(s); i++) {
		ssize_t n = stream_read(s->stream, s->in, sizeof(s->in));

		if (n == -EAGAIN) {
			return;
		}
		if (n <= 0) {
			session_lost_by_error(s, n);
			return;
		}
		s->read_us = clock_monotonic_us();
		s->at = 0;
		s->filled = (size_t)n;
		session_feed(s);
		if (s->filled < sizeof(s->in) && !stream_is_tls(s->stream)) {
			return;
		}
	}
	s->is_readable = true;
}

/* What the encoder still says on leaving is of no interest, only that it closes. */
static void session_drain(struct session *s)
{
	ssize_t n = 1;

	for (unsigned i = 0; i < READS_MAX && n > 0; i++) {
		n = stream_read(s->stream, s->in, sizeof(s->in));
	}
	if (n <= 0 && n != -EAGAIN) {
		s->phase = SESSION_GONE;
	}
}

static void session_secure(struct session *s)
{
	char cause[IPC_TEXT];
	int error = stream_handshake(s->stream);

	if (error == 0) {
		s->phase = SESSION_TALKING;
	} else if (error != -EAGAIN) {
		text_format(cause, sizeof(cause), "TLS handshake failed: %s",
			    stream_error_str(s->stream));
		session_leave(s, false, cause);
	}
}

/* An encoder is listened to every so often, whether it has spoken or not. */
static bool session_is_gathering(const struct session *s)
{
	return s->phase == SESSION_LIVE && s->gather_us > 0;
}

static int64_t session_gather_us(const struct session *s)
{
	return clock_next_beat_us(s->gathered_us, s->gather_us);
}

void session_step(struct session *s)
{
	s->gathered_us = clock_monotonic_us();
	if (s->phase == SESSION_SECURING) {
		session_secure(s);
	}
	if (session_is_parsing(s)) {
		session_read(s);
		intake_publish(&s->intake);
		session_flush(s);
	} else if (s->phase == SESSION_LEAVING) {
		session_flush(s);
		session_drain(s);
	}
}

/* Who is listened to every so often is not waited for, unless they send very much or go. */
static void session_gather(struct session *s, int64_t gather_us)
{
	s->gather_us = gather_us;
	net_set_low_water(stream_fd(s->stream), gather_us > 0 ? GATHER_BYTES : 1);
}

static void session_refuse(struct session *s, const char *reason)
{
	char cause[IPC_TEXT];

	rtmp_server_answer(s->rtmp, false, reason);
	text_format(cause, sizeof(cause), "publish refused: %s", reason);
	session_leave(s, false, cause);
	session_flush(s);
}

static void session_allow(struct session *s, const struct ipc_publish_answer *answer, int ring)
{
	struct ipc_ring_ready ready = { 0 };
	int error = intake_init(&s->intake, ring, answer->span_us, s->wake);

	if (error != 0) {
		log_error("cannot open the feed ring: %s", strerror(-error));
		session_refuse(s, "the relay failed; try again");
		return;
	}
	if (!session_report(s, IPC_RING_READY, &ready)) {
		return;
	}
	s->max_kbps = answer->max_kbps;
	session_gather(s, answer->gather_us);
	s->status_us = clock_monotonic_us();
	s->bytes_at_status = rtmp_server_received(s->rtmp);
	s->phase = SESSION_LIVE;
	rtmp_server_answer(s->rtmp, true, NULL);
	session_feed(s);
	session_flush(s);
	intake_publish(&s->intake);
	/* A TLS record behind the publish may lie decrypted already. */
	s->is_readable = session_is_parsing(s);
}

void session_answer(struct session *s, struct ipc_message *m)
{
	const struct ipc_publish_answer *answer = (const void *)m->body;
	int ring = ipc_take_fd(m, 0);

	if (s->phase != SESSION_ASKING) {
		log_warn("answer to a question nobody asked phase=%d", (int)s->phase);
	} else if (!answer->is_allowed) {
		session_refuse(s, answer->reason);
	} else {
		s->wake = ipc_take_fd(m, 1);
		session_allow(s, answer, ring);
	}
	if (ring >= 0) {
		close(ring);
	}
}

void session_set_pace(struct session *s, const struct ipc_feed_pace *order)
{
	session_gather(s, order->gather_us);
	if (s->intake.feed.ring != NULL) {
		ring_writer_set_span(s->intake.feed.ring, order->span_us);
	}
}

void session_spoil(struct session *s, const struct ipc_feed_fault *order)
{
	feed_writer_spoil(&s->intake.feed, (enum feed_fault)order->fault, order->until_us);
}

void session_move(struct session *s, struct ipc_message *m)
{
	const struct ipc_feed_ring *order = (const void *)m->body;
	struct ipc_ring_ready ready = { 0 };
	int ring = ipc_take_fd(m, 0), wake = ipc_take_fd(m, 1);
	int error = feed_writer_move(&s->intake.feed, ring, order->span_us, wake);
	int unused = wake;

	close(ring);
	if (error != 0) {
		log_error("cannot open another feed ring: %s", strerror(-error));
	} else {
		unused = s->wake;
		s->wake = wake;
		session_report(s, IPC_RING_READY, &ready);
	}
	if (unused >= 0) {
		close(unused);
	}
}

static void session_check_rate(struct session *s, uint64_t bytes, int64_t elapsed_us)
{
	char cause[IPC_TEXT];
	uint64_t kbps = (bytes - s->bytes_at_status) * 8000 / (uint64_t)elapsed_us;

	s->bytes_at_status = bytes;
	s->seconds_over_limit = s->max_kbps != 0 && kbps > s->max_kbps ? s->seconds_over_limit + 1
								       : 0;
	if (s->seconds_over_limit >= OVER_LIMIT_SECONDS) {
		text_format(cause, sizeof(cause),
			    "%llu kb/s, above the feed's max_kbps of %u for %d s",
			    (unsigned long long)kbps, s->max_kbps, OVER_LIMIT_SECONDS);
		session_leave(s, false, cause);
	}
}

static void session_describe(struct session *s, int64_t now_us)
{
	struct ipc_ingest_status status = {
		.bytes = rtmp_server_received(s->rtmp),
		.packets = s->intake.feed.packets,
		.dropped = s->intake.feed.dropped,
	};

	text_copy(status.encoder, sizeof(status.encoder),
		  s->intake.encoder[0] != '\0' ? s->intake.encoder : s->encoder);
	if (session_report(s, IPC_INGEST_STATUS, &status)) {
		session_check_rate(s, status.bytes, now_us - s->status_us);
	}
}

/* Each second, so that the supervisor knows that we do not hang. */
static void session_status(struct session *s, int64_t now_us)
{
	if (s->phase == SESSION_LIVE) {
		session_describe(s, now_us);
	} else {
		session_report(s, IPC_ALIVE, &(struct ipc_alive){ 0 });
	}
	s->status_us = now_us;
}

static void session_timed_out(struct session *s, int error)
{
	char cause[IPC_TEXT];

	if (s->phase == SESSION_SECURING) {
		text_copy(cause, sizeof(cause), "TLS handshake failed: not finished in time");
	} else if (s->phase == SESSION_LIVE && error == RTMP_TIMEOUT) {
		text_format(cause, sizeof(cause), "no media for %d s",
			    (int)(s->limits.idle_us / 1000000));
	} else {
		text_copy(cause, sizeof(cause), rtmp_error_str(error));
	}
	session_leave(s, false, cause);
}

void session_tick(struct session *s)
{
	int64_t now_us = clock_monotonic_us();

	if (s->phase == SESSION_LEAVING) {
		s->phase = now_us >= s->leave_us ? SESSION_GONE : SESSION_LEAVING;
		return;
	}
	int error = rtmp_server_tick(s->rtmp, now_us);
	if (error != RTMP_OK) {
		session_timed_out(s, error);
	} else if (now_us - s->status_us >= STATUS_US) {
		session_status(s, now_us);
	}
	session_flush(s);
	if (session_is_gathering(s) && now_us >= session_gather_us(s)) {
		session_step(s);
	}
}

int64_t session_deadline(const struct session *s)
{
	int64_t at_us;

	if (s->phase == SESSION_LEAVING) {
		return s->leave_us;
	}
	at_us = rtmp_server_deadline(s->rtmp);
	if (s->status_us + STATUS_US < at_us) {
		at_us = s->status_us + STATUS_US;
	}
	if (session_is_gathering(s) && session_gather_us(s) < at_us) {
		at_us = session_gather_us(s);
	}
	return at_us;
}

unsigned session_wants(struct session *s)
{
	const uint8_t *bytes = NULL;

	if (s->phase == SESSION_ASKING) {
		return 0;
	}
	unsigned wants = STREAM_WANT_READ;
	if (s->phase == SESSION_SECURING) {
		unsigned handshake = stream_wants(s->stream);

		return handshake != 0 ? handshake : wants; /* none before the first try */
	}
	if (rtmp_server_output(s->rtmp, &bytes) > 0) {
		wants |= STREAM_WANT_WRITE;
	}
	/* A TLS stream may have to write before it can read on (key update). */
	if (stream_is_tls(s->stream)) {
		wants |= stream_wants(s->stream) & (wants | STREAM_WANT_WRITE);
	}
	return wants;
}

bool session_wants_more(const struct session *s)
{
	return s->is_readable && session_is_parsing(s);
}
