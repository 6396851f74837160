/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Making a source live at one of its random-access points (timeline; pure). What the left source
 * still has to send moves into the tail, with show times; a track of the new source waits until
 * the tail's same track is empty.
 *
 *    tail                    the source that goes live
 *    | P3 B1 B2 |            | I' P' ...
 *    | a  a  a  a |            | a' a' ...     audio: up to half a frame before the point, then on
 *                                              from the first frame less than half a frame early
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <understudy/text.h>

#include "cut.h"

#define SOUND_WAIT_US 100000 /* for the new feed's, before the left one's goes on */

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

static struct tl_tail_item *tail_at(struct timeline *tl, unsigned n)
{
	return &tl->tail[(tl->tail_at + n) % TL_TAIL_MAX];
}

static void tail_append(struct timeline *tl, const struct tl_tail_item *item)
{
	const struct packet *p = &item->packet;

	*tail_at(tl, tl->tail_count++) = *item;
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

static bool tail_goes_before(const struct packet *p, const struct packet *other)
{
	return p->dts_90k < other->dts_90k && (p->kind != other->kind || p->track != other->track);
}

/* The newest item to its place in order of dts; a track keeps its own. */
static void tail_sort(struct timeline *tl)
{
	for (unsigned n = tl->tail_count - 1; n > 0; n--) {
		struct tl_tail_item item = *tail_at(tl, n), *before = tail_at(tl, n - 1);

		if (!tail_goes_before(&item.packet, &before->packet)) {
			break;
		}
		*tail_at(tl, n) = *before;
		*before = item;
	}
}

/* Moves the heads of these tracks into the tail, as far as they belong there. */
static void tail_gather(struct timeline *tl, struct tl_source *s, uint64_t tracks)
{
	uint64_t n;

	while (tl->tail_count < TL_TAIL_MAX &&
	       (n = tl_index_earliest(&s->index, tracks)) != TL_NONE) {
		const struct tl_entry *e = tl_index_at(&s->index, n);
		const struct packet *p = &e->packet;

		if (tail_takes(e, s->tail_map_90k, tl->tail_until_90k)) {
			struct tl_tail_item item = { .packet = *p,
						     .source = s,
						     .handle = e->handle,
						     .is_closed = (e->flags & TL_ENTRY_CLOSED) !=
								  0 };

			item.packet.dts_90k += s->tail_map_90k;
			item.packet.pts_90k += s->tail_map_90k;
			if (!tl_is_leading(s, p)) {
				/* those behind another picture are of another point */
				s->drops_leading &= p->kind != PACKET_VIDEO || !packet_is_main(p);
				tail_append(tl, &item);
				tail_sort(tl);
			}
			tl_source_pop(s, item.packet.kind, item.packet.track);
		} else {
			tracks &= ~tl_track_bit(p->kind, p->track);
		}
	}
}

/* The sound of a source that is left so early that it has not begun begins in the tail, where it
 * follows the show's. */
static uint64_t tail_begin_sound(const struct timeline *tl, struct tl_source *s)
{
	struct tl_track *track = &s->index.tracks[PACKET_AUDIO][0];
	uint64_t first = track->is_joining ? tl_sound_to_begin(tl, s) : TL_NONE;
	struct packet *p;

	if (first == TL_NONE || tl_source_main_kind(s) != PACKET_VIDEO) {
		return 0;
	}
	p = &tl_index_at(&s->index, first)->packet;
	if (p->pts_90k + s->map_90k > tl->tail_until_90k[PACKET_AUDIO]) {
		return 0;
	}
	while (track->head != first) {
		tl_source_pop(s, PACKET_AUDIO, 0);
	}
	p->flags |= PACKET_SPLICE;
	track->is_joining = false; /* it may go on behind the tail */
	return tl_track_bit(PACKET_AUDIO, 0);
}

void tl_tail_move(struct timeline *tl, struct tl_source *s, const int64_t left_90k[PACKET_KINDS])
{
	s->tail_map_90k = s->map_90k;
	memcpy(tl->tail_until_90k, left_90k, sizeof(tl->tail_until_90k));
	tail_gather(tl, s, (s->index.waiting & ~tail_unbegun_tracks(s)) | tail_begin_sound(tl, s));
	if (s->index.tracks[PACKET_AUDIO][0].is_joining && tl->tail_source != NULL) {
		return; /* the sound is still that of the one before */
	}
	tl->tail_source = s->is_open ? s : NULL;
	tl->tail_limit_90k = left_90k[PACKET_AUDIO];
}

/* The live source's own sound has come that goes on there. */
static bool tail_has_heir(const struct timeline *tl, int64_t end_90k)
{
	const struct tl_source *live = tl->live;
	uint64_t n = live->index.tracks[PACKET_AUDIO][0].head;

	for (; n != TL_NONE; n = tl_index_at(&live->index, n)->next) {
		const struct packet *p = &tl_index_at(&live->index, n)->packet;
		int64_t misfit_90k = p->pts_90k + live->map_90k - end_90k;

		if (misfit_90k >= -tl_audio_overlap(tl, live) &&
		    p->dts_90k + live->map_90k >= tl->out.last_90k) {
			return misfit_90k <= tl_audio_overlap(tl, live);
		}
	}
	return false;
}

/* The head of the left source's sound, if it goes on where that of the show would stop. */
static const struct packet *tail_next_sound(const struct timeline *tl, const struct tl_source *s)
{
	uint64_t n = s->index.tracks[PACKET_AUDIO][0].head;
	int64_t end_90k = tl_out_end(tl, PACKET_AUDIO), pts_90k;
	const struct packet *p;

	if (n == TL_NONE || end_90k == TL_UNKNOWN) {
		return NULL;
	}
	p = &tl_index_at(&s->index, n)->packet;
	pts_90k = p->pts_90k + s->tail_map_90k;
	return tl_abs(pts_90k - end_90k) > tl_audio_overlap(tl, s) ||
			       pts_90k - tl_90k(tl->config.stall_us) > tl->tail_limit_90k ||
			       tail_has_heir(tl, end_90k)
		       ? NULL
		       : p;
}

/* How long past due the new feed's sound is waited for: it may be entered late, and its sound is no
 * earlier than it was so far. */
static int64_t tail_patience_us(const struct timeline *tl, const struct tl_source *live)
{
	const struct tl_flow *audio = &live->flows[PACKET_AUDIO];
	int64_t late_us = 0;

	if (audio->is_present) {
		late_us = tl_lateness_us(tl, audio->last_dts_90k + live->map_90k, audio->last_us);
	}
	return SOUND_WAIT_US + tl_max(0, tl_min(late_us, TL_ENTER_LATE_US));
}

int64_t tl_tail_follow(struct timeline *tl, int64_t leaving_90k, int64_t now_us)
{
	const uint64_t audio = tl_track_bit(PACKET_AUDIO, 0);
	const struct tl_source *live = tl->live;
	struct tl_source *s = tl->tail_source;
	const struct packet *p;
	int64_t dts_90k, at_us;

	if (s == NULL || live == NULL || tl->delay_us == 0 || (tl->tail_mask & audio) != 0 ||
	    tl_source_is_copy(s) || s->index.tracks[PACKET_AUDIO][0].is_joining ||
	    !tl_source_has(live, PACKET_AUDIO) || !live->index.tracks[PACKET_AUDIO][0].is_joining) {
		return CLOCK_NEVER;
	}
	p = tail_next_sound(tl, s);
	if (p == NULL) {
		return CLOCK_NEVER;
	}
	dts_90k = p->dts_90k + s->tail_map_90k;
	at_us = tl_due_us(tl, dts_90k) + tail_patience_us(tl, live);
	if (leaving_90k <= dts_90k && at_us > now_us) {
		return at_us;
	}
	tl->tail_until_90k[PACKET_AUDIO] = p->pts_90k + s->tail_map_90k;
	tail_gather(tl, s, audio);
	return (tl->tail_mask & audio) != 0 ? now_us : CLOCK_NEVER;
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

void tl_tail_drop(struct timeline *tl, int handle, uint64_t before_seq)
{
	for (unsigned left = tl->tail_count; left > 0; left--) {
		struct tl_tail_item item = tl->tail[tl->tail_at];

		tl_tail_pop(tl);
		if (item.handle != handle || item.packet.source_seq >= before_seq) {
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

/* The source is live no more. What waits of it stays if it may still be gone back to. */
static void splice_retire(struct tl_source *live, bool keeps_waiting)
{
	live->awaits_point = live->drops_leading = false;
	if (!keeps_waiting) {
		tl_source_clear(live);
	}
}

static void splice_report(struct timeline *tl, const struct tl_source *to, const struct tl_cut *cut)
{
	enum timeline_event_kind kind = !tl->out.has_begun ? TIMELINE_ON
					: tl->is_starved   ? TIMELINE_RESUMED
							   : TIMELINE_SPLICED;
	struct timeline_event *e = tl_event(tl, kind);

	e->from = tl->change.is_pending ? tl->change.from : tl->last_feed;
	e->to = to->feed_id;
	e->show_90k = cut->pts_90k;
	e->gap_90k = cut->gap_90k;
	e->noticed_us = tl->change.is_pending ? tl->change.noticed_us : tl->decided_us;
	text_copy(e->cause, sizeof(e->cause),
		  tl->change.is_pending ? tl->change.cause : "first feed that can go on");
	text_copy(tl->why, sizeof(tl->why), e->cause);
	e->is_wish = tl->change.is_pending && tl->change.is_wish;
	tl->why_feed = tl->change.is_pending && !tl->change.is_wish ? e->from : 0;
	tl->change.is_pending = false;
	tl->is_starved = false;
}

/* The show's first packet has show time 0. */
static void splice_begin_show(struct timeline *tl, struct tl_source *to, const struct packet *p)
{
	int64_t shift_90k = p->dts_90k + to->map_90k;

	tl->clock.offset_us += tl_us(shift_90k);
	to->map_90k -= shift_90k;
}

static void splice_go_live(struct timeline *tl, struct tl_source *to, int64_t now_us)
{
	splice_start_tracks(to);
	tl->tail_source = tl->tail_source == to ? NULL : tl->tail_source;
	tl->live = to;
	tl->next_feed = 0;
	tl->returns_once = false;
	tl->last_feed = to->feed_id;
	tl->clock.slewed_us = now_us;
	if (to->is_open) { /* what remains of it is no coming back */
		tl_failback_entered(tl, to->feed, now_us);
	}
	tl->health_us = INT64_MIN;
}

void tl_enter(struct timeline *tl, struct tl_source *to, uint64_t point, int64_t now_us)
{
	const struct packet *p = &tl_index_at(&to->index, point)->packet;
	struct tl_cut cut;

	if (!tl->out.has_begun) {
		splice_begin_show(tl, to, p);
	}
	cut = tl_find_cut(tl, to, point);
	to->map_90k += cut.pts_90k - tl_point_pts(to, point);
	to->enter_90k = p->dts_90k + to->map_90k;
	if (tl->live != NULL && tl->live != to) {
		tl_tail_move(tl, tl->live, cut.left_90k);
		splice_retire(tl->live, tl->live->is_open);
	}
	splice_drop_before(to, point);
	splice_report(tl, to, &cut);
	if (tl->live != to) {
		splice_go_live(tl, to, now_us);
	}
	to->awaits_point = false;
	to->starts_behind_gap = cut.gap_90k > 0;
}

void tl_enter_audio(struct timeline *tl, struct tl_source *to, int64_t now_us)
{
	if (tl->live != NULL) {
		const int64_t left_90k[PACKET_KINDS] = { INT64_MAX, INT64_MAX, INT64_MAX,
							 INT64_MAX };

		tl_tail_move(tl, tl->live, left_90k);
		splice_retire(tl->live, false);
		if (tl->tail_source == tl->live) {
			tl->tail_source = NULL; /* all that could go on has */
		}
	}
	splice_go_live(tl, to, now_us);
	to->awaits_point = true;
	to->starts_behind_gap = false;
	to->enter_90k = tl->out.last_90k;
}

void tl_leave(struct timeline *tl, int64_t now_us)
{
	struct tl_source *live = tl->live;

	tl->live = NULL;
	tl->tail_source = NULL;
	splice_retire(live, live->is_open);
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
	change->is_wish = false;
	change->from = tl->last_feed;
	change->noticed_us = noticed_us;
	va_start(args, format);
	vsnprintf(change->cause, sizeof(change->cause), format, args);
	va_end(args);
}
