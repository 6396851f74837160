/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each signal of a feed's health: when it is entered, when it is left, and how long it is held. */
#include "rig.h"

/* ---- one by one ---- */

static void silence_of_picture_and_sound_are_signals_of_their_own(void **state)
{
	struct timeline_symptom symptom;
	struct rig r;

	rig_settle(&r);
	r.has_no_audio = true;
	assert_entered(&r, SIGNAL_NO_AUDIO, 20, "no audio for 5");
	assert_false(rig_has(&r, SIGNAL_NO_VIDEO, &symptom));
	r.has_no_audio = false;
	assert_left(&r, SIGNAL_NO_AUDIO, 4 * SECOND);

	rig_settle(&r);
	r.has_no_video = true;
	assert_entered(&r, SIGNAL_NO_VIDEO, 20, "no video for 5");
	assert_false(rig_has(&r, SIGNAL_NO_AUDIO, &symptom));
	r.has_no_video = false;
	assert_left(&r, SIGNAL_NO_VIDEO, 4 * SECOND);
}

/* Sound in MPEG-TS comes in heaps. */
static void sound_that_comes_in_heaps_keeps_no_signal_on(void **state)
{
	struct timeline_symptom symptom;
	struct rig r;

	rig_settle(&r);
	r.has_no_audio = true;
	rig_run(&r, 18);
	assert_true(rig_has(&r, SIGNAL_NO_AUDIO, &symptom));
	for (int i = 0; i < 6; i++) {
		r.has_no_audio = false;
		rig_run(&r, 1);
		r.has_no_audio = true;
		rig_run(&r, 13);
	}
	assert_false(rig_has(&r, SIGNAL_NO_AUDIO, &symptom));
	timeline_destroy(&r.tl);
}

static void sound_that_is_announced_is_missed_from_then_on(void **state)
{
	const struct packet header = { .kind = PACKET_AUDIO,
				       .type = PACKET_CONFIG,
				       .codec = CODEC_AAC };
	struct rig r;

	rig_open(&r, &timeline_thresholds_usual);
	r.has_no_audio = true;
	rig_run(&r, 10 * SECOND);
	timeline_push(r.tl, r.source, r.seq++, &header, NULL, r.now_us);
	assert_entered(&r, SIGNAL_NO_AUDIO, 20, "no audio for 5");
	r.has_no_audio = false;
	assert_left(&r, SIGNAL_NO_AUDIO, 4 * SECOND);
}

static void silence_is_none_below_three_frames(void **state)
{
	struct timeline_symptom symptom;
	struct rig r;

	rig_open(&r, &timeline_thresholds_usual);
	r.every = SECOND; /* one picture a second */
	r.is_even = true;
	rig_run(&r, 20 * SECOND);
	assert_false(rig_has(&r, SIGNAL_NO_VIDEO, &symptom));
	r.has_no_video = true;
	rig_run(&r, 2 * SECOND);
	assert_false(rig_has(&r, SIGNAL_NO_VIDEO, &symptom));
	assert_entered(&r, SIGNAL_NO_VIDEO, 2 * SECOND, "no video for 3");
	timeline_destroy(&r.tl);
}

static void low_bit_rate_is_a_floor_that_is_off_unless_set(void **state)
{
	struct timeline_thresholds health = timeline_thresholds_usual;
	struct timeline_symptom symptom;
	struct rig r;

	rig_settle(&r); /* 20000 * 8 * 60 a second: 9600 kb/s */
	r.size = 100;
	rig_run(&r, 20 * SECOND);
	assert_false(rig_has(&r, SIGNAL_LOW_BITRATE, &symptom));
	r.size = 20000;
	rig_run(&r, 20 * SECOND);
	health.of[SIGNAL_LOW_BITRATE].enter = 4000;
	timeline_set_thresholds(r.tl, &health);
	rig_run(&r, 20 * SECOND);
	assert_false(rig_has(&r, SIGNAL_LOW_BITRATE, &symptom));
	r.size = 5000;
	assert_entered(&r, SIGNAL_LOW_BITRATE, 6 * SECOND, "only 3");
	r.size = 9600; /* 4608: above 4000, below 5000 */
	rig_run(&r, 20 * SECOND);
	assert_true(rig_has(&r, SIGNAL_LOW_BITRATE, &symptom));
	assert_int_equal(symptom.is_calm, 0);
	r.size = 20000;
	assert_left(&r, SIGNAL_LOW_BITRATE, 15 * SECOND);
}

