/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each rule of the witness, on packets made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <understudy/witness.h>

#define FRAME 3000 /* 30 fps */
#define SOUND 1920 /* AAC at 48 kHz */
#define SECOND 1000000

struct scene {
	struct witness *w;
	int64_t now_us;
	uint64_t seq;
	uint16_t feed;
	uint16_t flags; /* of the next packet alone */
	struct witness_summary seen;
};

static void begin(struct scene *s, bool is_ring)
{
	const struct witness_config config = { .is_ring = is_ring };
	struct packet header = { .kind = PACKET_VIDEO, .type = PACKET_CONFIG, .codec = CODEC_AVC };

	*s = (struct scene){ .w = witness_create(&config, 0), .feed = 1 };
	witness_push(s->w, &header, 0);
	header.kind = PACKET_AUDIO;
	header.codec = CODEC_AAC;
	witness_push(s->w, &header, 0);
	s->flags = PACKET_KEY;
}

static void put(struct scene *s, uint8_t kind, int64_t dts, int64_t pts)
{
	const struct packet p = {
		.kind = kind,
		.type = PACKET_FRAME,
		.codec = kind == PACKET_VIDEO ? CODEC_AVC : CODEC_AAC,
		.dts_90k = dts,
		.pts_90k = pts,
		.feed = s->feed,
		.incarnation = s->feed,
		.source_seq = ++s->seq,
		.flags = s->flags,
	};

	s->flags = kind == PACKET_AUDIO ? s->flags : 0;
	s->now_us += 10000;
	witness_push(s->w, &p, s->now_us);
}

static void video(struct scene *s, int64_t from, int count, int64_t step)
{
	for (int i = 0; i < count; i++) {
		put(s, PACKET_VIDEO, from + i * step, from + i * step);
	}
}

static const struct witness_summary *end(struct scene *s)
{
	witness_end(s->w);
	witness_take(s->w, s->now_us, &s->seen);
	return &s->seen;
}

static struct witness_event only_event(struct scene *s)
{
	struct witness_event event, more;

	assert_true(witness_next(s->w, &event));
	assert_false(witness_next(s->w, &more));
	witness_destroy(&s->w);
	return event;
}

static void regular_frames_are_unbroken(void **state)
{
	struct scene s;

	begin(&s, true);
	video(&s, 0, 300, FRAME);
	assert_true(witness_is_unbroken(end(&s)));
	assert_int_equal(s.seen.video.packets, 300);
	assert_int_equal(s.seen.video.frame_90k, FRAME);
	assert_int_equal(s.seen.video.longest_90k, FRAME);
	witness_destroy(&s.w);
}

/* A rehearsal may begin anywhere in a long GOP. */
static void a_hole_before_the_first_key_frame_of_a_ring_is_seen(void **state)
{
	struct scene s;

	begin(&s, true);
	s.flags = 0;
	video(&s, 0, 20, FRAME);
	video(&s, 80 * FRAME, 30, FRAME);
	end(&s);
	assert_int_equal(s.seen.video.missing, 60);
	witness_destroy(&s.w);
}

static void times_rounded_to_milliseconds_are_unbroken(void **state)
{
	struct scene s;

	begin(&s, false);
	for (int i = 0; i < 600; i++) { /* 60 fps: 16 and 17 ms */
		int64_t ms = i * 1000 / 60;

		put(&s, PACKET_VIDEO, ms * 90, ms * 90);
	}
	assert_true(witness_is_unbroken(end(&s)));
	witness_destroy(&s.w);
}

static void one_frame_that_is_gone_is_missing_in_its_place(void **state)
{
	struct scene s;

	begin(&s, true);
	video(&s, 0, 50, FRAME);
	video(&s, 51 * FRAME, 50, FRAME);
	end(&s);
	assert_int_equal(s.seen.video.missing, 1);
	assert_int_equal(s.seen.video.holes, 1);
	assert_int_equal(s.seen.video.longest_90k, 2 * FRAME);
	struct witness_event event = only_event(&s);
	assert_int_equal(event.kind, WITNESS_MISSING);
	assert_int_equal(event.at_90k, 49 * FRAME);
	assert_int_equal(event.step_90k, 2 * FRAME);
	assert_int_equal(event.frames, 1);
}

static void two_holes_side_by_side_are_both_found(void **state)
{
	struct scene s;

	begin(&s, true);
	video(&s, 0, 50, FRAME);
	video(&s, 53 * FRAME, 2, FRAME);
	video(&s, 60 * FRAME, 50, FRAME);
	end(&s);
	assert_int_equal(s.seen.video.missing, 3 + 5);
	assert_int_equal(s.seen.video.holes, 2);
	witness_destroy(&s.w);
}

