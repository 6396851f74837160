/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What survives a crash (timeline; pure): clock, maps, what was sent, where each source goes on.
 * A checkpoint lies in shared memory between two lives of the switch: it is checked like any
 * foreign input.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "private.h"

#define DELAY_MAX_US 3600000000
#define CHECKPOINT_VERSION 9

enum checkpoint_flag {
	CHECKPOINT_LIVE = 1 << 0,
	CHECKPOINT_AWAITS_POINT = 1 << 1,
	CHECKPOINT_DROPS_LEADING = 1 << 3, /* its weak point was the last picture sent */
	CHECKPOINT_TAIL = 1 << 2,          /* was left; tail_until_90k of it is still to be sent */
	CHECKPOINT_BEHIND_GAP = 1 << 4,    /* the gap before its point was told */
	CHECKPOINT_RETURNS_ONCE = 1 << 5,  /* it may be left once for a preferred feed */
};

#define CHECKPOINT_ALL_JOINING UINT32_MAX
static_assert(2 * PACKET_TRACKS_MAX == 32, "a bit for each track of video and audio");

static uint32_t checkpoint_track_bit(unsigned kind, unsigned track)
{
	return UINT32_C(1) << ((kind - PACKET_VIDEO) * PACKET_TRACKS_MAX + track);
}

/* ---- storing ---- */

/* The first packet of the source that was neither sent nor dropped. */
static uint64_t checkpoint_next_seq(const struct timeline *tl, const struct tl_source *s)
{
	uint64_t seq = s->index.first < s->index.next
			       ? tl_index_at(&s->index, s->index.first)->packet.source_seq
			       : s->next_seq;

	if (tl_source_is_copy(s)) {
		return tl_group_next_seq(s, seq);
	}

	for (unsigned i = 0; i < tl->tail_count && s->tail_count > 0; i++) {
		const struct tl_tail_item *item = &tl->tail[(tl->tail_at + i) % TL_TAIL_MAX];

		if (item->source == s && item->packet.source_seq < seq) {
			seq = item->packet.source_seq;
		}
	}
	return seq;
}

/* A copy is what its group is. */
static const struct tl_source *checkpoint_place(const struct tl_source *s)
{
	return tl_source_is_copy(s) ? s->group->source : s;
}

static uint8_t checkpoint_flags(const struct timeline *tl, const struct tl_source *s)
{
	const struct tl_source *place = checkpoint_place(s);
	unsigned flags = 0;

	if (place->tail_count > 0 && tl_group_face(place) == s) {
		flags |= CHECKPOINT_TAIL;
	}
	/* That a source just left drops leading pictures is not told. They come before all else it
	 * has in the tail; where they are all its video, the next source's point has gone out, and
	 * none of it is taken any more (resume_tail()). Else a switch that dies before they are due
	 * sends them: within milliseconds of two splices, the second to a source that reorders more
	 * deeply. */
	if (place == tl->live) {
		flags |= CHECKPOINT_LIVE;
		flags |= place->awaits_point ? CHECKPOINT_AWAITS_POINT : 0;
		flags |= place->starts_behind_gap ? CHECKPOINT_BEHIND_GAP : 0;
		flags |= tl->returns_once ? CHECKPOINT_RETURNS_ONCE : 0;
		flags |= place->drops_leading && !place->index.tracks[PACKET_VIDEO][0].is_joining
				 ? CHECKPOINT_DROPS_LEADING
				 : 0;
	}
	return (uint8_t)flags;
}

static int64_t checkpoint_map(const struct tl_source *s)
{
	const struct tl_source *place = checkpoint_place(s);

	if (place->tail_count == 0) {
		return s->map_90k;
	}
	return place->tail_map_90k + (place != s ? s->copy.offset_90k : 0);
}

/* Tracks of which nothing was sent yet, be it that the first of it waits in the tail. */
static uint32_t checkpoint_joining(const struct timeline *tl, const struct tl_source *s)
{
	uint32_t joining = 0;

	for (unsigned i = 0; i < tl->tail_count && s->tail_count > 0; i++) {
		const struct tl_tail_item *item = &tl->tail[(tl->tail_at + i) % TL_TAIL_MAX];

		if (item->source == s && (item->packet.flags & PACKET_SPLICE) != 0) {
			joining |= checkpoint_track_bit(item->packet.kind, item->packet.track);
		}
	}

	for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		for (unsigned track = 0; track < PACKET_TRACKS_MAX; track++) {
			if (s->index.tracks[kind][track].is_joining) {
				joining |= checkpoint_track_bit(kind, track);
			}
		}
	}
	return joining;
}

