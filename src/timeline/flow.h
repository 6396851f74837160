/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Main video or main audio of a source, as it is learned from its frames (flow.c). Pure. */
#ifndef TIMELINE_FLOW_H
#define TIMELINE_FLOW_H

#include <stdbool.h>
#include <stdint.h>

struct tl_entry;

struct tl_flow {
	bool is_present;
	int64_t frame_90k; /* duration of a frame, learned */
	unsigned frames_learned, long_steps, short_steps;
	int64_t last_dts_90k;
	int64_t heap_dts_90k; /* where what came last at once begins ... */
	int64_t heap_us;      /* ... and how much usually does */
	int64_t max_pts_90k;
	bool is_newest_unsure;  /* there may have been newer ones in the hole */
	int64_t reorder_90k;    /* how far presentation runs behind decoding */
	unsigned open_frames;   /* since the last closed one ... */
	int64_t open_depth_90k; /* ... and how deep they reorder at least */
	int64_t closed_90k;     /* newest pts of the last closed frame */
	int64_t end_90k;        /* its end: complete up to here, holes aside (media) */
	int64_t last_us;        /* arrival of the newest frame, or first of what announced some */
	unsigned holes;         /* entries in the index that lie behind a hole */
	uint64_t hole;          /* the first of them */
	int64_t hole_end_90k;   /* complete up to here before it */
	int64_t hole_us;
	int64_t run_90k; /* pts where the newest unbroken run began */
};

/* Takes in a main frame, entry n; fills e->flags and e->closed_90k. */
void tl_flow_push(struct tl_flow *flow, struct tl_entry *e, uint64_t n, int64_t hole_90k);
/* Presentation is complete up to here (media), as far as the next hole. */
int64_t tl_flow_horizon(const struct tl_flow *flow);
/* The same for somebody who starts at `from_90k`. */
int64_t tl_flow_horizon_from(const struct tl_flow *flow, int64_t from_90k);
/* What is missing up to `to_90k` for somebody who starts at `from_90k`: a hole, and what has not
 * come. */
int64_t tl_flow_missing(const struct tl_flow *flow, int64_t from_90k, int64_t to_90k);
/* When the last frame came that the horizon counts. */
int64_t tl_flow_moved_us(const struct tl_flow *flow);
/* How long it may stand still: stall_us, but never less than three frames, nor than two of what
 * comes at once: MPEG-TS gathers sound. */
int64_t tl_flow_patience_us(const struct tl_flow *flow, int64_t stall_us);
/* Nothing came for longer than that. */
bool tl_flow_is_silent(const struct tl_flow *flow, int64_t stall_us, int64_t now_us);

#endif
