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

#include "cut.h"

/* Smallest dts the packet may leave with. */
static int64_t pick_floor(const struct timeline *tl, const struct packet *p)
{
	int64_t last_90k = tl->out.last_dts_90k[p->kind][p->track];

	if (p->type != PACKET_FRAME || last_90k == TL_UNKNOWN) {
		return tl->out.last_90k;
	}
	return tl_max(tl->out.last_90k, last_90k + (p->kind == PACKET_VIDEO ? TL_SQUEEZE_90k : 1));
}

/* Gives the packet (show time) its place in the order, if there is one. */
static bool pick_place(const struct timeline *tl, struct packet *p)
{
	int64_t floor_90k = pick_floor(tl, p);

	if (p->dts_90k >= floor_90k) {
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
	if (p->kind == PACKET_VIDEO) { /* after a restart earlier points are there again */
		return (e->flags & TL_ENTRY_POINT) != 0 &&
		       (!s->is_resumed || tl_point_follows(tl, s, p));
	}
	end_90k = tl_out_end(tl, PACKET_AUDIO);
	if (end_90k == TL_UNKNOWN) {
		return p->dts_90k + s->map_90k >= s->enter_90k;
	}
	return p->pts_90k + s->map_90k >= end_90k - tl_audio_overlap(tl, s);
}

/* What is presented before the point that the source was entered at: those pictures are the left
 * source's. Leading pictures of a weak point cannot be decoded without what came before it. */
bool tl_is_leading(const struct tl_source *s, const struct packet *p)
{
	return p->kind == PACKET_VIDEO && packet_is_main(p) && p->pts_90k != s->point_90k &&
	       (p->pts_90k < s->point_90k ||
		(s->drops_leading && (p->flags & PACKET_LEADING) != 0));
}

/* ---- candidates ---- */

/* The live source's next packet with its place in the show. */
struct pick_candidate {
	uint64_t n; /* TL_NONE: there is none */
	struct packet packet;
	bool has_place;
};

static struct pick_candidate pick_candidate(const struct timeline *tl, const struct tl_source *s,
					    uint64_t tracks)
{
	struct pick_candidate c = { .n = tl_index_earliest(&s->index, tracks) };

	if (c.n != TL_NONE) {
		c.packet = tl_index_at(&s->index, c.n)->packet;
		c.packet.dts_90k += s->map_90k;
		c.packet.pts_90k += s->map_90k;
		c.has_place = pick_place(tl, &c.packet);
	}
	return c;
}

/* Up to here (media) no sound of the source has still to go out: it came, or, while that of the
 * feed left goes on, is not wanted. */
static int64_t pick_sound_dts(const struct timeline *tl, const struct tl_source *s, int64_t now_us)
{
	int64_t came_90k = tl_source_main_dts(tl, s, PACKET_AUDIO, now_us);
	int64_t end_90k = tl_out_end(tl, PACKET_AUDIO);

	return !s->index.tracks[PACKET_AUDIO][0].is_joining || end_90k == TL_UNKNOWN
		       ? came_90k
		       : tl_max(came_90k, end_90k - tl_audio_overlap(tl, s) - s->map_90k - 1);
}

/* What is not main, or is squeezed upwards, must not be sent ahead of main frames that have still
 * to come: these could not go out behind it any more. What is no further than the show has got
 * anyway is ahead of nothing; messages wait all the same. */
static bool pick_runs_ahead(const struct timeline *tl, const struct tl_source *s,
			    const struct pick_candidate *c, int64_t now_us)
{
	const struct packet *p = &tl_index_at(&s->index, c->n)->packet;
	int64_t dts_90k = c->packet.dts_90k - s->map_90k;
	bool is_main = p->track == 0 && p->kind != PACKET_DATA;

	if (p->kind != PACKET_DATA && !is_main && c->packet.dts_90k <= tl->out.last_90k) {
		return false;
	}
	if (is_main) {
		return p->kind == PACKET_VIDEO && dts_90k > p->dts_90k &&
		       dts_90k > pick_sound_dts(tl, s, now_us);
	}
	return dts_90k > tl_source_main_dts(tl, s, PACKET_KINDS, now_us);
}

/* Without a delay a packet is due when it came, or as soon as it may be by its order. Of twins, one
 * may be ahead of the show. */
static int64_t pick_due_of_us(const struct timeline *tl, const struct tl_source *s,
			      const struct packet *p, int64_t ordered_us)
{
	return tl->delay_us > 0 || tl_source_is_merged(s)
		       ? tl_max(tl_due_us(tl, p->dts_90k), ordered_us)
		       : ordered_us;
}

/* Where audio and video come out of order, what is early waits for what is late, delay or not. */
static int64_t pick_due_us(const struct timeline *tl, const struct tl_source *s,
			   const struct packet *p, int64_t now_us)
{
	int64_t dts_90k = p->dts_90k - s->map_90k;
	int64_t ordered_us = tl_source_ordered_us(s, dts_90k, p->arrival_us);

	if (ordered_us > now_us && tl_source_is_past(tl, s, dts_90k, now_us)) {
		ordered_us = p->arrival_us;
	}
	return pick_due_of_us(tl, s, p, ordered_us);
}

/* Whether a main packet goes out now whose time is not before the other's. */
static bool pick_goes_behind(const struct timeline *tl, const struct tl_source *s,
			     const struct pick_candidate *main, const struct pick_candidate *other,
			     int64_t now_us)
{
	return main->n != TL_NONE && main->has_place &&
	       main->packet.dts_90k >= other->packet.dts_90k &&
	       pick_due_us(tl, s, &main->packet, now_us) <= now_us &&
	       !pick_runs_ahead(tl, s, main, now_us);
}

/* One whose dts is squeezed upwards lets others go first. */
static struct pick_candidate pick_live(const struct timeline *tl, const struct tl_source *s,
				       int64_t now_us)
{
	const uint64_t main = tl_track_bit(PACKET_VIDEO, 0) | tl_track_bit(PACKET_AUDIO, 0);
	const struct pick_candidate none = { .n = TL_NONE };
	struct pick_candidate best, other;
	uint64_t tracks;
	bool is_ahead;

	if (s == NULL) {
		return none;
	}
	tracks = s->index.waiting & ~tl->tail_mask;
	if (s->awaits_point) {
		tracks &= ~tl_track_bit(PACKET_VIDEO, 0);
	}
	best = pick_candidate(tl, s, tracks);
	if (best.n != TL_NONE && pick_runs_ahead(tl, s, &best, now_us)) {
		other = pick_candidate(tl, s, tracks & main);
		if (best.packet.kind != PACKET_DATA &&
		    pick_goes_behind(tl, s, &other, &best, now_us)) {
			return best;
		}
		tracks &= main;
		best = other;
	}
	if (best.n == TL_NONE || best.packet.kind != PACKET_VIDEO || !best.has_place) {
		return best;
	}
	is_ahead = pick_runs_ahead(tl, s, &best, now_us);
	other = pick_candidate(tl, s, tracks & ~tl_track_bit(PACKET_VIDEO, best.packet.track));
	if (other.n != TL_NONE && other.packet.dts_90k < best.packet.dts_90k) {
		return other;
	}
	return is_ahead ? none : best;
}

/* How far past due: by the clock, which notices latency that creeps in, less what it was held for
 * the sake of order; and by its own due time, which without a delay is another. Nothing is late
 * while it may wait for its order. */
static int64_t pick_late_us(const struct timeline *tl, const struct tl_source *s,
			    const struct pick_candidate *c, int64_t now_us)
{
	const struct packet *p = &tl_index_at(&s->index, c->n)->packet;
	int64_t ordered_us = tl_source_ordered_us(s, p->dts_90k, p->arrival_us);
	int64_t held_us = tl_min(ordered_us, now_us) - p->arrival_us;

	return tl_max(tl_lateness_us(tl, c->packet.dts_90k, now_us) - held_us -
			      tl_source_behind_us(tl, s),
		      now_us - pick_due_of_us(tl, s, &c->packet, ordered_us));
}

/* Too late, or out of order. After late main media the source has to enter anew; where it came in
 * time, and we did not, the feed has done nothing to be returned to later for. */
static void pick_late(struct timeline *tl, struct tl_source *s, const struct packet *p,
		      int64_t late_us, int64_t now_us)
{
	bool is_main = packet_is_main(p) && p->kind == tl_source_main_kind(s) &&
		       late_us > TL_LATE_US;
	bool is_ours = late_us - (now_us - p->arrival_us) <= TL_LATE_US;

	tl_group_face(s)->late_dropped++;
	if (is_main) {
		tl_note_change(tl, now_us, "its packets %s %lld ms too late",
			       is_ours ? "could only be sent" : "come",
			       (long long)(late_us / 1000));
	}
	tl_source_pop(s, p->kind, p->track);
	if (is_main && !is_ours) {
		tl_failback_left(tl, s, now_us);
	}
	if (is_main) {
		tl_leave(tl, now_us);
	}
}

/* Drops what may not be sent. False if it did. */
static bool pick_passes(struct timeline *tl, struct tl_source *s, const struct pick_candidate *c,
			int64_t now_us)
{
	const struct tl_entry *e = tl_index_at(&s->index, c->n);
	const struct packet *p = &e->packet;
	int64_t late_us = pick_late_us(tl, s, c, now_us);

	if (p->kind == PACKET_DATA
		    ? p->dts_90k + s->map_90k < s->enter_90k
		    : s->index.tracks[p->kind][p->track].is_joining && !pick_may_join(tl, s, e)) {
		tl_source_pop(s, p->kind, p->track);
		return false;
	}
	if (tl_is_leading(s, p)) {
		tl_source_pop(s, p->kind, p->track);
		return false;
	}
	if (late_us > TL_LATE_US || !c->has_place) {
		pick_late(tl, s, p, late_us, now_us);
		return false;
	}
	return true;
}

/* ---- sending ---- */

static void pick_report_gap(struct timeline *tl, const struct packet *p, bool is_hole)
{
	struct timeline_event *e = tl_event(tl, TIMELINE_GAP);

	e->from = e->to = p->feed;
	e->show_90k = p->pts_90k;
	e->gap_90k = tl_max(0, p->pts_90k - tl_out_end(tl, (enum packet_kind)p->kind));
	e->noticed_us = p->arrival_us;
	text_format(e->cause, sizeof(e->cause), "%s %s", is_hole ? "a hole in its" : "lost of its",
		    p->kind == PACKET_VIDEO ? "video" : "audio");
}

/* A piece is missing before the packet, which its encoder left out or which was not sent. Where a
 * source begins pictures may be decoded in another order than those before them. */
static bool pick_is_gap(const struct timeline *tl, const struct tl_source *s,
			const struct packet *p, bool is_joining)
{
	int64_t last_90k = tl->out.last_dts_90k[p->kind][0];

	if (!packet_is_main(p) || p->kind == PACKET_DATA || last_90k == TL_UNKNOWN) {
		return false;
	}
	return (is_joining ? p->pts_90k - tl_out_end(tl, (enum packet_kind)p->kind)
			   : p->dts_90k - last_90k - s->flows[p->kind].frame_90k) >
	       tl_90k(tl->config.hole_us);
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
	if (p->type != PACKET_FRAME && p->kind != PACKET_DATA) {
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

static void pick_send(struct timeline *tl, struct tl_source *s, int handle, const struct packet *p,
		      bool is_closed, struct timeline_step *ret)
{
	pick_account(&tl->out, p, is_closed, s->flows[p->kind].frame_90k);
	if (p->type == PACKET_FRAME || p->kind == PACKET_DATA || p->track == 0) {
		tl_group_note_sent(s, handle, p);
	}
	ret->source = handle;
	ret->seq = p->source_seq;
	ret->packet = *p;
}

/* The tail's head with its place in the show. Drops what has none any more. */
static bool pick_tail(struct timeline *tl, int64_t now_us, struct tl_tail_item *ret)
{
	while (tl->tail_count > 0) {
		*ret = tl->tail[tl->tail_at];
		if (tl_lateness_us(tl, ret->packet.dts_90k, now_us) <= TL_LATE_US &&
		    pick_place(tl, &ret->packet)) {
			return true;
		}
		tl_group_face(ret->source)->late_dropped++;
		tl_tail_pop(tl);
	}
	return false;
}

static void pick_from_live(struct timeline *tl, struct tl_source *s, const struct pick_candidate *c,
			   struct timeline_step *ret)
{
	struct packet p = c->packet;
	struct tl_track *track = &s->index.tracks[p.kind][p.track];
	unsigned flags = tl_index_at(&s->index, c->n)->flags;
	int handle = tl_index_at(&s->index, c->n)->handle;

	tl_source_pop(s, p.kind, p.track);
	if ((flags & TL_ENTRY_POINT) != 0) {
		p.flags |= PACKET_JOIN;
	}
	if (p.kind == PACKET_VIDEO && packet_is_main(&p)) { /* those come right behind the point */
		s->drops_leading = track->is_joining && (p.flags & PACKET_KEY) == 0;
		s->point_90k = track->is_joining ? p.pts_90k - s->map_90k : s->point_90k;
	}
	if (track->is_joining && p.kind != PACKET_DATA) {
		track->is_joining = false;
		tl->is_dirty = true; /* a change may have waited for this */
		p.flags |= PACKET_SPLICE;
		if (s->starts_behind_gap && p.kind == tl_source_main_kind(s)) {
			p.flags |= PACKET_GAP;
		}
		if (!s->starts_behind_gap && !tl->is_starved && pick_is_gap(tl, s, &p, true)) {
			pick_report_gap(tl, &p, false); /* more than the splice said, or will */
		}
	} else if ((flags & TL_ENTRY_HOLE) != 0 || pick_is_gap(tl, s, &p, false)) {
		p.flags |= PACKET_GAP;
		pick_report_gap(tl, &p, (flags & TL_ENTRY_HOLE) != 0);
	}
	if (tl->is_starved && !s->awaits_point && packet_is_main(&p)) {
		pick_report_resumed(tl, &p);
	}
	pick_send(tl, s, handle, &p, (flags & TL_ENTRY_CLOSED) != 0, ret);
}

bool tl_pick(struct timeline *tl, int64_t now_us, struct timeline_step *ret, int64_t *ret_due_us)
{
	for (;;) {
		struct tl_source *s = tl->live;
		struct tl_tail_item tail;
		bool is_tail = pick_tail(tl, now_us, &tail);
		struct pick_candidate c = pick_live(tl, s, now_us);
		int64_t due_us = CLOCK_NEVER, dts_90k = TL_UNKNOWN, sound_us;

		if (c.n != TL_NONE && !pick_passes(tl, s, &c, now_us)) {
			continue;
		}
		if (c.n != TL_NONE && (!is_tail || c.packet.dts_90k < tail.packet.dts_90k)) {
			is_tail = false;
			dts_90k = c.packet.dts_90k;
			due_us = pick_due_us(tl, s, &c.packet, now_us);
		} else if (is_tail) {
			dts_90k = tail.packet.dts_90k;
			due_us = tl->delay_us > 0 ? tl_due_us(tl, dts_90k) : now_us;
		}
		sound_us = tl_tail_follow(tl, due_us <= now_us ? dts_90k : TL_UNKNOWN, now_us);
		if (sound_us <= now_us) {
			continue;
		}
		if (due_us > now_us) {
			*ret_due_us = tl_min(due_us, sound_us);
			return false;
		}
		if (is_tail) {
			tl_tail_pop(tl);
			pick_send(tl, tail.source, tail.handle, &tail.packet, tail.is_closed, ret);
		} else {
			pick_from_live(tl, s, &c, ret);
		}
		return true;
	}
}
