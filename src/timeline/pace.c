/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How evenly the pictures of a source follow each other (timeline; pure). That tells an encoder
 * that makes fewer from one of whose pictures some are lost:
 *
 *   made at 30/s   | | | | | | | | | | | | |
 *   made at 15/s   |   |   |   |   |   |   |     all steps alike: a frame rate, once it is kept to
 *   starved        |     | |   |       | |       multiples of a shortest step: what is missing
 *   as they come   |  |    |   | |    |   |      neither: nothing can be said
 */
#include "private.h"

#define KEPT_US 3000000
#define ODD_MAX 1 /* steps that may differ where all are alike */
#define ROUNDING_90k 90
#define SHORT_MIN 3 /* so many shortest ones make a frame */

static void pace_sort(const struct tl_pace *pace, int64_t sorted_90k[TL_STEPS])
{
	for (unsigned i = 0; i < TL_STEPS; i++) {
		unsigned n = i;

		for (; n > 0 && sorted_90k[n - 1] > pace->steps_90k[i]; n--) {
			sorted_90k[n] = sorted_90k[n - 1];
		}
		sorted_90k[n] = pace->steps_90k[i];
	}
}

static uint32_t pace_milli(int64_t steps, int64_t sum_90k)
{
	return (uint32_t)tl_min(steps * MEDIA_HZ * 1000 / tl_max(sum_90k, 1), UINT32_MAX);
}

/* The rate of steps that are all alike, to within a quarter; 0: they are not. */
static uint32_t pace_even_milli(const struct tl_pace *pace)
{
	int64_t sorted_90k[TL_STEPS], sum_90k = 0, alike = 0, middle_90k;

	if (pace->count < TL_STEPS) {
		return 0;
	}
	pace_sort(pace, sorted_90k);
	middle_90k = sorted_90k[TL_STEPS / 2];
	for (unsigned i = 0; i < TL_STEPS; i++) {
		if (tl_abs(sorted_90k[i] - middle_90k) * 4 <= middle_90k) {
			sum_90k += sorted_90k[i];
			alike++;
		}
	}
	return alike + ODD_MAX >= TL_STEPS ? pace_milli(alike, sum_90k) : 0;
}

uint32_t tl_pace_whole_milli(const struct tl_pace *pace)
{
	int64_t sorted_90k[TL_STEPS], sum_90k = 0, frame_90k;
	unsigned shortest = 0, odd = 0;

	if (pace->count < TL_STEPS) {
		return 0;
	}
	pace_sort(pace, sorted_90k);
	while (shortest < TL_STEPS && sorted_90k[shortest] * 4 <= sorted_90k[0] * 5) {
		sum_90k += sorted_90k[shortest++];
	}
	frame_90k = tl_max(sum_90k / shortest, 1);
	for (unsigned i = shortest; i < TL_STEPS; i++) {
		int64_t frames = (sorted_90k[i] + frame_90k / 2) / frame_90k;

		odd += tl_abs(sorted_90k[i] - frames * frame_90k) > frame_90k / 8 + ROUNDING_90k;
	}
	return shortest >= SHORT_MIN && odd <= ODD_MAX ? pace_milli(1, frame_90k) : 0;
}

void tl_pace_reset(struct tl_pace *pace, int64_t now_us)
{
	*pace = (struct tl_pace){ .since_us = now_us };
}

void tl_pace_step(struct tl_pace *pace, int64_t step_90k)
{
	pace->steps_90k[pace->count % TL_STEPS] = step_90k;
	pace->count = pace->count + 1 < 2 * TL_STEPS ? pace->count + 1 : TL_STEPS;
}

bool tl_pace_differs(uint32_t a_milli, uint32_t b_milli)
{
	int64_t apart = (int64_t)a_milli - b_milli;

	return tl_abs(apart) * 10 > a_milli;
}

void tl_pace_look(struct tl_pace *pace, int64_t now_us)
{
	uint32_t fps_milli = pace_even_milli(pace);

	if (tl_pace_differs(fps_milli, pace->fps_milli) ||
	    (fps_milli == 0) != (pace->fps_milli == 0)) {
		pace->since_us = now_us;
	}
	pace->fps_milli = fps_milli;
}

bool tl_pace_is_kept(const struct tl_pace *pace, int64_t now_us)
{
	return now_us - pace->since_us >= KEPT_US;
}
