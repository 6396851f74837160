/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One connection of a feed (timeline; pure): what arrives is checked, learned from and put
 * into the index. Owns the index.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/text.h>

#include "private.h"

#define SECOND_US 1000000
#define EXTRA_SPREAD_90k 900000 /* extra tracks stay this close to the main ones */
#define LEAST_STEP_90K 90       /* what RTMP can tell apart */
#define HEADER_AHEAD_90k 90000  /* a header may lie this far ahead of the frames */
#define SOUND_MAX_90k 90000     /* no piece of sound is longer */
#define NONSENSE_WINDOW_US 10000000
#define NONSENSE_MAX 50 /* bad packets in it: not to be chosen */

static_assert(sizeof(struct codec_params) == 28, "compared as bytes: nothing lies in between");

int tl_source_create(struct timeline *tl, int handle, unsigned feed, uint32_t incarnation,
		     int64_t now_us, struct tl_source **ret)
{
	struct tl_source *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		return -ENOMEM;
	}
	if (tl_index_init(&s->index) != 0) {
		free(s);
		return -ENOMEM;
	}
	s->handle = handle;
	s->feed = feed;
	s->feed_id = tl->config.feeds[feed].id;
	s->incarnation = incarnation;
	s->is_open = true;
	s->opened_us = s->key_us = now_us;
	tl_gauge_reset(&s->gauge, now_us);
	s->troubled_us = s->skew_us = TL_UNKNOWN;
	s->split_us = INT64_MIN / 2;
	s->key_dts_90k = s->point_dts_90k = s->weak_dts_90k = s->point_90k = TL_UNKNOWN;
	s->first_us = INT64_MAX;
	s->anchor_seq = TL_NONE;
	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		s->sent_seq[kind] = TL_NONE;
	}
	s->arrival_us = INT64_MIN;
	tl_lag_reset(&s->lag);
	tl_lag_reset(&s->disorder);
	tl_lag_reset(&s->latest);
	tl_lag_reset(&s->age);
	*ret = s;
	return 0;
}

void tl_source_destroy(struct tl_source **s)
{
	if (*s != NULL) {
		if (tl_source_is_merged(*s)) {
			free((*s)->group);
		}
		tl_index_finish(&(*s)->index);
		free(*s);
		*s = NULL;
	}
}

enum packet_kind tl_source_main_kind(const struct tl_source *s)
{
	return tl_source_has(s, PACKET_VIDEO) ? PACKET_VIDEO : PACKET_AUDIO;
}

bool tl_source_has_frames(const struct tl_source *s)
{
	return s->flows[PACKET_VIDEO].is_present || s->flows[PACKET_AUDIO].is_present;
}

/* ---- checking ---- */

static int source_refuse(struct tl_source *s, int64_t now_us)
{
	if (now_us - s->nonsense_us > NONSENSE_WINDOW_US) {
		s->nonsense_us = now_us;
		s->nonsense_recent = 0;
	}
	s->nonsense++;
	s->nonsense_recent++;
	return -EINVAL;
}

bool tl_source_talks_nonsense(const struct tl_source *s, int64_t now_us)
{
	return s->nonsense_recent > NONSENSE_MAX && now_us - s->nonsense_us <= NONSENSE_WINDOW_US;
}

static int source_refuse_unusable(struct tl_source *s, int64_t now_us)
{
	tl_gauge_now(&s->gauge, now_us)->unusable++;
	return source_refuse(s, now_us);
}

static bool source_accepts(const struct packet *p)
{
	return packet_is_sane(p) && tl_abs(p->dts_90k) <= TL_MEDIA_MAX_90k &&
	       tl_abs(p->pts_90k) <= TL_MEDIA_MAX_90k &&
	       tl_abs(p->pts_90k - p->dts_90k) <= TL_REORDER_MAX_90k;
}

