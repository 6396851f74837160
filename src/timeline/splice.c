/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Making a source live at one of its random-access points (timeline; pure).
 *
 * Alignment by arrival is good to some ten milliseconds, no better; continuity has to be exact.
 * So the point is moved (*snapped*) to follow a frame of the left source by one frame time, and
 * the whole new source, all its tracks, moves with it: its map is frozen with that constant.
 * The frame to follow is the closed one (flow.c) whose end is nearest: a cut there leaves out no
 * picture, however deep the left source reorders.
 *
 *    left  decoded  I0  P3  B1  B2 | P6  B4  B5          closed ends at 4 and 7
 *    point at 4.6                    I' -> presented at 4
 *
 *    tail                    the source that goes live
 *    | P3 B1 B2 |            | I' P' ...
 *    | a  a  a  a |            | a' a' ...     audio: up to half a frame before the point, then on
 *                                              from the first frame less than half a frame early
 *
 * What the left source still has to send moves into the tail, with show times; a track of the new
 * source waits until the tail's same track is empty.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <understudy/text.h>

#include "private.h"

int64_t tl_out_end(const struct timeline *tl, enum packet_kind kind)
{
	int64_t pts_90k = tl->out.max_pts_90k[kind];

	return pts_90k == TL_UNKNOWN ? TL_UNKNOWN : pts_90k + tl->out.frame_90k[kind];
}

/* ---- points ---- */

static enum packet_kind point_kind(const struct tl_source *s, uint64_t point)
{
	return (enum packet_kind)tl_index_at(&s->index, point)->packet.kind;
}

int64_t tl_point_pts(const struct tl_source *s, uint64_t point)
{
	return tl_index_at(&s->index, point)->packet.pts_90k + s->map_90k;
}

bool tl_point_is_usable(const struct timeline *tl, const struct tl_source *s, uint64_t point,
			int64_t now_us)
{
	const struct packet *p = &tl_index_at(&s->index, point)->packet;
	enum packet_kind kind = (enum packet_kind)p->kind;
	int64_t end_90k = tl_out_end(tl, kind);

	return kind == tl_source_main_kind(s) &&
	       (end_90k == TL_UNKNOWN ||
		tl_point_pts(s, point) >= end_90k - TL_SNAP_LATER_90k) &&
	       tl_lateness_us(tl, p->dts_90k + s->map_90k, now_us) <= TL_ENTER_LATE_US;
}

uint64_t tl_point_next(const struct timeline *tl, const struct tl_source *s, int64_t now_us)
{
	uint64_t n = s->index.point_head;

	while (n != TL_NONE && !tl_point_is_usable(tl, s, n, now_us)) {
		n = tl_index_at(&s->index, n)->next_point;
	}
	return n;
}

uint64_t tl_point_before(const struct timeline *tl, const struct tl_source *s, int64_t show_90k,
			 int64_t now_us)
{
	uint64_t last = TL_NONE;

	for (uint64_t n = tl_point_next(tl, s, now_us); n != TL_NONE;
	     n = tl_index_at(&s->index, n)->next_point) {
		if (tl_point_pts(s, n) > show_90k + TL_SNAP_EARLIER_90k) {
			break;
		}
		last = n;
	}
	return last;
}

int64_t tl_gate_us(const struct timeline *tl, const struct tl_source *s, uint64_t point)
{
	const struct packet *p = &tl_index_at(&s->index, point)->packet;
	const struct tl_source *live = tl->live;
	int64_t dts_90k = p->dts_90k + s->map_90k;

	if (tl->config.delay_us == 0) {
		return p->arrival_us;
	}
	if (live != NULL && live != s && live->flows[p->kind].is_present) {
		const struct tl_flow *flow = &live->flows[p->kind];

		dts_90k = tl_min(dts_90k, tl_point_pts(s, point) - flow->reorder_90k - flow->frame_90k);
	}
	return tl_due_us(tl, dts_90k);
}

/* ---- the cut ---- */

