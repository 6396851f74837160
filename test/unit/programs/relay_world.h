/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The world around one understudy-relay-rtmp, for tests: supervisor, switch and platforms in one
 * thread, which go round in WAIT_FOR().
 */
#ifndef TEST_RELAY_WORLD_H
#define TEST_RELAY_WORLD_H

#include "stage.h"

#include <string.h>
#include <sys/eventfd.h>

#include <understudy/ring.h>
#include <understudy/text.h>

#include "bodies.h"
#include "relay_platform.h"

#ifndef PLATFORMS
#define PLATFORMS 8
#endif
#define RING_BYTES ((size_t)64 << 20)
#define FRAME_90K 3000
#define GOP 30
#define START_90K (INT64_C(77) * 3600 * MEDIA_HZ + 17)
#define KEY "sEcReT-kEy"
#define BIG_BYTES 200000

struct world {
	struct stage_worker relay;
	struct platform platforms[PLATFORMS];
	struct ipc_destination_status status[PLATFORMS + 1]; /* by id, from 1 */
	unsigned statuses[PLATFORMS + 1];
	unsigned questions;  /* look-ups asked for */
	const char *unknown; /* a name that does not exist */
	int ring, wake, trust;
	struct ring_writer *writer;
	int64_t batch_us;
	int64_t next_90k; /* of the next frame */
	int64_t next_us;  /* when it is published: as if the tests took as long as the show */
	uint32_t number;  /* counts frames */
	bool is_over;     /* the control socket was closed */
	bool is_hevc;     /* the video, by Enhanced RTMP */
};

/* ---- the show ---- */

static inline void open_ring(struct world *w)
{
	w->ring = ring_create("show", RING_BYTES);
	assert_true(w->ring >= 0);
	assert_int_equal(ring_writer_open(w->ring, INT64_C(60) * 1000000, &w->writer), 0);
	if (w->batch_us == 0) {
		assert_int_equal(ring_writer_add_wake(w->writer, w->wake), 0);
	}
}

static inline void put(struct world *w, const struct packet *p, const void *payload)
{
	const struct iovec iov = { .iov_base = (void *)payload, .iov_len = p->size };

	assert_int_equal(ring_write(w->writer, p, &iov, 1, NULL), 0);
}

static inline struct packet packet_at(struct world *w, enum packet_kind kind, enum packet_type type,
				      size_t size)
{
	uint32_t video = w->is_hevc ? CODEC_HEVC : CODEC_AVC;

	return (struct packet){
		.kind = (uint8_t)kind,
		.type = (uint8_t)type,
		.flags = kind == PACKET_VIDEO && w->is_hevc ? PACKET_EX : 0,
		.codec = kind == PACKET_VIDEO   ? video
			 : kind == PACKET_AUDIO ? CODEC_AAC
						: 0,
		.head = kind == PACKET_VIDEO   ? 0x27
			: kind == PACKET_AUDIO ? 0xaf
					       : 0,
		.size = (uint32_t)size,
		.dts_90k = w->next_90k,
		.pts_90k = w->next_90k,
		.arrival_us = w->next_us,
		.fingerprint = w->number,
		.source_seq = w->number,
		.feed = 1,
		.incarnation = 1,
	};
}

static inline void put_headers(struct world *w, unsigned flags)
{
	struct body video = avc_config(0x1e), audio = aac_config();
	struct packet p = packet_at(w, PACKET_VIDEO, PACKET_CONFIG, video.size);

	p.flags |= (uint16_t)flags;
	p.head = 0x17;
	put(w, &p, video.bytes);
	p = packet_at(w, PACKET_AUDIO, PACKET_CONFIG, audio.size);
	p.flags = (uint16_t)flags;
	put(w, &p, audio.bytes);
}