/* Media time starts anew here: it fell, or ran away from the clock on the wall. */
static bool source_jumps(const struct tl_flow *flow, const struct packet *p)
{
	int64_t step_90k = p->dts_90k - flow->last_dts_90k;

	return flow->is_present &&
	       (step_90k < -TL_JUMP_BACK_90k ||
		tl_us(step_90k) - (p->arrival_us - flow->last_us) > TL_JUMP_AHEAD_US);
}

static uint32_t source_jump_ms(const struct tl_flow *flow, const struct packet *p)
{
	return (uint32_t)tl_min(tl_abs(tl_us(p->dts_90k - flow->last_dts_90k)) / 1000, UINT32_MAX);
}

/* ---- learning ---- */

/* A new lag begins where the source was silent for too long: whoever was frozen may come back
 * late, with its media time running on. */
static void source_learn_lag(const struct timeline *tl, struct tl_source *s, const struct packet *p)
{
	const struct tl_flow *flow = &s->flows[p->kind];

	if (p->kind == PACKET_AUDIO && s->flows[PACKET_VIDEO].is_present) {
		return;
	}
	if (!flow->is_present ||
	    p->arrival_us - flow->last_us >= tl_flow_patience_us(flow, tl->config.stall_us)) {
		tl_lag_reset(&s->lag);
	}
	tl_lag_put(&s->lag, p->arrival_us - tl_us(p->pts_90k), p->arrival_us);
}

/* Muxers send in order of dts. Where one does not, what comes early waits for what comes late:
 * tl_source_ordered_us(). Arrival may be that at a network's edge, `age` before it is here. */
static void source_learn_disorder(struct tl_source *s, const struct packet *p)
{
	int64_t behind_90k = tl_source_has_frames(s) ? tl_source_latest_dts(s) - p->dts_90k : 0;

	if (tl_us(behind_90k) > TL_DISORDER_MAX_US) {
		return; /* a fault, not a habit */
	}
	tl_lag_put(&s->disorder, tl_min(0, -behind_90k), p->arrival_us);
	tl_lag_put(&s->latest, tl_us(p->dts_90k) - p->arrival_us, p->arrival_us);
	if (p->arrival_us >= s->opened_us) { /* others waited for a switch, not in the network */
		tl_lag_put(&s->age, s->pushed_us - p->arrival_us, p->arrival_us);
	}
}

/* A weak point (HEVC CRA, H.264 recovery point) counts where no IDR came for two GOPs. */
static bool source_weak_point_counts(struct tl_source *s, const struct packet *p)
{
	int64_t before_90k = s->weak_dts_90k != TL_UNKNOWN ? s->weak_dts_90k : s->key_dts_90k;
	int64_t gop_90k = before_90k == TL_UNKNOWN ? 0 : p->dts_90k - before_90k;
	int64_t since_90k = s->key_dts_90k == TL_UNKNOWN ? gop_90k * 2
							 : p->dts_90k - s->key_dts_90k;

	s->weak_dts_90k = p->dts_90k;
	return gop_90k > 0 && since_90k >= 2 * gop_90k;
}

static bool source_is_point(struct tl_source *s, const struct packet *p)
{
	if (p->kind == PACKET_AUDIO) {
		return tl_source_main_kind(s) == PACKET_AUDIO;
	}
	if ((p->flags & PACKET_KEY) != 0) {
		s->key_dts_90k = p->dts_90k;
		s->weak_dts_90k = TL_UNKNOWN;
		return true;
	}
	if ((p->flags & PACKET_RECOVERY) == 0) {
		return false;
	}
	tl_gauge_now(&s->gauge, p->arrival_us)->weak_points++;
	return source_weak_point_counts(s, p);
}

static void source_learn_point(struct tl_source *s, struct tl_entry *e)
{
	const struct packet *p = &e->packet;

	if (!source_is_point(s, p)) {
		return;
	}
	e->flags |= TL_ENTRY_POINT;
	if (s->point_dts_90k != TL_UNKNOWN && !s->gop_has_hole) {
		/* the sound before a first picture tells nothing of key frames */
		s->gop_90k = p->kind == s->point_kind ? p->dts_90k - s->point_dts_90k : 0;
	}
	s->gop_has_hole = false;
	s->point_kind = p->kind;
	s->point_dts_90k = p->dts_90k;
	s->key_us = p->arrival_us;
}

