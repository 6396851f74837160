/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What timeline.h promises its caller, case by case. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <understudy/clock.h>
#include <understudy/timeline.h>

#include "../../../src/timeline/private.h"

#define START_US INT64_C(1000000000)
#define FRAME_US 33333
#define FRAME_90k 3000

static const struct timeline_config two_feeds = {
	.delay_us = 1000000,
	.stall_us = 500000,
	.hole_us = 200000,
	.return_after_us = 30000000,
	.feed_count = 2,
	.feeds = { { .id = 7 }, { .id = 9 } },
};

static struct packet video(int64_t frame)
{
	return (struct packet){ .kind = PACKET_VIDEO,
				.type = PACKET_FRAME,
				.codec = CODEC_AVC,
				.dts_90k = frame * FRAME_90k,
				.pts_90k = frame * FRAME_90k,
				.flags = frame % 30 == 0 ? PACKET_KEY : 0,
				.size = 1000,
				.arrival_us = START_US + frame * FRAME_US };
}

static int push(struct timeline *tl, int source, int64_t frame)
{
	struct packet p = video(frame);

	return timeline_push(tl, source, (uint64_t)frame, &p, NULL, p.arrival_us);
}

/* The next step that is no event. */
static struct timeline_step step_at(struct timeline *tl, int64_t now_us)
{
	struct timeline_step step;

	do {
		timeline_next(tl, now_us, &step);
	} while (step.action == TIMELINE_EVENT);
	return step;
}

static void unknown_feeds_and_too_many_sources_are_refused(void **state)
{
	struct timeline *tl = timeline_create(&two_feeds, START_US);

	assert_int_equal(timeline_open(tl, 8, 1, START_US), -ENOENT);
	assert_int_equal(timeline_take(tl, 8, START_US), -ENOENT);
	for (uint32_t i = 0; i < TIMELINE_SOURCES_MAX; i++) {
		assert_int_equal(timeline_open(tl, 7, i, START_US), i);
	}
	assert_int_equal(timeline_open(tl, 7, 99, START_US), -EBUSY);
	timeline_destroy(&tl);
	assert_null(tl);
	timeline_destroy(&tl);
}

static void with_nothing_there_only_a_push_can_help(void **state)
{
	struct timeline *tl = timeline_create(&two_feeds, START_US);
	struct timeline_step step = step_at(tl, START_US);

	assert_int_equal(step.action, TIMELINE_WAIT);
	assert_true(step.deadline_us == CLOCK_NEVER);
	timeline_destroy(&tl);
}

static void a_packet_leaves_when_it_is_due_and_not_before(void **state)
{
	struct timeline *tl = timeline_create(&two_feeds, START_US);
	int source = timeline_open(tl, 7, 3, START_US);
	struct timeline_step step = { 0 };
	int64_t now_us = START_US;

	for (int64_t frame = 0; frame < 29; frame++) {
		assert_int_equal(push(tl, source, frame), 0);
		now_us = START_US + frame * FRAME_US;
		assert_int_equal(step_at(tl, now_us).action, TIMELINE_WAIT);
	}
	assert_int_equal(step_at(tl, START_US + 999999).action, TIMELINE_WAIT);
	step = step_at(tl, START_US + 1000000);
	assert_int_equal(step.action, TIMELINE_SEND);
	assert_int_equal(step.source, source);
	assert_int_equal(step.seq, 0);
	assert_int_equal(step.packet.feed, 7);
	assert_int_equal(step.packet.incarnation, 3);
	assert_int_equal(step.packet.dts_90k, 0);
	assert_int_equal(step.packet.flags, PACKET_KEY | PACKET_JOIN | PACKET_SPLICE);
	assert_int_equal(tl_due_us(tl, 0), START_US + 1000000);
	timeline_destroy(&tl);
}