/* The time from the last frame of one feed to the first of the other: a frame of the left one,
 * but neither more than 1.5 nor less than 0.5 frames of either, where that is possible. */
struct step {
	int64_t least_90k, best_90k, most_90k;
};

static struct step cut_step(int64_t left_90k, int64_t right_90k)
{
	struct step step = { .least_90k = tl_max(left_90k, right_90k) * 6 / 10,
			     .best_90k = left_90k,
			     .most_90k = tl_min(left_90k, right_90k) * 14 / 10 };

	if (step.least_90k > step.most_90k) { /* 24 and 60 fps */
		step.least_90k = step.most_90k =
			(tl_max(left_90k, right_90k) + 3 * tl_min(left_90k, right_90k)) / 4;
	}
	step.best_90k = tl_max(step.least_90k, tl_min(step.most_90k, left_90k));
	return step;
}

/* Audio presented up to here goes out before a point presented at pts. */
static int64_t audio_limit(const struct tl_source *left, int64_t pts_90k)
{
	return pts_90k - left->flows[PACKET_AUDIO].frame_90k / 2 - 1;
}

/* The closed frame of the left source, sent or waiting, whose successor is nearest to pts. */
static struct tl_cut cut_search(const struct timeline *tl, const struct tl_source *live,
				enum packet_kind kind, int64_t step_90k, int64_t pts_90k)
{
	struct tl_cut best = { .is_clean = kind == PACKET_AUDIO || tl->out.is_closed,
			       .pts_90k = tl->out.max_pts_90k[kind] + step_90k,
			       .left_90k = tl->out.max_pts_90k[kind] };

	for (uint64_t n = live != NULL ? live->index.tracks[kind][0].head : TL_NONE; n != TL_NONE;
	     n = tl_index_at(&live->index, n)->next) {
		const struct tl_entry *e = tl_index_at(&live->index, n);
		int64_t next_90k = e->closed_90k + live->map_90k + step_90k;

		if ((e->flags & TL_ENTRY_HOLE) != 0) {
			break;
		}
		if ((e->flags & TL_ENTRY_CLOSED) == 0) {
			continue;
		}
		if (!best.is_clean || tl_abs(next_90k - pts_90k) < tl_abs(best.pts_90k - pts_90k)) {
			best = (struct tl_cut){ .is_clean = true,
						.pts_90k = next_90k,
						.left_90k = next_90k - step_90k };
		}
		if (next_90k > pts_90k) {
			break;
		}
	}
	return best;
}

/* Newest audio of the left source that goes out before the point. */
static int64_t cut_left_audio(const struct timeline *tl, const struct tl_source *left,
			      int64_t pts_90k)
{
	int64_t last_90k = tl->out.max_pts_90k[PACKET_AUDIO];
	int64_t most_90k = audio_limit(left, pts_90k) - left->map_90k;

	for (uint64_t n = left->index.tracks[PACKET_AUDIO][0].head; n != TL_NONE;
	     n = tl_index_at(&left->index, n)->next) {
		const struct tl_entry *e = tl_index_at(&left->index, n);

		if (e->packet.pts_90k > most_90k || (e->flags & TL_ENTRY_HOLE) != 0) {
			break;
		}
		if (packet_is_main(&e->packet)) {
			last_90k = e->packet.pts_90k + left->map_90k;
		}
	}
	return last_90k;
}

/* Video leaves some room in its step: it is used to let the audio follow by one frame, too. */
static int64_t cut_audio_shift(const struct timeline *tl, const struct tl_source *left,
			       const struct tl_source *to, const struct tl_cut *cut,
			       const struct step *step)
{
	const struct tl_flow *flow = &to->flows[PACKET_AUDIO];
	int64_t last_90k = cut_left_audio(tl, left, cut->pts_90k), map_90k, end_90k, misfit_90k;
	uint64_t n = to->index.tracks[PACKET_AUDIO][0].head;

	if (!flow->is_present || last_90k == TL_UNKNOWN) {
		return 0;
	}
	map_90k = to->map_90k + cut->pts_90k - tl_point_pts(to, cut->point);
	end_90k = last_90k + left->flows[PACKET_AUDIO].frame_90k;
	while (n != TL_NONE && tl_index_at(&to->index, n)->packet.pts_90k + map_90k <
				       end_90k - flow->frame_90k / 2) {
		n = tl_index_at(&to->index, n)->next;
	}
	if (n == TL_NONE) {
		return 0;
	}
	misfit_90k = tl_index_at(&to->index, n)->packet.pts_90k + map_90k - end_90k;
	if (misfit_90k > flow->frame_90k) {
		return 0; /* a hole, not a misfit */
	}
	return tl_max(step->least_90k - step->best_90k,
		      tl_min(step->most_90k - step->best_90k, -misfit_90k));
}

