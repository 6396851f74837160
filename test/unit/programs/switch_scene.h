/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A scene for understudy-switch as the supervisor sees it: feeds are written in real time into
 * feed rings, and what comes out is read from the show ring.
 */
#ifndef TEST_SWITCH_SCENE_H
#define TEST_SWITCH_SCENE_H

#include "stage.h"

#include <sys/eventfd.h>

#include <understudy/log.h>
#include <understudy/ring.h>
#include <understudy/timeline.h>

#include "bodies.h"

#define RING_BYTES ((size_t)8 << 20)
#define SPAN_US INT64_C(10000000)
#define FRAME_90K 3600 /* 25 frames a second */
#define GOP 10
#define SAMPLES_90K 1920 /* 1024 samples at 48 kHz */
#define SHOW_MAX 4096

/* ---- a feed ---- */

struct feed {
	uint16_t id;
	uint32_t incarnation;
	uint8_t level; /* of its codec header: what tells feeds apart */
	bool has_video;
	size_t frame_bytes;
	bool is_silent; /* writes nothing, stays open */
	bool is_mute;   /* writes no sound */
	int ring, wake;
	struct ring_writer *writer;
	int64_t start_us;
	uint32_t videos, audios; /* written so far */
};

/* A frame ends with the feed's id: no two feeds carry the same. */
static inline void feed_write(struct feed *f, struct packet p, const struct body *body)
{
	struct iovec part = { .iov_base = (void *)(uintptr_t)body->bytes, .iov_len = body->size };

	p.size = (uint32_t)body->size;
	if (p.type == PACKET_FRAME) {
		((uint8_t *)part.iov_base)[body->size - 1] = (uint8_t)f->id;
	}
	assert_int_equal(ring_write(f->writer, &p, &part, 1, NULL), 0);
}

static inline void feed_write_headers(struct feed *f, int64_t dts_90k, unsigned flags,
				      int64_t now_us)
{
	struct packet p = { .dts_90k = dts_90k,
			    .pts_90k = dts_90k,
			    .arrival_us = now_us,
			    .flags = (uint16_t)flags,
			    .type = PACKET_CONFIG };
	struct body audio = aac_config(), video = avc_config(f->level);

	if (f->has_video) {
		p.kind = PACKET_VIDEO;
		p.codec = CODEC_AVC;
		feed_write(f, p, &video);
	}
	p.kind = PACKET_AUDIO;
	p.codec = CODEC_AAC;
	if (!f->is_mute) {
		feed_write(f, p, &audio);
	}
}

static inline void feed_write_video(struct feed *f, int64_t dts_90k, int64_t now_us)
{
	bool is_key = f->videos % GOP == 0;
	struct packet p = { .dts_90k = dts_90k,
			    .pts_90k = dts_90k,
			    .arrival_us = now_us,
			    .flags = is_key ? PACKET_KEY : 0,
			    .codec = CODEC_AVC,
			    .kind = PACKET_VIDEO,
			    .type = PACKET_FRAME };
	struct body body = avc_frame(is_key, f->videos, f->frame_bytes);

	if (is_key && f->videos % 25 == 0 && f->videos > 0) {
		feed_write_headers(f, dts_90k, PACKET_REPEAT, now_us);
	}
	feed_write(f, p, &body);
	f->videos++;
}

static inline void feed_write_audio(struct feed *f, int64_t dts_90k, int64_t now_us)
{
	struct packet p = { .dts_90k = dts_90k,
			    .pts_90k = dts_90k,
			    .arrival_us = now_us,
			    .codec = CODEC_AAC,
			    .kind = PACKET_AUDIO,
			    .type = PACKET_FRAME };
	struct body body = aac_frame(f->audios, 200);

	if (!f->is_mute) {
		feed_write(f, p, &body);
	}
	f->audios++;
}

/* Everything that an encoder has to have sent by now. */
static inline void feed_run(struct feed *f, int64_t now_us)
{
	int64_t until_90k = (now_us - f->start_us) * 9 / 100;

	for (;;) {
		int64_t video_90k = f->has_video ? (int64_t)f->videos * FRAME_90K : INT64_MAX;
		int64_t audio_90k = (int64_t)f->audios * SAMPLES_90K;

		if (video_90k > until_90k && audio_90k > until_90k) {
			break;
		}
		if (f->is_silent) {
			f->videos += video_90k <= audio_90k;
			f->audios += video_90k > audio_90k;
		} else if (video_90k <= audio_90k) {
			feed_write_video(f, video_90k, now_us);
		} else {
			feed_write_audio(f, audio_90k, now_us);
		}
	}
	ring_publish(f->writer);
}

