/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The next packet (timeline; pure): of the tail's head and the heads of the live source's tracks
 * the one with the smallest dts, when it is due. Keeps the promises on order:
 *
 *   - dts strictly rises within a track and never falls across tracks
 *   - a track of the new source waits until the tail's same track is empty
 *   - only video is squeezed, where it reorders more deeply than the source before it, and never
 *     above its pts; everything else that would come out of order is dropped and counted
 */
#include <understudy/text.h>

#include "private.h"

/* Smallest dts the packet may leave with. */
static int64_t pick_floor(const struct timeline *tl, const struct packet *p)
{
	int64_t last_90k = tl->out.last_dts_90k[p->kind][p->track];

	if (p->type != PACKET_FRAME || last_90k == TL_UNKNOWN) {
		return tl->out.last_90k;
	}
	return tl_max(tl->out.last_90k,
		      last_90k + (p->kind == PACKET_VIDEO ? TL_SQUEEZE_90k : 1));
}

/* Gives the packet (show time) its place in the order, if there is one. */
static bool pick_place(const struct timeline *tl, struct packet *p)
{
	int64_t floor_90k = pick_floor(tl, p);

	if (p->dts_90k >= floor_90k || (p->type == PACKET_FRAME && p->kind == PACKET_VIDEO &&
					p->dts_90k > tl->out.last_dts_90k[p->kind][p->track] &&
					p->dts_90k >= tl->out.last_90k)) {
		return true;
	}
	if (p->type != PACKET_FRAME || p->kind == PACKET_DATA) {
		p->dts_90k = floor_90k;
		p->pts_90k = tl_max(p->pts_90k, floor_90k);
		return true;
	}
	if (p->kind == PACKET_VIDEO && floor_90k <= p->pts_90k) {
		p->dts_90k = floor_90k;
		return true;
	}
	return false;
}

/* ---- what a source that just went live may start a track with ---- */

static bool pick_may_join(const struct timeline *tl, const struct tl_source *s,
			  const struct tl_entry *e)
{
	const struct packet *p = &e->packet;
	int64_t end_90k;

	if (p->type != PACKET_FRAME) {
		return false; /* the headers in force go out with the first frame anyway */
	}
	if (p->track != 0) {
		return p->dts_90k + s->map_90k >= s->enter_90k &&
		       (p->kind == PACKET_AUDIO || (p->flags & PACKET_KEY) != 0);
	}
	if (p->kind == PACKET_VIDEO) {
		return (e->flags & TL_ENTRY_POINT) != 0;
	}
	end_90k = tl_out_end(tl, PACKET_AUDIO);
	if (end_90k == TL_UNKNOWN) {
		return p->dts_90k + s->map_90k >= s->enter_90k;
	}
	return p->pts_90k + s->map_90k >= end_90k - s->flows[PACKET_AUDIO].frame_90k / 2;
}

/* Leading pictures of a weak point cannot be decoded without what came before it. */
static bool pick_is_leading(struct tl_source *s, const struct tl_entry *e)
{
	const struct packet *p = &e->packet;

	if (!s->drops_leading || p->kind != PACKET_VIDEO || !packet_is_main(p) ||
	    p->pts_90k == s->point_90k) {
		return false;
	}
	if ((p->flags & PACKET_LEADING) != 0 || p->pts_90k < s->point_90k) {
		return true;
	}
	s->drops_leading = false;
	return false;
}

enum pick_verdict { PICK_SEND, PICK_DROP, PICK_LATE };

static enum pick_verdict pick_judge(const struct timeline *tl, struct tl_source *s,
				    const struct tl_entry *e, int64_t now_us)
{
	const struct packet *p = &e->packet;

	if (p->kind == PACKET_DATA && p->dts_90k + s->map_90k < s->enter_90k) {
		return PICK_DROP;
	}
	if (s->index.tracks[p->kind][p->track].is_joining && p->kind != PACKET_DATA &&
	    !pick_may_join(tl, s, e)) {
		return PICK_DROP;
	}
	if (pick_is_leading(s, e)) {
		return PICK_DROP;
	}
	return tl_lateness_us(tl, p->dts_90k + s->map_90k, now_us) > TL_LATE_US ? PICK_LATE :
										 PICK_SEND;
}

