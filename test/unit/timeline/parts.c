/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The timeline's parts, each on its own: lag, clock, index, flow, source, thresholds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/timeline/private.h"

#define SECOND_US INT64_C(1000000)
#define FRAME_90k 3000
#define HOLE_90k 18000

/* ---- lag ---- */

static void the_lag_is_the_smallest_seen(void **state)
{
	struct tl_lag lag;

	tl_lag_reset(&lag);
	assert_false(tl_lag_is_known(&lag));
	tl_lag_put(&lag, 500, 0);
	tl_lag_put(&lag, 300, 1000);
	tl_lag_put(&lag, 700, 2000);
	assert_int_equal(lag.min_us, 300);
}

static void a_start_burst_ages_out_of_the_lag(void **state)
{
	struct tl_lag lag;

	tl_lag_reset(&lag);
	tl_lag_put(&lag, -1500000, 0);
	for (int64_t at_us = SECOND_US / 2; at_us < 15 * SECOND_US; at_us += SECOND_US / 2) {
		tl_lag_put(&lag, 40000, at_us);
	}
	assert_int_equal(lag.min_us, -1500000);
	for (int64_t at_us = 15 * SECOND_US; at_us < 25 * SECOND_US; at_us += SECOND_US / 2) {
		tl_lag_put(&lag, 40000, at_us);
	}
	assert_int_equal(lag.min_us, 40000);
}

static void a_long_silence_empties_the_window(void **state)
{
	struct tl_lag lag;

	tl_lag_reset(&lag);
	tl_lag_put(&lag, 100, 0);
	tl_lag_put(&lag, 900, 3600 * SECOND_US);
	assert_int_equal(lag.min_us, 900);
}

static void a_lag_that_still_falls_is_not_settled(void **state)
{
	struct tl_lag lag;

	tl_lag_reset(&lag);
	tl_lag_put(&lag, 900000, 0);
	tl_lag_put(&lag, 500000, 200000);
	assert_false(tl_lag_is_settled(&lag, 300000));
	assert_true(tl_lag_is_settled(&lag, 450000));
}

/* ---- clock ---- */

static void the_clock_moves_by_half_a_percent_at_most(void **state)
{
	struct tl_clock clock = { .offset_us = 0, .is_set = true };

	tl_clock_slew(&clock, 3 * SECOND_US, SECOND_US);
	assert_int_equal(clock.offset_us, 5000);
	tl_clock_slew(&clock, 5100, 2 * SECOND_US);
	assert_int_equal(clock.offset_us, 5100);
	tl_clock_slew(&clock, -3 * SECOND_US, 3 * SECOND_US);
	assert_int_equal(clock.offset_us, 100);
}

static void steps_too_short_to_move_the_clock_add_up(void **state)
{
	struct tl_clock clock = { .offset_us = 0, .is_set = true };

	for (int64_t now_us = 100; now_us <= 100000; now_us += 100) {
		tl_clock_slew(&clock, SECOND_US, now_us);
	}
	assert_in_range(clock.offset_us, 499, 500);
}

/* ---- index ---- */

static uint64_t append(struct tl_index *x, unsigned kind, int64_t dts_90k, unsigned flags)
{
	struct tl_entry e = { .packet = { .kind = (uint8_t)kind, .dts_90k = dts_90k },
			      .flags = flags };

	assert_int_equal(tl_index_reserve(x), 0);
	return tl_index_append(x, &e);
}

static void heads_leave_in_order_of_dts_across_tracks(void **state)
{
	struct tl_index x;
	uint64_t n;

	assert_int_equal(tl_index_init(&x), 0);
	append(&x, PACKET_VIDEO, 100, 0);
	append(&x, PACKET_VIDEO, 200, 0);
	append(&x, PACKET_AUDIO, 50, 0);
	append(&x, PACKET_AUDIO, 150, 0);
	for (int64_t want_90k = 50; want_90k <= 200; want_90k += 50) {
		n = tl_index_earliest(&x, UINT64_MAX);
		assert_int_equal(tl_index_at(&x, n)->packet.dts_90k, want_90k);
		tl_index_pop(&x, tl_index_at(&x, n)->packet.kind, 0);
	}
	assert_true(tl_index_is_empty(&x));
	assert_true(x.first == x.next);
	tl_index_finish(&x);
}

