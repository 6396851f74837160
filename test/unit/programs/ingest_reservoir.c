/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Segments and caches become a stream in real time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../src/ingest-av/reservoir.h"

#define START_US 1000000000
#define FIRST_90K 1234567
#define FRAME_90K 3600
#define FRAME_US 40000
#define SEGMENT 50 /* frames: 2 s */

static struct reservoir r;

static int begin(void **state)
{
	reservoir_init(&r, 0);
	return 0;
}

static int end(void **state)
{
	reservoir_finish(&r);
	return 0;
}

static void put(enum packet_kind kind, int64_t dts_90k, int64_t now_us)
{
	struct packet p = { .kind = (uint8_t)kind,
			    .type = PACKET_FRAME,
			    .dts_90k = dts_90k,
			    .pts_90k = dts_90k,
			    .arrival_us = now_us,
			    .size = sizeof(dts_90k) };

	assert_int_equal(reservoir_put(&r, &p, (const uint8_t *)&dts_90k, now_us), 0);
}

static void put_frames(enum packet_kind kind, int64_t first, int64_t count, int64_t now_us)
{
	for (int64_t i = first; i < first + count; i++) {
		put(kind, FIRST_90K + i * FRAME_90K, now_us);
	}
}

/* The next packet is let out at this time and not before. */
static void expect(enum packet_kind kind, int64_t dts_90k, int64_t at_us)
{
	const uint8_t *payload;
	struct packet p;

	assert_int_equal(reservoir_next_us(&r), at_us);
	assert_false(reservoir_take(&r, at_us - 1, &p, &payload));
	assert_true(reservoir_take(&r, at_us, &p, &payload));
	assert_int_equal(p.kind, kind);
	assert_int_equal(p.dts_90k, dts_90k);
	assert_memory_equal(payload, &dts_90k, sizeof(dts_90k));
}

static void segment_leaves_at_the_speed_of_its_clock(void **state)
{
	put_frames(PACKET_VIDEO, 0, SEGMENT, START_US);
	for (int64_t i = 0; i < SEGMENT; i++) {
		expect(PACKET_VIDEO, FIRST_90K + i * FRAME_90K, START_US + i * FRAME_US);
	}
	assert_int_equal(reservoir_next_us(&r), INT64_MAX);
}

static void tracks_that_follow_one_another_are_put_in_step(void **state)
{
	put_frames(PACKET_VIDEO, 0, SEGMENT, START_US);
	put_frames(PACKET_AUDIO, 0, SEGMENT, START_US);
	for (int64_t i = 0; i < SEGMENT; i++) {
		expect(PACKET_VIDEO, FIRST_90K + i * FRAME_90K, START_US + i * FRAME_US);
		expect(PACKET_AUDIO, FIRST_90K + i * FRAME_90K, START_US + i * FRAME_US);
	}
}

static void late_segment_leaves_at_once_and_the_next_goes_on_from_there(void **state)
{
	int64_t back_us = START_US + SEGMENT * FRAME_US + 1500000;

	put_frames(PACKET_VIDEO, 0, 1, START_US);
	expect(PACKET_VIDEO, FIRST_90K, START_US);
	put_frames(PACKET_VIDEO, 1, 20, back_us);
	for (int64_t i = 0; i < 20; i++) {
		expect(PACKET_VIDEO, FIRST_90K + (i + 1) * FRAME_90K, back_us + i * FRAME_US);
	}
}

static void jump_of_the_time_goes_on_where_each_track_was(void **state)
{
	int64_t again_90k = FIRST_90K - 80 * INT64_C(90000);

	put_frames(PACKET_VIDEO, 0, 2, START_US);
	put_frames(PACKET_AUDIO, 0, 2, START_US);
	put(PACKET_VIDEO, again_90k + FRAME_90K, START_US);
	put(PACKET_AUDIO, again_90k + FRAME_90K, START_US);
	put(PACKET_VIDEO, again_90k + 2 * FRAME_90K, START_US);
	for (int64_t i = 0; i < 2; i++) {
		expect(PACKET_VIDEO, FIRST_90K + i * FRAME_90K, START_US + i * FRAME_US);
		expect(PACKET_AUDIO, FIRST_90K + i * FRAME_90K, START_US + i * FRAME_US);
	}
	expect(PACKET_VIDEO, again_90k + FRAME_90K, START_US + FRAME_US);
	expect(PACKET_AUDIO, again_90k + FRAME_90K, START_US + FRAME_US);
	expect(PACKET_VIDEO, again_90k + 2 * FRAME_90K, START_US + 2 * FRAME_US);
}

static void burst_up_to_the_lead_passes_as_it_came_and_a_whole_file_does_not(void **state)
{
	const uint8_t *payload;
	struct packet p;

	r.lead_us = 1000000;
	put_frames(PACKET_VIDEO, 0, SEGMENT, START_US);
	for (int64_t i = 0; i <= 25; i++) {
		assert_true(reservoir_take(&r, START_US, &p, &payload));
		assert_int_equal(p.arrival_us, START_US);
	}
	expect(PACKET_VIDEO, FIRST_90K + 26 * FRAME_90K, START_US + FRAME_US);
}

static void reading_stops_when_enough_is_held(void **state)
{
	put_frames(PACKET_VIDEO, 0, 11 * 25, START_US);
	assert_false(reservoir_is_full(&r, START_US));
	put_frames(PACKET_VIDEO, 11 * 25, 50, START_US);
	assert_true(reservoir_is_full(&r, START_US));
	assert_false(reservoir_is_full(&r, START_US + 2000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(segment_leaves_at_the_speed_of_its_clock, begin,
						end),
		cmocka_unit_test_setup_teardown(tracks_that_follow_one_another_are_put_in_step,
						begin, end),
		cmocka_unit_test_setup_teardown(
			late_segment_leaves_at_once_and_the_next_goes_on_from_there, begin, end),
		cmocka_unit_test_setup_teardown(jump_of_the_time_goes_on_where_each_track_was,
						begin, end),
		cmocka_unit_test_setup_teardown(
			burst_up_to_the_lead_passes_as_it_came_and_a_whole_file_does_not, begin,
			end),
		cmocka_unit_test_setup_teardown(reading_stops_when_enough_is_held, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