static void nonsense_is_refused_and_counted(void **state)
{
	struct timeline *tl = timeline_create(&two_feeds, START_US);
	int source = timeline_open(tl, 7, 1, START_US);
	struct packet p = video(0);
	struct timeline_status status;

	p.kind = 77;
	assert_int_equal(timeline_push(tl, source, 0, &p, NULL, START_US), -EINVAL);
	assert_int_equal(push(tl, source, 10), 0);
	assert_int_equal(push(tl, source, 10), -EINVAL); /* dts has to rise */
	p = video(11);
	p.pts_90k += 100 * 90000;
	assert_int_equal(timeline_push(tl, source, 2, &p, NULL, START_US), -EINVAL);
	p = video(11);
	p.dts_90k = p.pts_90k = INT64_MAX / 4 - 1;
	assert_int_equal(timeline_push(tl, source, 3, &p, NULL, START_US), -EINVAL);
	timeline_get_status(tl, START_US, &status);
	assert_int_equal(status.feeds[0].nonsense, 4);
	timeline_destroy(&tl);
}

/* As GStreamer's muxer begins: the second picture is decoded with the first and shown after it. */
static void two_pictures_of_one_decoding_time_are_both_sent(void **state)
{
	struct timeline *tl = timeline_create(&two_feeds, START_US);
	int source = timeline_open(tl, 7, 1, START_US);
	struct packet p = video(1);

	assert_int_equal(push(tl, source, 0), 0);
	p.dts_90k = 0;
	assert_int_equal(timeline_push(tl, source, 1, &p, NULL, p.arrival_us), 0);
	p.arrival_us += FRAME_US;
	assert_int_equal(timeline_push(tl, source, 2, &p, NULL, p.arrival_us), -EINVAL);
	for (int64_t frame = 2; frame < 60; frame++) {
		p = video(frame);
		timeline_push(tl, source, (uint64_t)frame + 1, &p, NULL, p.arrival_us);
	}
	struct timeline_step step = step_at(tl, START_US + 1100000);
	assert_int_equal(step.seq, 0);
	step = step_at(tl, START_US + 1100000);
	assert_int_equal(step.seq, 1);
	assert_int_equal(step.packet.dts_90k, 90);
	assert_int_equal(step.packet.pts_90k, FRAME_90k);
	timeline_destroy(&tl);
}

static void a_feed_far_faster_than_real_time_is_stopped(void **state)
{
	struct timeline *tl = timeline_create(&two_feeds, START_US);
	int source = timeline_open(tl, 7, 1, START_US), error = 0;

	for (int64_t frame = 0; frame < 200000 && error == 0; frame++) {
		struct packet p = video(frame);

		p.arrival_us = START_US;
		error = timeline_push(tl, source, (uint64_t)frame, &p, NULL, START_US);
	}
	assert_int_equal(error, -ENOBUFS);
	timeline_destroy(&tl);
}

static void a_closed_standby_is_released_at_once(void **state)
{
	struct timeline *tl = timeline_create(&two_feeds, START_US);
	int source = timeline_open(tl, 9, 1, START_US);
	struct timeline_step step;

	push(tl, source, 0);
	timeline_close(tl, source, NULL, START_US);
	step = step_at(tl, START_US);
	assert_int_equal(step.action, TIMELINE_RELEASE);
	assert_int_equal(step.source, source);
	assert_int_equal(step_at(tl, START_US).action, TIMELINE_WAIT);
	assert_int_equal(timeline_open(tl, 9, 2, START_US), source);
	timeline_destroy(&tl);
}

static void a_closed_live_source_is_sent_to_its_end_and_then_released(void **state)
{
	struct timeline *tl = timeline_create(&two_feeds, START_US);
	int source = timeline_open(tl, 7, 1, START_US), sent = 0;
	bool is_released = false;

	for (int64_t frame = 0; frame < 60; frame++) {
		push(tl, source, frame);
		sent += step_at(tl, START_US + frame * FRAME_US).action == TIMELINE_SEND;
	}
	timeline_close(tl, source, "gone", START_US + 60 * FRAME_US);
	for (int64_t now_us = START_US + 60 * FRAME_US; now_us < START_US + 5000000;) {
		struct timeline_step step = step_at(tl, now_us);

		sent += step.action == TIMELINE_SEND;
		is_released |= step.action == TIMELINE_RELEASE;
		if (step.action == TIMELINE_WAIT) {
			now_us = step.deadline_us == CLOCK_NEVER ? INT64_MAX : step.deadline_us;
		}
	}
	assert_int_equal(sent, 60);
	assert_true(is_released);
	timeline_destroy(&tl);
}

/* A reload changed where the feed is fetched from: it comes from there already, and the old
 * connection is left for the new one. */
