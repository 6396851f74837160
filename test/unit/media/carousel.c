/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A recording as an endless feed: where frames go, when they leave, which dts they get. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <understudy/carousel.h>

#define FRAME 3000 /* 30 pictures a second */
#define SOUND 1920 /* 1024 samples at 48 kHz */

/* A recording of so many pictures (in groups of 30) and frames of sound, which begin at `at`. */
struct recording {
	int64_t pictures, sounds, at_90k;
	unsigned reorder;
};

static void survey(struct carousel *l, const struct recording *r)
{
	carousel_init(l);
	for (int64_t i = 0; i < r->pictures; i++) {
		carousel_survey(l, &(struct carousel_frame){ .kind = PACKET_VIDEO,
							     .is_key = i % 30 == 0,
							     .pts_90k = i * FRAME,
							     .dts_90k = (i - (int64_t)r->reorder) *
									FRAME });
	}
	for (int64_t i = 0; i < r->sounds; i++) {
		int64_t at_90k = r->at_90k + i * SOUND;

		carousel_survey(l, &(struct carousel_frame){ .kind = PACKET_AUDIO,
							     .pts_90k = at_90k,
							     .dts_90k = at_90k });
	}
	l->tracks[PACKET_AUDIO].frame_90k = r->sounds > 0 ? SOUND : 0;
	assert_int_equal(carousel_settle(l), 0);
}

static void step(int64_t *last_90k, int64_t now_90k, int64_t frame_90k)
{
	if (*last_90k != INT64_MIN) {
		assert_in_range(now_90k - *last_90k, frame_90k / 2, frame_90k + frame_90k / 2);
	}
	*last_90k = now_90k;
}

/* Every step of pass after pass is one frame, to within half a frame. */
static void play(struct carousel *l, const struct recording *r, unsigned passes)
{
	int64_t picture_90k = INT64_MIN, sound_90k = INT64_MIN;

	for (unsigned pass = 0; pass < passes; pass++) {
		for (int64_t i = 0; i < r->pictures; i++) {
			struct carousel_frame f = { .kind = PACKET_VIDEO,
						    .pts_90k = i * FRAME,
						    .dts_90k = (i - (int64_t)r->reorder) * FRAME };

			assert_true(carousel_place(l, &f));
			assert_int_equal(f.pts_90k - f.dts_90k, (int64_t)r->reorder * FRAME);
			step(&picture_90k, f.dts_90k, FRAME);
		}
		for (int64_t i = 0; i < r->sounds; i++) {
			int64_t at_90k = r->at_90k + i * SOUND;
			struct carousel_frame f = { .kind = PACKET_AUDIO,
						    .pts_90k = at_90k,
						    .dts_90k = at_90k };

			if (carousel_place(l, &f)) {
				step(&sound_90k, f.dts_90k, SOUND);
			}
			for (uint32_t n = 0; carousel_is_last_sound(l, at_90k) && n < l->silences;
			     n++) {
				step(&sound_90k, carousel_silence_90k(l, n), SOUND);
			}
		}
		carousel_next_pass(l);
	}
}

static void sound_and_picture_of_any_length_meet_at_every_seam(void **state)
{
	static const struct recording recordings[] = {
		{ .pictures = 90, .sounds = 141 },                  /* about the same */
		{ .pictures = 90, .sounds = 140, .at_90k = -1024 }, /* an encoder's lead */
		{ .pictures = 90, .sounds = 300 },                  /* sound is longer */
		{ .pictures = 90, .sounds = 20, .at_90k = 100000 }, /* much shorter, and late */
		{ .pictures = 90, .sounds = 139, .reorder = 2 },
		{ .pictures = 90 },
		{ .pictures = 1, .sounds = 2 },
		{ .sounds = 77, .at_90k = 5 },
	};

	for (size_t i = 0; i < sizeof(recordings) / sizeof(recordings[0]); i++) {
		struct carousel l;

		survey(&l, &recordings[i]);
		play(&l, &recordings[i], 50);
	}
}

static void no_misfit_adds_up_over_a_thousand_passes(void **state)
{
	const struct recording r = { .pictures = 90, .sounds = 141 };
	struct carousel l;

	survey(&l, &r);
	assert_int_equal(l.period_90k, 90 * FRAME);
	for (unsigned i = 0; i < 1000; i++) {
		carousel_next_pass(&l);
	}
	struct carousel_frame f = { .kind = PACKET_AUDIO };
	assert_true(carousel_place(&l, &f));
	assert_int_equal(f.pts_90k, 1000 * 90 * FRAME);
}