static void frames_that_are_starved_at_random_are_missing(void **state)
{
	struct scene s;
	uint32_t random = 1;
	int gone = 0;

	begin(&s, true);
	video(&s, 0, 60, FRAME);
	for (int i = 60; i < 400; i++) {
		random = random * 1664525 + 1013904223;
		if (i < 399 && random >> 31) {
			gone++;
		} else {
			put(&s, PACKET_VIDEO, i * FRAME, i * FRAME);
		}
	}
	end(&s);
	assert_in_range(s.seen.video.missing, (unsigned)gone * 9 / 10, (unsigned)gone);
	witness_destroy(&s.w);
}

static void doubled_frame_is_found(void **state)
{
	struct scene s;

	begin(&s, true);
	video(&s, 0, 50, FRAME);
	video(&s, 49 * FRAME + 1000, 1, FRAME);
	video(&s, 50 * FRAME, 50, FRAME);
	end(&s);
	assert_int_equal(s.seen.video.doubled, 1);
	assert_int_equal(s.seen.video.missing, 0);
	assert_int_equal(only_event(&s).kind, WITNESS_DOUBLED);
}

static void steps_are_those_of_presentation(void **state)
{
	static const int order[] = { 2, 1, 4, 3 }; /* P before the B it follows */
	struct scene s;

	begin(&s, true);
	for (int i = 0; i < 200; i++) {
		put(&s, PACKET_VIDEO, i * FRAME, (i / 4 * 4 + order[i % 4]) * FRAME);
	}
	assert_true(witness_is_unbroken(end(&s)));
	assert_int_equal(s.seen.video.longest_90k, FRAME);
	witness_destroy(&s.w);
}

static void change_of_frame_rate_is_no_hole(void **state)
{
	struct scene s;

	begin(&s, false);
	video(&s, 0, 100, FRAME / 2);
	video(&s, 100 * FRAME / 2, 100, FRAME);
	video(&s, 150 * FRAME, 100, FRAME / 2);
	assert_true(witness_is_unbroken(end(&s)));
	witness_destroy(&s.w);
}

static void splice(struct scene *s, uint16_t to)
{
	s->feed = to;
	s->seq = 1000;
	s->flags = PACKET_SPLICE | PACKET_JOIN | PACKET_KEY;
}

static void splice_is_reported_with_both_feeds(void **state)
{
	struct scene s;

	begin(&s, true);
	video(&s, 0, 50, FRAME);
	splice(&s, 2);
	video(&s, 50 * FRAME, 50, FRAME);
	assert_true(witness_is_unbroken(end(&s)));
	assert_int_equal(s.seen.video.splices, 1);
	struct witness_event event = only_event(&s);
	assert_int_equal(event.kind, WITNESS_SPLICE);
	assert_int_equal(event.from, 1);
	assert_int_equal(event.to, 2);
	assert_int_equal(event.at_90k, 49 * FRAME);
}

/* The left feed reorders by two frames: the step to the other encode may be so much longer. */
static void splice_step(struct scene *s, bool are_twins)
{
	begin(s, true);
	if (are_twins) {
		witness_set_encode(s->w, 1, 7);
		witness_set_encode(s->w, 2, 7);
	}
	for (int i = 0; i < 50; i++) {
		s->flags = i % 25 == 0 ? PACKET_KEY : 0;
		put(s, PACKET_VIDEO, (i - 2) * FRAME, i * FRAME);
	}
	splice(s, 2);
	video(s, 52 * FRAME, 50, FRAME);
	end(s);
	witness_destroy(&s->w);
}

static void splice_between_encodes_may_cost_the_reorder_depth(void **state)
{
	struct scene s;

	splice_step(&s, false);
	assert_true(witness_is_unbroken(&s.seen));
}

static void splice_between_twins_may_cost_nothing(void **state)
{
	struct scene s;

	splice_step(&s, true);
	assert_int_equal(s.seen.video.missing, 2);
}

static void twins_that_are_merged_are_one_source(void **state)
{
	struct scene s;

	begin(&s, true);
	witness_set_encode(s.w, 1, 7);
	witness_set_encode(s.w, 2, 7);
	for (int i = 0; i < 100; i++) {
		s.feed = i % 3 == 0 ? 1 : 2;
		video(&s, i * FRAME, 1, FRAME);
	}
	assert_true(witness_is_unbroken(end(&s)));
	assert_int_equal(s.seen.video.splices, 0);
	witness_destroy(&s.w);
}