static void a_source_that_is_to_go_is_left_for_another_of_its_feed(void **state)
{
	struct timeline *tl = timeline_create(&two_feeds, START_US);
	int old = timeline_open(tl, 7, 1, START_US), fresh = -1;
	uint32_t last = 0, splices = 0, released = 0;
	int64_t last_pts_90k = -FRAME_90k;

	for (int64_t now_us = START_US, frame = 0; frame < 240; now_us += FRAME_US, frame++) {
		struct timeline_step step;

		push(tl, old, frame); /* it does not know that it left */
		if (frame == 60) {
			fresh = timeline_open(tl, 7, 2, now_us);
		}
		if (frame >= 60) {
			push(tl, fresh, frame);
		}
		if (frame == 150) {
			timeline_set_leaving(tl, old, true, "its source was changed");
		}
		for (timeline_next(tl, now_us, &step); step.action != TIMELINE_WAIT;
		     timeline_next(tl, now_us, &step)) {
			if (step.action == TIMELINE_SEND) {
				assert_int_equal(step.packet.pts_90k - last_pts_90k, FRAME_90k);
				last_pts_90k = step.packet.pts_90k;
				last = step.packet.incarnation;
			} else if (step.action == TIMELINE_RELEASE) {
				assert_int_equal(step.source, released == 0 ? old : -1);
				released++;
				old = fresh;
			} else if (step.event.kind == TIMELINE_SPLICED) {
				assert_string_equal(step.event.cause, "its source was changed");
				splices++;
			}
		}
	}
	assert_int_equal(last, 2);
	assert_int_equal(splices, 1);
	assert_int_equal(released, 1);
	timeline_destroy(&tl);
}

static void a_source_that_is_to_go_ends_at_once_before_the_show_begins(void **state)
{
	struct timeline *tl = timeline_create(&two_feeds, START_US);
	int source = timeline_open(tl, 7, 1, START_US);
	struct timeline_step step;

	push(tl, source, 0);
	timeline_set_leaving(tl, source, true, "its feed was removed");
	step = step_at(tl, START_US);
	assert_int_equal(step.action, TIMELINE_RELEASE);
	assert_int_equal(step.source, source);
	timeline_destroy(&tl);
}

static void a_source_that_is_to_go_may_be_given_back_or_end_by_itself(void **state)
{
	struct timeline *tl = timeline_create(&two_feeds, START_US);
	int source = timeline_open(tl, 7, 1, START_US);

	push(tl, source, 0);
	timeline_set_leaving(tl, source, true, "its feed was removed");
	timeline_set_leaving(tl, source, false, "");
	assert_int_equal(step_at(tl, START_US).action, TIMELINE_WAIT);
	timeline_set_leaving(tl, source, true, "its feed was removed");
	timeline_close(tl, source, "closed", START_US);
	timeline_set_leaving(tl, source, false, "");
	assert_int_equal(push(tl, source, 1), 0);
	assert_int_equal(step_at(tl, START_US).action, TIMELINE_RELEASE);
	assert_int_equal(step_at(tl, START_US).action, TIMELINE_WAIT);
	timeline_destroy(&tl);
}

static void assert_why(const struct timeline *tl, int64_t now_us, const char *why, uint16_t of)
{
	struct timeline_status status;

	timeline_get_status(tl, now_us, &status);
	assert_string_equal(status.why, why);
	assert_int_equal(status.why_feed, of);
}

static void run(struct timeline *tl, int source, int64_t from, int64_t to)
{
	for (int64_t frame = from; frame < to; frame++) {
		push(tl, source, frame);
		while (step_at(tl, START_US + frame * FRAME_US).action != TIMELINE_WAIT) {
		}
	}
}

static void why_a_feed_is_live_tells_of_which_one_it_speaks(void **state)
{
	struct timeline *tl = timeline_create(&two_feeds, START_US);
	int first = timeline_open(tl, 7, 1, START_US), second = timeline_open(tl, 9, 2, START_US);

	for (int64_t frame = 0; frame < 60; frame++) {
		push(tl, first, frame);
		run(tl, second, frame, frame + 1);
	}
	assert_why(tl, START_US + 60 * FRAME_US, "first feed that can go on", 0);
	timeline_close(tl, first, "gone", START_US + 60 * FRAME_US);
	run(tl, second, 60, 120);
	assert_why(tl, START_US + 120 * FRAME_US, "gone", 7);
	timeline_close(tl, second, "gone as well", START_US + 120 * FRAME_US);
	for (int64_t frame = 120; frame < 180; frame++) {
		while (step_at(tl, START_US + frame * FRAME_US).action != TIMELINE_WAIT) {
		}
	}
	assert_why(tl, START_US + 180 * FRAME_US, "gone as well", 9);
	timeline_destroy(&tl);
}