/* How much the point may move to an earlier time. One that is within TL_SNAP_EARLIER_90k of the
 * live horizon counts as safe, and the step may be shorter than the frame the horizon ends with. A
 * source whose audio runs already stays where it is. */
static int64_t cut_snap_earlier(const struct timeline *tl, const struct tl_source *to,
				enum packet_kind kind)
{
	return to == tl->live ? 0 : TL_SNAP_EARLIER_90k + tl->out.frame_90k[kind];
}

struct tl_cut tl_find_cut(const struct timeline *tl, const struct tl_source *to, uint64_t point)
{
	enum packet_kind kind = point_kind(to, point);
	int64_t pts_90k = tl_point_pts(to, point);
	const struct tl_source *left = tl->live;
	struct step step;
	struct tl_cut cut;

	if (tl->out.max_pts_90k[kind] == TL_UNKNOWN) {
		return (struct tl_cut){ .is_clean = true, .pts_90k = pts_90k, .left_90k = pts_90k };
	}
	if (left == to || (left != NULL && left->awaits_point && kind == PACKET_VIDEO)) {
		left = NULL; /* what was sent is another's */
	}
	step = cut_step(tl->out.frame_90k[kind], to->flows[kind].frame_90k);
	cut = cut_search(tl, left, kind, step.best_90k, pts_90k);
	cut.point = point;
	if (cut.pts_90k < pts_90k - cut_snap_earlier(tl, to, kind) ||
	    (!cut.is_clean && cut.pts_90k < pts_90k)) { /* what is missing is missing */
		cut.gap_90k = pts_90k - cut.pts_90k;
		cut.pts_90k = pts_90k;
		cut.left_90k = pts_90k - step.best_90k / 2;
		cut.is_clean = false;
	} else if (kind == PACKET_VIDEO && left != NULL) {
		cut.pts_90k += cut_audio_shift(tl, left, to, &cut, &step);
	}
	/* behind all that was sent, or the point could not leave in order */
	if (cut.pts_90k <= tl->out.last_90k) {
		cut.pts_90k = tl->out.last_90k + TL_SQUEEZE_90k;
		cut.is_clean = false;
	}
	return cut;
}

/* ---- the tail ---- */

static bool tail_takes(const struct tl_entry *e, int64_t map_90k,
		       const int64_t left_90k[PACKET_KINDS])
{
	const struct packet *p = &e->packet;

	if (p->kind == PACKET_DATA || p->track != 0 || p->type != PACKET_FRAME) {
		return p->dts_90k + map_90k < left_90k[PACKET_DATA];
	}
	return p->pts_90k + map_90k <= left_90k[p->kind] && (e->flags & TL_ENTRY_HOLE) == 0;
}

static void tail_append(struct timeline *tl, const struct tl_tail_item *item)
{
	const struct packet *p = &item->packet;

	tl->tail[(tl->tail_at + tl->tail_count++) % TL_TAIL_MAX] = *item;
	item->source->tail_count++;
	tl->tail_tracks[p->kind][p->track]++;
	tl->tail_mask |= tl_track_bit(p->kind, p->track);
}

