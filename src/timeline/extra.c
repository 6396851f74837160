/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What twins carry beside main video and audio (timeline; pure): more tracks, messages, and the
 * headers of both. Each track of it is *carried* by one copy, the leading one if that has it.
 * Another copy's frames are used where that one has none, if they were the same until then; when
 * the carrier is lost they go on, a picture of another encode from its next key frame on.
 *
 *    copy A (leads)   | x5 |    | x7 |              lost
 *    copy B           | x5 | x6 | x7 | x8 | x9 |
 *    group's source   | x5 | x6 | x7 | x8 | x9 |    each once
 */
#include "private.h"

#define CARRIES_90k 90000 /* a track that did not come for so long is not carried */
#define MESSAGE_90k 45000 /* one message lies this near in all copies: between other frames */

static const struct packet *extra_head(const struct tl_source *c, unsigned kind, unsigned track)
{
	uint64_t n = c->index.tracks[kind][track].head;

	return n == TL_NONE ? NULL : &tl_index_at(&c->index, n)->packet;
}

static bool extra_is_frame(const struct packet *p)
{
	return p->type == PACKET_FRAME && p->kind != PACKET_DATA;
}

/* What was sent of the track about that time, newest first; NULL: nothing. */
static const struct tl_extra_logged *extra_find(const struct tl_group *group,
						const struct packet *p, int64_t dts_90k)
{
	uint64_t n = group->extra_logged, oldest = n > TL_EXTRA_FRAMES ? n - TL_EXTRA_FRAMES : 0;

	while (n-- > oldest) {
		const struct tl_extra_logged *e = &group->extra_log[n % TL_EXTRA_FRAMES];
		int64_t off_90k = tl_abs(e->dts_90k - dts_90k);

		if (e->kind == p->kind && e->track == p->track &&
		    (extra_is_frame(p)
			     ? off_90k <= TL_TWIN_SLACK_90k
			     : off_90k <= MESSAGE_90k && e->fingerprint == p->fingerprint)) {
			return e;
		}
	}
	return NULL;
}

/* Of the track, all went out up to here (the group's media time). */
static int64_t extra_sent(const struct timeline *tl, const struct tl_group *group, unsigned kind,
			  unsigned track)
{
	const struct tl_source *m = group->source;
	const struct tl_track *to = &m->index.tracks[kind][track];
	int64_t sent_90k = to->has_frames ? to->last_dts_90k : INT64_MIN;

	if (m == tl->live && tl->out.last_dts_90k[kind][track] != TL_UNKNOWN) {
		sent_90k = tl_max(sent_90k, tl->out.last_dts_90k[kind][track] - m->map_90k);
	}
	return sent_90k;
}

/* What went out already. Whether the copy's was the same is remembered. */
static void extra_drop_passed(const struct timeline *tl, struct tl_group *group,
			      struct tl_source *c, unsigned kind, unsigned track)
{
	int64_t sent_90k = extra_sent(tl, group, kind, track);
	const struct packet *p;

	while ((p = extra_head(c, kind, track)) != NULL) {
		const struct tl_extra_logged *sent = extra_find(group, p, tl_copy_time(c, p));

		if (extra_is_frame(p)) {
			if (sent_90k == INT64_MIN ||
			    tl_copy_time(c, p) > sent_90k + TL_TWIN_SLACK_90k) {
				return;
			}
			if (sent != NULL && sent->fingerprint == p->fingerprint) {
				c->copy.same |= tl_track_bit(kind, track);
			} else if (sent != NULL) {
				c->copy.same &= ~tl_track_bit(kind, track);
			}
		} else if (sent == NULL) {
			return;
		}
		tl_source_pop(c, kind, track);
	}
}

static bool copy_carries(const struct timeline *tl, const struct tl_source *c, unsigned kind,
			 unsigned track, int64_t now_us)
{
	const struct tl_flow *main = &c->flows[tl_source_main_kind(c)];
	const struct tl_track *from = &c->index.tracks[kind][track];

	if (from->head != TL_NONE) {
		return true;
	}
	return c->is_open && !tl_flow_is_silent(main, tl->config.stall_us, now_us) &&
	       (kind == PACKET_DATA ||
		(from->has_frames && main->last_dts_90k - from->last_dts_90k <= CARRIES_90k));
}

/* Its time may have moved, and nobody knows yet. */
static bool copy_is_doubtful(const struct tl_source *c)
{
	return c->is_open && (c->copy.is_odd || c->copy.hint_90k != 0);
}

/* The copy that carries the track: the leading one, the one that did, another one. */
static struct tl_source *extra_carrier(const struct timeline *tl, const struct tl_group *group,
				       unsigned kind, unsigned track, int64_t now_us)
{
	struct tl_source *carrier = NULL;

	if (copy_carries(tl, group->leader, kind, track, now_us)) {
		return group->leader;
	}
	for (unsigned i = 0; i < group->count; i++) {
		struct tl_source *c = group->copies[i];

		if (copy_carries(tl, c, kind, track, now_us) &&
		    (carrier == NULL || c == group->extra_from[kind][track])) {
			carrier = c;
		}
	}
	return carrier;
}

