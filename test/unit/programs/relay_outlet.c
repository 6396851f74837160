/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What one session is given of the show: its start, its gaps, its limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "../../../src/relay-rtmp/outlet.h"

#define START_90K 123456789
#define FRAME_US 33333

struct show {
	struct header_set headers;
	struct outlet_start start;
	struct outlet outlet;
	int64_t next_90k, next_us;
};

static void setup(struct show *s)
{
	static const struct outlet_limits limits = {
		.behind_us = 3000000,
		.bytes = (size_t)16 << 20,
		.give_up_us = 10000000,
	};
	const struct packet meta = { .kind = PACKET_DATA, .type = PACKET_SCRIPT, .size = 4 };
	struct packet config = {
		.kind = PACKET_VIDEO, .type = PACKET_CONFIG, .codec = CODEC_AVC, .size = 4
	};

	memset(s, 0, sizeof(*s));
	assert_int_equal(header_set_put(&s->headers, &config, (const uint8_t *)"avcC"), 1);
	config.kind = PACKET_AUDIO;
	config.codec = CODEC_AAC;
	assert_int_equal(header_set_put(&s->headers, &config, (const uint8_t *)"asc "), 1);
	s->start.headers = &s->headers;
	s->start.metadata = message_create(&meta, (const uint8_t *)"meta");
	s->next_90k = START_90K;
	outlet_init(&s->outlet, 1, &limits);
}

static void finish(struct show *s)
{
	outlet_finish(&s->outlet);
	message_unref(&s->start.metadata);
	header_set_finish(&s->headers);
}

/* The packet's times are relative to the show's, its pts to its dts. */
static int offer(struct show *s, struct packet p)
{
	static const uint8_t payload[100000];
	struct message *m;
	int error;

	p.dts_90k += s->next_90k;
	p.pts_90k += p.dts_90k;
	p.arrival_us = s->next_us;
	m = message_create(&p, payload);
	assert_non_null(m);
	error = outlet_offer(&s->outlet, m, &s->start);
	message_unref(&m);
	return error;
}

static struct packet frame(enum packet_kind kind, unsigned flags)
{
	return (struct packet){ .kind = (uint8_t)kind,
				.type = PACKET_FRAME,
				.size = 100,
				.codec = kind == PACKET_VIDEO ? CODEC_AVC : CODEC_AAC,
				.flags = (uint16_t)flags };
}

/* A video frame and an audio frame; time goes on. */
static int tick(struct show *s, unsigned flags)
{
	int error = offer(s, frame(PACKET_VIDEO, flags));

	if (!error) {
		error = offer(s, frame(PACKET_AUDIO, 0));
	}
	s->next_90k += 3000;
	s->next_us += FRAME_US;
	return error;
}

static const struct packet *queued(const struct show *s, unsigned i)
{
	return &queue_at(&s->outlet.queue, i)->packet;
}

static unsigned count_video(const struct show *s)
{
	unsigned i, n = 0;

	for (i = 0; i < s->outlet.queue.count; i++) {
		n += queued(s, i)->kind == PACKET_VIDEO && queued(s, i)->type == PACKET_FRAME;
	}
	return n;
}

static void nothing_goes_out_before_the_first_join(void **state)
{
	struct show s;

	setup(&s);
	assert_int_equal(tick(&s, 0), 0);
	assert_int_equal(tick(&s, PACKET_KEY), 0);
	assert_int_equal(s.outlet.queue.count, 0);
	assert_int_equal(tick(&s, PACKET_KEY | PACKET_JOIN), 0);
	assert_int_equal(s.outlet.queue.count, 5);
	assert_int_equal(queued(&s, 0)->type, PACKET_SCRIPT);
	assert_int_equal(queued(&s, 1)->type, PACKET_CONFIG);
	assert_int_equal(queued(&s, 2)->type, PACKET_CONFIG);
	assert_int_equal(queued(&s, 0)->dts_90k, queued(&s, 3)->dts_90k);
	assert_int_equal(queued(&s, 3)->flags, PACKET_KEY | PACKET_JOIN);
	finish(&s);
}