/* Tracks of which nothing was sent since the source went live: they need not be finished. */
static uint64_t tail_unbegun_tracks(const struct tl_source *s)
{
	uint64_t unbegun = 0;

	for (uint64_t left = s->index.waiting; left != 0; left &= left - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(left);

		if (s->index.tracks[bit / PACKET_TRACKS_MAX][bit % PACKET_TRACKS_MAX].is_joining) {
			unbegun |= left & -left;
		}
	}
	return unbegun;
}

void tl_tail_move(struct timeline *tl, struct tl_source *s, const int64_t left_90k[PACKET_KINDS])
{
	uint64_t tracks = s->index.waiting & ~tail_unbegun_tracks(s), n;

	s->tail_map_90k = s->map_90k;
	memcpy(tl->tail_until_90k, left_90k, sizeof(tl->tail_until_90k));
	while (tl->tail_count < TL_TAIL_MAX &&
	       (n = tl_index_earliest(&s->index, tracks)) != TL_NONE) {
		const struct tl_entry *e = tl_index_at(&s->index, n);
		const struct packet *p = &e->packet;

		if (tail_takes(e, s->map_90k, left_90k)) {
			struct tl_tail_item item = { .packet = *p,
						     .source = s,
						     .is_closed = (e->flags & TL_ENTRY_CLOSED) != 0 };

			item.packet.dts_90k += s->map_90k;
			item.packet.pts_90k += s->map_90k;
			tail_append(tl, &item);
			tl_source_pop(s, item.packet.kind, item.packet.track);
		} else {
			tracks &= ~tl_track_bit(p->kind, p->track);
		}
	}
}

void tl_tail_pop(struct timeline *tl)
{
	struct tl_tail_item *item = &tl->tail[tl->tail_at];

	const struct packet *p = &item->packet;

	item->source->tail_count--;
	if (--tl->tail_tracks[p->kind][p->track] == 0) {
		tl->tail_mask &= ~tl_track_bit(p->kind, p->track);
	}
	tl->tail_at = (tl->tail_at + 1) % TL_TAIL_MAX;
	if (--tl->tail_count == 0) {
		tl->is_dirty = true; /* a change may have waited for this */
	}
}

void tl_tail_drop_source(struct timeline *tl, const struct tl_source *s, uint64_t before_seq)
{
	for (unsigned left = tl->tail_count; left > 0; left--) {
		struct tl_tail_item item = tl->tail[tl->tail_at];

		tl_tail_pop(tl);
		if (item.source != s || item.packet.source_seq >= before_seq) {
			tail_append(tl, &item);
		}
	}
}

/* ---- going live ---- */

static void splice_start_tracks(struct tl_source *s)
{
	for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		for (unsigned track = 0; track < PACKET_TRACKS_MAX; track++) {
			s->index.tracks[kind][track].is_joining = true;
		}
	}
}

/* Everything of the point's track before the point. */
static void splice_drop_before(struct tl_source *s, uint64_t point)
{
	const struct packet *p = &tl_index_at(&s->index, point)->packet;
	unsigned kind = p->kind, track = p->track;

	while (s->index.tracks[kind][track].head != point) {
		tl_source_pop(s, kind, track);
	}
}

static void splice_leave_tail(struct timeline *tl, const struct tl_cut *cut, enum packet_kind kind,
			      int64_t enter_90k)
{
	struct tl_source *live = tl->live;
	int64_t left_90k[PACKET_KINDS] = {
		[PACKET_VIDEO] = cut->pts_90k - 1,
		[PACKET_AUDIO] = audio_limit(live, cut->pts_90k),
		[PACKET_DATA] = enter_90k,
	};

	left_90k[kind] = cut->left_90k;
	tl_tail_move(tl, live, left_90k);
	live->awaits_point = live->drops_leading = false;
	if (!live->is_open) {
		tl_source_clear(live);
	}
}