static void the_index_grows_and_keeps_its_lists(void **state)
{
	struct tl_index x;
	uint64_t point;

	assert_int_equal(tl_index_init(&x), 0);
	for (unsigned i = 0; i < 10 * TL_INDEX_MIN; i++) {
		append(&x, i % 3 == 0 ? PACKET_AUDIO : PACKET_VIDEO, i,
		       i % 30 == 1 ? TL_ENTRY_POINT : 0);
		if (i % 2 == 0) { /* wrap as well */
			uint64_t n = tl_index_earliest(&x, UINT64_MAX);

			tl_index_pop(&x, tl_index_at(&x, n)->packet.kind, 0);
		}
	}
	point = x.point_head;
	assert_true(point != TL_NONE);
	for (int64_t last_90k = -1; point != TL_NONE; point = tl_index_at(&x, point)->next_point) {
		assert_true(tl_index_at(&x, point)->packet.dts_90k > last_90k);
		assert_int_equal(tl_index_at(&x, point)->packet.dts_90k % 30, 1);
		last_90k = tl_index_at(&x, point)->packet.dts_90k;
	}
	tl_index_finish(&x);
}

static void the_index_is_bounded(void **state)
{
	struct tl_index x;

	assert_int_equal(tl_index_init(&x), 0);
	for (unsigned i = 0; i < TL_INDEX_MAX; i++) {
		append(&x, PACKET_VIDEO, i, 0);
	}
	assert_int_not_equal(tl_index_reserve(&x), 0);
	tl_index_finish(&x);
}

/* ---- flow ---- */

/* Frames of one GOP in the order they are sent; dts counts from -reorder. */
static void push_frame(struct tl_flow *flow, int64_t dts, int64_t pts, bool is_key,
		       bool want_closed)
{
	struct tl_entry e = { .packet = { .kind = PACKET_VIDEO,
					  .type = PACKET_FRAME,
					  .dts_90k = dts * FRAME_90k,
					  .pts_90k = pts * FRAME_90k,
					  .flags = is_key ? PACKET_KEY : 0,
					  .arrival_us = dts * 33333 } };

	tl_flow_push(flow, &e, 0, HOLE_90k);
	assert_int_equal((e.flags & TL_ENTRY_CLOSED) != 0, want_closed);
}

static void without_reordering_every_frame_is_closed(void **state)
{
	struct tl_flow flow = { 0 };

	for (int64_t n = 0; n < 30; n++) {
		push_frame(&flow, n, n, n == 0, true);
	}
	assert_int_equal(flow.reorder_90k, 0);
	assert_int_equal(tl_flow_horizon(&flow), 30 * FRAME_90k);
}

static void b_frames_close_where_the_group_is_whole(void **state)
{
	struct tl_flow flow = { 0 };

	push_frame(&flow, 0, 1, true, true);   /* I */
	push_frame(&flow, 1, 4, false, false); /* P, shown after the two B */
	push_frame(&flow, 2, 2, false, false);
	assert_int_equal(tl_flow_horizon(&flow), 2 * FRAME_90k);
	push_frame(&flow, 3, 3, false, true);
	assert_int_equal(tl_flow_horizon(&flow), 5 * FRAME_90k);
	assert_int_equal(flow.reorder_90k, FRAME_90k);
	push_frame(&flow, 4, 7, false, false);
}

static void a_constant_composition_offset_is_no_reordering(void **state)
{
	struct tl_flow flow = { 0 };

	for (int64_t n = 0; n < 10; n++) {
		push_frame(&flow, n, n + 2, n == 0, true);
	}
	assert_int_equal(tl_flow_horizon(&flow), 12 * FRAME_90k);
}

