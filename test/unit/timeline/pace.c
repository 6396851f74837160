/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fewer pictures than there should be, and fewer that are made: which is which. */
#include "rig.h"

static void half_of_the_frames_left_out_is_noticed(void **state)
{
	struct rig r;

	rig_settle(&r);
	r.every = 2;
	assert_entered(&r, SIGNAL_FRAME_RATE, 8 * SECOND, "% of the usual 30.00");
	r.every = 1;
	assert_left(&r, SIGNAL_FRAME_RATE, 20 * SECOND);
}

/* Three of four pictures are lost from the first one on: nothing but they themselves tells. */
static void starvation_from_the_first_picture_on_is_noticed(void **state)
{
	struct rig r;

	rig_open(&r, &timeline_thresholds_usual);
	r.every = 4;
	rig_run(&r, 5 * SECOND);
	assert_entered(&r, SIGNAL_FRAME_RATE, 5 * SECOND, "% of the usual 30.00");
	r.every = 1;
	assert_left(&r, SIGNAL_FRAME_RATE, 20 * SECOND);
}

static void another_frame_rate_that_is_kept_to_is_no_starvation(void **state)
{
	struct timeline_symptom symptom;
	struct rig r;

	rig_settle(&r);
	r.every = 2;
	r.is_even = true;
	for (unsigned i = 0; i < 40 * SECOND; i++) {
		rig_run(&r, 1);
		assert_false(rig_has(&r, SIGNAL_FRAME_RATE, &symptom));
	}
	assert_int_equal(rig_format(&r).fps_milli, 15000);
	r.is_even = false; /* what is left of as many as before */
	r.every = 4;
	assert_entered(&r, SIGNAL_FRAME_RATE, 8 * SECOND, "% of the usual 30.00");
	timeline_destroy(&r.tl);
}

/* As a rehearsal starves a feed: that the pictures are even is not all. */
static void every_second_frame_of_picture_and_sound_is_noticed(void **state)
{
	const struct codec_params params = { .codec = CODEC_AAC,
					     .sample_rate = 48000,
					     .frame_samples = 1600 };
	struct packet p = { .kind = PACKET_AUDIO, .type = PACKET_CONFIG, .codec = CODEC_AAC };
	struct rig r;

	rig_open(&r, &timeline_thresholds_usual);
	p.arrival_us = r.now_us;
	timeline_push(r.tl, r.source, r.seq++, &p, &params, r.now_us);
	rig_run(&r, 25 * SECOND);
	r.every = 2;
	r.is_even = r.has_half_sound = true;
	assert_entered(&r, SIGNAL_FRAME_RATE, 8 * SECOND, "% of the usual 30.00");
	rig_run(&r, 20 * SECOND);
	r.every = 1;
	r.has_half_sound = false;
	assert_left(&r, SIGNAL_FRAME_RATE, 20 * SECOND);
}

/* An ingest repeats the headers in force before key frames. */
static void push_header(struct rig *r, uint32_t fps_milli)
{
	const struct codec_params params = {
		.codec = CODEC_AVC, .width = 1920, .height = 1080, .fps_milli = fps_milli
	};
	struct packet p = { .kind = PACKET_VIDEO,
			    .type = PACKET_CONFIG,
			    .codec = CODEC_AVC,
			    .flags = PACKET_REPEAT,
			    .dts_90k = r->video * FRAME_90k,
			    .pts_90k = r->video * FRAME_90k,
			    .arrival_us = r->now_us };

	timeline_push(r->tl, r->source, r->seq++, &p, &params, r->now_us);
}

static void half_of_the_frames_is_noticed_whatever_is_repeated(void **state)
{
	struct timeline_symptom symptom;
	struct rig r;

	rig_open(&r, &timeline_thresholds_usual);
	push_header(&r, 30000);
	rig_run(&r, 25 * SECOND);
	r.every = 2;
	for (int i = 0; i < 8; i++) {
		push_header(&r, 30000);
		rig_run(&r, SECOND);
	}
	assert_true(rig_has(&r, SIGNAL_FRAME_RATE, &symptom));
	timeline_destroy(&r.tl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_of_the_frames_left_out_is_noticed),
		cmocka_unit_test(starvation_from_the_first_picture_on_is_noticed),
		cmocka_unit_test(another_frame_rate_that_is_kept_to_is_no_starvation),
		cmocka_unit_test(every_second_frame_of_picture_and_sound_is_noticed),
		cmocka_unit_test(half_of_the_frames_is_noticed_whatever_is_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
