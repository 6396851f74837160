/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which source the show should be made of (timeline; pure). In this order: one that stays before
 * one that is leaving; one of which all runs, picture and sound; the one an operator took; any
 * encoder before a slate; healthy before degraded; matching the reference format before not, and
 * of those that do not, one with picture and sound before one without; without a gap before with
 * one; the config's order. Where that would cost a gap, or is a slate, another one that has sent
 * more than the live one, be it silent or closed by now, is a bridge: the show is made of it for
 * as long as that lasts. When to go there is not decided here (decide.c).
 */
#include "cut.h"

#define BRIDGE_90k 90000 /* a slate is not put off by less, nor gone to for a shorter gap */

/* It may be shown, whether anything comes from it now or not. */
static bool choice_is_fit(const struct timeline *tl, const struct tl_source *s, int64_t now_us)
{
	if (!s->flows[tl_source_main_kind(s)].is_present || tl_source_talks_nonsense(s, now_us)) {
		return false;
	}
	if (tl->config.on_mismatch == MISMATCH_REFUSE && !tl_is_compatible(tl, s)) {
		return false;
	}
	return s == tl->live || (tl_source_is_settled(s, now_us) && s->point_dts_90k != TL_UNKNOWN);
}

bool tl_can_go_on(const struct timeline *tl, const struct tl_source *s, int64_t now_us)
{
	return s->is_open && choice_is_fit(tl, s, now_us) &&
	       !tl_flow_is_silent(&s->flows[tl_source_main_kind(s)], tl->config.stall_us, now_us) &&
	       (s != tl->live || tl_source_stuck(tl, s, now_us) == NULL);
}

bool tl_is_over(const struct timeline *tl, const struct tl_source *s, int64_t now_us)
{
	for (unsigned kind = PACKET_VIDEO; s->is_open && kind <= PACKET_AUDIO; kind++) {
		const struct tl_flow *flow = &s->flows[kind];

		if (flow->is_present && !tl_flow_is_silent(flow, tl->config.stall_us, now_us)) {
			return false;
		}
	}
	return true;
}

/* A live source of which one of the two does not cannot go on: who is whole is gone to before. */
bool tl_is_whole(const struct timeline *tl, const struct tl_source *s, int64_t now_us)
{
	for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		const struct tl_flow *flow = &s->flows[kind];

		if (flow->is_present && tl_flow_is_silent(flow, tl->config.stall_us, now_us)) {
			return false;
		}
	}
	return true;
}

struct rank {
	bool is_staying, is_whole, is_taken, is_encoder, is_healthy, is_compatible, is_complete,
		is_safe, is_live;
	unsigned order;
	uint32_t incarnation;
};

/* Entered at its last point at or before `safe_90k` it goes on further than that. */
static bool choice_is_safe(const struct timeline *tl, const struct tl_source *s, int64_t safe_90k,
			   int64_t now_us)
{
	uint64_t point = tl_point_before(tl, s, safe_90k, now_us);

	return point != TL_NONE && tl_source_horizon_from(s, tl_point_pts(s, point)) >= safe_90k &&
	       !tl_find_cut(tl, s, point).lacks_sound;
}

bool tl_has_more(const struct timeline *tl, const struct tl_source *s, int64_t by_90k)
{
	return tl_source_horizon(s) > tl_source_horizon_from(tl->live, TL_MEDIA_MAX_90k) + by_90k;
}

/* Sound alone is none where there are pictures. */
static bool choice_is_bridge(const struct timeline *tl, const struct tl_source *s, int64_t safe_90k,
			     int64_t now_us)
{
	return s != tl->live && choice_is_fit(tl, s, now_us) &&
	       tl_source_main_kind(s) == tl_source_main_kind(tl->live) &&
	       tl_has_more(tl, s, tl_90k(tl->config.hole_us)) &&
	       choice_is_safe(tl, s, safe_90k, now_us);
}

static struct rank choice_rank(const struct timeline *tl, const struct tl_source *s,
			       int64_t safe_90k, int64_t now_us)
{
	return (struct rank){
		.is_staying = !tl_is_leaving(tl, s, now_us),
		.is_taken = tl->taken != 0 && tl_group_has_feed(s, tl->taken),
		.is_encoder = !tl->config.feeds[s->feed].is_slate,
		.is_healthy = !tl_is_degraded(tl, s, now_us),
		.is_compatible = tl->config.on_mismatch == MISMATCH_ALLOW ||
				 tl_is_compatible(tl, s),
		.is_complete = tl->config.on_mismatch == MISMATCH_ALLOW || tl_is_complete(tl, s),
		.is_safe = s == tl->live || safe_90k == TL_UNKNOWN ||
			   choice_is_safe(tl, s, safe_90k, now_us),
		.is_live = s == tl->live,
		.order = tl_group_order(s),
		.incarnation = s->incarnation,
	};
}