static inline struct feed feed_start_as(uint16_t id, bool has_video, bool has_wake, bool is_mute)
{
	struct feed f = { .id = id,
			  .incarnation = id * 10u,
			  .has_video = has_video,
			  .is_mute = is_mute,
			  .wake = -1,
			  .level = (uint8_t)(30 + id),
			  .frame_bytes = 2000,
			  .start_us = clock_monotonic_us() };

	f.ring = ring_create("feed", RING_BYTES);
	assert_true(f.ring >= 0);
	assert_int_equal(ring_writer_open(f.ring, SPAN_US, &f.writer), 0);
	if (has_wake) {
		f.wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		assert_true(f.wake >= 0);
		assert_int_equal(ring_writer_add_wake(f.writer, f.wake), 0);
	}
	feed_write_headers(&f, 0, 0, f.start_us);
	feed_run(&f, f.start_us);
	return f;
}

static inline struct feed feed_start(uint16_t id, bool has_video, bool has_wake)
{
	return feed_start_as(id, has_video, has_wake, false);
}

static inline void feed_finish(struct feed *f)
{
	ring_writer_close(&f->writer);
	close(f->ring);
	if (f->wake >= 0) {
		close(f->wake);
	}
}

/* ---- the show ---- */

struct shown {
	struct packet packet;
	uint32_t number; /* of the frame within its kind, from the payload */
	uint8_t level;   /* of a video codec header */
};

struct show {
	struct shown packets[SHOW_MAX];
	unsigned count;
};

static inline void show_read(struct show *show, struct ring_reader *reader, uint64_t *next)
{
	static uint8_t payload[PACKET_SIZE_MAX];

	for (; *next < ring_next(reader); (*next)++) {
		struct shown *s = &show->packets[show->count];

		assert_true(show->count++ < SHOW_MAX);
		*s = (struct shown){ 0 };
		assert_int_equal(ring_read(reader, *next, &s->packet, payload, sizeof(payload)), 0);
		if (s->packet.type == PACKET_CONFIG && s->packet.kind == PACKET_VIDEO) {
			s->level = payload[3];
		} else if (s->packet.type == PACKET_FRAME) {
			s->number = get_be32(payload + (s->packet.kind == PACKET_VIDEO ? 5 : 0));
		}
	}
}

/* ---- the supervisor ---- */

struct scene {
	struct stage_worker worker;
	struct ipc_switch_start start;
	struct feed feeds[3];
	unsigned feed_count;
	int ring; /* of the show */
	struct ring_reader *reader;
	uint64_t next;
	struct show show;
	struct ipc_switch_status status; /* newest */
	unsigned released;               /* bit for each feed id */
	struct timeline_event events[64];
	unsigned event_count;
};

static inline void scene_take(struct scene *s)
{
	struct ipc_message m;

	while (ipc_recv(s->worker.control, &m) == 1) {
		if (m.type == IPC_SWITCH_STATUS) {
			memcpy(&s->status, m.body, sizeof(s->status));
		} else if (m.type == IPC_SOURCE_RELEASED) {
			s->released |= 1u << ((struct ipc_source_released *)(void *)m.body)->feed;
		} else if (m.type == IPC_SWITCH_EVENT && s->event_count < 64) {
			s->events[s->event_count++] =
				((struct ipc_switch_event *)(void *)m.body)->event;
		}
		ipc_message_finish(&m);
	}
	show_read(&s->show, s->reader, &s->next);
}