static void tracks_and_nanoseconds_are_left_out_where_nobody_knows_them(void **state)
{
	const struct outlet_limits plain = { .behind_us = 3000000,
					     .bytes = 1000000,
					     .give_up_us = 10000000,
					     .leaves_tracks = true,
					     .leaves_nano = true };
	struct packet second = frame(PACKET_AUDIO, PACKET_EX);
	struct packet exact = frame(PACKET_VIDEO, PACKET_KEY | PACKET_EX);
	struct show s;

	setup(&s);
	outlet_finish(&s.outlet);
	outlet_init(&s.outlet, 1, &plain);
	tick(&s, PACKET_KEY | PACKET_JOIN);
	second.track = 1;
	exact.nano = 123456;
	assert_int_equal(offer(&s, second), 0);
	assert_int_equal(s.outlet.queue.count, 5);
	assert_int_equal(s.outlet.left_out[PACKET_AUDIO], 1 << 1);
	assert_int_equal(offer(&s, exact), 0);
	assert_int_equal(s.outlet.queue.count, 6);
	assert_int_equal(queued(&s, 5)->nano, 0);
	assert_int_equal(s.outlet.dropped, 0);
	finish(&s);
}

static void media_from_before_time_zero_and_goodbyes_are_left_out(void **state)
{
	struct packet early = frame(PACKET_AUDIO, 0), end = frame(PACKET_VIDEO, 0);
	struct show s;

	setup(&s);
	tick(&s, PACKET_KEY | PACKET_JOIN);
	early.dts_90k = -10000;
	end.type = PACKET_END;
	assert_int_equal(offer(&s, early), 0);
	assert_int_equal(offer(&s, end), 0);
	assert_int_equal(s.outlet.queue.count, 5);
	finish(&s);
}

static void another_video_track_starts_at_its_own_key_frame(void **state)
{
	struct packet second = frame(PACKET_VIDEO, 0);
	struct show s;

	setup(&s);
	second.track = 1;
	tick(&s, PACKET_KEY | PACKET_JOIN);
	assert_int_equal(offer(&s, second), 0);
	assert_int_equal(s.outlet.queue.count, 5);
	second.flags = PACKET_KEY;
	assert_int_equal(offer(&s, second), 0);
	second.flags = 0;
	assert_int_equal(offer(&s, second), 0);
	assert_int_equal(s.outlet.queue.count, 7);
	assert_int_equal(s.outlet.dropped, 0);
	finish(&s);
}

static void leading_pictures_after_a_recovery_point_are_left_out(void **state)
{
	struct show s;

	setup(&s);
	tick(&s, PACKET_RECOVERY | PACKET_JOIN);
	tick(&s, PACKET_LEADING);
	tick(&s, 0);
	assert_int_equal(count_video(&s), 2);
	tick(&s, PACKET_RECOVERY | PACKET_JOIN);
	tick(&s, PACKET_LEADING);
	assert_int_equal(count_video(&s), 4);
	finish(&s);
}

static void pictures_shown_before_a_recovery_point_are_left_out(void **state)
{
	struct packet p = frame(PACKET_VIDEO, PACKET_RECOVERY | PACKET_JOIN);
	struct show s;

	setup(&s);
	p.pts_90k = 2 * 3000;
	assert_int_equal(offer(&s, p), 0);
	for (int at = 1; at < 4; at++) { /* the first is shown before it, and marked by nobody */
		p = frame(PACKET_VIDEO, 0);
		p.dts_90k = at * 3000;
		assert_int_equal(offer(&s, p), 0);
	}
	assert_int_equal(count_video(&s), 3);
	/* In the middle of a session all is there that such pictures refer to. */
	p = frame(PACKET_VIDEO, PACKET_RECOVERY | PACKET_JOIN);
	p.dts_90k = 4 * 3000;
	p.pts_90k = 2 * 3000;
	assert_int_equal(offer(&s, p), 0);
	p = frame(PACKET_VIDEO, 0);
	p.dts_90k = 5 * 3000;
	assert_int_equal(offer(&s, p), 0);
	assert_int_equal(count_video(&s), 5);
	finish(&s);
}

static void after_a_lap_it_goes_on_at_the_next_join_in_the_same_time(void **state)
{
	struct show s;
	int64_t base;

	setup(&s);
	tick(&s, PACKET_KEY | PACKET_JOIN);
	base = s.outlet.base_90k;
	outlet_rejoin(&s.outlet);
	tick(&s, 0);
	assert_int_equal(s.outlet.queue.count, 5);
	tick(&s, PACKET_KEY | PACKET_JOIN);
	assert_int_equal(s.outlet.queue.count, 7);
	assert_int_equal(s.outlet.base_90k, base);
	finish(&s);
}

