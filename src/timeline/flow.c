/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A flow is the main video or the main audio of a source (timeline; pure). Learned from its
 * frames in decoding order: how long a frame lasts, how deep it reorders, and up to where its
 * presentation is complete.
 *
 * Reordering. Encoders number dts so that the n-th frame decoded has the dts of the n-th frame
 * presented, less a constant: the reorder delay. So `newest pts so far - dts` is never less than
 * that constant, and equal to it exactly where the frames so far are all there is up to their
 * newest pts. Such a frame is *closed*: a cut behind it leaves no picture out.
 *
 *    decoded   I0  P3  B1  B2  P6  B4  B5        dts  -1  0  1  2  3  4  5
 *    newest pts 0   3   3   3   6   6   6        newest pts - dts  1  3  2  1  3  2  1
 *    closed     *           *           *        reorder delay 1
 */
#include "private.h"

#define LEARN_OVER 16 /* frames the mean of their duration is taken over */
#define SHORT_STEPS_MAX 3
#define LONG_STEPS_MAX 8
#define OPEN_FRAMES_MAX 32 /* none closed for so long: the depth was mislearned */
#define FRAME_DEFAULT_90k 3000
#define PATIENCE_FRAMES 3
#define PATIENCE_HEAPS 2
#define APART_US 5000 /* what comes with less between came at once */
#define HEAPS_OVER 4  /* the mean of how much does is taken over */
#define HEAP_MAX_US 500000

/* Single odd steps, nearer to two frames than to one, are dropped frames; several alike in a row
 * are another frame rate. Encoders that are short of time drop several in a row, too. */
static void flow_learn_frame(struct tl_flow *flow, int64_t step_90k, bool is_hole)
{
	bool is_known = flow->frames_learned > 0;
	bool is_longer = is_hole || (is_known && 4 * step_90k > 7 * flow->frame_90k);
	bool is_shorter = is_known && 7 * step_90k < 4 * flow->frame_90k;

	flow->long_steps = is_longer ? flow->long_steps + 1 : 0;
	flow->short_steps = is_shorter ? flow->short_steps + 1 : 0;
	if (is_longer || is_shorter) {
		if (flow->short_steps < SHORT_STEPS_MAX &&
		    flow->long_steps < (is_known ? LONG_STEPS_MAX : SHORT_STEPS_MAX)) {
			return;
		}
		flow->frames_learned = flow->long_steps = flow->short_steps = 0;
	}
	if (flow->frames_learned < LEARN_OVER) {
		flow->frames_learned++;
	}
	if (flow->frames_learned == 1) {
		flow->frame_90k = step_90k;
	} else {
		flow->frame_90k += (step_90k - flow->frame_90k) / (int64_t)flow->frames_learned;
	}
}

static void flow_learn_heap(struct tl_flow *flow, const struct packet *p)
{
	int64_t heap_us = tl_min(tl_us(p->dts_90k - flow->heap_dts_90k), HEAP_MAX_US);

	if (p->arrival_us - flow->last_us >= APART_US) {
		flow->heap_us += (heap_us - flow->heap_us) / HEAPS_OVER;
		flow->heap_dts_90k = p->dts_90k;
	}
}

static void flow_note_hole(struct tl_flow *flow, uint64_t n, const struct packet *p)
{
	if (flow->holes++ == 0) {
		flow->hole = n;
		flow->hole_end_90k = flow->end_90k;
		flow->hole_us = flow->last_us;
	}
	flow->run_90k = p->pts_90k;
	flow->is_newest_unsure = true;
}

/* Behind a hole the newest picture may be one that was lost, until one comes that is no B-frame. */
static void flow_learn_reorder(struct tl_flow *flow, const struct packet *p, bool is_first)
{
	int64_t depth_90k = flow->max_pts_90k - p->dts_90k;

	if (is_first || (p->flags & PACKET_KEY) != 0) {
		flow->is_newest_unsure = false;
		flow->reorder_90k = depth_90k;
		return;
	}
	if (flow->is_newest_unsure && p->pts_90k - p->dts_90k < flow->reorder_90k) {
		return;
	}
	flow->is_newest_unsure = false;
	flow->open_depth_90k = flow->open_frames == 0 ? depth_90k
						      : tl_min(flow->open_depth_90k, depth_90k);
	flow->reorder_90k = flow->open_frames >= OPEN_FRAMES_MAX
				    ? flow->open_depth_90k
				    : tl_min(flow->reorder_90k, depth_90k);
}

void tl_flow_push(struct tl_flow *flow, struct tl_entry *e, uint64_t n, int64_t hole_90k)
{
	const struct packet *p = &e->packet;
	int64_t step_90k = p->dts_90k - flow->last_dts_90k;
	bool is_first = !flow->is_present;

	if (is_first) {
		flow->is_present = true;
		flow->max_pts_90k = flow->run_90k = p->pts_90k;
		flow->heap_dts_90k = p->dts_90k;
		if (flow->frame_90k == 0) {
			flow->frame_90k = FRAME_DEFAULT_90k;
		}
	} else {
		if (step_90k > hole_90k + flow->frame_90k) {
			e->flags |= TL_ENTRY_HOLE;
			flow_note_hole(flow, n, p);
		}
		flow_learn_frame(flow, step_90k, (e->flags & TL_ENTRY_HOLE) != 0);
		flow_learn_heap(flow, p);
	}
	flow->last_dts_90k = p->dts_90k;
	flow->last_us = p->arrival_us;
	flow->max_pts_90k = tl_max(flow->max_pts_90k, p->pts_90k);
	flow_learn_reorder(flow, p, is_first);
	if (flow->max_pts_90k - p->dts_90k <= flow->reorder_90k + flow->frame_90k / 2) {
		e->flags |= TL_ENTRY_CLOSED;
		flow->open_frames = 0;
		flow->closed_90k = flow->max_pts_90k;
		flow->end_90k = flow->max_pts_90k + flow->frame_90k;
	} else {
		flow->open_frames++;
	}
	e->closed_90k = flow->closed_90k;
}

int64_t tl_flow_horizon(const struct tl_flow *flow)
{
	return flow->holes > 0 ? flow->hole_end_90k : flow->end_90k;
}

int64_t tl_flow_horizon_from(const struct tl_flow *flow, int64_t from_90k)
{
	return from_90k + flow->frame_90k >= flow->run_90k ? flow->end_90k : tl_flow_horizon(flow);
}

int64_t tl_flow_missing(const struct tl_flow *flow, int64_t from_90k, int64_t to_90k)
{
	int64_t missing_90k = tl_max(0, to_90k - tl_max(from_90k, flow->end_90k));

	if (flow->holes > 0 && from_90k + flow->frame_90k < flow->run_90k) {
		missing_90k += tl_max(0, tl_min(to_90k, flow->run_90k) - flow->hole_end_90k);
	}
	return missing_90k;
}

int64_t tl_flow_moved_us(const struct tl_flow *flow)
{
	return flow->holes > 0 ? flow->hole_us : flow->last_us;
}

int64_t tl_flow_patience_us(const struct tl_flow *flow, int64_t stall_us)
{
	return tl_max(stall_us, tl_max(tl_us(flow->frame_90k * PATIENCE_FRAMES),
				       flow->heap_us * PATIENCE_HEAPS));
}

bool tl_flow_is_silent(const struct tl_flow *flow, int64_t stall_us, int64_t now_us)
{
	return now_us - flow->last_us >= tl_flow_patience_us(flow, stall_us);
}
