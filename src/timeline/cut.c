/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Points, and where the left source is cut for one (timeline; pure).
 *
 * Alignment by arrival is good to some ten milliseconds, no better; continuity has to be exact.
 * So a point is moved (*snapped*) to follow a frame of the left source by one frame time, and
 * the whole new source, all its tracks, moves with it: its map is frozen with that constant.
 * The frame to follow is the closed one (flow.c) whose end is nearest: a cut there leaves out no
 * picture, however deep the left source reorders.
 *
 *    left  decoded  I0  P3  B1  B2 | P6  B4  B5          closed ends at 4 and 7
 *    point at 4.6                    I' -> presented at 4
 */
#include "cut.h"

int64_t tl_out_end(const struct timeline *tl, enum packet_kind kind)
{
	int64_t pts_90k = tl->out.max_pts_90k[kind];

	return pts_90k == TL_UNKNOWN ? TL_UNKNOWN : pts_90k + tl->out.frame_90k[kind];
}

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
		step.least_90k = step.most_90k = (tl_max(left_90k, right_90k) +
						  2 * tl_min(left_90k, right_90k)) /
						 3;
	}
	step.best_90k = tl_max(step.least_90k, tl_min(step.most_90k, left_90k));
	return step;
}

bool tl_point_follows(const struct timeline *tl, const struct tl_source *s, const struct packet *p)
{
	struct step step = cut_step(tl->out.frame_90k[p->kind], s->flows[p->kind].frame_90k);
	int64_t last_90k = tl->out.max_pts_90k[p->kind];

	return last_90k == TL_UNKNOWN ||
	       p->pts_90k + s->map_90k >= last_90k + step.least_90k - TL_TWIN_SLACK_90k;
}

/* ---- points ---- */

enum packet_kind tl_point_kind(const struct tl_source *s, uint64_t point)
{
	return (enum packet_kind)tl_index_at(&s->index, point)->packet.kind;
}

int64_t tl_point_pts(const struct tl_source *s, uint64_t point)
{
	return tl_index_at(&s->index, point)->packet.pts_90k + s->map_90k;
}

/* The live source's audio runs, so that it cannot be moved any more. */
static bool cut_may_stay(const struct timeline *tl, const struct tl_source *s, uint64_t point)
{
	enum packet_kind kind = tl_point_kind(s, point);
	struct step step = cut_step(tl->out.frame_90k[kind], s->flows[kind].frame_90k);
	int64_t pts_90k = tl_point_pts(s, point);

	return pts_90k >= tl->out.max_pts_90k[kind] + step.least_90k && pts_90k > tl->out.last_90k;
}

bool tl_point_is_usable(const struct timeline *tl, const struct tl_source *s, uint64_t point,
			int64_t now_us)
{
	const struct packet *p = &tl_index_at(&s->index, point)->packet;
	enum packet_kind kind = (enum packet_kind)p->kind;
	int64_t end_90k = tl_out_end(tl, kind);

	if (s == tl->live && end_90k != TL_UNKNOWN && !cut_may_stay(tl, s, point)) {
		return false;
	}
	return kind == tl_source_main_kind(s) &&
	       (end_90k == TL_UNKNOWN || tl_point_pts(s, point) >= end_90k - TL_SNAP_LATER_90k) &&
	       tl_lateness_us(tl, p->dts_90k + s->map_90k, now_us) - tl_source_behind_us(tl, s) <=
		       TL_ENTER_LATE_US &&
	       (tl->delay_us > 0 || now_us - p->arrival_us <= TL_LATE_US);
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

/* Of a flow that runs, what has not come will. */
static int64_t point_misses(const struct timeline *tl, const struct tl_source *s, uint64_t point,
			    int64_t show_90k, int64_t now_us)
{
	int64_t most_90k = 0;

	for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		const struct tl_flow *flow = &s->flows[kind];
		int64_t to_90k = show_90k - s->map_90k;

		if (s->is_open && !tl_flow_is_silent(flow, tl->config.stall_us, now_us)) {
			to_90k = tl_min(to_90k, flow->end_90k);
		}
		if (flow->is_present) {
			most_90k = tl_max(most_90k,
					  tl_flow_missing(flow, tl_point_pts(s, point) - s->map_90k,
							  to_90k));
		}
	}
	return most_90k;
}