/* ---- candidates ---- */

/* Tracks of the live source that may send now. */
static uint64_t pick_tracks(const struct timeline *tl, const struct tl_source *s)
{
	uint64_t tracks = s->index.waiting & ~tl->tail_mask;

	return s->awaits_point ? tracks & ~tl_track_bit(PACKET_VIDEO, 0) : tracks;
}

/* The live source's next entry; one whose dts will be squeezed lets others go first. */
static uint64_t pick_live(const struct timeline *tl, const struct tl_source *s)
{
	uint64_t tracks = pick_tracks(tl, s);
	uint64_t n = tl_index_earliest(&s->index, tracks), other;
	struct packet p;

	if (n == TL_NONE) {
		return TL_NONE;
	}
	p = tl_index_at(&s->index, n)->packet;
	p.dts_90k += s->map_90k;
	p.pts_90k += s->map_90k;
	if (p.kind != PACKET_VIDEO || !pick_place(tl, &p)) {
		return n;
	}
	other = tl_index_earliest(&s->index, tracks & ~tl_track_bit(p.kind, p.track));
	if (other != TL_NONE &&
	    tl_index_at(&s->index, other)->packet.dts_90k + s->map_90k < p.dts_90k) {
		return other;
	}
	return n;
}

static void pick_late(struct timeline *tl, struct tl_source *s, const struct packet *p,
		      int64_t now_us)
{
	bool is_main = packet_is_main(p) && p->kind == tl_source_main_kind(s);
	int64_t late_us = tl_lateness_us(tl, p->dts_90k + s->map_90k, now_us);

	s->late_dropped++;
	if (is_main) {
		tl_note_change(tl, now_us, "its packets come %lld ms too late",
			       (long long)(late_us / 1000));
	}
	tl_source_pop(s, p->kind, p->track);
	if (is_main) {
		tl_leave(tl, now_us);
	}
}

/* ---- sending ---- */

static void pick_report_hole(struct timeline *tl, const struct packet *p)
{
	struct timeline_event *e = tl_event(tl, TIMELINE_GAP);

	e->from = e->to = p->feed;
	e->show_90k = p->pts_90k;
	e->gap_90k = p->pts_90k - tl_out_end(tl, (enum packet_kind)p->kind);
	e->noticed_us = p->arrival_us;
	text_copy(e->cause, sizeof(e->cause),
		  p->kind == PACKET_VIDEO ? "a hole in its video" : "a hole in its audio");
}

static void pick_report_resumed(struct timeline *tl, const struct packet *p)
{
	struct timeline_event *e = tl_event(tl, TIMELINE_RESUMED);

	tl->is_starved = false;
	e->from = e->to = p->feed;
	e->show_90k = p->pts_90k;
	e->noticed_us = tl->decided_us;
	text_copy(e->cause, sizeof(e->cause), "its packets are back in time");
}

/* What the show has sent by now. */
static void pick_account(struct tl_out *out, const struct packet *p, bool is_closed,
			 int64_t frame_90k)
{
	out->has_begun = true;
	out->last_90k = p->dts_90k;
	if (p->type != PACKET_FRAME) {
		return;
	}
	out->last_dts_90k[p->kind][p->track] = p->dts_90k;
	if (p->track != 0 || p->kind == PACKET_DATA) {
		return;
	}
	out->max_pts_90k[p->kind] = tl_max(out->max_pts_90k[p->kind], p->pts_90k);
	out->frame_90k[p->kind] = frame_90k;
	if (p->kind == PACKET_VIDEO) {
		out->is_closed = is_closed;
	}
}