/* The source's packets from `next_seq` up to the last one sent that was not of a main track. */
static uint32_t checkpoint_others_sent(uint64_t next_seq, uint64_t sent_seq)
{
	return sent_seq == TL_NONE || sent_seq < next_seq || sent_seq - next_seq >= UINT32_MAX
		       ? 0
		       : (uint32_t)(sent_seq - next_seq + 1);
}

/* One that lasts for longer is a fault of its encoder's, and no reason to refuse a checkpoint. */
static int64_t checkpoint_frame(int64_t frame_90k)
{
	return tl_min(frame_90k, TL_REORDER_MAX_90k);
}

static void checkpoint_add(const struct timeline *tl, const struct tl_source *s,
			   struct timeline_checkpoint *c)
{
	struct timeline_checkpoint_source *to = &c->sources[c->source_count];

	if (c->source_count == TIMELINE_SOURCES_MAX || tl_source_is_merged(s)) {
		return;
	}
	c->source_count++;
	*to = (struct timeline_checkpoint_source){
		.feed = s->feed_id,
		.flags = checkpoint_flags(tl, s),
		.incarnation = s->incarnation,
		.joining = checkpoint_joining(tl, checkpoint_place(s)),
		.first_seq = s->first_seq,
		.group = s->group != NULL ? (uint8_t)(s->group->source->slot + 1) : 0,
		.next_seq = checkpoint_next_seq(tl, s),
		.map_90k = checkpoint_map(s),
		.anchor_seq = TL_NONE,
	};
	to->others_sent = checkpoint_others_sent(to->next_seq, s->sent_seq[PACKET_DATA]);
	memcpy(to->sent_seq, &s->sent_seq[PACKET_VIDEO], sizeof(to->sent_seq));
	for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		to->frame_90k[kind - PACKET_VIDEO] = (int32_t)checkpoint_frame(
			checkpoint_place(s)->flows[kind].frame_90k);
	}
}

void timeline_get_checkpoint(const struct timeline *tl, struct timeline_checkpoint *ret)
{
	const struct tl_source *live = tl->live;

	memset(ret, 0, sizeof(*ret));
	ret->version = CHECKPOINT_VERSION;
	ret->taken_feed = tl->taken;
	ret->live_feed = live != NULL ? live->feed_id : 0;
	ret->live_incarnation = live != NULL ? live->incarnation : 0;
	ret->show_90k = tl->out.has_begun ? tl->out.last_90k : TL_UNKNOWN;
	memcpy(ret->last_dts_90k, tl->out.last_dts_90k, sizeof(ret->last_dts_90k));
	ret->clock_offset_us = tl->clock.offset_us;
	ret->delay_us = tl->delay_us;
	ret->held_up_us = tl->held_up_us;
	memcpy(ret->last_pts_90k, tl->out.max_pts_90k, sizeof(ret->last_pts_90k));
	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		ret->frame_90k[kind] = checkpoint_frame(tl->out.frame_90k[kind]);
	}
	memcpy(ret->tail_until_90k, tl->tail_until_90k, sizeof(ret->tail_until_90k));
	for (unsigned i = 0; i < TL_SLOTS_MAX; i++) {
		if (tl->sources[i] != NULL) {
			checkpoint_add(tl, tl->sources[i], ret);
		}
	}
}

/* ---- bringing up to date ---- */

/* Whose packet of that number is. A connection whose media time jumped is several sources. */
static struct timeline_checkpoint_source *checkpoint_find(struct timeline_checkpoint *c,
							  uint16_t feed, uint32_t incarnation,
							  uint64_t seq)
{
	struct timeline_checkpoint_source *found = NULL;

	for (unsigned i = 0; i < c->source_count; i++) {
		struct timeline_checkpoint_source *s = &c->sources[i];

		if (s->feed == feed && s->incarnation == incarnation && s->first_seq <= seq &&
		    (found == NULL || s->first_seq > found->first_seq)) {
			found = s;
		}
	}
	return found;
}