/* Nothing for so long, and all of it at once: the average is as ever. */
static void starve_and_flood(struct rig *r, unsigned ticks)
{
	r->percent = 0;
	rig_run(r, ticks);
	for (unsigned i = 0; i < ticks; i++) {
		rig_push(r);
	}
	r->percent = 100;
}

static void holes_count_where_they_come_again(void **state)
{
	struct timeline_symptom symptom;
	struct rig r;

	rig_settle(&r);
	starve_and_flood(&r, 4 * SECOND);
	rig_run(&r, 25 * SECOND);
	assert_false(rig_has(&r, SIGNAL_HOLES, &symptom));
	starve_and_flood(&r, 4 * SECOND);
	rig_run(&r, 4 * SECOND);
	starve_and_flood(&r, 4 * SECOND);
	assert_entered(&r, SIGNAL_HOLES, SECOND, "% of the last 20 s missing");
	rig_run(&r, 10 * SECOND); /* the second one alone is no more than one hole */
	assert_left(&r, SIGNAL_HOLES, 30 * SECOND);
}

static void holes_in_the_sound_alone_count_as_well(void **state)
{
	struct rig r;

	rig_settle(&r);
	for (int i = 0; i < 4; i++) {
		r.has_no_audio = true;
		rig_run(&r, 25);
		r.has_no_audio = false;
		rig_run(&r, SECOND - 5);
	}
	r.has_no_audio = true;
	rig_run(&r, 25);
	r.has_no_audio = false;
	struct timeline_symptom symptom;
	rig_run(&r, 5);
	assert_true(rig_has(&r, SIGNAL_HOLES, &symptom));
	assert_int_equal(symptom.detail, PACKET_AUDIO);
	timeline_destroy(&r.tl);
}

static void media_slower_than_real_time_is_starvation(void **state)
{
	struct timeline_symptom symptom;
	struct rig r;

	rig_settle(&r);
	r.percent = 90;
	rig_run(&r, 20 * SECOND);
	assert_false(rig_has(&r, SIGNAL_STARVED, &symptom));
	r.percent = 50;
	assert_entered(&r, SIGNAL_STARVED, 6 * SECOND, "starved: media comes at 7");
	r.percent = 86; /* above 80, below 90 */
	rig_run(&r, 20 * SECOND);
	assert_true(rig_has(&r, SIGNAL_STARVED, &symptom));
	r.percent = 100;
	assert_left(&r, SIGNAL_STARVED, 15 * SECOND);
}

static void key_frames_that_stay_away_are_missed(void **state)
{
	struct rig r;

	rig_settle(&r);
	r.has_no_keys = true;
	assert_entered(&r, SIGNAL_NO_KEY_FRAME, 16 * SECOND, "unspliceable: no key frame for 15 s");
	r.has_no_keys = false;
	assert_left(&r, SIGNAL_NO_KEY_FRAME, 4 * SECOND);
}

static void sound_before_the_first_picture_is_no_key_frame(void **state)
{
	struct timeline_status status;
	struct rig r;

	rig_open(&r, &timeline_thresholds_usual);
	r.has_no_video = true;
	rig_run(&r, SECOND);
	r.has_no_video = false;
	rig_run(&r, GOP); /* one key frame in it */
	timeline_get_status(r.tl, r.now_us, &status);
	assert_int_equal(status.feeds[0].format.gop_ms, 0);
	rig_run(&r, GOP);
	timeline_get_status(r.tl, r.now_us, &status);
	assert_int_equal(status.feeds[0].format.gop_ms, GOP * FRAME_90k / 90);
	timeline_destroy(&r.tl);
}

