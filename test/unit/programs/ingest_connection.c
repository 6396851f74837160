/* SPDX-License-Identifier: GPL-3.0-or-later */
/* understudy-ingest-rtmp as the supervisor sees it, with our own client as encoder over TCP. */
#include "stage.h"

#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <understudy/net.h>
#include <understudy/ring.h>
#include <understudy/rtmp.h>

#include "../net/certificates.h"
#include "bodies.h"

#define RING_BYTES ((size_t)4 << 20)

/* ---- the encoder ---- */

struct encoder {
	struct stream *stream;
	struct rtmp_client *client;
	struct rtmp_event last; /* CONNECTED, PUBLISHING or REFUSED */
	char description[256];  /* of REFUSED */
	ssize_t end;            /* 0 or the error, once the connection is over */
};

static void connected_pair(int *ret_near, int *ret_far)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	int listener = net_listen("127.0.0.1:0", 1);

	assert_true(listener >= 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	*ret_near = net_dial((struct sockaddr *)&address, size);
	assert_true(*ret_near >= 0);
	struct pollfd p = { .fd = listener, .events = POLLIN };
	assert_int_equal(poll(&p, 1, STAGE_WAIT_MS), 1);
	*ret_far = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(*ret_far >= 0);
	close(listener);
}

static void encoder_dial(struct encoder *e, struct stream *stream, const char *key)
{
	static const uint8_t random[1528];
	struct rtmp_limits limits;
	const struct rtmp_client_config config = {
		.app = "live",
		.stream = key,
		.tc_url = "rtmp://127.0.0.1/live",
		.agent = "test/1",
	};

	*e = (struct encoder){ .stream = stream, .end = -EAGAIN };
	assert_non_null(stream);
	rtmp_limits_default(&limits);
	e->client = rtmp_client_create(&config, &limits, random, clock_monotonic_us());
	assert_non_null(e->client);
}

static void encoder_finish(struct encoder *e)
{
	rtmp_client_destroy(&e->client);
	stream_destroy(&e->stream, false);
}

static void encoder_write(struct encoder *e, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	while (size > 0) {
		struct iovec part = { .iov_base = (void *)(uintptr_t)at, .iov_len = size };
		ssize_t n = stream_write(e->stream, &part, 1);

		if (n == -EAGAIN) {
			struct pollfd p = { .fd = stream_fd(e->stream), .events = POLLOUT };

			assert_int_equal(poll(&p, 1, STAGE_WAIT_MS), 1);
			continue;
		}
		if (n <= 0) {
			e->end = n;
			return;
		}
		at += n;
		size -= (size_t)n;
	}
	while (stream_flush(e->stream) == -EAGAIN) {
		struct pollfd p = { .fd = stream_fd(e->stream), .events = POLLOUT };

		assert_int_equal(poll(&p, 1, STAGE_WAIT_MS), 1);
	}
}

static void encoder_flush(struct encoder *e)
{
	const uint8_t *bytes;
	size_t size = rtmp_client_output(e->client, &bytes);

	if (size > 0) {
		encoder_write(e, bytes, size);
		rtmp_client_sent(e->client, size);
	}
}

static void encoder_take(struct encoder *e, const uint8_t *bytes, size_t size)
{
	struct rtmp_event event;

	for (size_t at = 0; at < size;) {
		ssize_t used = rtmp_client_feed(e->client, bytes + at, size - at,
						clock_monotonic_us());
		if (used < 0) {
			return;
		}
		at += (size_t)used;
		while (rtmp_client_next(e->client, &event)) {
			e->last = event;
			if (event.description != NULL) {
				snprintf(e->description, sizeof(e->description), "%s",
					 event.description);
			}
		}
	}
}

/* Talks until the event has come or the connection is over. */
static void encoder_talk(struct encoder *e, enum rtmp_event_type until)
{
	uint8_t bytes[4096];

	while (e->end == -EAGAIN && e->last.type != until) {
		int error = stream_handshake(e->stream);
		ssize_t n = error;

		if (error == 0) {
			encoder_flush(e);
			n = stream_read(e->stream, bytes, sizeof(bytes));
		}
		if (n > 0) {
			encoder_take(e, bytes, (size_t)n);
		} else if (n == -EAGAIN) {
			short events = stream_wants(e->stream) & STREAM_WANT_WRITE
					       ? POLLIN | POLLOUT
					       : POLLIN;
			struct pollfd p = { .fd = stream_fd(e->stream), .events = events };

			assert_int_equal(poll(&p, 1, STAGE_WAIT_MS), 1);
		} else {
			e->end = n;
		}
	}
}