static bool checkpoint_are_twins(const struct timeline_checkpoint_source *a,
				 const struct timeline_checkpoint_source *b)
{
	return a == b || (a->group != 0 && a->group == b->group);
}

/* Published after the checkpoint: the show went over to this packet's source. */
static void checkpoint_go_over(struct timeline_checkpoint *c,
			       const struct timeline_checkpoint_source *to,
			       const struct packet *sent)
{
	for (unsigned i = 0; i < c->source_count; i++) {
		struct timeline_checkpoint_source *s = &c->sources[i];

		s->flags &= (uint8_t) ~(CHECKPOINT_LIVE | CHECKPOINT_BEHIND_GAP |
					CHECKPOINT_RETURNS_ONCE);
		if (checkpoint_are_twins(s, to)) {
			s->flags |= CHECKPOINT_LIVE;
			s->flags |= sent->kind == PACKET_AUDIO ? CHECKPOINT_AWAITS_POINT : 0;
			s->flags |= (sent->flags & PACKET_GAP) != 0 ? CHECKPOINT_BEHIND_GAP : 0;
			s->joining = CHECKPOINT_ALL_JOINING;
		}
	}
	c->live_feed = to->feed;
	c->live_incarnation = to->incarnation;
}

/* Something of the track went out, since its source or a twin of that went live. */
static void checkpoint_begin_track(struct timeline_checkpoint *c,
				   const struct timeline_checkpoint_source *from,
				   const struct packet *sent)
{
	bool is_weak = (sent->flags & PACKET_SPLICE) != 0 && (sent->flags & PACKET_KEY) == 0;

	for (unsigned i = 0; i < c->source_count; i++) {
		struct timeline_checkpoint_source *s = &c->sources[i];

		if (checkpoint_are_twins(s, from)) {
			s->joining &= ~checkpoint_track_bit(sent->kind, sent->track);
			if (packet_is_main(sent) && sent->kind == PACKET_VIDEO) {
				s->flags &= (uint8_t) ~(CHECKPOINT_AWAITS_POINT |
							CHECKPOINT_DROPS_LEADING);
				s->flags |= is_weak ? CHECKPOINT_DROPS_LEADING : 0;
			}
		}
	}
}

void timeline_checkpoint_advance(struct timeline_checkpoint *c, const struct packet *sent)
{
	struct timeline_checkpoint_source *from;

	if (c->version != CHECKPOINT_VERSION || c->source_count > TIMELINE_SOURCES_MAX ||
	    !packet_is_sane(sent)) {
		return;
	}
	c->show_90k = tl_max(c->show_90k, sent->dts_90k);
	from = checkpoint_find(c, sent->feed, sent->incarnation, sent->source_seq);
	if (from == NULL) {
		return;
	}
	if (sent->type != PACKET_FRAME && sent->kind != PACKET_DATA) {
		if (sent->track == 0) { /* a header, which has its place among the frames */
			from->sent_seq[sent->kind - PACKET_VIDEO] = sent->source_seq;
		}
		return;
	}
	c->last_dts_90k[sent->kind][sent->track] = sent->dts_90k;
	/* sound may begin of a source that was left before it had */
	if ((sent->flags & PACKET_SPLICE) != 0 && (from->flags & CHECKPOINT_LIVE) == 0 &&
	    (sent->kind != PACKET_AUDIO || (from->flags & CHECKPOINT_TAIL) == 0)) {
		checkpoint_go_over(c, from, sent);
	}
	if (sent->kind != PACKET_DATA) {
		checkpoint_begin_track(c, from, sent);
	}
	if (packet_is_main(sent) && sent->kind != PACKET_DATA) {
		c->last_pts_90k[sent->kind] = tl_max(c->last_pts_90k[sent->kind], sent->pts_90k);
		c->frame_90k[sent->kind] = from->frame_90k[sent->kind - PACKET_VIDEO];
		from->sent_seq[sent->kind - PACKET_VIDEO] = sent->source_seq;
		from->anchor_seq = sent->source_seq;
		from->anchor_pts_90k = sent->pts_90k;
	} else {
		from->others_sent = (uint32_t)tl_max(from->others_sent,
						     checkpoint_others_sent(from->next_seq,
									    sent->source_seq));
	}
}

/* ---- going on ---- */