/* Of the others, the one whose head comes first, before `until_90k`. */
static struct tl_source *extra_first(const struct tl_group *group, const struct tl_source *carrier,
				     unsigned kind, unsigned track, int64_t until_90k)
{
	struct tl_source *first = NULL;

	for (unsigned i = 0; i < group->count; i++) {
		struct tl_source *c = group->copies[i];
		const struct packet *p = extra_head(c, kind, track);

		if (c != carrier && p != NULL && tl_copy_time(c, p) < until_90k) {
			first = c;
			until_90k = tl_copy_time(c, p);
		}
	}
	return first;
}

/* The track may go on with the copy's head. */
static bool extra_follows(const struct tl_group *group, const struct tl_source *c,
			  const struct packet *p)
{
	const struct tl_source *from = group->extra_from[p->kind][p->track];

	return from == c || from == NULL || p->kind != PACKET_VIDEO ||
	       (c->copy.same & tl_track_bit(p->kind, p->track)) != 0 ||
	       (p->flags & PACKET_KEY) != 0;
}

static void extra_commit(struct timeline *tl, struct tl_group *group, struct tl_source *c,
			 unsigned kind, unsigned track, int64_t now_us)
{
	const struct packet *p = extra_head(c, kind, track);

	if (!extra_follows(group, c, p)) {
		tl_source_pop(c, kind, track);
		return;
	}
	group->extra_log[group->extra_logged++ % TL_EXTRA_FRAMES] = (struct tl_extra_logged){
		.fingerprint = p->fingerprint,
		.dts_90k = tl_copy_time(c, p),
		.kind = p->kind,
		.track = p->track,
	};
	if (extra_is_frame(p)) {
		group->extra_from[kind][track] = c;
	}
	tl_group_commit(tl, group, c, kind, track, now_us);
}

/* A frame that the carrier has not got, or has not got yet. False: it has to wait. */
static bool extra_fill(struct timeline *tl, struct tl_group *group, struct tl_source *c,
		       const struct packet *p, bool has_carrier_passed, int64_t now_us,
		       int64_t *wake_us)
{
	int64_t due_us = tl_due_us(tl, tl_copy_time(c, p) + group->source->map_90k) +
			 tl_max(0, TL_TWIN_GRACE_US - tl->config.delay_us);

	if (!has_carrier_passed && due_us > now_us) {
		*wake_us = tl_min(*wake_us, due_us);
		return false;
	}
	if (extra_is_frame(p) && (c->copy.same & tl_track_bit(p->kind, p->track)) != 0) {
		extra_commit(tl, group, c, p->kind, p->track, now_us);
	} else {
		tl_source_pop(c, p->kind, p->track);
	}
	return true;
}

/* The track's next packet. False if there is none that may go on yet. */
static bool extra_merge_next(struct timeline *tl, struct tl_group *group, unsigned kind,
			     unsigned track, int64_t now_us, int64_t *wake_us)
{
	struct tl_source *carrier, *other;
	const struct packet *p;

	for (unsigned i = 0; i < group->count; i++) {
		extra_drop_passed(tl, group, group->copies[i], kind, track);
	}
	carrier = extra_carrier(tl, group, kind, track, now_us);
	if (carrier == NULL || copy_is_doubtful(carrier)) {
		return false;
	}
	p = extra_head(carrier, kind, track);
	other = extra_first(group, carrier, kind, track,
			    p != NULL ? tl_copy_time(carrier, p) - TL_TWIN_SLACK_90k : INT64_MAX);
	if (other != NULL && !copy_is_doubtful(other)) {
		return extra_fill(tl, group, other, extra_head(other, kind, track), p != NULL,
				  now_us, wake_us);
	}
	if (p != NULL) {
		extra_commit(tl, group, carrier, kind, track, now_us);
	}
	return p != NULL;
}

int64_t tl_group_merge_extra(struct timeline *tl, struct tl_group *group, int64_t now_us)
{
	const uint64_t main = tl_track_bit(PACKET_VIDEO, 0) | tl_track_bit(PACKET_AUDIO, 0);
	int64_t wake_us = CLOCK_NEVER;
	uint64_t waiting = 0;

	for (unsigned i = 0; i < group->count; i++) {
		waiting |= group->copies[i]->index.waiting & ~main;
	}
	for (; waiting != 0; waiting &= waiting - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(waiting);

		while (extra_merge_next(tl, group, bit / PACKET_TRACKS_MAX, bit % PACKET_TRACKS_MAX,
					now_us, &wake_us)) {
		}
	}
	return wake_us;
}