static void another_source_without_a_splice_is_a_fault(void **state)
{
	struct scene s;

	begin(&s, true);
	video(&s, 0, 50, FRAME);
	s.feed = 2;
	video(&s, 50 * FRAME, 50, FRAME);
	assert_false(witness_is_unbroken(end(&s)));
	assert_int_equal(s.seen.counts[WITNESS_UNMARKED], 1);
	witness_destroy(&s.w);
}

static void source_that_runs_backwards_is_a_fault(void **state)
{
	struct scene s;

	begin(&s, true);
	video(&s, 0, 50, FRAME);
	s.seq = 10;
	video(&s, 50 * FRAME, 50, FRAME);
	end(&s);
	assert_int_equal(s.seen.counts[WITNESS_UNMARKED], 1);
	witness_destroy(&s.w);
}

static void splice_without_a_key_frame_is_a_fault(void **state)
{
	struct scene s;

	begin(&s, true);
	video(&s, 0, 50, FRAME);
	splice(&s, 2);
	s.flags = PACKET_SPLICE;
	video(&s, 50 * FRAME, 50, FRAME);
	end(&s);
	assert_int_equal(s.seen.counts[WITNESS_NO_KEY], 1);
	witness_destroy(&s.w);
}

static void dts_must_rise_within_a_track_and_not_fall_across(void **state)
{
	struct scene s;

	begin(&s, true);
	put(&s, PACKET_VIDEO, 100, 100);
	put(&s, PACKET_AUDIO, 100, 100); /* equal across tracks: fine */
	put(&s, PACKET_AUDIO, 200, 200);
	put(&s, PACKET_VIDEO, 150, 150); /* falls across */
	put(&s, PACKET_VIDEO, 150, 150); /* does not rise within */
	end(&s);
	assert_int_equal(s.seen.counts[WITNESS_DISORDER], 2);
	witness_destroy(&s.w);
}

static void container_may_interleave_as_it_likes(void **state)
{
	const struct witness_config config = { .mixes_freely = true };
	struct scene s;

	begin(&s, false);
	witness_destroy(&s.w);
	s.w = witness_create(&config, 0);
	put(&s, PACKET_AUDIO, 200, 200);
	put(&s, PACKET_VIDEO, 150, 150);
	put(&s, PACKET_AUDIO, 100, 100);
	end(&s);
	assert_int_equal(s.seen.counts[WITNESS_DISORDER], 1);
	witness_destroy(&s.w);
}

static void media_before_its_header_is_said_once(void **state)
{
	const struct witness_config config = { .is_ring = true };
	struct scene s = { .w = witness_create(&config, 0), .feed = 1 };

	video(&s, 0, 50, FRAME);
	end(&s);
	assert_int_equal(s.seen.counts[WITNESS_HEADERLESS], 1);
	witness_destroy(&s.w);
}

static void audio_frames_are_judged_in_audio_frames(void **state)
{
	struct scene s;

	begin(&s, true);
	for (int i = 0; i < 100; i++) {
		if (i != 40) {
			put(&s, PACKET_AUDIO, i * SOUND, i * SOUND);
		}
	}
	end(&s);
	assert_int_equal(s.seen.audio.missing, 1);
	assert_int_equal(s.seen.audio.frame_90k, SOUND);
	witness_destroy(&s.w);
}

static void sound_that_runs_on_alone_shows_in_the_offset(void **state)
{
	struct scene s;

	begin(&s, true);
	for (int i = 0; i < 100; i++) {
		put(&s, PACKET_AUDIO, i * SOUND, i * SOUND);
		if (i < 10) {
			put(&s, PACKET_VIDEO, i * SOUND, i * SOUND);
		}
	}
	end(&s);
	assert_int_equal(s.seen.av_most_90k, 90 * SOUND);
	assert_int_equal(s.seen.counts[WITNESS_ENDED], 1); /* of a recording: the picture ends */
	witness_destroy(&s.w);
}

static void silence_between_packets_is_measured(void **state)
{
	struct scene s;

	begin(&s, true);
	video(&s, 0, 10, FRAME);
	s.now_us += SECOND;
	video(&s, 10 * FRAME, 10, FRAME);
	witness_take(s.w, s.now_us + 3 * SECOND, &s.seen);
	assert_int_equal(s.seen.longest_silence_us, 3 * SECOND);
	witness_destroy(&s.w);
}