static void what_a_young_feed_is_made_of_is_corrected_at_once(void **state)
{
	struct timeline *tl = timeline_create(&two_feeds, START_US);
	int source = timeline_open(tl, 7, 1, START_US);
	struct codec_params params = { .codec = CODEC_AVC, .width = 640, .height = 360 };
	struct timeline_status status;

	for (int64_t frame = 0; frame < 360; frame++) {
		struct packet p = video(frame), config = { .kind = PACKET_VIDEO,
							   .type = PACKET_CONFIG,
							   .codec = CODEC_AVC,
							   .dts_90k = p.dts_90k,
							   .pts_90k = p.dts_90k,
							   .arrival_us = p.arrival_us };

		if (frame == 5) { /* the header comes late */
			timeline_push(tl, source, 5, &config, &params, p.arrival_us);
		}
		p.size = frame < 180 ? 1000 : 3000;
		timeline_push(tl, source, (uint64_t)frame + 6, &p, NULL, p.arrival_us);
		while (step_at(tl, p.arrival_us).action != TIMELINE_WAIT) {
		}
	}
	timeline_get_status(tl, START_US + 360 * FRAME_US, &status);
	assert_int_equal(status.feeds[0].format.video.width, 640);
	assert_in_range(status.feeds[0].format.video_kbps, 470, 490);
	timeline_destroy(&tl);
}

static void what_the_show_waits_for_is_said(void **state)
{
	struct timeline *tl = timeline_create(&two_feeds, START_US);
	int first, second = timeline_open(tl, 9, 1, START_US);
	struct timeline_status status;

	run(tl, second, 0, 60);
	timeline_get_status(tl, START_US + 60 * FRAME_US, &status);
	assert_int_equal(status.next_feed, 0);
	first = timeline_open(tl, 7, 2, START_US + 60 * FRAME_US);
	for (int64_t frame = 60; frame < 180; frame++) {
		push(tl, first, frame);
		run(tl, second, frame, frame + 1);
	}
	timeline_get_status(tl, START_US + 180 * FRAME_US, &status);
	assert_int_equal(status.live, 9);
	assert_int_equal(status.next_feed, 7);
	assert_in_range(status.next_at_us, START_US + 30000000, START_US + 35000000);
	for (int64_t frame = 180; status.live == 9; frame++) {
		assert_in_range(frame, 180, 1300);
		push(tl, first, frame);
		run(tl, second, frame, frame + 1);
		timeline_get_status(tl, START_US + (frame + 1) * FRAME_US, &status);
	}
	assert_int_equal(status.live, 7);
	assert_int_equal(status.next_feed, 0);
	timeline_destroy(&tl);
}

static void headers_in_force_are_never_sent_again(void **state)
{
	struct timeline *tl = timeline_create(&two_feeds, START_US);
	int source = timeline_open(tl, 7, 1, START_US);
	struct packet config = { .kind = PACKET_VIDEO,
				 .type = PACKET_CONFIG,
				 .codec = CODEC_AVC,
				 .flags = PACKET_REPEAT };
	struct codec_params params = { .width = 640, .height = 360 };
	struct timeline_status status;
	struct timeline_step step;

	for (int64_t frame = 0; frame < 40; frame++) {
		struct packet p = video(frame);

		config.dts_90k = config.pts_90k = p.dts_90k;
		config.arrival_us = p.arrival_us;
		timeline_push(tl, source, (uint64_t)frame * 2, &config, &params, p.arrival_us);
		timeline_push(tl, source, (uint64_t)frame * 2 + 1, &p, NULL, p.arrival_us);
		while ((step = step_at(tl, p.arrival_us)).action == TIMELINE_SEND) {
			assert_int_equal(step.packet.type, PACKET_FRAME);
		}
	}
	timeline_get_status(tl, START_US + 40 * FRAME_US, &status);
	assert_int_equal(status.feeds[0].format.video.width, 640);
	timeline_destroy(&tl);
}