static bool checkpoint_time_is_sane(int64_t t_90k)
{
	return t_90k == TL_UNKNOWN || (t_90k >= -TL_MEDIA_MAX_90k && t_90k <= TL_MEDIA_MAX_90k);
}

static bool checkpoint_offset_is_sane(int64_t offset_us)
{
	return offset_us > -tl_us(TL_MEDIA_MAX_90k) && offset_us < tl_us(TL_MEDIA_MAX_90k);
}

static bool checkpoint_frame_is_sane(int64_t frame_90k)
{
	return frame_90k >= 0 && frame_90k <= TL_REORDER_MAX_90k;
}

static bool checkpoint_source_is_sane(const struct timeline_checkpoint_source *s)
{
	return s->map_90k >= -2 * TL_MEDIA_MAX_90k && s->map_90k <= 2 * TL_MEDIA_MAX_90k &&
	       checkpoint_time_is_sane(s->anchor_pts_90k) &&
	       checkpoint_frame_is_sane(s->frame_90k[0]) &&
	       checkpoint_frame_is_sane(s->frame_90k[1]);
}

static bool checkpoint_is_sane(const struct timeline_checkpoint *c)
{
	bool is_sane = c->version == CHECKPOINT_VERSION &&
		       c->source_count <= TIMELINE_SOURCES_MAX && c->show_90k != TL_UNKNOWN &&
		       checkpoint_time_is_sane(c->show_90k) &&
		       checkpoint_offset_is_sane(c->clock_offset_us) && c->delay_us >= 0 &&
		       c->delay_us <= DELAY_MAX_US && c->held_up_us >= 0;

	for (unsigned kind = 0; kind < PACKET_KINDS && is_sane; kind++) {
		is_sane = (checkpoint_time_is_sane(c->tail_until_90k[kind]) ||
			   c->tail_until_90k[kind] == INT64_MAX) &&
			  checkpoint_time_is_sane(c->last_pts_90k[kind]) &&
			  checkpoint_frame_is_sane(c->frame_90k[kind]);
		for (unsigned track = 0; track < PACKET_TRACKS_MAX; track++) {
			is_sane &= checkpoint_time_is_sane(c->last_dts_90k[kind][track]);
		}
	}
	for (unsigned i = 0; i < c->source_count && is_sane; i++) {
		is_sane = checkpoint_source_is_sane(&c->sources[i]);
	}
	return is_sane;
}

static void resume_out(struct tl_out *out, const struct timeline_checkpoint *c)
{
	out->has_begun = true;
	out->last_90k = c->show_90k;
	memcpy(out->last_dts_90k, c->last_dts_90k, sizeof(out->last_dts_90k));
	memcpy(out->max_pts_90k, c->last_pts_90k, sizeof(out->max_pts_90k));
	memcpy(out->frame_90k, c->frame_90k, sizeof(out->frame_90k));
}

/* Where the live source's track has begun, nothing was left to send of the same track of the one
 * before: what has come since is too late. */
static void resume_tail(struct timeline_checkpoint *c)
{
	for (unsigned i = 0; i < c->source_count; i++) {
		const struct timeline_checkpoint_source *s = &c->sources[i];

		for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
			if ((s->flags & CHECKPOINT_LIVE) != 0 &&
			    (s->joining & checkpoint_track_bit(kind, 0)) == 0) {
				c->tail_until_90k[kind] = TL_UNKNOWN;
			}
		}
	}
}

int timeline_resume(struct timeline *tl, const struct timeline_checkpoint *from, int64_t now_us)
{
	if (!checkpoint_is_sane(from)) {
		return -EINVAL;
	}
	tl->resume = *from;
	resume_tail(&tl->resume);
	tl->is_resuming = true;
	tl->taken = tl_feed_find(tl, from->taken_feed) >= 0 ? from->taken_feed : 0;
	tl->last_feed = from->live_feed;
	tl->clock = (struct tl_clock){ .offset_us = from->clock_offset_us,
				       .slewed_us = now_us,
				       .is_set = true };
	tl->delay_us = tl_max(tl->config.delay_us, from->delay_us);
	tl->held_up_us = tl_min(from->held_up_us, tl->delay_us - tl->config.delay_us);
	if (tl_lateness_us(tl, from->show_90k, now_us) <= TL_HELD_UP_MAX_US) { /* it was running */
		tl->asked_us = tl_due_us(tl, from->show_90k);
	}
	resume_out(&tl->out, from);
	return 0;
}