static void a_new_show_time_goes_on_from_the_old_session_time(void **state)
{
	struct show s;

	setup(&s);
	tick(&s, PACKET_KEY | PACKET_JOIN);
	tick(&s, 0);
	outlet_rebase(&s.outlet);
	s.next_90k = -5000000;
	s.next_us += 1000000;
	tick(&s, PACKET_KEY | PACKET_JOIN);
	/* 1 s and a frame after the second one */
	assert_int_equal(s.outlet.last_90k / 90, (3000 + 90000 + 3000) / 90);
	finish(&s);
}

static void a_slow_platform_loses_whole_groups_of_pictures_and_no_audio(void **state)
{
	struct show s;
	unsigned i, frames;

	setup(&s);
	tick(&s, PACKET_KEY | PACKET_JOIN);
	for (i = 1; i < 95; i++) {
		assert_int_equal(tick(&s, 0), 0);
	}
	/* More than 3 s behind, no later key frame: no video at all until the next one. */
	assert_int_equal(count_video(&s), 0);
	assert_true(s.outlet.dropped > 0);
	assert_int_equal(s.outlet.queue.count, 3 + 95);
	tick(&s, PACKET_KEY | PACKET_JOIN);
	tick(&s, 0);
	assert_int_equal(count_video(&s), 2);
	frames = s.outlet.queue.count;
	queue_sent(&s.outlet.queue, s.outlet.queue.bytes);
	tick(&s, 0);
	assert_int_equal(count_video(&s), 1);
	assert_int_equal(frames, 3 + 97 + 2);
	finish(&s);
}

static void of_two_groups_the_recent_one_is_kept(void **state)
{
	struct show s;
	unsigned i;

	setup(&s);
	for (i = 0; i < 92; i++) {
		assert_int_equal(tick(&s, i % 60 == 0 ? PACKET_KEY | PACKET_JOIN : 0), 0);
	}
	assert_int_equal(s.outlet.dropped, 60);
	assert_int_equal(count_video(&s), 32);
	finish(&s);
}

static void a_platform_that_takes_nothing_for_ten_seconds_is_given_up(void **state)
{
	struct show s;
	unsigned i;
	int error = 0;

	setup(&s);
	for (i = 0; i < 400 && !error; i++) {
		error = tick(&s, i % 60 == 0 ? PACKET_KEY | PACKET_JOIN : 0);
	}
	assert_int_equal(error, -ETIMEDOUT);
	assert_in_range(i, 299, 303);
	finish(&s);
}

static void too_many_bytes_are_too_far_behind_as_well(void **state)
{
	const struct outlet_limits small = { .behind_us = 3000000,
					     .bytes = 10000,
					     .give_up_us = 10000000 };
	struct show s;
	unsigned i;

	setup(&s);
	s.outlet.limits = &small;
	for (i = 0; i < 60; i++) {
		assert_int_equal(tick(&s, i == 0 ? PACKET_KEY | PACKET_JOIN : 0), 0);
		assert_true(s.outlet.queue.bytes <= 10000);
	}
	assert_true(s.outlet.dropped > 0);
	finish(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_goes_out_before_the_first_join),
		cmocka_unit_test(tracks_and_nanoseconds_are_left_out_where_nobody_knows_them),
		cmocka_unit_test(media_from_before_time_zero_and_goodbyes_are_left_out),
		cmocka_unit_test(another_video_track_starts_at_its_own_key_frame),
		cmocka_unit_test(leading_pictures_after_a_recovery_point_are_left_out),
		cmocka_unit_test(pictures_shown_before_a_recovery_point_are_left_out),
		cmocka_unit_test(after_a_lap_it_goes_on_at_the_next_join_in_the_same_time),
		cmocka_unit_test(a_new_show_time_goes_on_from_the_old_session_time),
		cmocka_unit_test(a_slow_platform_loses_whole_groups_of_pictures_and_no_audio),
		cmocka_unit_test(of_two_groups_the_recent_one_is_kept),
		cmocka_unit_test(a_platform_that_takes_nothing_for_ten_seconds_is_given_up),
		cmocka_unit_test(too_many_bytes_are_too_far_behind_as_well),
	};

	return cmocka_run_group_tests_name("relay_outlet", tests, NULL, NULL);
}