/* One video frame of `bytes` and one of audio, 1/30 s further on. */
static inline void put_frame(struct world *w, bool is_key, size_t bytes)
{
	static uint8_t payload[PACKET_SIZE_MAX];
	struct packet p = packet_at(w, PACKET_VIDEO, PACKET_FRAME, bytes);
	struct body audio = aac_frame(w->number, 64);
	size_t i;

	put_be32(payload, (uint32_t)bytes - 4);
	payload[4] = is_key ? 0x65 : 0x41;
	put_be32(payload + 5, w->number);
	for (i = 9; i < bytes; i++) {
		payload[i] = (uint8_t)((i * 31 + w->number) | 1);
	}
	p.pts_90k += FRAME_90K;
	if (is_key) {
		p.flags |= PACKET_KEY | PACKET_JOIN;
		p.head = 0x17;
	}
	put(w, &p, payload);
	p = packet_at(w, PACKET_AUDIO, PACKET_FRAME, audio.size);
	p.dts_90k += FRAME_90K / 2;
	p.pts_90k = p.dts_90k;
	put(w, &p, audio.bytes);
	w->next_90k += FRAME_90K;
	w->next_us += 1000000 / 30;
	w->number++;
}

static inline void put_gop(struct world *w, size_t bytes)
{
	unsigned i;

	put_headers(w, w->number ? PACKET_REPEAT : 0);
	for (i = 0; i < GOP; i++) {
		put_frame(w, i == 0, bytes);
	}
	ring_publish(w->writer);
}

/* ---- the world goes round ---- */

static inline void answer_look_up(struct world *w, const struct ipc_resolve_ask *ask)
{
	struct ipc_resolve_answer answer = { .query = ask->query };
	struct sockaddr_in *where = (void *)&answer.addresses[0];

	w->questions++;
	if (w->unknown && strcmp(ask->host, w->unknown) == 0) {
		(void)text_copy(answer.error, sizeof(answer.error), "name not found");
	} else {
		answer.count = 1;
		where->sin_family = AF_INET;
		where->sin_port = htons(ask->port);
		assert_int_equal(inet_pton(AF_INET, platform_host(), &where->sin_addr), 1);
	}
	stage_send(&w->relay, IPC_RESOLVE_ANSWER, &answer, NULL, 0);
}

static inline void hear(struct world *w)
{
	static struct ipc_message m;
	int got;

	while (!w->is_over && (got = ipc_recv(w->relay.control, &m)) != -EAGAIN) {
		if (got <= 0) {
			w->is_over = true;
			return;
		}
		if (m.type == IPC_DESTINATION_STATUS) {
			const struct ipc_destination_status *s = (const void *)m.body;

			assert_in_range(s->id, 1, PLATFORMS);
			assert_null(strstr(s->last_error, KEY));
			w->status[s->id] = *s;
			w->statuses[s->id]++;
		} else if (m.type != IPC_ALIVE) {
			assert_int_equal(m.type, IPC_RESOLVE_ASK);
			answer_look_up(w, (const void *)m.body);
		}
		ipc_message_finish(&m);
	}
}

static inline void step(struct world *w)
{
	struct pollfd p[1 + 2 * PLATFORMS] = { { .fd = w->is_over ? -1 : w->relay.control,
						 .events = POLLIN } };
	unsigned i, n = 1;

	for (i = 0; i < PLATFORMS; i++) {
		struct platform *f = &w->platforms[i];
		bool listens = f->stream && !(f->is_deaf && f->published);

		p[n++] = (struct pollfd){ .fd = f->listener, .events = POLLIN };
		p[n++] = (struct pollfd){ .fd = listens ? stream_fd(f->stream) : -1,
					  .events = POLLIN };
	}
	(void)poll(p, n, 20);
	hear(w);
	for (i = 0; i < PLATFORMS; i++) {
		if (w->platforms[i].listener >= 0) {
			platform_step(&w->platforms[i]);
		}
	}
}