static void resume_joining(struct tl_source *s, uint32_t joining)
{
	for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		for (unsigned track = 0; track < PACKET_TRACKS_MAX; track++) {
			s->index.tracks[kind][track].is_joining =
				(joining & checkpoint_track_bit(kind, track)) != 0;
		}
	}
}

/* A twin of what is live, as it was before. */
static void resume_twin(struct timeline *tl, struct tl_source *s,
			const struct timeline_checkpoint_source *from)
{
	const struct tl_source *face = tl_group_face(tl->live);
	const struct timeline_checkpoint_source *base = checkpoint_find(
		&tl->resume, face->feed_id, face->incarnation, face->first_seq);

	if (base != NULL && base->group == from->group &&
	    tl_group_join(tl, tl->live, s, from->map_90k - base->map_90k + face->copy.offset_90k,
			  s->opened_us) == 0) {
		tl_group_resume(s->group,
				s->feed_id == tl->resume.live_feed &&
						s->incarnation == tl->resume.live_incarnation
					? s
					: NULL,
				tl->resume.show_90k);
	}
}

bool tl_resume_splits(const struct timeline *tl, const struct tl_source *s, const struct packet *p)
{
	for (unsigned i = 0; tl->is_resuming && i < tl->resume.source_count; i++) {
		const struct timeline_checkpoint_source *from = &tl->resume.sources[i];

		if (from->feed == s->feed_id && from->incarnation == s->incarnation &&
		    from->first_seq == p->source_seq && from->first_seq != s->first_seq) {
			return true;
		}
	}
	return false;
}

/* Where the connection's first source began of which something was left. What an earlier one had,
 * of another media time or format, was sent or dropped. */
static uint64_t resume_begins(const struct timeline *tl, const struct tl_source *s)
{
	uint64_t seq = UINT64_MAX;

	for (unsigned i = 0; tl->is_resuming && i < tl->resume.source_count; i++) {
		const struct timeline_checkpoint_source *from = &tl->resume.sources[i];

		if (from->feed == s->feed_id && from->incarnation == s->incarnation &&
		    from->first_seq < seq) {
			seq = from->first_seq;
		}
	}
	return seq != UINT64_MAX ? seq : 0;
}

void tl_resume_source(struct timeline *tl, struct tl_source *s, uint64_t seq)
{
	const struct timeline_checkpoint_source *from =
		tl->is_resuming ? checkpoint_find(&tl->resume, s->feed_id, s->incarnation, seq)
				: NULL;

	if (from == NULL || (s->first_seq != 0 && s->first_seq != from->first_seq)) {
		s->resume_seq = resume_begins(tl, s);
		return; /* media time jumps for the first time here */
	}
	s->first_seq = from->first_seq;
	s->resume_seq = from->next_seq;
	s->map_90k = from->map_90k;
	s->anchor_seq = from->anchor_seq;
	s->anchor_pts_90k = from->anchor_pts_90k;
	memcpy(&s->sent_seq[PACKET_VIDEO], from->sent_seq, sizeof(from->sent_seq));
	s->sent_seq[PACKET_DATA] = from->others_sent > 0 ? from->next_seq + from->others_sent - 1
							 : TL_NONE;
	s->leaves_tail = (from->flags & CHECKPOINT_TAIL) != 0;
	s->is_resumed = true;
	s->was_copy = from->group != 0;
	resume_joining(s, from->joining);
	if ((from->flags & CHECKPOINT_LIVE) == 0) {
		return;
	}
	if (tl->live != NULL && from->group != 0) {
		resume_twin(tl, s, from);
	} else if (tl->live == NULL) {
		tl->live = s;
		tl->returns_once = (from->flags & CHECKPOINT_RETURNS_ONCE) != 0;
		s->awaits_point = (from->flags & CHECKPOINT_AWAITS_POINT) != 0;
		s->starts_behind_gap = (from->flags & CHECKPOINT_BEHIND_GAP) != 0;
		s->drops_leading = (from->flags & CHECKPOINT_DROPS_LEADING) != 0;
		s->point_90k = s->drops_leading ? tl->out.max_pts_90k[PACKET_VIDEO] - s->map_90k
						: TL_UNKNOWN;
		s->enter_90k = tl->out.last_90k;
	}
}