static void it_begins_with_the_first_key_frame(void **state)
{
	struct carousel l;
	struct carousel_frame before = { .kind = PACKET_VIDEO, .pts_90k = 0, .dts_90k = 0 };
	struct carousel_frame key = {
		.kind = PACKET_VIDEO, .pts_90k = 3 * FRAME, .dts_90k = FRAME, .is_key = true
	};
	struct carousel_frame leading = { .kind = PACKET_VIDEO,
					  .pts_90k = FRAME,
					  .dts_90k = 2 * FRAME };
	struct carousel_frame after = { .kind = PACKET_VIDEO,
					.pts_90k = 4 * FRAME,
					.dts_90k = 3 * FRAME };

	carousel_init(&l);
	carousel_survey(&l, &before);
	assert_int_equal(carousel_settle(&l), -ENODATA);
	carousel_survey(&l, &key);
	carousel_survey(&l, &leading);
	carousel_survey(&l, &after);
	assert_int_equal(carousel_settle(&l), 0);
	assert_false(carousel_place(&l, &before));
	assert_false(carousel_place(&l, &leading));
	assert_true(carousel_place(&l, &key));
	assert_int_equal(key.pts_90k, 0);
	assert_true(carousel_place(&l, &after));
	assert_int_equal(after.pts_90k, FRAME);
}

static void the_longest_group_of_pictures_is_known(void **state)
{
	const struct recording r = { .pictures = 75 };
	struct carousel l;

	survey(&l, &r); /* 30, 30 and the rest of 15 at the seam */
	assert_int_equal(l.gop_90k, 30 * FRAME);
}

static void frames_leave_at_the_pace_of_the_clock(void **state)
{
	struct pace p = { 0 };

	for (int64_t i = 0; i < 100000; i++) {
		assert_in_range(pace_due_us(&p, 7000 + i * 9000, 5000000), 5000000 + i * 100000 - 1,
				5000000 + i * 100000 + 1);
	}
}

static void whoever_was_held_up_goes_on_without_a_burst(void **state)
{
	struct pace p = { 0 };

	assert_int_equal(pace_due_us(&p, 0, 1000000), 1000000);
	/* A little late: it catches up. */
	assert_int_equal(pace_due_us(&p, 9000, 1500000), 1100000);
	/* A minute late: this one now, the next one a frame later. */
	assert_int_equal(pace_due_us(&p, 18000, 61000000), 61000000);
	assert_int_equal(pace_due_us(&p, 27000, 61000000), 61100000);
}

static void decoding_times_never_fall_and_never_pass_what_they_decode(void **state)
{
	/* I P B B P B B with one picture to wait for; then a pyramid that needs two. */
	static const int64_t one[] = { 0, 3, 1, 2, 6, 4, 5, 9, 7, 8 };
	static const int64_t two[] = { 0, 4, 2, 1, 3, 8, 6, 5, 7 };
	struct order o;
	int64_t last_90k = INT64_MIN;

	order_init(&o, 1);
	for (size_t i = 0; i < sizeof(one) / sizeof(one[0]); i++) {
		int64_t dts_90k = order_dts_90k(&o, one[i] * FRAME, FRAME);

		assert_int_equal(dts_90k, ((int64_t)i - 1) * FRAME);
		assert_true(dts_90k <= one[i] * FRAME);
	}
	order_init(&o, 2);
	for (size_t i = 0; i < sizeof(two) / sizeof(two[0]); i++) {
		int64_t dts_90k = order_dts_90k(&o, two[i] * FRAME, FRAME);

		assert_true(dts_90k > last_90k && dts_90k <= two[i] * FRAME);
		last_90k = dts_90k;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sound_and_picture_of_any_length_meet_at_every_seam),
		cmocka_unit_test(no_misfit_adds_up_over_a_thousand_passes),
		cmocka_unit_test(it_begins_with_the_first_key_frame),
		cmocka_unit_test(the_longest_group_of_pictures_is_known),
		cmocka_unit_test(frames_leave_at_the_pace_of_the_clock),
		cmocka_unit_test(whoever_was_held_up_goes_on_without_a_burst),
		cmocka_unit_test(decoding_times_never_fall_and_never_pass_what_they_decode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