static void a_header_that_changes_is_sent_in_its_place(void **state)
{
	struct timeline *tl = timeline_create(&two_feeds, START_US);
	int source = timeline_open(tl, 7, 1, START_US);
	uint64_t seq = 0, sent_before = 0;
	bool has_header = false;

	for (int64_t frame = 0; frame < 90; frame++) {
		struct packet p = video(frame), config = { .kind = PACKET_VIDEO,
							   .type = PACKET_CONFIG,
							   .codec = CODEC_AVC,
							   .dts_90k = p.dts_90k,
							   .pts_90k = p.dts_90k,
							   .arrival_us = p.arrival_us };
		struct timeline_step step;

		if (frame == 30) {
			timeline_push(tl, source, seq++, &config, NULL, p.arrival_us);
		}
		timeline_push(tl, source, seq++, &p, NULL, p.arrival_us);
		while ((step = step_at(tl, p.arrival_us)).action == TIMELINE_SEND) {
			if (step.packet.type == PACKET_CONFIG) {
				has_header = true;
				assert_int_equal(sent_before, 30);
				assert_int_equal(step.packet.dts_90k, 30 * FRAME_90k);
			}
			sent_before++;
		}
	}
	assert_true(has_header);
	timeline_destroy(&tl);
}

static void extra_tracks_and_data_travel_with_the_live_source(void **state)
{
	struct timeline *tl = timeline_create(&two_feeds, START_US);
	int source = timeline_open(tl, 7, 1, START_US);
	unsigned sent[PACKET_KINDS][2] = { 0 };
	uint64_t seq = 0;

	for (int64_t frame = 0; frame < 90; frame++) {
		struct packet main = video(frame), extra = main, data = main;
		struct timeline_step step;

		extra.kind = PACKET_AUDIO;
		extra.track = 1;
		data.kind = PACKET_DATA;
		data.type = PACKET_SCRIPT;
		timeline_push(tl, source, seq++, &main, NULL, main.arrival_us);
		timeline_push(tl, source, seq++, &extra, NULL, main.arrival_us);
		timeline_push(tl, source, seq++, &data, NULL, main.arrival_us);
		while ((step = step_at(tl, main.arrival_us)).action == TIMELINE_SEND) {
			sent[step.packet.kind][step.packet.track]++;
		}
	}
	assert_in_range(sent[PACKET_VIDEO][0], 58, 61);
	assert_int_equal(sent[PACKET_AUDIO][1], sent[PACKET_VIDEO][0]);
	assert_int_equal(sent[PACKET_DATA][0], sent[PACKET_VIDEO][0]);
	timeline_destroy(&tl);
}

/* ---- checkpoints ---- */

static void a_checkpoint_before_the_show_began_says_so(void **state)
{
	struct timeline *tl = timeline_create(&two_feeds, START_US);
	struct timeline_checkpoint c;

	timeline_get_checkpoint(tl, &c);
	assert_int_equal(timeline_resume(tl, &c, START_US), -EINVAL);
	timeline_destroy(&tl);
}

static struct timeline_checkpoint running_checkpoint(void)
{
	struct timeline *tl = timeline_create(&two_feeds, START_US);
	int source = timeline_open(tl, 7, 4, START_US);
	struct timeline_checkpoint c;

	for (int64_t frame = 0; frame < 60; frame++) {
		push(tl, source, frame);
		while (step_at(tl, START_US + frame * FRAME_US).action == TIMELINE_SEND) {
		}
	}
	timeline_get_checkpoint(tl, &c);
	timeline_destroy(&tl);
	return c;
}

static void a_resumed_timeline_sends_the_very_next_packet(void **state)
{
	struct timeline_checkpoint c = running_checkpoint();
	int64_t now_us = START_US + 60 * FRAME_US;
	struct timeline *tl = timeline_create(&two_feeds, now_us);
	struct timeline_step step;
	int source;

	assert_int_equal(timeline_resume(tl, &c, now_us), 0);
	source = timeline_open(tl, 7, 4, now_us);
	for (int64_t frame = 0; frame < 60; frame++) {
		struct packet p = video(frame);

		timeline_push(tl, source, (uint64_t)frame, &p, NULL, now_us);
	}
	step = step_at(tl, now_us + FRAME_US);
	assert_int_equal(step.action, TIMELINE_SEND);
	assert_int_equal(step.seq, c.sources[0].sent_seq[0] + 1);
	timeline_destroy(&tl);
}