#define WAIT_FOR(w, condition)                                                           \
	do {                                                                             \
		int64_t until_us = clock_monotonic_us() + STAGE_WAIT_MS * INT64_C(1000); \
		while (!(condition)) {                                                   \
			if (clock_monotonic_us() > until_us) {                           \
				fail_msg("never came true: %s", #condition);             \
			}                                                                \
			step(w);                                                         \
		}                                                                        \
	} while (0)

static inline struct ipc_endpoint endpoint_at(int port, const char *host, bool is_tls)
{
	struct ipc_endpoint e = { .is_tls = is_tls, .port = (uint16_t)port };

	(void)text_copy(e.host, sizeof(e.host), host);
	(void)text_copy(e.app, sizeof(e.app), "live");
	(void)text_copy(e.stream, sizeof(e.stream), KEY);
	(void)text_copy(e.tc_url, sizeof(e.tc_url), "rtmp://platform/live");
	return e;
}

/* With the defaults of the configuration. */
static inline struct ipc_destination_add order_for(struct world *w, uint32_t id, const char *host,
						   bool is_tls)
{
	struct ipc_destination_add order = {
		.id = id,
		.endpoint_count = 1,
		.first_us = 1000000,
		.cap_us = 10000000,
		.healthy_us = 5000000,
		.hold_us = 120000000,
		.max_backlog_us = 3000000,
		.stall_us = 10000000,
	};

	(void)text_format(order.name, sizeof(order.name), "platform-%u", id);
	order.endpoints[0] = endpoint_at(w->platforms[id - 1].port, host, is_tls);
	return order;
}

static inline void add_order(struct world *w, const struct ipc_destination_add *order)
{
	stage_send(&w->relay, IPC_DESTINATION_ADD, order, NULL, 0);
	/* From here on it reads the ring: what is written now is no past to it. */
	WAIT_FOR(w, w->statuses[order->id] > 0);
}

static inline void add(struct world *w, uint32_t id, const char *host, bool is_tls)
{
	struct ipc_destination_add order = order_for(w, id, host, is_tls);

	add_order(w, &order);
}

static inline void start(struct world *w, int64_t batch_us)
{
	struct ipc_relay_start order = { .show = "main", .batch_us = batch_us };
	int fds[3], i;

	for (i = 0; i < PLATFORMS; i++) {
		platform_open(&w->platforms[i]);
	}
	w->batch_us = batch_us;
	w->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->next_90k = START_90K;
	w->next_us = clock_monotonic_us();
	open_ring(w);
	w->relay = stage_start(ROLE_RELAY_RTMP);
	fds[0] = w->ring;
	fds[1] = w->wake;
	fds[2] = w->trust;
	stage_send(&w->relay, IPC_RELAY_START, &order, fds, w->trust >= 0 ? 3 : 2);
}

static inline int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->trust = -1;
	*state = w;
	return 0;
}

static inline int teardown(void **state)
{
	struct world *w = *state;
	unsigned i;

	for (i = 0; i < PLATFORMS; i++) {
		platform_close(&w->platforms[i]);
	}
	ring_writer_close(&w->writer);
	close(w->ring);
	close(w->wake);
	if (w->trust >= 0) {
		close(w->trust);
	}
	free(w);
	return 0;
}

static inline void finish(struct world *w)
{
	stage_stop(&w->relay);
	stage_finish(&w->relay);
}

/* On air with the first platform: first key frame there, state live. */
static inline void go_on_air(struct world *w)
{
	add(w, 1, platform_host(), false);
	put_gop(w, 1000);
	WAIT_FOR(w, w->platforms[0].published == 1);
	WAIT_FOR(w, w->status[1].state == DESTINATION_HELD);
	put_gop(w, 1000);
	WAIT_FOR(w, w->platforms[0].count == 3 + 2 * GOP);
	WAIT_FOR(w, w->status[1].state == DESTINATION_LIVE);
}

/* Enhanced RTMP puts a FourCC before the composition time. */
static inline bool is_enhanced(const struct platform_message *m)
{
	return m->type == 9 && (m->body[0] & 0x80) != 0;
}

static inline bool is_video_frame(const struct platform_message *m)
{
	return m->type == 9 && (is_enhanced(m) ? (m->body[0] & 0xf) == 1 : m->body[1] == 1);
}

static inline bool is_key_frame(const struct platform_message *m)
{
	return is_video_frame(m) && (m->body[0] >> 4 & 7) == 1;
}

static inline uint32_t number_of(const struct platform_message *m)
{
	return get_be32(m->body + (is_enhanced(m) ? 8 : 5) + 5);
}

#endif