/* ---- putting into the index ---- */

/* What is not of a main track is rare, and leaves in the order in which it came, all but for
 * reordered tracks of more pictures: one number for all of it will do. */
enum packet_kind tl_sent_kind(const struct packet *p)
{
	return p->track == 0 ? (enum packet_kind)p->kind : PACKET_DATA;
}

/* Of twins, what one had sent the other had dropped; but also what was only to be sent. */
static bool source_twin_sent(const struct timeline *tl, const struct packet *p, int64_t map_90k)
{
	int64_t last_90k = tl->out.last_dts_90k[p->kind][p->track];

	return last_90k != TL_UNKNOWN && p->dts_90k + map_90k <= last_90k + TL_TWIN_SLACK_90k;
}

bool tl_source_was_sent(const struct timeline *tl, const struct tl_source *s,
			const struct packet *p)
{
	uint64_t sent_seq = s->sent_seq[tl_sent_kind(p)];

	if (sent_seq != TL_NONE && p->source_seq <= sent_seq) {
		return true;
	}
	if (s->was_copy && (s == tl->live || s->leaves_tail) && p->type == PACKET_FRAME &&
	    p->kind != PACKET_DATA && (p->track == 0 || p->source_seq >= s->resume_seq)) {
		return source_twin_sent(tl, p, s->map_90k);
	}
	return p->source_seq < s->resume_seq;
}

void tl_source_append(struct timeline *tl, struct tl_source *s, struct tl_entry *e)
{
	const struct packet *p = &e->packet;
	struct tl_track *track = &s->index.tracks[p->kind][p->track];

	e->closed_90k = s->flows[p->kind].closed_90k;
	if (packet_is_main(p) && p->kind != PACKET_DATA) {
		if (!tl_source_is_merged(s)) {
			tl_gauge_frame(tl, s, p);
			source_learn_lag(tl, s, p);
			source_learn_disorder(s, p);
		}
		if (p->kind == PACKET_VIDEO && !s->flows[PACKET_VIDEO].is_present) {
			tl_index_forget_points(&s->index); /* those of audio count no more */
		}
		tl_flow_push(&s->flows[p->kind], e, s->index.next, tl_90k(tl->config.hole_us));
		s->gop_has_hole |= p->kind == tl_source_main_kind(s) &&
				   (e->flags & TL_ENTRY_HOLE) != 0;
		source_learn_point(s, e);
		s->first_us = tl_min(s->first_us, p->arrival_us);
	}
	if (p->type == PACKET_FRAME) {
		track->last_dts_90k = p->dts_90k;
		track->has_frames = true;
	}
	tl_index_append(&s->index, e);
	if (s->group != NULL) {
		return;
	}
	if (p->source_seq == s->anchor_seq) {
		int64_t moved_90k = s->anchor_pts_90k - p->pts_90k - s->map_90k;

		s->map_90k += moved_90k;
		s->point_90k -= s->point_90k != TL_UNKNOWN ? moved_90k : 0;
	}
	if (tl_source_was_sent(tl, s, p)) { /* it was here to learn from */
		tl_source_pop(s, p->kind, p->track);
	}
}

/* Headers and data have no place of their own in the flow: they stay near the frames, headers
 * behind those of their track, which may be far behind another. */
static bool source_place_between_frames(const struct tl_source *s, struct packet *p)
{
	const struct tl_track *track = &s->index.tracks[p->kind][p->track];
	int64_t latest_90k = tl_source_latest_dts(s), least_90k = latest_90k;

	if (!tl_source_has_frames(s)) {
		return false;
	}
	if (p->kind != PACKET_DATA && track->has_frames) {
		least_90k = track->last_dts_90k;
	}
	p->dts_90k = tl_max(least_90k, tl_min(p->dts_90k, latest_90k + HEADER_AHEAD_90k));
	p->pts_90k = tl_max(p->pts_90k, p->dts_90k);
	return true;
}