static void a_packet_sent_since_lasts_as_long_as_its_sources_frames_do(void **state)
{
	struct timeline_checkpoint c = running_checkpoint();
	struct packet p = video(60);

	assert_in_range(c.sources[0].frame_90k[0], FRAME_90k - 90, FRAME_90k + 90);
	c.frame_90k[PACKET_VIDEO] = 2 * FRAME_90k; /* of another feed, left since */
	p.feed = c.sources[0].feed;
	p.incarnation = c.sources[0].incarnation;
	p.source_seq = 60;
	p.flags |= PACKET_SPLICE;
	timeline_checkpoint_advance(&c, &p);
	assert_int_equal(c.frame_90k[PACKET_VIDEO], c.sources[0].frame_90k[0]);
}

static void nonsense_in_a_checkpoint_is_refused(void **state)
{
	struct timeline_checkpoint good = running_checkpoint(), c;
	struct timeline *tl = timeline_create(&two_feeds, START_US);

	c = good;
	c.version++;
	assert_int_equal(timeline_resume(tl, &c, START_US), -EINVAL);
	c = good;
	c.source_count = TIMELINE_SOURCES_MAX + 1;
	assert_int_equal(timeline_resume(tl, &c, START_US), -EINVAL);
	c = good;
	c.clock_offset_us = INT64_MIN;
	assert_int_equal(timeline_resume(tl, &c, START_US), -EINVAL);
	c = good;
	c.last_dts_90k[PACKET_AUDIO][3] = INT64_MAX;
	assert_int_equal(timeline_resume(tl, &c, START_US), -EINVAL);
	c = good;
	c.sources[0].map_90k = INT64_MAX;
	assert_int_equal(timeline_resume(tl, &c, START_US), -EINVAL);
	c = good;
	c.sources[0].frame_90k[1] = -1;
	assert_int_equal(timeline_resume(tl, &c, START_US), -EINVAL);
	assert_int_equal(timeline_resume(tl, &good, START_US), 0);
	timeline_destroy(&tl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_feeds_and_too_many_sources_are_refused),
		cmocka_unit_test(with_nothing_there_only_a_push_can_help),
		cmocka_unit_test(a_packet_leaves_when_it_is_due_and_not_before),
		cmocka_unit_test(nonsense_is_refused_and_counted),
		cmocka_unit_test(two_pictures_of_one_decoding_time_are_both_sent),
		cmocka_unit_test(a_feed_far_faster_than_real_time_is_stopped),
		cmocka_unit_test(a_closed_standby_is_released_at_once),
		cmocka_unit_test(a_closed_live_source_is_sent_to_its_end_and_then_released),
		cmocka_unit_test(a_source_that_is_to_go_is_left_for_another_of_its_feed),
		cmocka_unit_test(a_source_that_is_to_go_ends_at_once_before_the_show_begins),
		cmocka_unit_test(a_source_that_is_to_go_may_be_given_back_or_end_by_itself),
		cmocka_unit_test(why_a_feed_is_live_tells_of_which_one_it_speaks),
		cmocka_unit_test(what_a_young_feed_is_made_of_is_corrected_at_once),
		cmocka_unit_test(what_the_show_waits_for_is_said),
		cmocka_unit_test(headers_in_force_are_never_sent_again),
		cmocka_unit_test(a_header_that_changes_is_sent_in_its_place),
		cmocka_unit_test(extra_tracks_and_data_travel_with_the_live_source),
		cmocka_unit_test(a_checkpoint_before_the_show_began_says_so),
		cmocka_unit_test(a_resumed_timeline_sends_the_very_next_packet),
		cmocka_unit_test(a_packet_sent_since_lasts_as_long_as_its_sources_frames_do),
		cmocka_unit_test(nonsense_in_a_checkpoint_is_refused),
	};

	return cmocka_run_group_tests_name("contract", tests, NULL, NULL);
}