static void media_that_comes_at_once_has_the_bit_rate_it_was_made_with(void **state)
{
	struct timeline_status status;
	struct rig r;

	rig_open(&r, &timeline_thresholds_usual);
	r.has_no_audio = true;
	for (unsigned i = 0; i < 6 * SECOND; i++) {
		rig_push(&r);
	}
	rig_run(&r, 2 * SECOND);
	timeline_get_status(r.tl, r.now_us, &status);
	assert_in_range(status.feeds[0].kbps, 4000, 5300); /* 30 pictures of 20000 bytes a second */
	rig_run(&r, 4 * SECOND);
	timeline_get_status(r.tl, r.now_us, &status);
	assert_in_range(status.feeds[0].format.video_kbps, 4000, 5300);
	timeline_destroy(&r.tl);
}

static void a_format_does_not_follow_the_feed_into_its_trouble(void **state)
{
	struct rig r;

	rig_settle(&r);
	for (int i = 0; i < 8; i++) { /* holes in which key frames are lost */
		r.has_no_video = i % 2 == 0;
		rig_run(&r, 4 * SECOND);
		assert_int_equal(rig_format(&r).gop_ms, 2000);
		assert_in_range(rig_format(&r).video_kbps, 4700, 4900);
	}
	r.every = 2;
	rig_run(&r, 30 * SECOND);
	assert_int_equal(rig_format(&r).fps_milli, 30000);
	r.every = 1;
	r.size *= 2; /* which is no trouble */
	rig_run(&r, 50 * SECOND);
	assert_in_range(rig_format(&r).video_kbps, 9500, 9700);
	timeline_destroy(&r.tl);
}

static void timestamps_that_do_not_move_are_stuck(void **state)
{
	struct rig r;

	rig_settle(&r);
	r.is_stuck = true;
	assert_entered(&r, SIGNAL_STUCK, SECOND, "timestamps stuck: 1");
	r.is_stuck = false;
	assert_left(&r, SIGNAL_STUCK, 20 * SECOND);
}

static void leaps_of_time_are_counted_across_new_media_times(void **state)
{
	struct timeline_symptom symptom;
	struct rig r;

	rig_settle(&r);
	r.shift_90k += 90000; /* a second, within one media time */
	rig_run(&r, 2 * SECOND);
	r.shift_90k += 900000; /* so far that a new one begins */
	rig_run(&r, 2 * SECOND);
	assert_false(rig_has(&r, SIGNAL_JUMPS, &symptom));
	r.shift_90k -= 900000;
	rig_run(&r, 2 * SECOND);
	assert_true(rig_has(&r, SIGNAL_JUMPS, &symptom));
	assert_in_range(symptom.value, 3, 6);
	assert_left(&r, SIGNAL_JUMPS, 40 * SECOND);
}

static void packets_that_make_no_sense_are_counted(void **state)
{
	struct rig r;

	rig_settle(&r);
	r.garbage = 1;
	assert_entered(&r, SIGNAL_UNUSABLE, SECOND, "unusable packets: 1");
	r.garbage = 0;
	assert_left(&r, SIGNAL_UNUSABLE, 20 * SECOND);
}

static void sound_that_leaves_the_picture_is_noticed(void **state)
{
	struct timeline_symptom symptom;
	struct rig r;

	rig_settle(&r);
	for (int i = 0; i < 40; i++) { /* 10 ms a second */
		rig_run(&r, SECOND);
		r.audio_shift_90k -= 900;
	}
	assert_false(rig_has(&r, SIGNAL_AV_DRIFT, &symptom));
	for (int i = 0; i < 20; i++) {
		rig_run(&r, SECOND);
		r.audio_shift_90k -= 900;
	}
	assert_true(rig_has(&r, SIGNAL_AV_DRIFT, &symptom));
	assert_in_range(symptom.value, 500, 600);
	r.audio_shift_90k += 54000;
	assert_left(&r, SIGNAL_AV_DRIFT, 20 * SECOND);
}