uint64_t tl_point_from(const struct timeline *tl, const struct tl_source *s, int64_t show_90k,
		       int64_t now_us)
{
	uint64_t before = tl_point_before(tl, s, show_90k, now_us), behind;

	if (before == TL_NONE) {
		return tl_point_next(tl, s, now_us);
	}
	behind = tl_index_at(&s->index, before)->next_point;
	return behind == TL_NONE || tl_point_pts(s, behind) - show_90k >=
					    point_misses(tl, s, before, show_90k, now_us)
		       ? before
		       : behind;
}

/* ---- the cut ---- */

int64_t tl_audio_overlap(const struct timeline *tl, const struct tl_source *s)
{
	return tl_min(tl->out.frame_90k[PACKET_AUDIO], s->flows[PACKET_AUDIO].frame_90k) / 2;
}

/* Where the source's audio begins, with that map, behind sound which ends there: with the first
 * frame that can still leave in order, be it one that has yet to come. */
static int64_t cut_audio_begins(const struct timeline *tl, const struct tl_source *to,
				int64_t map_90k, int64_t end_90k)
{
	const struct tl_flow *flow = &to->flows[PACKET_AUDIO];
	int64_t least_90k = tl->out.last_90k - map_90k, frames;

	if (end_90k != TL_UNKNOWN) {
		least_90k = tl_max(least_90k, end_90k - tl_audio_overlap(tl, to) - map_90k);
	}
	for (uint64_t n = to->index.tracks[PACKET_AUDIO][0].head; n != TL_NONE;
	     n = tl_index_at(&to->index, n)->next) {
		const struct packet *p = &tl_index_at(&to->index, n)->packet;

		if (p->pts_90k >= least_90k) {
			return p->pts_90k + map_90k;
		}
	}
	frames = (tl_max(0, least_90k - flow->end_90k) + flow->frame_90k - 1) / flow->frame_90k;
	return flow->end_90k + frames * flow->frame_90k + map_90k;
}

/* Audio of the left source presented up to here goes out before the point, or, if the other's audio
 * begins a little behind it, before that. */
static int64_t cut_audio_limit(const struct timeline *tl, const struct tl_source *left,
			       const struct tl_source *to, const struct tl_cut *cut)
{
	int64_t map_90k = to->map_90k + cut->pts_90k - tl_point_pts(to, cut->point);
	int64_t from_90k = cut->pts_90k;

	if (to->flows[PACKET_AUDIO].is_present) {
		int64_t begins_90k = cut_audio_begins(tl, to, map_90k,
						      tl_out_end(tl, PACKET_AUDIO));

		if (begins_90k > from_90k && begins_90k < from_90k + TL_AUDIO_BEHIND_90k) {
			from_90k = begins_90k;
		}
	}
	return from_90k - left->flows[PACKET_AUDIO].frame_90k / 2 - 1;
}

/* How much the point may move to an earlier time. One that is within TL_SNAP_EARLIER_90k of the
 * live horizon counts as safe, and the step may be shorter than the frame the horizon ends with. */
static int64_t cut_snap_earlier(const struct timeline *tl, enum packet_kind kind)
{
	return TL_SNAP_EARLIER_90k + tl->out.frame_90k[kind];
}

/* The closed frame of the left source, sent or waiting, whose successor is nearest to pts. Where
 * the one before is too far away to move there, it is the one behind it. */
static struct tl_cut cut_search(const struct timeline *tl, const struct tl_source *live,
				enum packet_kind kind, int64_t step_90k, int64_t pts_90k)
{
	struct tl_cut best = { .is_clean = kind == PACKET_AUDIO || tl->out.is_closed,
			       .pts_90k = tl->out.max_pts_90k[kind] + step_90k };
	int64_t least_90k = pts_90k - cut_snap_earlier(tl, kind);

