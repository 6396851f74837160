/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How evenly the pictures of a source follow each other (pace.c). Pure. */
#ifndef TIMELINE_PACE_H
#define TIMELINE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define TL_STEPS 16

struct tl_pace {
	int64_t steps_90k[TL_STEPS]; /* between the newest pictures: a ring */
	unsigned count;              /* of all that went into it */
	uint32_t fps_milli;          /* one follows the other at this rate; 0: now so, now so */
	int64_t since_us;            /* ... since then */
	uint32_t kept_milli;         /* the last such rate that was kept to; 0: none */
};

/* Nothing is known of it: another connection, or another format. */
void tl_pace_reset(struct tl_pace *pace, int64_t now_us);
void tl_pace_step(struct tl_pace *pace, int64_t step_90k);
/* Looks at the steps anew. */
void tl_pace_look(struct tl_pace *pace, int64_t now_us);
/* It has been as it is for so long that it is no moment's. */
bool tl_pace_is_kept(const struct tl_pace *pace, int64_t now_us);
/* The rate that pictures were made at of which some are left out, here and there; 0: not known, as
 * none are, or as too many are. */
uint32_t tl_pace_whole_milli(const struct tl_pace *pace);
/* By more than rounding and a picture or two. */
bool tl_pace_differs(uint32_t a_milli, uint32_t b_milli);

#endif