static bool source_frame_is_in_order(const struct tl_source *s, const struct packet *p)
{
	const struct tl_track *track = &s->index.tracks[p->kind][p->track];
	bool is_main = packet_is_main(p) && p->kind != PACKET_DATA;

	if (!is_main && (!tl_source_has_frames(s) ||
			 tl_abs(p->dts_90k - tl_source_latest_dts(s)) > EXTRA_SPREAD_90k)) {
		return false;
	}
	return !track->has_frames || p->dts_90k > track->last_dts_90k;
}

/* GStreamer's muxer begins with two pictures of one decoding time. The second is shown later, so
 * it may be decoded later, by the least that RTMP can tell. One that is stuck gains nothing. */
static void source_part_equal_times(const struct tl_source *s, struct packet *p)
{
	const struct tl_track *track = &s->index.tracks[p->kind][p->track];

	if (p->type == PACKET_FRAME && p->kind == PACKET_VIDEO && track->has_frames &&
	    p->dts_90k == track->last_dts_90k && p->pts_90k >= p->dts_90k + LEAST_STEP_90K) {
		p->dts_90k += LEAST_STEP_90K;
	}
}

/* Another picture may have another frame rate; how long sound lasts is known before it is heard. */
static void source_begin_format(struct tl_source *s, enum packet_kind kind, int64_t arrival_us)
{
	const struct codec_params *params = &s->params[kind];
	struct tl_flow *flow = &s->flows[kind];

	if (kind == PACKET_VIDEO) {
		s->best_fps_milli = 0;
		s->format_us = arrival_us;
		tl_pace_reset(&s->gauge.pace, arrival_us);
	} else if (flow->frames_learned == 0 && params->sample_rate > 0 &&
		   params->frame_samples > 0) {
		flow->frame_90k = (int64_t)params->frame_samples * MEDIA_HZ / params->sample_rate;
		flow->frame_90k = tl_max(1, tl_min(flow->frame_90k, SOUND_MAX_90k));
	}
}

/* What comes behind this header may be shown and what came before may not, or the other way round.
 * Of what was sent before a restart, that is as it was then. */
static bool source_is_other_behind(const struct timeline *tl, const struct tl_source *s,
				   const struct packet *p, const struct codec_params *before,
				   bool matched)
{
	bool was_sent = p->source_seq < s->resume_seq;

	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		was_sent |= s->sent_seq[kind] != TL_NONE && s->sent_seq[kind] > p->source_seq;
	}
	return tl_resume_splits(tl, s, p) ||
	       (!was_sent && tl->config.on_mismatch == MISMATCH_REFUSE &&
		before->codec != CODEC_NONE && tl_source_has_frames(s) &&
		tl_is_compatible(tl, s) != matched);
}

/* What is refused is not shown, and what came before it is: the connection goes on as another
 * source, with the time it had, if there is room for one. */
static struct tl_source *source_change_format(struct timeline *tl, struct tl_source *s,
					      const struct packet *p,
					      const struct codec_params *before, int64_t now_us)
{
	struct tl_source *next = tl_split_source(tl, s, p, "the encoder changed its format",
						 now_us);

	if (next == NULL) {
		return s;
	}
	next->lag = s->lag;
	s->params[p->kind] = *before;
	return next;
}

/* From a header, or from a frame that needs none; one that is only repeated tells nothing new.
 * Returns the source that the packet is of. */