static void a_mislearned_depth_is_given_up(void **state)
{
	struct tl_flow flow = { 0 };

	push_frame(&flow, 0, 0, true, true);
	for (int64_t n = 1; n < 40; n++) { /* from here on deeper, and no key frame tells */
		struct tl_entry e = { .packet = { .dts_90k = n * FRAME_90k,
						  .pts_90k = (n + 2) * FRAME_90k,
						  .kind = PACKET_VIDEO } };

		tl_flow_push(&flow, &e, 0, HOLE_90k);
	}
	assert_int_equal(tl_flow_horizon(&flow), 42 * FRAME_90k);
}

static void a_depth_learned_anew_is_the_least_of_those_seen(void **state)
{
	struct tl_flow flow = { 0 };

	push_frame(&flow, 0, 0, true, true);
	for (int64_t n = 1; n <= 36; n++) { /* P are shown three frames later, B one */
		struct tl_entry e = { .packet = { .dts_90k = n * FRAME_90k,
						  .pts_90k = (n % 2 == 1 ? n + 3 : n + 1) *
							     FRAME_90k } };

		tl_flow_push(&flow, &e, 0, HOLE_90k);
	}
	assert_int_equal(flow.reorder_90k, 2 * FRAME_90k);
}

static void a_reference_lost_in_a_hole_leaves_the_depth_known(void **state)
{
	struct tl_flow flow = { 0 };

	push_frame(&flow, 0, 1, true, true);
	push_frame(&flow, 20, 20, false, true); /* B: what it waited for was lost */
	assert_int_equal(flow.reorder_90k, FRAME_90k);
	push_frame(&flow, 21, 24, false, false);
	push_frame(&flow, 22, 22, false, false);
	push_frame(&flow, 23, 23, false, true);
	assert_int_equal(flow.reorder_90k, FRAME_90k);
}

static void a_leap_of_a_young_flow_is_none_of_its_frames(void **state)
{
	struct tl_flow flow = { 0 };

	for (int64_t n = 0; n < 4; n++) {
		push_frame(&flow, n, n, n == 0, true);
	}
	struct tl_entry e = { .packet = { .dts_90k = 3 * FRAME_90k + 600,
					  .pts_90k = 3 * FRAME_90k + 600 } };

	tl_flow_push(&flow, &e, 0, HOLE_90k);
	assert_int_equal(flow.frame_90k, FRAME_90k);
}

static void a_hole_ends_the_horizon_until_it_is_behind(void **state)
{
	struct tl_flow flow = { 0 };

	push_frame(&flow, 0, 0, true, true);
	push_frame(&flow, 1, 1, false, true);
	push_frame(&flow, 11, 11, false, true);
	assert_int_equal(flow.holes, 1);
	assert_int_equal(tl_flow_horizon(&flow), 2 * FRAME_90k);
	assert_int_equal(tl_flow_horizon_from(&flow, 11 * FRAME_90k), 12 * FRAME_90k);
	assert_int_equal(tl_flow_moved_us(&flow), 33333);
}

static void a_short_gap_is_no_hole(void **state)
{
	struct tl_flow flow = { 0 };

	push_frame(&flow, 0, 0, true, true);
	push_frame(&flow, 6, 6, false, true);
	assert_int_equal(flow.holes, 0);
	assert_true(tl_flow_horizon(&flow) >= 7 * FRAME_90k);
}

static void patience_is_never_below_three_frames(void **state)
{
	struct tl_flow flow = { .frame_90k = 90000 };

	assert_int_equal(tl_flow_patience_us(&flow, 500000), 3 * SECOND_US);
	flow.frame_90k = FRAME_90k;
	assert_int_equal(tl_flow_patience_us(&flow, 500000), 500000);
}

/* Sound in MPEG-TS: 17 frames of AAC at once. */
static void patience_is_two_of_what_comes_at_once(void **state)
{
	struct tl_flow flow = { 0 };

	for (int64_t n = 0; n < 170; n++) {
		struct tl_entry e = { .packet = { .kind = PACKET_AUDIO,
						  .dts_90k = n * 1920,
						  .pts_90k = n * 1920,
						  .arrival_us = n / 17 * 362667 } };

		tl_flow_push(&flow, &e, 0, HOLE_90k);
	}
	assert_in_range(tl_flow_patience_us(&flow, 500000), 650000, 725334);
	assert_int_equal(tl_flow_patience_us(&flow, 1000000), 1000000);
}

