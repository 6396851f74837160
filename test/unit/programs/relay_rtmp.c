/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The whole of understudy-relay-rtmp: this test is supervisor, switch and platform at once. */
#include "stage.h"

#include <netdb.h>
#include <string.h>
#include <sys/eventfd.h>

#include <understudy/amf.h>
#include <understudy/follow.h>
#include <understudy/ring.h>
#include <understudy/text.h>

#include "../net/certificates.h"
#include "bodies.h"
#include "relay_platform.h"

#define PLATFORMS 2
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
};

/* ---- the show ---- */

static void open_ring(struct world *w)
{
	w->ring = ring_create("show", RING_BYTES);
	assert_true(w->ring >= 0);
	assert_int_equal(ring_writer_open(w->ring, INT64_C(60) * 1000000, &w->writer), 0);
	if (w->batch_us == 0) {
		assert_int_equal(ring_writer_add_wake(w->writer, w->wake), 0);
	}
}

static void put(struct world *w, const struct packet *p, const void *payload)
{
	const struct iovec iov = { .iov_base = (void *)payload, .iov_len = p->size };

	assert_int_equal(ring_write(w->writer, p, &iov, 1, NULL), 0);
}

static struct packet packet_at(struct world *w, enum packet_kind kind, enum packet_type type,
			       size_t size)
{
	return (struct packet){
		.kind = (uint8_t)kind,
		.type = (uint8_t)type,
		.codec = kind == PACKET_VIDEO   ? CODEC_AVC
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

static void put_headers(struct world *w, unsigned flags)
{
	struct body video = avc_config(0x1e), audio = aac_config();
	struct packet p = packet_at(w, PACKET_VIDEO, PACKET_CONFIG, video.size);

	p.flags = (uint16_t)flags;
	p.head = 0x17;
	put(w, &p, video.bytes);
	p = packet_at(w, PACKET_AUDIO, PACKET_CONFIG, audio.size);
	p.flags = (uint16_t)flags;
	put(w, &p, audio.bytes);
}

/* One video frame of `bytes` and one of audio, 1/30 s further on. */
static void put_frame(struct world *w, bool is_key, size_t bytes)
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
		p.flags = PACKET_KEY | PACKET_JOIN;
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

static void put_gop(struct world *w, size_t bytes)
{
	unsigned i;

	put_headers(w, w->number ? PACKET_REPEAT : 0);
	for (i = 0; i < GOP; i++) {
		put_frame(w, i == 0, bytes);
	}
	ring_publish(w->writer);
}

/* ---- the world goes round ---- */

static void answer_look_up(struct world *w, const struct ipc_resolve_ask *ask)
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
		where->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	}
	stage_send(&w->relay, IPC_RESOLVE_ANSWER, &answer, NULL, 0);
}

static void hear(struct world *w)
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
		} else {
			assert_int_equal(m.type, IPC_RESOLVE_ASK);
			answer_look_up(w, (const void *)m.body);
		}
		ipc_message_finish(&m);
	}
}

static void step(struct world *w)
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

static void add(struct world *w, uint32_t id, const char *host, bool is_tls)
{
	struct ipc_destination_add order = { .id = id, .is_tls = is_tls };

	order.port = (uint16_t)w->platforms[id - 1].port;
	(void)text_format(order.name, sizeof(order.name), "platform-%u", id);
	(void)text_copy(order.host, sizeof(order.host), host);
	(void)text_copy(order.app, sizeof(order.app), "live");
	(void)text_copy(order.stream, sizeof(order.stream), KEY);
	(void)text_copy(order.tc_url, sizeof(order.tc_url), "rtmp://platform/live");
	stage_send(&w->relay, IPC_DESTINATION_ADD, &order, NULL, 0);
	/* From here on it reads the ring: what is written now is no past to it. */
	WAIT_FOR(w, w->statuses[id] > 0);
}

static void start(struct world *w, int64_t batch_us)
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

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->trust = -1;
	*state = w;
	return 0;
}

static int teardown(void **state)
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

static void finish(struct world *w)
{
	stage_stop(&w->relay);
	stage_finish(&w->relay);
}

