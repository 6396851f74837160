/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A copy whose media time moves within its connection (timeline; pure): its encoder or the muxer
 * before it stepped, by less than what begins a new source. Its payloads are what they were, so
 * that they tell where it is now:
 *
 *    group    | v5 | v6 | v7 | v8 |              by the log, and by what other copies bring
 *    copy          | v5 | v6 | v7 | v8 |         the same payloads, all so much later: it moved
 *
 * Two payloads that are found in one place only, behind what the copy brought before, and are so
 * far away, are enough. Were that wrong, the next frames would not fit again, and a copy that
 * moves too often parts like any other that does not fit. Nothing else of it changes: what waits
 * of it keeps its place.
 */
#include "private.h"

#define MOVES_MAX 4
#define MOVES_US 10000000
#define MOVE_MAX_90k 540000 /* 6 s: more is a new media time */
#define BEYOND_US 7000000   /* ahead of all that any delay would have it be */

/* The places where a payload lies, in the group's time. */
struct places {
	int64_t dts_90k;
	bool has_one, has_more;
};

static void places_add(struct places *places, int64_t dts_90k)
{
	if (!places->has_one) {
		places->has_one = true;
		places->dts_90k = dts_90k;
	} else if (tl_abs(dts_90k - places->dts_90k) > TL_TWIN_SLACK_90k) {
		places->has_more = true;
	}
}

static void places_in_log(struct places *places, const struct tl_group *group,
			  const struct packet *p)
{
	uint64_t n = group->logged[p->kind] > TL_LOG_FRAMES ? TL_LOG_FRAMES
							    : group->logged[p->kind];

	for (uint64_t i = 0; i < n; i++) {
		if (group->log[p->kind][i].fingerprint == p->fingerprint) {
			places_add(places, group->log[p->kind][i].dts_90k);
		}
	}
}

static void places_in_copy(struct places *places, const struct tl_source *c, const struct packet *p)
{
	for (uint64_t n = c->index.tracks[p->kind][0].head; n != TL_NONE;
	     n = tl_index_at(&c->index, n)->next) {
		const struct packet *q = &tl_index_at(&c->index, n)->packet;

		if (q->type == PACKET_FRAME && q->fingerprint == p->fingerprint) {
			places_add(places, tl_copy_time(c, q));
		}
	}
}

bool tl_copy_tells(const struct tl_group *group, const struct packet *p, int64_t dts_90k)
{
	struct places places = { .dts_90k = dts_90k, .has_one = true };

	places_in_log(&places, group, p);
	return !places.has_more;
}

void tl_copy_followed(const struct tl_group *group, struct tl_source *c, const struct packet *p,
		      int64_t dts_90k)
{
	c->copy.is_odd = c->copy.is_odd &&
			 (p->source_seq < c->copy.odd_seq || !tl_copy_tells(group, p, dts_90k));
}

/* The copy may move once more. */
static bool copy_moves(struct tl_source *c, int64_t now_us)
{
	if (now_us - c->copy.moved_us >= MOVES_US) {
		c->copy.moved_us = now_us;
		c->copy.moves = 0;
	}
	return c->copy.moves++ < MOVES_MAX;
}

/* From packet `seq` on the copy's media time + offset is the group's. What it sent before keeps
 * its place: it is told in the new media time. */
static void copy_move(struct tl_source *c, int64_t by_90k, uint64_t seq)
{
	c->copy.offset_90k += by_90k;
	c->first_seq = seq; /* where its media time begins, for a switch that goes on */
	for (uint64_t n = c->index.first; n < c->index.next; n++) {
		struct tl_entry *e = tl_index_at(&c->index, n);

		if (e->packet.source_seq < seq) {
			e->packet.dts_90k -= by_90k;
			e->packet.pts_90k -= by_90k;
			e->closed_90k -= by_90k;
		}
	}
	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		c->copy.at[kind] = 0;
	}
	c->copy.is_odd = false;
	tl_lag_reset(&c->lag);
	tl_lag_reset(&c->latest);
}

/* How far from where it is claimed to be the payload lies. False: nowhere else, or nobody knows. */
static bool copy_misses(const struct tl_group *group, const struct tl_source *c,
			const struct packet *p, int64_t *ret_by_90k)
{
	struct places places = { .has_one = false };
	int64_t by_90k;

	places_in_log(&places, group, p);
	for (unsigned i = 0; i < group->count && !places.has_more; i++) {
		if (group->copies[i] != c) {
			places_in_copy(&places, group->copies[i], p);
		}
	}
	by_90k = places.dts_90k - tl_copy_time(c, p);
	if (!places.has_one || places.has_more || places.dts_90k <= c->copy.placed_90k[p->kind] ||
	    tl_abs(by_90k) <= TL_TWIN_SLACK_90k || tl_abs(by_90k) > MOVE_MAX_90k) {
		return false;
	}
	*ret_by_90k = by_90k;
	return true;
}