static bool rank_is_better(const struct rank *a, const struct rank *b)
{
	if (a->is_staying != b->is_staying) {
		return a->is_staying;
	}
	if (a->is_whole != b->is_whole) {
		return a->is_whole;
	}
	if (a->is_taken != b->is_taken) {
		return a->is_taken;
	}
	if (a->is_encoder != b->is_encoder) {
		return a->is_encoder;
	}
	if (a->is_healthy != b->is_healthy) {
		return a->is_healthy;
	}
	if (a->is_compatible != b->is_compatible) {
		return a->is_compatible;
	}
	if (a->is_complete != b->is_complete) {
		return a->is_complete;
	}
	if (a->order == b->order) {
		return a->is_live != b->is_live ? a->is_live : a->incarnation > b->incarnation;
	}
	if (a->is_safe != b->is_safe) {
		return a->is_safe;
	}
	return a->order < b->order;
}

/* Of those that run, or of those that are a bridge. */
static struct tl_source *choice_best(const struct timeline *tl, bool runs, int64_t safe_90k,
				     int64_t now_us)
{
	struct tl_source *best = NULL;
	struct rank best_rank = { 0 };

	for (unsigned i = 0; i < TL_SLOTS_MAX; i++) {
		struct tl_source *s = tl->sources[i];

		if (s == NULL || tl_source_is_copy(s) || (tl->live == NULL && s->is_barred) ||
		    !(runs ? tl_can_go_on(tl, s, now_us)
			   : choice_is_bridge(tl, s, safe_90k, now_us))) {
			continue;
		}
		struct rank rank = choice_rank(tl, s, safe_90k, now_us);

		rank.is_whole = runs && tl_is_whole(tl, s, now_us); /* no bridge need be */
		if (best == NULL || rank_is_better(&rank, &best_rank)) {
			best = s;
			best_rank = rank;
		}
	}
	return best;
}

/* Between the last points at which the show can be left for a slate: at the live one's end, and at
 * that of the bridge. */
static int64_t choice_put_off_90k(const struct timeline *tl, const struct tl_source *slate,
				  const struct tl_source *bridge, int64_t safe_90k, int64_t now_us)
{
	uint64_t at = tl_point_before(tl, slate, safe_90k, now_us);
	uint64_t later = tl_point_before(tl, slate, tl_source_horizon(bridge), now_us);

	return tl_point_pts(slate, later) - tl_point_pts(slate, at);
}

/* Before the source's next point, if that is here. */
static int64_t choice_gap_90k(const struct timeline *tl, const struct tl_source *s,
			      int64_t safe_90k, int64_t now_us)
{
	uint64_t point = tl_point_next(tl, s, now_us);

	return point != TL_NONE ? tl_point_pts(s, point) - safe_90k : 0;
}

/* `to` runs, but the show does better to be made of the bridge before it goes there. */
static bool choice_needs_bridge(const struct timeline *tl, const struct tl_source *to,
				const struct tl_source *bridge, int64_t safe_90k, int64_t now_us)
{
	struct rank there = choice_rank(tl, to, safe_90k, now_us);
	struct rank over = choice_rank(tl, bridge, safe_90k, now_us);

	if (over.is_staying < there.is_staying || over.is_taken < there.is_taken ||
	    over.is_compatible < there.is_compatible) {
		return false;
	}
	if (there.is_safe) {
		return over.is_encoder > there.is_encoder &&
		       choice_put_off_90k(tl, to, bridge, safe_90k, now_us) >= BRIDGE_90k;
	}
	return over.is_encoder >= there.is_encoder ||
	       choice_gap_90k(tl, to, safe_90k, now_us) >= BRIDGE_90k;
}

struct tl_source *tl_choose(const struct timeline *tl, int64_t safe_90k, int64_t now_us)
{
	struct tl_source *best = choice_best(tl, true, safe_90k, now_us), *bridge;

	if (safe_90k == TL_UNKNOWN || !tl_is_over(tl, tl->live, now_us)) {
		return best;
	}
	bridge = choice_best(tl, false, safe_90k, now_us);
	return bridge != NULL && (best == NULL ||
				  choice_needs_bridge(tl, best, bridge, safe_90k, now_us))
		       ? bridge
		       : best;
}