	best.left_90k[kind] = tl->out.max_pts_90k[kind];
	for (uint64_t n = live != NULL ? live->index.tracks[kind][0].head : TL_NONE; n != TL_NONE;
	     n = tl_index_at(&live->index, n)->next) {
		const struct tl_entry *e = tl_index_at(&live->index, n);
		int64_t next_90k = e->closed_90k + live->map_90k + step_90k;
		bool will_do = best.pts_90k >= least_90k || !best.is_clean;

		if ((e->flags & TL_ENTRY_HOLE) != 0 ||
		    (will_do && next_90k > pts_90k + TL_SNAP_LATER_90k)) {
			break;
		}
		if ((e->flags & TL_ENTRY_CLOSED) == 0) {
			continue;
		}
		if (!best.is_clean || !will_do ||
		    tl_abs(next_90k - pts_90k) < tl_abs(best.pts_90k - pts_90k)) {
			best.is_clean = true;
			best.pts_90k = next_90k;
			best.left_90k[kind] = next_90k - step_90k;
		}
		if (next_90k > pts_90k) {
			break;
		}
	}
	return best;
}

uint64_t tl_sound_to_begin(const struct timeline *tl, const struct tl_source *s)
{
	int64_t end_90k = tl_out_end(tl, PACKET_AUDIO), overlap_90k = tl_audio_overlap(tl, s);
	uint64_t n = s->index.tracks[PACKET_AUDIO][0].head;

	for (; n != TL_NONE && end_90k != TL_UNKNOWN; n = tl_index_at(&s->index, n)->next) {
		const struct packet *p = &tl_index_at(&s->index, n)->packet;
		int64_t misfit_90k = p->pts_90k + s->map_90k - end_90k;

		if (p->type == PACKET_FRAME && misfit_90k >= -overlap_90k &&
		    p->dts_90k + s->map_90k >= tl->out.last_90k) {
			return misfit_90k <= overlap_90k ? n : TL_NONE;
		}
	}
	return TL_NONE;
}