static void what_the_witness_did_not_see_is_no_hole(void **state)
{
	struct scene s;

	begin(&s, true);
	video(&s, 0, 50, FRAME);
	witness_lapped(s.w, 100, s.now_us);
	video(&s, 150 * FRAME, 50, FRAME);
	assert_true(witness_is_unbroken(end(&s)));
	assert_int_equal(s.seen.counts[WITNESS_LAPPED], 1);
	witness_destroy(&s.w);
}

static void steps_count_from_the_first_key_frame_on(void **state)
{
	static const int order[] = { 2, 1, 4, 3 };
	struct scene s;

	begin(&s, true);
	s.flags = 0;
	for (int i = 1; i < 100; i++) { /* the P before the first B was not seen */
		s.flags = i == 40 ? PACKET_KEY | PACKET_JOIN : 0;
		put(&s, PACKET_VIDEO, i * FRAME, (i / 4 * 4 + order[i % 4]) * FRAME);
	}
	assert_true(witness_is_unbroken(end(&s)));
	assert_int_equal(s.seen.video.packets, 99);
	witness_destroy(&s.w);
}

static void recording_that_was_cut_off_is_judged_up_to_there(void **state)
{
	struct scene s;

	begin(&s, false);
	for (int i = 0; i < 100; i++) {
		put(&s, PACKET_VIDEO, i * FRAME, i * FRAME);
	}
	put(&s, PACKET_VIDEO, 100 * FRAME, 103 * FRAME); /* its B-frames never came */
	assert_true(witness_is_unbroken(end(&s)));
	witness_destroy(&s.w);
}

static void summaries_add_up(void **state)
{
	struct scene s;
	struct witness_summary all;

	begin(&s, true);
	video(&s, 0, 50, FRAME);
	witness_take(s.w, s.now_us, &all);
	video(&s, 52 * FRAME, 50, FRAME);
	witness_add(&all, end(&s));
	assert_int_equal(all.video.packets, 100);
	assert_int_equal(all.video.missing, 2);
	assert_int_equal(all.video.first_90k, 0);
	assert_int_equal(all.video.last_90k, 101 * FRAME);
	assert_int_equal(all.counts[WITNESS_MISSING], 1);
	witness_destroy(&s.w);
}

static void findings_beyond_the_queue_are_counted(void **state)
{
	struct scene s;

	begin(&s, true);
	for (int i = 0; i < 1000; i++) {
		put(&s, PACKET_VIDEO, 0, 0);
	}
	end(&s);
	assert_int_equal(s.seen.counts[WITNESS_DISORDER], 999);
	assert_int_equal(s.seen.unsaid, 999 - 256);
	witness_destroy(&s.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(regular_frames_are_unbroken),
		cmocka_unit_test(a_hole_before_the_first_key_frame_of_a_ring_is_seen),
		cmocka_unit_test(times_rounded_to_milliseconds_are_unbroken),
		cmocka_unit_test(one_frame_that_is_gone_is_missing_in_its_place),
		cmocka_unit_test(two_holes_side_by_side_are_both_found),
		cmocka_unit_test(frames_that_are_starved_at_random_are_missing),
		cmocka_unit_test(doubled_frame_is_found),
		cmocka_unit_test(steps_are_those_of_presentation),
		cmocka_unit_test(change_of_frame_rate_is_no_hole),
		cmocka_unit_test(splice_is_reported_with_both_feeds),
		cmocka_unit_test(splice_between_encodes_may_cost_the_reorder_depth),
		cmocka_unit_test(splice_between_twins_may_cost_nothing),
		cmocka_unit_test(twins_that_are_merged_are_one_source),
		cmocka_unit_test(another_source_without_a_splice_is_a_fault),
		cmocka_unit_test(source_that_runs_backwards_is_a_fault),
		cmocka_unit_test(splice_without_a_key_frame_is_a_fault),
		cmocka_unit_test(dts_must_rise_within_a_track_and_not_fall_across),
		cmocka_unit_test(container_may_interleave_as_it_likes),
		cmocka_unit_test(media_before_its_header_is_said_once),
		cmocka_unit_test(audio_frames_are_judged_in_audio_frames),
		cmocka_unit_test(sound_that_runs_on_alone_shows_in_the_offset),
		cmocka_unit_test(silence_between_packets_is_measured),
		cmocka_unit_test(what_the_witness_did_not_see_is_no_hole),
		cmocka_unit_test(steps_count_from_the_first_key_frame_on),
		cmocka_unit_test(recording_that_was_cut_off_is_judged_up_to_there),
		cmocka_unit_test(summaries_add_up),
		cmocka_unit_test(findings_beyond_the_queue_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