/* A second of an SRT connection: so many packets came, and so many never will. */
static void note_loss(struct rig *r, uint64_t *packets, uint64_t *lost, unsigned permille)
{
	*packets += 1000 - permille;
	*lost += permille;
	timeline_note_loss(r->tl, r->source, *packets, *lost, r->now_us);
	rig_run(r, SECOND);
}

static void what_srt_loses_for_good_counts(void **state)
{
	uint64_t packets = 0, lost = 0;
	struct timeline_symptom symptom;
	struct rig r;

	rig_settle(&r);
	for (int i = 0; i < 15; i++) {
		note_loss(&r, &packets, &lost, 3);
	}
	assert_false(rig_has(&r, SIGNAL_SRT_LOSS, &symptom));
	for (int i = 0; i < 12; i++) {
		note_loss(&r, &packets, &lost, 20);
	}
	assert_true(rig_has(&r, SIGNAL_SRT_LOSS, &symptom));
	assert_in_range(symptom.value, 18, 21);
	for (int i = 0; i < 12; i++) {
		note_loss(&r, &packets, &lost, 0);
		assert_true(rig_has(&r, SIGNAL_SRT_LOSS, &symptom));
	}
	note_loss(&r, &packets, &lost, 0);
	note_loss(&r, &packets, &lost, 0);
	note_loss(&r, &packets, &lost, 0);
	assert_false(rig_has(&r, SIGNAL_SRT_LOSS, &symptom));
	timeline_destroy(&r.tl);
}

/* ---- thresholds ---- */

static void a_signal_can_be_turned_off_while_it_is_on(void **state)
{
	struct timeline_thresholds health = timeline_thresholds_usual;
	struct timeline_symptom symptom;
	struct rig r;

	rig_settle(&r);
	r.every = 2;
	rig_run(&r, 10 * SECOND);
	assert_true(rig_has(&r, SIGNAL_FRAME_RATE, &symptom));
	health.of[SIGNAL_FRAME_RATE].enter = 0;
	timeline_set_thresholds(r.tl, &health);
	rig_run(&r, 4);
	assert_false(rig_has(&r, SIGNAL_FRAME_RATE, &symptom));
	timeline_destroy(&r.tl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silence_of_picture_and_sound_are_signals_of_their_own),
		cmocka_unit_test(sound_that_comes_in_heaps_keeps_no_signal_on),
		cmocka_unit_test(sound_that_is_announced_is_missed_from_then_on),
		cmocka_unit_test(silence_is_none_below_three_frames),
		cmocka_unit_test(low_bit_rate_is_a_floor_that_is_off_unless_set),
		cmocka_unit_test(holes_count_where_they_come_again),
		cmocka_unit_test(holes_in_the_sound_alone_count_as_well),
		cmocka_unit_test(media_slower_than_real_time_is_starvation),
		cmocka_unit_test(key_frames_that_stay_away_are_missed),
		cmocka_unit_test(sound_before_the_first_picture_is_no_key_frame),
		cmocka_unit_test(media_that_comes_at_once_has_the_bit_rate_it_was_made_with),
		cmocka_unit_test(a_format_does_not_follow_the_feed_into_its_trouble),
		cmocka_unit_test(timestamps_that_do_not_move_are_stuck),
		cmocka_unit_test(leaps_of_time_are_counted_across_new_media_times),
		cmocka_unit_test(packets_that_make_no_sense_are_counted),
		cmocka_unit_test(sound_that_leaves_the_picture_is_noticed),
		cmocka_unit_test(what_srt_loses_for_good_counts),
		cmocka_unit_test(a_signal_can_be_turned_off_while_it_is_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