/* The frame behind the head lies as far away, or another one did. */
static bool copy_misses_again(const struct tl_group *group, const struct tl_source *c,
			      const struct tl_entry *head, int64_t by_90k)
{
	const struct tl_copy *copy = &c->copy;
	int64_t next_90k = 0;

	if (copy->hint_90k != 0 && copy->hint_seq != head->packet.source_seq &&
	    tl_abs(copy->hint_90k - by_90k) <= TL_TWIN_SLACK_90k) {
		return true;
	}
	return head->next != TL_NONE &&
	       copy_misses(group, c, &tl_index_at(&c->index, head->next)->packet, &next_90k) &&
	       tl_abs(next_90k - by_90k) <= TL_TWIN_SLACK_90k;
}

enum tl_rejoin tl_copy_rejoin(const struct tl_group *group, struct tl_source *c, unsigned kind,
			      bool may_move, int64_t now_us)
{
	const struct tl_entry *head = tl_index_at(&c->index, c->index.tracks[kind][0].head);
	const struct packet *p = &head->packet;
	uint64_t from = c->copy.is_odd && c->copy.odd_seq < p->source_seq ? c->copy.odd_seq
									  : p->source_seq;
	int64_t by_90k;

	if (!copy_misses(group, c, p, &by_90k)) {
		return TL_REJOIN_NOT;
	}
	if (!may_move || !copy_misses_again(group, c, head, by_90k)) {
		c->copy.hint_90k = by_90k;
		c->copy.hint_seq = p->source_seq;
		return TL_REJOIN_HINT;
	}
	if (!copy_moves(c, now_us)) {
		return TL_REJOIN_NOT;
	}
	for (unsigned i = 0; i < group->count; i++) {
		group->copies[i]->copy.hint_90k = 0; /* it was not they who moved */
	}
	copy_move(c, by_90k, from);
	tl_lag_put(&c->lag, p->arrival_us - tl_us(p->pts_90k), p->arrival_us);
	return TL_REJOIN_MOVED;
}

/* All that is known of the past, in another media time. */
static void flow_move(struct tl_flow *flow, int64_t by_90k)
{
	flow->last_dts_90k += by_90k;
	flow->heap_dts_90k += by_90k;
	flow->max_pts_90k += by_90k;
	flow->closed_90k += by_90k;
	flow->end_90k += by_90k;
	flow->hole_end_90k += by_90k;
	flow->run_90k += by_90k;
}

static void point_move(int64_t *dts_90k, int64_t by_90k)
{
	*dts_90k += *dts_90k != TL_UNKNOWN ? by_90k : 0;
}

static void source_move(struct tl_source *s, int64_t by_90k)
{
	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		flow_move(&s->flows[kind], by_90k);
		for (unsigned track = 0; track < PACKET_TRACKS_MAX; track++) {
			s->index.tracks[kind][track].last_dts_90k += by_90k;
		}
	}
	point_move(&s->key_dts_90k, by_90k);
	point_move(&s->point_dts_90k, by_90k);
	point_move(&s->weak_dts_90k, by_90k);
}

/* It claims to lie where no twin could be: it would wait for as long. */
static bool copy_is_beyond(const struct timeline *tl, const struct tl_source *c,
			   const struct packet *p, int64_t now_us)
{
	int64_t show_90k = tl_copy_time(c, p) + c->group->source->map_90k;

	return c != c->group->leader && packet_is_main(p) &&
	       tl_due_us(tl, show_90k) - now_us > 2 * tl->delay_us + BEYOND_US;
}

/* A step that one flow would not notice, its frames being longer, is one all the same. */
static int64_t copy_shortest_frame(const struct tl_source *c)
{
	const struct tl_flow *video = &c->flows[PACKET_VIDEO], *audio = &c->flows[PACKET_AUDIO];

	if (!video->is_present || !audio->is_present) {
		return (video->is_present ? video : audio)->frame_90k;
	}
	return tl_min(video->frame_90k, audio->frame_90k);
}

bool tl_copy_steps(struct timeline *tl, struct tl_source *c, const struct packet *p, int64_t now_us)
{
	const struct tl_flow *flow = &c->flows[p->kind];
	int64_t step_90k = p->dts_90k - flow->last_dts_90k;
	int64_t by_90k = flow->frame_90k - step_90k;

	if (!packet_is_main(p) || p->kind == PACKET_DATA || !flow->is_present) {
		return false;
	}
	if (copy_is_beyond(tl, c, p, now_us)) {
		tl_group_part(tl, c->group, c, now_us);
		return false;
	}
	if (!c->copy.is_odd && tl_abs(by_90k) * 2 > copy_shortest_frame(c)) {
		c->copy.is_odd = true;
		c->copy.odd_seq = p->source_seq;
	}
	/* less is two frames in the wrong order */
	if (by_90k * 2 <= flow->frame_90k * 5 || !copy_moves(c, now_us)) {
		return false;
	}
	copy_move(c, by_90k, p->source_seq);
	source_move(c, -by_90k);
	return true;
}
