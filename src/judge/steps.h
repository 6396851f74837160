/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The steps of one track: frames in order of coding in, steps in order of presentation out, each
 * with the frame time around it. Pure.
 *
 *   frames --sorted by pts--> steps --window of 17--> the one in the middle is judged
 */
#ifndef JUDGE_STEPS_H
#define JUDGE_STEPS_H

#include <stdbool.h>
#include <stdint.h>

#define STEPS_SORTED 32 /* frames that may wait for an earlier one */
#define STEPS_AROUND 8  /* steps looked at before and behind the one judged */
#define STEPS_WINDOW (2 * STEPS_AROUND + 1)

struct shown { /* a frame */
	int64_t pts_90k;
	int64_t slack_90k; /* a splice may take so much longer: reorder depth of the feed left */
	int64_t seen_us;
	uint16_t feed;
};

struct step {
	struct shown left, right;
};

struct steps {
	struct shown sorted[STEPS_SORTED]; /* the earliest first */
	unsigned sorted_count;
	struct shown last; /* the one that left `sorted` last */
	bool has_last;
	struct step window[STEPS_WINDOW];
	unsigned count, judged; /* in the window: steps, and how many of them are judged */
	int64_t steady_90k;     /* frame time of the last regular stretch, 0 = none yet */
};

struct judgement {
	struct step step;
	int64_t frame_90k;
	uint32_t missing, doubled;
};

/* A frame, in order of coding. */
void steps_push(struct steps *s, const struct shown *frame);
/* No frame earlier than this comes any more: lets go those before it. True if a step came out
 * that can be judged: call again. */
bool steps_advance(struct steps *s, int64_t dts_90k, struct judgement *ret);
/* The rest, one call a step, without frames behind `dts_90k`. */
bool steps_end(struct steps *s, int64_t dts_90k, struct judgement *ret);

#endif