/* On air with the first platform: first key frame there, state live. */
static void go_on_air(struct world *w)
{
	add(w, 1, "127.0.0.1", false);
	put_gop(w, 1000);
	WAIT_FOR(w, w->platforms[0].published == 1);
	put_gop(w, 1000);
	WAIT_FOR(w, w->platforms[0].count == 3 + 2 * GOP);
	WAIT_FOR(w, w->status[1].state == DESTINATION_LIVE);
}

static uint32_t number_of(const struct platform_message *m)
{
	return get_be32(m->body + 5 + 5);
}

/* ---- tests ---- */

static void nothing_is_dialed_before_the_show_has_media(void **state)
{
	struct world *w = *state;

	start(w, 20000);
	add(w, 1, "127.0.0.1", false);
	assert_int_equal(w->status[1].state, DESTINATION_IDLE);
	add(w, 2, "127.0.0.1", false);
	assert_int_equal(w->platforms[0].accepted, 0);
	put_gop(w, 1000);
	WAIT_FOR(w, w->platforms[0].published == 1 && w->platforms[1].published == 1);
	finish(w);
}

static void a_session_begins_with_metadata_headers_and_a_key_frame_at_time_zero(void **state)
{
	struct world *w = *state;
	const struct platform_message *m;
	struct body config = avc_config(0x1e);
	unsigned i;

	start(w, 20000);
	go_on_air(w);
	assert_string_equal(w->platforms[0].stream_name, KEY);
	m = w->platforms[0].messages;
	assert_int_equal(m[0].type, 18);
	assert_int_equal(m[1].type, 9);
	assert_int_equal(m[1].body[1], 0);
	assert_memory_equal(m[1].body + 5, config.bytes, config.size);
	assert_int_equal(m[2].type, 8);
	assert_int_equal(m[2].body[1], 0);
	for (i = 0; i < 4; i++) {
		assert_int_equal(m[i].timestamp_ms, 0);
	}
	for (i = 0; i < GOP; i++) {
		const struct platform_message *v = &m[3 + 2 * i], *a = v + 1;

		assert_int_equal(v->type, 9);
		assert_int_equal(v->body[0], i == 0 ? 0x17 : 0x27);
		assert_int_equal(number_of(v), GOP + i);
		assert_int_equal(v->size, 1000 + 5);
		assert_int_equal(v->timestamp_ms, follow_ms(i * FRAME_90K, 0));
		assert_in_range(get_be24(v->body + 2), 33, 34);
		assert_int_equal(a->type, 8);
		assert_int_equal(get_be32(a->body + 2), GOP + i);
	}
	finish(w);
}

/* Compares a received video message with what put_frame() made. */
static void assert_frame(const struct platform_message *m, uint32_t number, size_t bytes)
{
	size_t i;

	assert_int_equal(m->size, bytes + 5);
	assert_int_equal(number_of(m), number);
	for (i = 9; i < bytes; i++) {
		if (m->body[5 + i] != (uint8_t)((i * 31 + number) | 1)) {
			fail_msg("byte %zu of frame %u is wrong", i, number);
		}
	}
}

static void large_frames_arrive_whole_also_beyond_four_hours(void **state)
{
	struct world *w = *state;
	const struct platform_message *m;

	start(w, 20000);
	go_on_air(w);
	platform_forget(&w->platforms[0]);
	put_frame(w, false, BIG_BYTES);
	w->next_90k += INT64_C(5) * 3600 * MEDIA_HZ;
	put_frame(w, true, BIG_BYTES);
	put_frame(w, false, 3 * 65536 - 5);
	ring_publish(w->writer);
	WAIT_FOR(w, w->platforms[0].count == 6);
	m = w->platforms[0].messages;
	assert_frame(&m[0], 2 * GOP, BIG_BYTES);
	assert_frame(&m[2], 2 * GOP + 1, BIG_BYTES);
	assert_frame(&m[4], 2 * GOP + 2, 3 * 65536 - 5);
	assert_true(m[2].timestamp_ms > 5 * 3600 * 1000);
	assert_int_equal(m[2].timestamp_ms,
			 5 * 3600 * 1000 + follow_ms(GOP * FRAME_90K + FRAME_90K, 0));
	finish(w);
}

static void with_no_batch_the_eventfd_is_enough(void **state)
{
	struct world *w = *state;
	int64_t began_us;

	start(w, 0);
	go_on_air(w);
	platform_forget(&w->platforms[0]);
	began_us = clock_monotonic_us();
	put_frame(w, false, 500);
	ring_publish(w->writer);
	WAIT_FOR(w, w->platforms[0].count == 2);
	assert_true(clock_monotonic_us() - began_us < 500000);
	finish(w);
}

