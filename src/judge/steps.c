/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Steps between the frames of a track (steps.h). */
#include <string.h>

#include <understudy/packet.h>

#include "steps.h"

#define STEADY_MIN 4 /* steps that make a stretch */
#define STEP_MAX_90K (INT64_C(1) << 48)

void steps_push(struct steps *s, const struct shown *frame)
{
	unsigned at = s->sorted_count;

	/* With room for none, the earliest goes first: steps_advance() was called after each. */
	while (at > 0 && s->sorted[at - 1].pts_90k > frame->pts_90k) {
		s->sorted[at] = s->sorted[at - 1];
		at--;
	}
	s->sorted[at] = *frame;
	s->sorted_count++;
}

/* ---- the frame time ---- */

/* Bounded, so that it can be reckoned with. */
static int64_t size_of(const struct step *step)
{
	int64_t size_90k = step->right.pts_90k - step->left.pts_90k;

	return size_90k > STEP_MAX_90K    ? STEP_MAX_90K
	       : size_90k < -STEP_MAX_90K ? -STEP_MAX_90K
					  : size_90k;
}

/* Median of the steps [from, to) of the window; 0 if there are none. */
static int64_t median(const struct steps *s, unsigned from, unsigned to)
{
	int64_t sizes[STEPS_WINDOW];
	unsigned count = 0;

	for (unsigned i = from; i < to; i++) {
		unsigned at = count++;

		for (; at > 0 && sizes[at - 1] > size_of(&s->window[i]); at--) {
			sizes[at] = sizes[at - 1];
		}
		sizes[at] = size_of(&s->window[i]);
	}
	return count > 0 ? sizes[count / 2] : 0;
}

/* The median if all steps of the stretch are about as long, else 0; rounding to milliseconds is
 * not irregular. */
static int64_t steady(const struct steps *s, unsigned from, unsigned to)
{
	int64_t middle_90k = median(s, from, to);
	int64_t slack_90k = middle_90k / 4 + MEDIA_HZ / 1000;

	if (to < from + STEADY_MIN) {
		return 0;
	}
	for (unsigned i = from; i < to; i++) {
		int64_t off_90k = size_of(&s->window[i]) - middle_90k;

		if (off_90k > slack_90k || off_90k < -slack_90k) {
			return 0;
		}
	}
	return middle_90k;
}

/* The frame times before and behind a step. A rate may change anywhere; where neither side is
 * regular (half of the frames are gone, say) the last regular stretch knows better. */
static void frame_times(struct steps *s, unsigned at, int64_t *ret_before, int64_t *ret_behind)
{
	int64_t before_90k = steady(s, 0, at), behind_90k = steady(s, at + 1, s->count);

	if (before_90k > 0) {
		s->steady_90k = before_90k;
	}
	if (before_90k <= 0 && behind_90k <= 0) {
		int64_t middle_90k = median(s, 0, s->count);
		bool knows_better = s->steady_90k > 0 && s->steady_90k < middle_90k;

		before_90k = behind_90k = knows_better ? s->steady_90k : middle_90k;
	}
	*ret_before = before_90k > 0 ? before_90k : behind_90k;
	*ret_behind = behind_90k > 0 ? behind_90k : before_90k;
}

static uint32_t frames_in(int64_t step_90k, int64_t frame_90k)
{
	int64_t frames = (step_90k + frame_90k / 2) / frame_90k;

	return frames > UINT32_MAX ? UINT32_MAX : frames > 1 ? (uint32_t)frames : 1;
}

static void judge(struct steps *s, unsigned at, struct judgement *ret)
{
	const struct step *step = &s->window[at];
	int64_t before_90k, behind_90k;

	frame_times(s, at, &before_90k, &behind_90k);
	int64_t least_90k = before_90k < behind_90k ? before_90k : behind_90k;
	int64_t most_90k = before_90k < behind_90k ? behind_90k : before_90k;

	*ret = (struct judgement){ .step = *step, .frame_90k = most_90k };
	if (most_90k <= 0) {
		return; /* nothing but one time: that is disorder */
	}
	if (2 * size_of(step) > 3 * most_90k + 2 * step->right.slack_90k) {
		uint32_t frames = frames_in(size_of(step) - step->right.slack_90k, most_90k);

		ret->missing = frames > 1 ? frames - 1 : 1;
	} else if (2 * size_of(step) < least_90k) {
		ret->doubled = 1;
	}
}

/* ---- the window ---- */

/* The earliest frame is shown: makes a step, if there was one before. */
static void let_go(struct steps *s)
{
	struct shown frame = s->sorted[0];

	s->sorted_count--;
	memmove(&s->sorted[0], &s->sorted[1], s->sorted_count * sizeof(s->sorted[0]));
	if (s->has_last) {
		if (s->count == STEPS_WINDOW) {
			s->count--;
			s->judged--;
			memmove(&s->window[0], &s->window[1], s->count * sizeof(s->window[0]));
		}
		s->window[s->count++] = (struct step){ s->last, frame };
	}
	s->last = frame;
	s->has_last = true;
}

bool steps_advance(struct steps *s, int64_t dts_90k, struct judgement *ret)
{
	for (;;) {
		if (s->count > s->judged + STEPS_AROUND) {
			judge(s, s->judged++, ret);
			return true;
		}
		if (s->sorted_count == 0 ||
		    (s->sorted[0].pts_90k > dts_90k && s->sorted_count < STEPS_SORTED)) {
			return false;
		}
		let_go(s);
	}
}

bool steps_end(struct steps *s, int64_t dts_90k, struct judgement *ret)
{
	if (steps_advance(s, dts_90k, ret)) {
		return true;
	}
	if (s->judged < s->count) {
		judge(s, s->judged++, ret);
		return true;
	}
	return false;
}