static void encoder_send(struct encoder *e, uint8_t message, uint32_t ms, struct body body)
{
	uint8_t head[RTMP_MESSAGE_HEAD_MAX];
	size_t size = rtmp_write_message_head(head, message, ms, (uint32_t)body.size,
					      rtmp_client_message_stream(e->client));

	encoder_write(e, head, size);
	encoder_write(e, body.bytes, body.size);
}

static void encoder_send_start(struct encoder *e)
{
	encoder_flush(e);
	encoder_send(e, 9, 0, video_config_message(30));
	encoder_send(e, 8, 0, audio_message(0, aac_config()));
	encoder_send(e, 9, 0, video_frame_message(true, 7, 3000));
	encoder_send(e, 8, 5, audio_message(1, aac_frame(8, 300)));
}

/* ---- the supervisor ---- */

struct scene {
	struct stage_worker worker;
	struct encoder encoder;
	int ring, wake;
};

static void start_plain(struct scene *s)
{
	const struct ipc_ingest_start start = { .connection = 1, .peer = "127.0.0.1:1" };
	int near, far;

	*s = (struct scene){ .ring = -1, .wake = -1 };
	connected_pair(&near, &far);
	s->worker = stage_start(ROLE_INGEST_RTMP);
	stage_send(&s->worker, IPC_INGEST_START, &start, &far, 1);
	close(far);
	encoder_dial(&s->encoder, stream_create_plain(near), "KEY?token=1");
}

static void expect_ask(struct scene *s)
{
	struct ipc_message m;

	encoder_talk(&s->encoder, RTMP_EVENT_CONNECTED);
	/* The ask comes while the encoder waits, so its requests are given on from here. */
	while (poll(&(struct pollfd){ .fd = s->worker.control, .events = POLLIN }, 1, 0) == 0) {
		uint8_t bytes[4096];
		struct pollfd p[2] = {
			{ .fd = s->worker.control, .events = POLLIN },
			{ .fd = stream_fd(s->encoder.stream), .events = POLLIN },
		};
		ssize_t n;

		encoder_flush(&s->encoder);
		assert_true(poll(p, 2, STAGE_WAIT_MS) > 0);
		n = stream_read(s->encoder.stream, bytes, sizeof(bytes));
		if (n > 0) {
			encoder_take(&s->encoder, bytes, (size_t)n);
		} else {
			assert_int_equal(n, -EAGAIN);
		}
	}
	stage_expect(&s->worker, IPC_PUBLISH_ASK, &m);
	const struct ipc_publish_ask *ask = (const void *)m.body;
	assert_string_equal(ask->app, "live");
	assert_string_equal(ask->stream, "KEY?token=1");
	assert_string_equal(ask->encoder, "test/1");
	ipc_message_finish(&m);
}

static void allow_with(struct scene *s, uint32_t max_kbps, int64_t gather_us)
{
	const struct ipc_publish_answer answer = {
		.is_allowed = 1, .max_kbps = max_kbps, .span_us = 10000000, .gather_us = gather_us
	};
	struct ipc_message m;
	int fds[2];

	s->ring = ring_create("feed", RING_BYTES);
	s->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_true(s->ring >= 0 && s->wake >= 0);
	fds[0] = s->ring;
	fds[1] = s->wake;
	stage_send(&s->worker, IPC_PUBLISH_ANSWER, &answer, fds, 2);
	stage_expect(&s->worker, IPC_RING_READY, &m);
	ipc_message_finish(&m);
	assert_int_equal(ring_check(s->ring, RING_BYTES), 0);
	encoder_talk(&s->encoder, RTMP_EVENT_PUBLISHING);
	assert_int_equal(s->encoder.last.type, RTMP_EVENT_PUBLISHING);
}

static void allow(struct scene *s)
{
	allow_with(s, 0, 0);
}