/* Newest audio of the left source that goes out before the point. */
static int64_t cut_left_audio(const struct timeline *tl, const struct tl_source *left,
			      const struct tl_source *to, const struct tl_cut *cut)
{
	int64_t last_90k = tl->out.max_pts_90k[PACKET_AUDIO];
	int64_t most_90k = cut_audio_limit(tl, left, to, cut) - left->map_90k;

	uint64_t n = left->index.tracks[PACKET_AUDIO][0].is_joining
			     ? tl_sound_to_begin(tl, left)
			     : left->index.tracks[PACKET_AUDIO][0].head;

	for (; n != TL_NONE; n = tl_index_at(&left->index, n)->next) {
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

/* Where the new source's sound goes on behind what there is of the left one's, and where that ends.
 * False: one of them has none. */
static bool cut_sounds_meet(const struct timeline *tl, const struct tl_source *left,
			    const struct tl_source *to, const struct tl_cut *cut,
			    int64_t *ret_end_90k, int64_t *ret_begins_90k)
{
	int64_t last_90k = cut_left_audio(tl, left, to, cut);
	int64_t map_90k = to->map_90k + cut->pts_90k - tl_point_pts(to, cut->point);

	if (!to->flows[PACKET_AUDIO].is_present || last_90k == TL_UNKNOWN) {
		return false;
	}
	*ret_end_90k = last_90k + left->flows[PACKET_AUDIO].frame_90k;
	*ret_begins_90k = cut_audio_begins(tl, to, map_90k, *ret_end_90k);
	return true;
}

/* Video leaves some room in its step: it is used to let the audio follow by one frame, too. */
static int64_t cut_audio_shift(const struct timeline *tl, const struct tl_source *left,
			       const struct tl_source *to, const struct tl_cut *cut,
			       const struct step *step)
{
	int64_t end_90k, begins_90k;

	if (!cut_sounds_meet(tl, left, to, cut, &end_90k, &begins_90k) ||
	    begins_90k - end_90k > to->flows[PACKET_AUDIO].frame_90k) {
		return 0; /* a hole, not a misfit */
	}
	return tl_max(step->least_90k - step->best_90k,
		      tl_min(step->most_90k - step->best_90k, end_90k - begins_90k));
}

/* The live source has sound alone: what is missing before this picture is nobody's. */
static bool cut_begins_pictures(const struct timeline *tl, const struct tl_source *to,
				enum packet_kind kind)
{
	return tl->live != NULL && tl->live != to && kind == PACKET_VIDEO &&
	       tl_source_main_kind(tl->live) == PACKET_AUDIO;
}

/* How long the last frame sent lasts. After a restart that of the feed before may be all that is
 * known of it, where the left one tells it anew. */
static int64_t cut_left_frame(const struct timeline *tl, const struct tl_source *left,
			      enum packet_kind kind)
{
	return left != NULL && left->flows[kind].frames_learned > 0 ? left->flows[kind].frame_90k
								    : tl->out.frame_90k[kind];
}

/* Where the point is put, and what its kind's frame before it is. */
static struct tl_cut cut_place(const struct timeline *tl, const struct tl_source *to,
			       uint64_t point)
{
	enum packet_kind kind = tl_point_kind(to, point);
	int64_t pts_90k = tl_point_pts(to, point);
	const struct tl_source *left = tl->live;
	struct step step;
	struct tl_cut cut;

	if (tl->out.max_pts_90k[kind] == TL_UNKNOWN) {
		cut = (struct tl_cut){ .point = point, .is_clean = true, .pts_90k = pts_90k };
		cut.left_90k[kind] = pts_90k;
		return cut;
	}
	if (left == to || (left != NULL && left->index.tracks[kind][0].is_joining)) {
		left = NULL; /* what was sent is another's, and of this one nothing will be */
	}
	step = cut_step(cut_left_frame(tl, left, kind), to->flows[kind].frame_90k);
	cut = cut_search(tl, left, kind, step.best_90k, pts_90k);
	cut.point = point;
	if (to == tl->live && to->awaits_point) { /* its audio runs: it stays where it is */
		cut.gap_90k = tl_max(0, pts_90k - cut.pts_90k);
		cut.pts_90k = pts_90k;
		return cut;
	}
	if (cut.pts_90k < pts_90k - cut_snap_earlier(tl, kind) ||
	    (!cut.is_clean && cut.pts_90k < pts_90k)) { /* what is missing is missing */
		cut.gap_90k = pts_90k - cut.pts_90k;
		cut.pts_90k = pts_90k;
		cut.left_90k[kind] = pts_90k - step.least_90k;
		cut.is_clean = cut_begins_pictures(tl, to, kind);
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

/* What goes out before the point of the kind that is not the point's. Behind pictures, sound alone
 * takes over where none that is shown before one sent is left out. */
static void cut_other_kind(const struct timeline *tl, const struct tl_source *to,
			   struct tl_cut *cut)
{
	const struct tl_source *live = tl->live;
	int64_t end_90k, begins_90k;
	struct tl_cut pictures;

	if (tl_point_kind(to, cut->point) == PACKET_VIDEO) {
		cut->left_90k[PACKET_AUDIO] = cut_audio_limit(tl, live, to, cut);
		cut->lacks_sound = cut_sounds_meet(tl, live, to, cut, &end_90k, &begins_90k) &&
				   begins_90k - end_90k > to->flows[PACKET_AUDIO].frame_90k / 2;
		return;
	}
	cut->left_90k[PACKET_VIDEO] = cut->pts_90k - 1;
	if (!live->index.tracks[PACKET_VIDEO][0].is_joining &&
	    tl->out.max_pts_90k[PACKET_VIDEO] != TL_UNKNOWN) {
		pictures = cut_search(tl, live, PACKET_VIDEO, tl->out.frame_90k[PACKET_VIDEO],
				      cut->pts_90k);
		cut->left_90k[PACKET_VIDEO] = pictures.left_90k[PACKET_VIDEO];
		cut->is_clean &= pictures.is_clean;
	}
}

struct tl_cut tl_find_cut(const struct timeline *tl, const struct tl_source *to, uint64_t point)
{
	const struct packet *p = &tl_index_at(&to->index, point)->packet;
	struct tl_cut cut = cut_place(tl, to, point);

	if (tl->live != NULL && tl->live != to) {
		cut_other_kind(tl, to, &cut);
		cut.left_90k[PACKET_DATA] = cut.pts_90k - (p->pts_90k - p->dts_90k);
	}
	return cut;
}

/* The dts of the first frame of the live source that does not go out before the point, or that the
 * point, once it is sent, could not be entered behind any more. */
static int64_t cut_first_left_out(const struct timeline *tl, const struct tl_source *to,
				  const struct tl_cut *cut)
{
	enum packet_kind point_kind = tl_point_kind(to, cut->point);
	const struct tl_source *live = tl->live;
	int64_t first_90k = INT64_MAX;

	for (unsigned kind = PACKET_VIDEO; kind <= point_kind; kind++) {
		int64_t most_90k = cut->left_90k[kind];

		if (kind == point_kind) {
			most_90k = tl_min(most_90k, tl_point_pts(to, cut->point) +
							    TL_SNAP_LATER_90k -
							    live->flows[kind].frame_90k);
		}
		for (uint64_t n = live->index.tracks[kind][0].head; n != TL_NONE;
		     n = tl_index_at(&live->index, n)->next) {
			const struct tl_entry *e = tl_index_at(&live->index, n);

			if ((e->flags & TL_ENTRY_HOLE) != 0) {
				break; /* nothing that goes out comes behind it */
			}
			if (e->packet.type == PACKET_FRAME &&
			    e->packet.pts_90k + live->map_90k > most_90k) {
				first_90k = tl_min(first_90k, e->packet.dts_90k + live->map_90k);
				break;
			}
		}
	}
	return first_90k;
}

/* All has come that goes out before the point. */
static bool cut_is_whole(const struct tl_source *live, const struct tl_cut *cut)
{
	const struct tl_flow *audio = &live->flows[PACKET_AUDIO];

	return cut->is_clean && (!live->is_open || !audio->is_present ||
				 audio->end_90k + live->map_90k > cut->left_90k[PACKET_AUDIO]);
}

/* Pictures of the live source have yet to come that are shown before its newest one: a point of
 * that dts is entered when the last of them is due. */
static int64_t cut_group_ends(const struct tl_source *live, int64_t dts_90k)
{
	const struct tl_flow *video = &live->flows[PACKET_VIDEO];
	int64_t last_90k = video->max_pts_90k - video->reorder_90k + live->map_90k;

	return tl_max(dts_90k, tl_min(last_90k, dts_90k + TL_SNAP_LATER_90k));
}

int64_t tl_gate_us(const struct timeline *tl, const struct tl_source *s, uint64_t point)
{
	const struct packet *p = &tl_index_at(&s->index, point)->packet;
	const struct tl_flow *flow;
	struct tl_cut cut;
	int64_t dts_90k, end_90k, begins_90k;

	if (tl->delay_us == 0) {
		return p->arrival_us;
	}
	if (tl->live == NULL || tl->live == s) {
		return tl_due_us(tl, p->dts_90k + s->map_90k);
	}
	cut = tl_find_cut(tl, s, point);
	dts_90k = cut.left_90k[PACKET_DATA];
	if (cut.gap_90k == 0) { /* else all that there is before the point goes out */
		dts_90k = tl_min(dts_90k, cut_first_left_out(tl, s, &cut));
	}
	if (cut_is_whole(tl->live, &cut)) {
		flow = &tl->live->flows[p->kind];
		dts_90k = tl_min(dts_90k,
				 tl_point_pts(s, point) - flow->reorder_90k - flow->frame_90k);
	} else if (p->kind == PACKET_VIDEO && cut.is_clean &&
		   cut_sounds_meet(tl, tl->live, s, &cut, &end_90k, &begins_90k)) {
		/* missing sound may still come, but later pictures of the left one would have gone
		 * out that the new one's may not leave behind */
		dts_90k = tl_min(dts_90k, begins_90k);
	}
	if (!cut.is_clean && tl->live->is_open && tl->live->flows[PACKET_VIDEO].open_frames > 0) {
		return tl_due_us(tl, cut_group_ends(tl->live, dts_90k));
	}
	return tl_due_us(tl, dts_90k) - TL_GATE_EARLY_US;
}