static void a_reset_connection_is_dialed_again_and_begins_anew_at_time_zero(void **state)
{
	struct world *w = *state;

	start(w, 20000);
	go_on_air(w);
	platform_hang_up(&w->platforms[0], true);
	platform_forget(&w->platforms[0]);
	WAIT_FOR(w, w->platforms[0].published == 2);
	put_frame(w, false, 100);
	put_gop(w, 1000);
	WAIT_FOR(w, w->platforms[0].count == 3 + 2 * GOP);
	assert_int_equal(w->platforms[0].messages[0].type, 18);
	assert_int_equal(w->platforms[0].messages[3].body[0], 0x17);
	assert_int_equal(w->platforms[0].messages[3].timestamp_ms, 0);
	assert_int_equal(number_of(&w->platforms[0].messages[3]), 2 * GOP + 1);
	assert_int_equal(w->status[1].restarts, 1);
	assert_true(*w->status[1].last_error);
	assert_int_equal(w->platforms[0].unpublished, 0);
	finish(w);
}

static void a_platform_that_stops_reading_holds_up_no_other(void **state)
{
	struct world *w = *state;
	unsigned i;

	start(w, 20000);
	w->platforms[1].is_deaf = true;
	add(w, 2, "127.0.0.1", false);
	go_on_air(w);
	WAIT_FOR(w, w->platforms[1].published == 1);
	platform_forget(&w->platforms[0]);
	for (i = 0; i < 8; i++) {
		put_gop(w, 60000);
		WAIT_FOR(w, w->platforms[0].count == 2 * GOP * (i + 1));
		assert_int_equal(w->status[1].dropped, 0);
	}
	WAIT_FOR(w, w->status[2].dropped > 0);
	assert_true(w->status[2].backlog_ms <= 10000);
	assert_int_equal(w->platforms[0].accepted, 1);
	finish(w);
}

static void a_slow_platform_goes_on_at_a_key_frame_with_all_of_the_audio(void **state)
{
	struct world *w = *state;
	struct platform *f = &w->platforms[1];
	unsigned i, audio = 0;
	uint32_t last = 0;
	bool has_gap = false;

	start(w, 20000);
	f->is_deaf = true;
	add(w, 2, "127.0.0.1", false);
	go_on_air(w);
	WAIT_FOR(w, f->published == 1);
	for (i = 0; i < 6; i++) {
		put_gop(w, 120000);
		WAIT_FOR(w, w->platforms[0].count == 3 + 2 * GOP * (i + 2));
	}
	f->is_deaf = false;
	put_gop(w, 1000);
	WAIT_FOR(w, f->count > 0 && f->messages[f->count - 1].type == 8 &&
			    get_be32(f->messages[f->count - 1].body + 2) == w->number - 1);
	for (i = 0; i < f->count; i++) {
		const struct platform_message *m = &f->messages[i];

		if (m->type == 8 && m->body[1] == 1) {
			audio++;
		} else if (m->type == 9 && m->body[1] == 1) {
			if (last && number_of(m) != last + 1) {
				assert_int_equal(m->body[0], 0x17);
				has_gap = true;
			}
			last = number_of(m);
		}
	}
	assert_true(has_gap);
	assert_int_equal(last, w->number - 1);
	assert_int_equal(audio % GOP, 0);
	assert_true(audio >= 7 * GOP);
	assert_int_equal(f->accepted, 1);
	finish(w);
}

static void a_new_show_ring_does_not_disturb_the_connection(void **state)
{
	struct world *w = *state;
	struct ring_writer *old_writer;
	int old_ring, fds[2];
	unsigned i;

	start(w, 20000);
	go_on_air(w);
	platform_forget(&w->platforms[0]);
	put_frame(w, false, 700); /* to be drained from the old ring */
	ring_publish(w->writer);
	old_writer = w->writer;
	old_ring = w->ring;
	open_ring(w);
	for (i = 0; i < 5; i++) {
		put_frame(w, false, 700);
	}
	ring_publish(w->writer);
	fds[0] = w->ring;
	fds[1] = w->wake;
	stage_send(&w->relay, IPC_SHOW_RING, &(struct ipc_show_ring){ 0 }, fds, 2);
	WAIT_FOR(w, w->platforms[0].count == 12);
	for (i = 0; i < 6; i++) {
		assert_int_equal(number_of(&w->platforms[0].messages[2 * i]), 2 * GOP + i);
		assert_int_equal(w->platforms[0].messages[2 * i].timestamp_ms,
				 follow_ms((GOP + i) * FRAME_90K, 0));
	}
	assert_int_equal(w->platforms[0].accepted, 1);
	ring_writer_close(&old_writer);
	close(old_ring);
	finish(w);
}