static void expect_closed(struct scene *s, unsigned is_clean, const char *cause)
{
	struct ipc_message m;

	stage_expect(&s->worker, IPC_INGEST_CLOSED, &m);
	const struct ipc_ingest_closed *closed = (const void *)m.body;
	assert_int_equal(closed->is_clean, is_clean);
	assert_string_equal(closed->cause, cause);
	ipc_message_finish(&m);
}

/* What the encoder sent at its start, and nothing else, is in the ring by `count` wake-ups. */
static void expect_start_in_ring(struct scene *s)
{
	static const uint8_t kinds[] = { PACKET_VIDEO, PACKET_AUDIO, PACKET_VIDEO,
					 PACKET_AUDIO, PACKET_VIDEO, PACKET_AUDIO };
	static const uint8_t types[] = { PACKET_CONFIG, PACKET_CONFIG, PACKET_CONFIG,
					 PACKET_CONFIG, PACKET_FRAME,  PACKET_FRAME };
	struct ring_reader *reader = NULL;
	struct pollfd p = { .fd = s->wake, .events = POLLIN };
	uint8_t payload[4096];
	uint64_t count;

	assert_int_equal(ring_reader_open(s->ring, &reader), 0);
	while (ring_next(reader) < 6) {
		assert_int_equal(poll(&p, 1, STAGE_WAIT_MS), 1);
		assert_int_equal(read(s->wake, &count, sizeof(count)), sizeof(count));
	}
	for (unsigned i = 0; i < 6; i++) {
		struct packet packet;

		assert_int_equal(ring_read(reader, i, &packet, payload, sizeof(payload)), 0);
		assert_int_equal(packet.kind, kinds[i]);
		assert_int_equal(packet.type, types[i]);
		if (i == 4) {
			struct body frame = avc_frame(true, 7, 3000);

			assert_int_equal(packet.size, frame.size);
			assert_memory_equal(payload, frame.bytes, frame.size);
			assert_int_equal(packet.flags, PACKET_KEY);
		}
	}
	ring_reader_close(&reader);
}

static void finish(struct scene *s)
{
	stage_finish(&s->worker);
	encoder_finish(&s->encoder);
	if (s->ring >= 0) {
		close(s->ring);
		close(s->wake);
	}
}

/* ---- tests ---- */

static void an_allowed_encoder_fills_the_ring(void **state)
{
	struct scene s;

	start_plain(&s);
	expect_ask(&s);
	allow(&s);
	encoder_send_start(&s.encoder);
	expect_start_in_ring(&s);
	stage_stop(&s.worker);
	finish(&s);
}

static void a_status_comes_each_second(void **state)
{
	struct scene s;
	struct ipc_message m;

	start_plain(&s);
	expect_ask(&s);
	allow(&s);
	encoder_send_start(&s.encoder);
	expect_start_in_ring(&s);
	stage_expect(&s.worker, IPC_INGEST_STATUS, &m);
	const struct ipc_ingest_status *status = (const void *)m.body;
	assert_int_equal(status->packets, 6);
	assert_int_equal(status->dropped, 0);
	assert_true(status->bytes > 3300);
	assert_string_equal(status->encoder, "test/1");
	ipc_message_finish(&m);
	stage_stop(&s.worker);
	finish(&s);
}

static void expect_status(struct scene *s, uint64_t packets)
{
	struct ipc_message m;

	stage_expect(&s->worker, IPC_INGEST_STATUS, &m);
	const struct ipc_ingest_status *status = (const void *)m.body;
	assert_int_equal(status->packets, packets);
	ipc_message_finish(&m);
}

/* The beat is that of the monotonic clock: one of a minute could come in the middle of this. */
#define NEVER_US (INT64_C(1) << 52)

static void an_encoder_is_listened_to_as_often_as_was_ordered(void **state)
{
	struct ipc_feed_pace pace = { .span_us = 10000000, .gather_us = 37000 };
	struct scene s;

	start_plain(&s);
	expect_ask(&s);
	allow_with(&s, 0, NEVER_US);
	expect_status(&s, 0); /* what it reads on being allowed is behind it */
	encoder_send_start(&s.encoder);
	expect_status(&s, 0);
	stage_send(&s.worker, IPC_FEED_PACE, &pace, NULL, 0);
	expect_start_in_ring(&s);
	pace.gather_us = NEVER_US;
	stage_send(&s.worker, IPC_FEED_PACE, &pace, NULL, 0);
	stream_finish(s.encoder.stream); /* that is heard at once */
	expect_closed(&s, 0, "connection closed by encoder");
	finish(&s);
}