static void pick_send(struct timeline *tl, const struct tl_source *s, const struct packet *p,
		      bool is_closed, struct timeline_step *ret)
{
	pick_account(&tl->out, p, is_closed, s->flows[p->kind].frame_90k);
	ret->source = s->handle;
	ret->seq = p->source_seq;
	ret->packet = *p;
}

static bool pick_from_tail(struct timeline *tl, struct timeline_step *ret)
{
	struct tl_tail_item item = tl->tail[tl->tail_at];
	bool has_place = pick_place(tl, &item.packet);

	tl_tail_pop(tl);
	if (has_place) {
		pick_send(tl, item.source, &item.packet, item.is_closed, ret);
	}
	return has_place;
}

static bool pick_from_live(struct timeline *tl, struct tl_source *s, uint64_t n,
			   struct timeline_step *ret)
{
	const struct tl_entry e = *tl_index_at(&s->index, n);
	struct tl_track *track = &s->index.tracks[e.packet.kind][e.packet.track];
	struct packet p = e.packet;

	tl_source_pop(s, p.kind, p.track);
	p.dts_90k += s->map_90k;
	p.pts_90k += s->map_90k;
	if (!pick_place(tl, &p)) {
		s->late_dropped++;
		return false;
	}
	if ((e.flags & TL_ENTRY_POINT) != 0) {
		p.flags |= PACKET_JOIN;
	}
	if (track->is_joining && p.kind != PACKET_DATA) {
		track->is_joining = false;
		p.flags |= PACKET_SPLICE;
		if (s->starts_behind_gap && p.kind == tl_source_main_kind(s)) {
			p.flags |= PACKET_GAP;
		}
	} else if ((e.flags & TL_ENTRY_HOLE) != 0) {
		p.flags |= PACKET_GAP;
		pick_report_hole(tl, &p);
	}
	if (tl->is_starved && packet_is_main(&p)) {
		pick_report_resumed(tl, &p);
	}
	pick_send(tl, s, &p, (e.flags & TL_ENTRY_CLOSED) != 0, ret);
	return true;
}

/* When an entry of the live source may leave. Without a delay: when it came. */
static int64_t pick_due_us(const struct timeline *tl, const struct tl_source *s,
			   const struct packet *p)
{
	return tl->config.delay_us == 0 ? p->arrival_us : tl_due_us(tl, p->dts_90k + s->map_90k);
}

bool tl_pick(struct timeline *tl, int64_t now_us, struct timeline_step *ret, int64_t *ret_due_us)
{
	for (;;) {
		struct tl_source *s = tl->live;
		const struct tl_tail_item *tail = tl->tail_count > 0 ? &tl->tail[tl->tail_at] : NULL;
		uint64_t n = s != NULL ? pick_live(tl, s) : TL_NONE;
		const struct tl_entry *e = n != TL_NONE ? tl_index_at(&s->index, n) : NULL;
		enum pick_verdict verdict;
		int64_t due_us;

		if (e != NULL && (verdict = pick_judge(tl, s, e, now_us)) != PICK_SEND) {
			if (verdict == PICK_LATE) {
				pick_late(tl, s, &e->packet, now_us);
			} else {
				tl_source_pop(s, e->packet.kind, e->packet.track);
			}
			continue;
		}
		if (tail != NULL && e != NULL && e->packet.dts_90k + s->map_90k < tail->packet.dts_90k) {
			tail = NULL;
		}
		if (tail == NULL && e == NULL) {
			*ret_due_us = CLOCK_NEVER;
			return false;
		}
		due_us = tail == NULL                ? pick_due_us(tl, s, &e->packet) :
			 tl->config.delay_us == 0 ? now_us :
						       tl_due_us(tl, tail->packet.dts_90k);
		if (due_us > now_us) {
			*ret_due_us = due_us;
			return false;
		}
		if (tail != NULL ? pick_from_tail(tl, ret) : pick_from_live(tl, s, n, ret)) {
			return true;
		}
	}
}