static void splice_report(struct timeline *tl, const struct tl_source *to, const struct tl_cut *cut)
{
	enum timeline_event_kind kind = !tl->out.has_begun ? TIMELINE_ON :
					tl->is_starved     ? TIMELINE_RESUMED :
							     TIMELINE_SPLICED;
	struct timeline_event *e = tl_event(tl, kind);

	e->from = tl->change.is_pending ? tl->change.from : tl->last_feed;
	e->to = to->feed_id;
	e->show_90k = cut->pts_90k;
	e->gap_90k = cut->gap_90k;
	e->noticed_us = tl->change.is_pending ? tl->change.noticed_us : tl->decided_us;
	text_copy(e->cause, sizeof(e->cause),
		  tl->change.is_pending ? tl->change.cause : "first feed that can go on");
	text_copy(tl->why, sizeof(tl->why), e->cause);
	tl->change.is_pending = false;
	tl->is_starved = false;
}

/* The show's first packet has show time 0. */
static void splice_begin_show(struct timeline *tl, struct tl_source *to, const struct packet *p)
{
	int64_t shift_90k = p->dts_90k + to->map_90k;

	tl->clock.offset_us += tl_us(shift_90k);
	to->map_90k -= shift_90k;
	for (unsigned i = 0; i < tl->config.feed_count; i++) {
		const struct tl_source *s = tl_newest_source(tl, i);

		if (s != NULL && !tl->config.feeds[i].is_slate &&
		    s->params[tl_source_main_kind(s)].codec != CODEC_NONE) {
			tl_set_reference(tl, i);
			return;
		}
	}
}

static void splice_go_live(struct timeline *tl, struct tl_source *to, int64_t now_us)
{
	splice_start_tracks(to);
	tl->live = to;
	tl->last_feed = to->feed_id;
	tl->clock.slewed_us = now_us;
	tl_failback_entered(tl, to->feed, now_us);
	tl->health_us = INT64_MIN;
}

void tl_enter(struct timeline *tl, struct tl_source *to, uint64_t point, int64_t now_us)
{
	const struct packet *p = &tl_index_at(&to->index, point)->packet;
	enum packet_kind kind = point_kind(to, point);
	bool is_weak = kind == PACKET_VIDEO && (p->flags & PACKET_KEY) == 0;
	struct tl_cut cut;

	if (!tl->out.has_begun) {
		splice_begin_show(tl, to, p);
	}
	cut = tl_find_cut(tl, to, point);
	to->map_90k += cut.pts_90k - tl_point_pts(to, point);
	to->enter_90k = p->dts_90k + to->map_90k;
	to->point_90k = p->pts_90k;
	if (tl->live != NULL && tl->live != to) {
		splice_leave_tail(tl, &cut, kind, to->enter_90k);
	}
	splice_drop_before(to, point);
	splice_report(tl, to, &cut);
	if (tl->live != to) {
		splice_go_live(tl, to, now_us);
	}
	to->awaits_point = false;
	to->drops_leading = is_weak;
	to->starts_behind_gap = cut.gap_90k > 0;
}

void tl_enter_audio(struct timeline *tl, struct tl_source *to, int64_t now_us)
{
	if (tl->live != NULL) {
		const int64_t left_90k[PACKET_KINDS] = { INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX };

		tl_tail_move(tl, tl->live, left_90k);
		tl->live->awaits_point = tl->live->drops_leading = false;
		tl_source_clear(tl->live);
	}
	splice_go_live(tl, to, now_us);
	to->awaits_point = true;
	to->enter_90k = tl->out.last_90k;
}

void tl_leave(struct timeline *tl, int64_t now_us)
{
	struct tl_source *live = tl->live;

	tl->live = NULL;
	live->awaits_point = live->drops_leading = false;
	if (!live->is_open) {
		tl_source_clear(live);
	}
	tl_source_track_map(tl, live);
	tl->is_dirty = true;
	tl->health_us = INT64_MIN;
}

void tl_note_change(struct timeline *tl, int64_t noticed_us, const char *format, ...)
{
	struct tl_change *change = &tl->change;
	va_list args;

	if (change->is_pending) {
		return;
	}
	change->is_pending = true;
	change->from = tl->last_feed;
	change->noticed_us = noticed_us;
	va_start(args, format);
	vsnprintf(change->cause, sizeof(change->cause), format, args);
	va_end(args);
}