static struct tl_source *source_learn_params(struct timeline *tl, struct tl_source *s,
					     const struct packet *p,
					     const struct codec_params *params, int64_t now_us)
{
	struct codec_params *known = &s->params[p->kind];

	if (p->track != 0 || (p->type != PACKET_CONFIG && p->type != PACKET_FRAME)) {
		return s;
	}
	struct codec_params next = params != NULL ? *params : *known;
	if (params != NULL || known->codec == CODEC_NONE) {
		next.codec = p->codec;
	}
	if (memcmp(known, &next, sizeof(next)) == 0) {
		return s;
	}
	struct codec_params before = *known;
	bool matched = tl_is_compatible(tl, s);

	*known = next;
	if (before.codec == CODEC_NONE) {
		s->flows[p->kind].last_us = p->arrival_us; /* from here on frames are missed */
	}
	source_begin_format(s, (enum packet_kind)p->kind, p->arrival_us);
	tl_reference_note_header(tl, s, p->arrival_us);
	return source_is_other_behind(tl, s, p, &before, matched)
		       ? source_change_format(tl, s, p, &before, now_us)
		       : s;
}

/* The connection goes on as another source. NULL: it did just before, so the packet is refused. */
static struct tl_source *source_begin_anew(struct timeline *tl, struct tl_source *s,
					   const struct packet *p, int64_t now_us)
{
	struct tl_source *next = NULL;

	tl_gauge_now(&s->gauge, now_us)->jumps++;
	s->jump_ms = source_jump_ms(&s->flows[p->kind], p);
	if (p->arrival_us - s->split_us >= SECOND_US) {
		next = tl_split_source(tl, s, p, "the encoder's timestamps jumped", now_us);
	}
	if (next == NULL) {
		source_refuse_unusable(s, now_us);
	}
	return next;
}

/* Whose it is, and when it came, whatever the feed says; and the connection has come so far. */
static void source_admit(struct timeline *tl, struct tl_source *s, uint64_t seq, struct packet *q,
			 int64_t now_us)
{
	q->source_seq = seq;
	q->feed = s->feed_id;
	q->incarnation = s->incarnation;
	q->pts_90k = tl_max(q->pts_90k, q->dts_90k);
	q->arrival_us = tl_max(s->arrival_us, tl_min(q->arrival_us, now_us));
	s->arrival_us = q->arrival_us;
	s->pushed_us = now_us;
	if (s->packets == 0 && s->first_seq == 0) {
		tl_gauge_reset(&s->gauge, q->arrival_us); /* before a restart, for all we know */
		tl_resume_source(tl, s, seq);
	}
	s->next_seq = seq + 1;
	s->packets++;
	tl_gauge_now(&s->gauge, q->arrival_us)->bytes[q->kind] += q->size;
}

int tl_source_push(struct timeline *tl, struct tl_source *s, uint64_t seq, const struct packet *p,
		   const struct codec_params *params, int64_t now_us)
{
	struct tl_entry e = { .packet = *p };
	struct packet *q = &e.packet;

	if (!source_accepts(p)) {
		return source_refuse_unusable(s, now_us);
	}
	source_admit(tl, s, seq, q, now_us);
	s = source_learn_params(tl, s, q, params, now_us);
	if ((q->flags & PACKET_REPEAT) != 0 || q->type == PACKET_END) {
		return 0;
	}
	if (q->type != PACKET_FRAME && !source_place_between_frames(s, q)) {
		return 0;
	}
	if (packet_is_main(q) &&
	    (source_jumps(&s->flows[q->kind], q) || tl_resume_splits(tl, s, q))) {
		s = source_begin_anew(tl, s, q, now_us);
		if (s == NULL) {
			return -EINVAL;
		}
	}
	if (tl_source_is_copy(s) && tl_copy_steps(tl, s, q, now_us)) {
		tl_gauge_now(&s->gauge, now_us)->jumps++;
	}
	source_part_equal_times(s, q);
	if (q->type == PACKET_FRAME && !source_frame_is_in_order(s, q)) {
		tl_gauge_now(&s->gauge, now_us)->stuck++;
		return source_refuse(s, now_us);
	}
	int error = tl_index_reserve(&s->index);
	if (error == 0) {
		e.handle = s->handle;
		tl_source_append(tl, s, &e);
		tl_source_track_map(tl, s);
		if (tl_source_is_copy(s)) {
			tl_group_recall(tl, s, q);
		} else if (packet_is_main(q)) {
			tl_twins_look(tl, s, q);
		}
	}
	return error;
}