static void stop_alone_leaves_uncleanly_at_once(void **state)
{
	struct world *w = *state;

	start(w, 20000);
	go_on_air(w);
	stage_stop(&w->relay);
	WAIT_FOR(w, !w->platforms[0].stream);
	assert_true(w->platforms[0].was_reset);
	assert_int_equal(w->platforms[0].unpublished, 0);
	stage_finish(&w->relay);
}

static void a_killed_relay_unpublishes_nothing(void **state)
{
	struct world *w = *state;

	start(w, 20000);
	go_on_air(w);
	stage_kill(&w->relay);
	w->is_over = true;
	WAIT_FOR(w, !w->platforms[0].stream);
	assert_int_equal(w->platforms[0].unpublished, 0);
}

static void stop_with_unpublish_says_goodbye_after_the_last_message(void **state)
{
	struct world *w = *state;
	int64_t began_us;

	start(w, 20000);
	go_on_air(w);
	put_frame(w, false, 900);
	ring_publish(w->writer);
	began_us = clock_monotonic_us();
	stage_send(&w->relay, IPC_STOP, &(struct ipc_stop){ .unpublish = 1 }, NULL, 0);
	WAIT_FOR(w, !w->platforms[0].stream);
	assert_true(w->platforms[0].unpublished > 0);
	assert_true(w->platforms[0].was_closed);
	assert_int_equal(w->platforms[0].count, 3 + 2 * GOP + 2);
	stage_finish(&w->relay);
	assert_true(clock_monotonic_us() - began_us < 1000000);
}

static void a_removed_destination_is_unpublished_and_the_others_stay(void **state)
{
	struct world *w = *state;
	const struct ipc_destination_remove order = { .id = 2, .unpublish = 1 };

	start(w, 20000);
	add(w, 2, "127.0.0.1", false);
	go_on_air(w);
	WAIT_FOR(w, w->platforms[1].published == 1);
	stage_send(&w->relay, IPC_DESTINATION_REMOVE, &order, NULL, 0);
	WAIT_FOR(w, !w->platforms[1].stream);
	assert_int_equal(w->status[2].state, DESTINATION_STOPPED);
	assert_true(w->platforms[1].unpublished > 0);
	put_gop(w, 1000);
	WAIT_FOR(w, w->platforms[0].count == 3 + 4 * GOP);
	assert_int_equal(w->platforms[0].accepted, 1);
	finish(w);
}

static void a_key_that_is_refused_is_said_so_without_telling_it(void **state)
{
	struct world *w = *state;

	start(w, 20000);
	w->platforms[0].refuses = true;
	add(w, 1, "127.0.0.1", false);
	put_gop(w, 1000);
	WAIT_FOR(w, w->status[1].state == DESTINATION_REFUSED);
	assert_non_null(strstr(w->status[1].last_error, "rejected by the platform: "));
	assert_non_null(strstr(w->status[1].last_error, "BadName"));
	finish(w);
}

static void names_are_looked_up_anew_at_each_dial(void **state)
{
	struct world *w = *state;

	start(w, 20000);
	add(w, 1, "platform.example", false);
	put_gop(w, 1000);
	WAIT_FOR(w, w->platforms[0].published == 1);
	assert_int_equal(w->questions, 1);
	platform_hang_up(&w->platforms[0], true);
	WAIT_FOR(w, w->platforms[0].published == 2);
	assert_int_equal(w->questions, 2);
	finish(w);
}

static void a_name_that_does_not_exist_is_reported(void **state)
{
	struct world *w = *state;

	start(w, 20000);
	w->unknown = "nowhere.example";
	add(w, 1, "nowhere.example", false);
	put_gop(w, 1000);
	WAIT_FOR(w, w->status[1].state == DESTINATION_BACKING_OFF);
	assert_string_equal(w->status[1].last_error, "name not found");
	finish(w);
}