/* Starts a switch; with `old_ring` (or -1) one that is to go on. */
static inline void scene_start_switch(struct scene *s, int old_ring)
{
	struct ipc_message m;
	int fds[2];

	s->worker = stage_start(ROLE_SWITCH);
	s->ring = ring_create("show", RING_BYTES);
	assert_true(s->ring >= 0);
	fds[0] = s->ring;
	fds[1] = old_ring;
	stage_send(&s->worker, IPC_SWITCH_START, &s->start, fds, old_ring >= 0 ? 2 : 1);
	stage_expect(&s->worker, IPC_RING_READY, &m);
	ipc_message_finish(&m);
	assert_int_equal(ring_check(s->ring, RING_BYTES), 0);
	assert_int_equal(ring_reader_open(s->ring, &s->reader), 0);
	s->next = 0;
}

/* It knows all that is there. */
static inline void scene_begin(const struct scene *s)
{
	stage_send(&s->worker, IPC_SWITCH_BEGIN, &(struct ipc_switch_begin){ 0 }, NULL, 0);
}

/* A switch that has yet to be told what is there. */
static inline struct scene *scene_create_untold(int64_t delay_ms, int64_t round_ms,
						bool fills_silence)
{
	struct scene *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->start = (struct ipc_switch_start){
		.show = "main",
		.delay_us = delay_ms * 1000,
		.stall_us = 400000,
		.hole_us = 200000,
		.return_after_us = 30000000,
		.span_us = SPAN_US,
		.round_us = round_ms * 1000,
		.feed_count = 3,
		.fills_silence = fills_silence,
		.feeds = { { .id = 1, .name = "primary" },
			   { .id = 2, .name = "backup" },
			   { .id = 3, .name = "third" } },
	};
	scene_start_switch(s, -1);
	return s;
}

static inline struct scene *scene_create_with(int64_t delay_ms, int64_t round_ms,
					      bool fills_silence)
{
	struct scene *s = scene_create_untold(delay_ms, round_ms, fills_silence);

	scene_begin(s);
	return s;
}

static inline struct scene *scene_create_filled(int64_t delay_ms, bool fills_silence)
{
	return scene_create_with(delay_ms, delay_ms > 0 ? 20 : 0, fills_silence);
}

static inline struct scene *scene_create(int64_t delay_ms)
{
	return scene_create_filled(delay_ms, false);
}

static inline void scene_open(struct scene *s, const struct feed *f)
{
	const struct ipc_source_open order = { .feed = f->id, .incarnation = f->incarnation };
	const int fds[2] = { f->ring, f->wake };

	stage_send(&s->worker, IPC_SOURCE_OPEN, &order, fds, f->wake >= 0 ? 2 : 1);
}

static inline struct feed *scene_add(struct scene *s, bool has_video)
{
	struct feed *f = &s->feeds[s->feed_count];

	*f = feed_start((uint16_t)(s->feed_count + 1), has_video, s->start.delay_us == 0);
	s->feed_count++;
	scene_open(s, f);
	return f;
}

static inline struct feed *scene_add_mute(struct scene *s)
{
	struct feed *f = &s->feeds[s->feed_count];

	*f = feed_start_as((uint16_t)(s->feed_count + 1), true, s->start.delay_us == 0, true);
	s->feed_count++;
	scene_open(s, f);
	return f;
}

static inline void scene_close(struct scene *s, const struct feed *f)
{
	struct ipc_source_close order = { .feed = f->id,
					  .incarnation = f->incarnation,
					  .cause = "connection closed by encoder" };

	stage_send(&s->worker, IPC_SOURCE_CLOSE, &order, NULL, 0);
}

static inline void scene_take_away(struct scene *s, const struct feed *f)
{
	struct ipc_source_leaving order = { .feed = f->id,
					    .incarnation = f->incarnation,
					    .is_leaving = 1,
					    .cause = "its feed was removed" };

	stage_send(&s->worker, IPC_SOURCE_LEAVING, &order, NULL, 0);
}

/* Lets the feeds run in real time. */
static inline void scene_run(struct scene *s, int64_t ms)
{
	int64_t until_us = clock_monotonic_us() + ms * 1000;
	int64_t now_us;

	while ((now_us = clock_monotonic_us()) < until_us) {
		struct pollfd p = { .fd = s->worker.control, .events = POLLIN };

		for (unsigned i = 0; i < s->feed_count; i++) {
			feed_run(&s->feeds[i], now_us);
		}
		scene_take(s);
		poll(&p, 1, 5);
	}
}