static void a_refused_encoder_is_told_why_and_the_connection_ends(void **state)
{
	struct ipc_publish_answer answer = { .reason = "no feed has this key" };
	struct scene s;

	start_plain(&s);
	expect_ask(&s);
	stage_send(&s.worker, IPC_PUBLISH_ANSWER, &answer, NULL, 0);
	expect_closed(&s, 0, "publish refused: no feed has this key");
	encoder_talk(&s.encoder, RTMP_EVENT_REFUSED);
	assert_int_equal(s.encoder.last.type, RTMP_EVENT_REFUSED);
	assert_string_equal(s.encoder.description, "no feed has this key");
	encoder_talk(&s.encoder, RTMP_EVENT_NONE);
	assert_int_equal(s.encoder.end, 0);
	finish(&s);
}

static void an_encoder_that_says_goodbye_ends_cleanly(void **state)
{
	struct scene s;

	start_plain(&s);
	expect_ask(&s);
	allow(&s);
	encoder_send_start(&s.encoder);
	rtmp_client_unpublish(s.encoder.client);
	encoder_flush(&s.encoder);
	expect_closed(&s, 1, "encoder ended the stream");
	expect_start_in_ring(&s);
	encoder_talk(&s.encoder, RTMP_EVENT_NONE);
	assert_int_equal(s.encoder.end, 0);
	finish(&s);
}

static void an_encoder_that_vanishes_is_reported_at_once(void **state)
{
	struct scene s;

	start_plain(&s);
	expect_ask(&s);
	allow(&s);
	encoder_send_start(&s.encoder);
	stream_finish(s.encoder.stream);
	expect_closed(&s, 0, "connection closed by encoder");
	expect_start_in_ring(&s);
	finish(&s);
}

static void an_encoder_that_resets_is_reported_at_once(void **state)
{
	struct scene s;

	start_plain(&s);
	expect_ask(&s);
	allow(&s);
	stream_destroy(&s.encoder.stream, true);
	expect_closed(&s, 0, "connection reset");
	finish(&s);
}

static void a_stopped_worker_resets_its_encoder(void **state)
{
	struct scene s;

	start_plain(&s);
	expect_ask(&s);
	allow(&s);
	stage_stop(&s.worker);
	encoder_talk(&s.encoder, RTMP_EVENT_NONE);
	assert_int_equal(s.encoder.end, -ECONNRESET);
	finish(&s);
}

static void a_feed_far_above_its_limit_is_ended_with_the_numbers(void **state)
{
	struct pollfd p;
	struct ipc_message m;
	struct scene s;
	bool is_over = false;

	start_plain(&s);
	expect_ask(&s);
	allow_with(&s, 1000, 0);
	encoder_send_start(&s.encoder);
	p = (struct pollfd){ .fd = s.worker.control, .events = POLLIN };
	for (uint32_t ms = 40; !is_over; ms += 10) { /* some 4000 kb/s */
		encoder_send(&s.encoder, 9, ms, video_frame_message(false, ms, 5000));
		if (poll(&p, 1, 10) == 1) {
			assert_int_equal(ipc_recv(s.worker.control, &m), 1);
			is_over = m.type == IPC_INGEST_CLOSED;
			assert_true(is_over || m.type == IPC_INGEST_STATUS);
		}
		assert_true(ms < 10000);
	}
	const struct ipc_ingest_closed *closed = (const void *)m.body;
	assert_non_null(strstr(closed->cause, "kb/s, above the feed's max_kbps of 1000 for 5 s"));
	ipc_message_finish(&m);
	finish(&s);
}

static void a_worker_ends_with_its_supervisor(void **state)
{
	struct scene s;

	start_plain(&s);
	expect_ask(&s);
	assert_int_equal(shutdown(s.worker.control, SHUT_RDWR), 0);
	encoder_talk(&s.encoder, RTMP_EVENT_NONE);
	assert_int_equal(s.encoder.end, -ECONNRESET);
	finish(&s);
}