/* ---- source ---- */

static int64_t frame_of_sound(uint16_t samples, uint32_t rate)
{
	const struct timeline_config config = { .feed_count = 1, .feeds = { { .id = 1 } } };
	const struct codec_params params = { .sample_rate = rate, .frame_samples = samples };
	struct packet p = { .kind = PACKET_AUDIO, .type = PACKET_CONFIG, .codec = CODEC_FLAC };
	struct timeline *tl = timeline_create(&config, 0);
	int source = timeline_open(tl, 1, 1, 0);
	int64_t frame_90k;

	assert_int_equal(timeline_push(tl, source, 0, &p, &params, 0), 0);
	p.type = PACKET_FRAME;
	assert_int_equal(timeline_push(tl, source, 1, &p, NULL, 0), 0);
	frame_90k = tl->sources[0]->flows[PACKET_AUDIO].frame_90k;
	timeline_destroy(&tl);
	return frame_90k;
}

static void sound_lasts_for_as_long_as_its_header_says_within_reason(void **state)
{
	assert_int_equal(frame_of_sound(1024, 48000), 1920);
	assert_int_equal(frame_of_sound(1, 655350), 1);
	assert_int_equal(frame_of_sound(UINT16_MAX, 1), 90000);
}

/* ---- thresholds ---- */

static void leave_is_chosen_where_it_is_not_given(void **state)
{
	struct timeline_thresholds t = timeline_thresholds_usual;

	assert_int_equal(timeline_leave_of(&t, SIGNAL_HOLES), 5);
	assert_int_equal(timeline_leave_of(&t, SIGNAL_STARVED), 90);
	t.of[SIGNAL_LOW_BITRATE].enter = 1000;
	assert_int_equal(timeline_leave_of(&t, SIGNAL_LOW_BITRATE), 1250);
	t.of[SIGNAL_HOLES].leave = 1;
	assert_int_equal(timeline_leave_of(&t, SIGNAL_HOLES), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_lag_is_the_smallest_seen),
		cmocka_unit_test(a_start_burst_ages_out_of_the_lag),
		cmocka_unit_test(a_long_silence_empties_the_window),
		cmocka_unit_test(a_lag_that_still_falls_is_not_settled),
		cmocka_unit_test(the_clock_moves_by_half_a_percent_at_most),
		cmocka_unit_test(steps_too_short_to_move_the_clock_add_up),
		cmocka_unit_test(heads_leave_in_order_of_dts_across_tracks),
		cmocka_unit_test(the_index_grows_and_keeps_its_lists),
		cmocka_unit_test(the_index_is_bounded),
		cmocka_unit_test(without_reordering_every_frame_is_closed),
		cmocka_unit_test(b_frames_close_where_the_group_is_whole),
		cmocka_unit_test(a_constant_composition_offset_is_no_reordering),
		cmocka_unit_test(a_mislearned_depth_is_given_up),
		cmocka_unit_test(a_depth_learned_anew_is_the_least_of_those_seen),
		cmocka_unit_test(a_reference_lost_in_a_hole_leaves_the_depth_known),
		cmocka_unit_test(a_leap_of_a_young_flow_is_none_of_its_frames),
		cmocka_unit_test(a_hole_ends_the_horizon_until_it_is_behind),
		cmocka_unit_test(a_short_gap_is_no_hole),
		cmocka_unit_test(patience_is_never_below_three_frames),
		cmocka_unit_test(patience_is_two_of_what_comes_at_once),
		cmocka_unit_test(sound_lasts_for_as_long_as_its_header_says_within_reason),
		cmocka_unit_test(leave_is_chosen_where_it_is_not_given),
	};

	return cmocka_run_group_tests_name("parts", tests, NULL, NULL);
}