static void a_port_nobody_listens_on_is_reported(void **state)
{
	struct world *w = *state;

	start(w, 20000);
	close(w->platforms[0].listener);
	w->platforms[0].listener = -1;
	add(w, 1, "127.0.0.1", false);
	put_gop(w, 1000);
	WAIT_FOR(w, w->status[1].state == DESTINATION_BACKING_OFF);
	assert_string_equal(w->status[1].last_error, "connection refused");
	finish(w);
}

static void rtmps_is_verified_before_a_key_is_said(void **state)
{
	struct world *w = *state;
	struct certificate ca = certificate_make("CA", NULL, NULL, 9, "critical,CA:TRUE"), good,
			   bad;
	size_t size;
	char *pem[4];

	good = certificate_make("good", "DNS:platform.example", &ca, 9, "CA:FALSE");
	bad = certificate_make("bad", "DNS:other.example", &ca, 9, "CA:FALSE");
	w->trust = certificate_bundle(&ca);
	start(w, 20000);
	w->platforms[0].chain = pem[0] = certificate_pem(&good, &size);
	w->platforms[0].key = pem[1] = key_pem(&good, &size);
	w->platforms[1].chain = pem[2] = certificate_pem(&bad, &size);
	w->platforms[1].key = pem[3] = key_pem(&bad, &size);
	add(w, 1, "platform.example", true);
	add(w, 2, "platform.example", true);
	put_gop(w, 1000);
	WAIT_FOR(w, w->platforms[0].published == 1);
	put_gop(w, 60000);
	WAIT_FOR(w, w->platforms[0].count == 3 + 2 * GOP);
	assert_frame(&w->platforms[0].messages[3], GOP, 60000);
	WAIT_FOR(w, w->status[2].state == DESTINATION_BACKING_OFF);
	assert_string_equal(w->status[2].last_error, "TLS: certificate is for another name");
	assert_int_equal(w->platforms[1].published, 0);
	finish(w);
	for (unsigned i = 0; i < 4; i++) {
		free(pem[i]);
	}
	certificate_free(&ca);
	certificate_free(&good);
	certificate_free(&bad);
}

static void media_that_stops_makes_the_destination_held_and_keeps_the_connection(void **state)
{
	struct world *w = *state;

	start(w, 20000);
	go_on_air(w);
	WAIT_FOR(w, w->status[1].state == DESTINATION_HELD);
	put_frame(w, false, 800);
	ring_publish(w->writer);
	WAIT_FOR(w, w->status[1].state == DESTINATION_LIVE);
	assert_int_equal(w->platforms[0].accepted, 1);
	finish(w);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(nothing_is_dialed_before_the_show_has_media),
		WORLD_TEST(a_session_begins_with_metadata_headers_and_a_key_frame_at_time_zero),
		WORLD_TEST(large_frames_arrive_whole_also_beyond_four_hours),
		WORLD_TEST(with_no_batch_the_eventfd_is_enough),
		WORLD_TEST(a_reset_connection_is_dialed_again_and_begins_anew_at_time_zero),
		WORLD_TEST(a_platform_that_stops_reading_holds_up_no_other),
		WORLD_TEST(a_slow_platform_goes_on_at_a_key_frame_with_all_of_the_audio),
		WORLD_TEST(a_new_show_ring_does_not_disturb_the_connection),
		WORLD_TEST(stop_alone_leaves_uncleanly_at_once),
		WORLD_TEST(a_killed_relay_unpublishes_nothing),
		WORLD_TEST(stop_with_unpublish_says_goodbye_after_the_last_message),
		WORLD_TEST(a_removed_destination_is_unpublished_and_the_others_stay),
		WORLD_TEST(a_key_that_is_refused_is_said_so_without_telling_it),
		WORLD_TEST(names_are_looked_up_anew_at_each_dial),
		WORLD_TEST(a_name_that_does_not_exist_is_reported),
		WORLD_TEST(a_port_nobody_listens_on_is_reported),
		WORLD_TEST(rtmps_is_verified_before_a_key_is_said),
		WORLD_TEST(media_that_stops_makes_the_destination_held_and_keeps_the_connection),
	};

	return cmocka_run_group_tests_name("relay-rtmp", tests, NULL, NULL);
}