static void a_peer_that_does_not_speak_rtmp_is_told_apart(void **state)
{
	struct scene s;

	start_plain(&s);
	encoder_write(&s.encoder, "GET / HTTP/1.1\r\n\r\n", 18);
	expect_closed(&s, 0, rtmp_error_str(RTMP_IS_HTTP));
	finish(&s);
}

/* ---- TLS ---- */

static int memory_file(const char *bytes, size_t size)
{
	int fd = memfd_create("pem", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	return fd; /* its offset is at the end, as it may be when the supervisor has written it */
}

static int start_tls(struct scene *s, const struct certificate *certificate)
{
	const struct ipc_ingest_start start = { .is_tls = 1, .peer = "127.0.0.1:1" };
	size_t chain_bytes, key_bytes;
	char *chain = certificate_pem(certificate, &chain_bytes);
	char *key = key_pem(certificate, &key_bytes);
	int fds[3], near;

	*s = (struct scene){ .ring = -1, .wake = -1 };
	connected_pair(&near, &fds[0]);
	fds[1] = memory_file(chain, chain_bytes);
	fds[2] = memory_file(key, key_bytes);
	s->worker = stage_start(ROLE_INGEST_RTMP);
	stage_send(&s->worker, IPC_INGEST_START, &start, fds, 3);
	for (unsigned i = 0; i < 3; i++) {
		close(fds[i]);
	}
	free(chain);
	free(key);
	return near;
}

static void an_encoder_publishes_over_tls(void **state)
{
	struct certificate certificate = certificate_make("relay", "IP:127.0.0.1", NULL, 30,
							  "CA:TRUE");
	int bundle = certificate_bundle(&certificate);
	const char *error = NULL;
	struct ssl_ctx_st *trust = stream_trust_create(bundle, &error);
	struct scene s;
	int near = start_tls(&s, &certificate);

	assert_non_null(trust);
	encoder_dial(&s.encoder, stream_create_tls_client(near, trust, "127.0.0.1"), "KEY?token=1");
	expect_ask(&s);
	allow(&s);
	encoder_send_start(&s.encoder);
	expect_start_in_ring(&s);
	rtmp_client_unpublish(s.encoder.client);
	encoder_flush(&s.encoder);
	expect_closed(&s, 1, "encoder ended the stream");
	finish(&s);
	stream_trust_destroy(&trust);
	certificate_free(&certificate);
	close(bundle);
}

static void plain_rtmp_on_the_tls_port_fails_in_words(void **state)
{
	struct certificate certificate = certificate_make("relay", "IP:127.0.0.1", NULL, 30,
							  "CA:TRUE");
	struct ipc_message m;
	struct scene s;
	int near = start_tls(&s, &certificate);

	encoder_dial(&s.encoder, stream_create_plain(near), "KEY");
	encoder_flush(&s.encoder);
	stage_expect(&s.worker, IPC_INGEST_CLOSED, &m);
	const struct ipc_ingest_closed *closed = (const void *)m.body;
	assert_non_null(strstr(closed->cause, "TLS handshake failed: "));
	assert_true(strlen(closed->cause) > strlen("TLS handshake failed: "));
	ipc_message_finish(&m);
	finish(&s);
	certificate_free(&certificate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_allowed_encoder_fills_the_ring),
		cmocka_unit_test(a_status_comes_each_second),
		cmocka_unit_test(an_encoder_is_listened_to_as_often_as_was_ordered),
		cmocka_unit_test(a_refused_encoder_is_told_why_and_the_connection_ends),
		cmocka_unit_test(an_encoder_that_says_goodbye_ends_cleanly),
		cmocka_unit_test(an_encoder_that_vanishes_is_reported_at_once),
		cmocka_unit_test(an_encoder_that_resets_is_reported_at_once),
		cmocka_unit_test(a_stopped_worker_resets_its_encoder),
		cmocka_unit_test(a_feed_far_above_its_limit_is_ended_with_the_numbers),
		cmocka_unit_test(a_worker_ends_with_its_supervisor),
		cmocka_unit_test(a_peer_that_does_not_speak_rtmp_is_told_apart),
		cmocka_unit_test(an_encoder_publishes_over_tls),
		cmocka_unit_test(plain_rtmp_on_the_tls_port_fails_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