/* The same show is to go on in the ring of another switch, which was told of no source yet. */
static inline void scene_renew_switch(struct scene *s)
{
	int old_ring = s->ring;

	stage_kill(&s->worker);
	show_read(&s->show, s->reader, &s->next);
	ring_reader_close(&s->reader);
	scene_start_switch(s, old_ring);
	close(old_ring);
}

static inline void scene_replace_switch(struct scene *s)
{
	scene_renew_switch(s);
	for (unsigned i = 0; i < s->feed_count; i++) {
		scene_open(s, &s->feeds[i]);
	}
	scene_begin(s);
}

static inline void scene_destroy(struct scene *s)
{
	stage_stop(&s->worker);
	stage_finish(&s->worker);
	ring_reader_close(&s->reader);
	close(s->ring);
	for (unsigned i = 0; i < s->feed_count; i++) {
		feed_finish(&s->feeds[i]);
	}
	free(s);
}

/* ---- what is expected of a show ---- */

static inline bool is_frame(const struct shown *s, enum packet_kind kind)
{
	return s->packet.type == PACKET_FRAME && s->packet.kind == kind;
}

/* Nothing missing, nothing doubled: each pts is one frame after the one before, within half. */
static inline unsigned check_steps(const struct show *show, enum packet_kind kind,
				   int64_t frame_90k)
{
	const struct shown *last = NULL;
	unsigned count = 0;

	for (unsigned i = 0; i < show->count; i++) {
		const struct shown *s = &show->packets[i];

		if (!is_frame(s, kind)) {
			continue;
		}
		if (last != NULL) {
			int64_t step = s->packet.pts_90k - last->packet.pts_90k;

			if (step * 2 <= frame_90k || step * 2 >= 3 * frame_90k) {
				fail_msg("kind %d: step %lld from %u of feed %u to %u of %u",
					 (int)kind, (long long)step, last->number,
					 last->packet.feed, s->number, s->packet.feed);
			}
		}
		last = s;
		count++;
	}
	return count;
}

/* Within one feed every packet of the kind comes once and in order. */
static inline void check_numbers(const struct show *show, enum packet_kind kind)
{
	const struct shown *last = NULL;

	for (unsigned i = 0; i < show->count; i++) {
		const struct shown *s = &show->packets[i];

		if (!is_frame(s, kind)) {
			continue;
		}
		if (last != NULL && last->packet.feed == s->packet.feed) {
			assert_int_equal(s->number, last->number + 1);
		}
		last = s;
	}
}

/* Output leaves in non-decreasing dts. */
static inline void check_order(const struct show *show)
{
	for (unsigned i = 1; i < show->count; i++) {
		assert_true(show->packets[i].packet.dts_90k >= show->packets[i - 1].packet.dts_90k);
	}
}

static inline void check_unbroken(const struct show *show, unsigned least_videos)
{
	check_order(show);
	check_numbers(show, PACKET_VIDEO);
	check_numbers(show, PACKET_AUDIO);
	assert_true(check_steps(show, PACKET_VIDEO, FRAME_90K) >= least_videos);
	assert_true(check_steps(show, PACKET_AUDIO, SAMPLES_90K) >= least_videos);
}

/* Where a reader may start, it finds the headers in force right before, at most a second old in
 * the ring's order. */
static inline void check_joins(const struct show *show, unsigned headers)
{
	int64_t repeated_us = INT64_MIN / 2;
	unsigned joins = 0, repeats = 0;

	for (unsigned i = 0; i < show->count; i++) {
		const struct packet *p = &show->packets[i].packet;

		if ((p->flags & PACKET_REPEAT) != 0) {
			assert_true(packet_is_header(p));
			repeats++;
			continue;
		}
		if ((p->flags & PACKET_JOIN) != 0) {
			joins++;
			if (repeats > 0) {
				assert_int_equal(repeats, headers);
				assert_true(p->arrival_us - repeated_us >= 1000000);
				repeated_us = p->arrival_us;
			}
			assert_true(p->arrival_us - repeated_us < 1100000);
		} else {
			assert_int_equal(repeats, 0);
		}
		repeats = 0;
	}
	assert_true(joins > 0);
}

/* Feeds are lost 150 ms behind a key frame of the backup (every 400 ms), far from the next one, so
 * that it is beyond doubt where the backup has to come in. */
#define LOST_MS 1750

#endif
