/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which sources carry the same encode (timeline; pure).
 *
 * Equal fingerprints are equal payloads, but that proves nothing: silence, black and test
 * pictures repeat. What proves it is a run of frames, each found in the other source once only,
 * all the same step of media time apart, that goes on when everything which can repeat has had
 * the time to do so: two encoders in the dark send the same frames for as long as their IDRs
 * differ in number, which is two GOPs.
 *
 *    A   a1  a2  s   s   a3  a4 ...      s: repeated, counts for nothing
 *    B       b1  b2  s   s   b3  b4      fits: b(n) = a(n), and always one frame later
 *
 * Each source keeps a table of the frames it had lately, of fixed size, a newer one in the place
 * of an older: one frame in four, chosen by its fingerprint, so that all sources keep the same
 * ones. Whichever of the two comes later finds the other one's frame; one look-up for each
 * source beside it. Nobody can aim at a place in a table: the switch makes fingerprints with a
 * seed of its own.
 */
#include "private.h"

#define SAMPLED 3u    /* bits of the fingerprint that are 0 in frames looked at */
#define PRINTS_SET 4u /* places a fingerprint may take */
#define SCORE_MAX 32
#define COUNT_MAX 1000
#define MATCHES_MIN 8         /* of video and audio together */
#define MATCHES_EACH 2        /* of each, where both have both ... */
#define MATCHES_LONE 32       /* ... or so many of one, if the other says nothing: silence, black */
#define MATCHES_LONE_AGAIN 16 /* of feeds that were twins before */
#define REFINE 8
#define GOP_DEFAULT_90k 180000
#define GOP_MAX_90k 900000
#define LAG_SPARE_US 2000000 /* beyond the delay: what rings hold for sure */

static bool print_is(const struct tl_print *print, const struct packet *p)
{
	return print->kind == p->kind && print->fingerprint == p->fingerprint;
}

/* Where the frame is in the table, or else the place for it, which is that of the one of its set
 * that was not seen for longest: what repeats stays, so that it is known to. */
static struct tl_print *twins_print(struct tl_source *s, const struct packet *p)
{
	uint64_t set = p->fingerprint / (SAMPLED + 1) % (TL_PRINTS / PRINTS_SET);
	struct tl_print *first = &s->prints[set * PRINTS_SET], *oldest = first;

	for (struct tl_print *print = first; print < first + PRINTS_SET; print++) {
		if (print_is(print, p)) {
			return print;
		}
		if (print->kind == 0 || (oldest->kind != 0 && print->dts_90k < oldest->dts_90k)) {
			oldest = print;
		}
	}
	return oldest;
}

static struct tl_pair *twins_pair(struct tl_source *a, struct tl_source *b)
{
	return a->slot < b->slot ? &a->pairs[b->slot] : &b->pairs[a->slot];
}

void tl_twins_forget(struct timeline *tl, unsigned slot)
{
	for (unsigned i = 0; i < TL_SLOTS_MAX; i++) {
		if (tl->sources[i] != NULL) {
			tl->sources[i]->pairs[slot] = (struct tl_pair){ 0 };
		}
	}
}

/* Media of `s` + offset = media of `other`. */
static int64_t pair_offset(const struct tl_pair *pair, const struct tl_source *s,
			   const struct tl_source *other)
{
	return s->slot < other->slot ? pair->offset_90k : -pair->offset_90k;
}

static bool twins_were(const struct timeline *tl, const struct tl_source *a,
		       const struct tl_source *b)
{
	return tl->feeds[a->feed].was_twin && tl->feeds[b->feed].was_twin;
}

/* Time for all that can repeat to do so: two GOPs. Feeds that were twins before need not prove
 * it again. */
static int64_t twins_proof_us(const struct timeline *tl, const struct tl_source *a,
			      const struct tl_source *b)
{
	int64_t gop_90k = tl_max(a->gop_90k, b->gop_90k);

	if (twins_were(tl, a, b)) {
		return 0;
	}
	if (gop_90k <= 0 || tl_source_main_kind(a) != PACKET_VIDEO) {
		gop_90k = GOP_DEFAULT_90k;
	}
	return tl_us(tl_min(gop_90k, GOP_MAX_90k)) * 5 / 2;
}

static void pair_disagrees(struct tl_pair *pair)
{
	if (--pair->score == 0) {
		*pair = (struct tl_pair){ 0 };
	}
}

static void count_up(uint16_t *count)
{
	*count = (uint16_t)(*count + (*count < COUNT_MAX));
}

static bool pair_is_proven(const struct timeline *tl, const struct tl_pair *pair,
			   const struct tl_source *a, const struct tl_source *b)
{
	unsigned lone = twins_were(tl, a, b) ? MATCHES_LONE_AGAIN : MATCHES_LONE;
	unsigned total = pair->matches[PACKET_VIDEO] + pair->matches[PACKET_AUDIO];

	for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		if (a->flows[kind].is_present != b->flows[kind].is_present ||
		    pair->misses[kind] > pair->matches[kind]) {
			return false;
		}
		if (a->flows[kind].is_present && pair->matches[kind] < MATCHES_EACH &&
		    total < lone) {
			return false;
		}
	}
	return total >= MATCHES_MIN;
}

/* What is further behind than the delay could never be used; mostly it is what repeats after a long
 * time, and the other one has not come as far yet. How late one comes whose time has just stepped
 * nobody knows yet. */
static bool twins_are_near(const struct timeline *tl, const struct tl_source *s,
			   const struct tl_source *other, int64_t offset_90k)
{
	return tl_lag_is_known(&s->lag) && tl_lag_is_known(&other->lag) &&
	       tl_abs(s->lag.min_us - tl_us(offset_90k) - other->lag.min_us) <=
		       tl->config.delay_us + LAG_SPARE_US;
}

static void twins_found(struct timeline *tl, const struct tl_source *s,
			const struct tl_source *other)
{
	tl->twin_slots[0] = (uint8_t)s->slot;
	tl->twin_slots[1] = (uint8_t)other->slot;
	tl->has_twins = true;
}

/* The frame, new to `s`, against what `other` had. */
static void twins_compare(struct timeline *tl, struct tl_source *s, struct tl_source *other,
			  const struct packet *p)
{
	const struct tl_print *print = twins_print(other, p);
	struct tl_pair *pair = twins_pair(s, other);
	int64_t offset_90k, gone_90k = p->dts_90k + pair_offset(pair, s, other);
	bool is_proof = pair->score > 0 &&
			p->arrival_us - pair->since_us >= twins_proof_us(tl, s, other);

	if (!print_is(print, p)) {
		if (pair->score > 0 &&
		    gone_90k < other->flows[p->kind].last_dts_90k - TL_TWIN_SLACK_90k) {
			if (is_proof) {
				count_up(&pair->misses[p->kind]);
			}
			pair_disagrees(pair);
		}
		return;
	}
	offset_90k = print->dts_90k - p->dts_90k;
	if (print->is_repeated || !twins_are_near(tl, s, other, offset_90k)) {
		return;
	}
	if (pair->score == 0) {
		*pair = (struct tl_pair){ .offset_90k = s->slot < other->slot ? offset_90k
									      : -offset_90k,
					  .since_us = p->arrival_us,
					  .score = 1 };
	} else if (tl_abs(print->dts_90k - gone_90k) > TL_TWIN_SLACK_90k) {
		pair_disagrees(pair);
	} else { /* both sides may round: the mean is nearer than any one frame */
		int64_t off_90k = (print->dts_90k - gone_90k) / REFINE;

		pair->offset_90k += s->slot < other->slot ? off_90k : -off_90k;
		pair->score = (uint16_t)(pair->score + (pair->score < SCORE_MAX));
		if (is_proof) {
			count_up(&pair->matches[p->kind]);
		}
		if (pair_is_proven(tl, pair, s, other)) {
			twins_found(tl, s, other);
		}
	}
}

static bool twins_are_possible(const struct timeline *tl, const struct tl_source *s,
			       const struct tl_source *other)
{
	return other != NULL && other != s && other->is_open && !tl_source_is_copy(other) &&
	       !tl->config.feeds[other->feed].is_slate;
}

void tl_twins_look(struct timeline *tl, struct tl_source *s, const struct packet *p)
{
	struct tl_print *own;

	if ((p->fingerprint & SAMPLED) != 0 || p->kind == PACKET_DATA ||
	    tl->config.feeds[s->feed].is_slate) {
		return;
	}
	own = twins_print(s, p);
	if (print_is(own, p)) {
		own->is_repeated = true;
		own->dts_90k = p->dts_90k;
		return;
	}
	*own = (struct tl_print){ .fingerprint = p->fingerprint,
				  .dts_90k = p->dts_90k,
				  .kind = p->kind };
	for (unsigned i = 0; i < TL_SLOTS_MAX; i++) {
		if (twins_are_possible(tl, s, tl->sources[i])) {
			twins_compare(tl, s, tl->sources[i], p);
		}
	}
}

void tl_twins_settle(struct timeline *tl, int64_t now_us)
{
	struct tl_source *base = tl->sources[tl->twin_slots[0]];
	struct tl_source *twin = tl->sources[tl->twin_slots[1]];
	bool is_swapped;

	tl->has_twins = false;
	if (base == NULL || twin == NULL || !twins_are_possible(tl, base, twin) ||
	    !twins_are_possible(tl, twin, base) || twins_pair(base, twin)->score == 0 ||
	    tl_max(base->apart_until_us, twin->apart_until_us) > now_us) {
		return;
	}
	is_swapped = twin == tl->live ||
		     (base != tl->live && (twin->group != NULL || twin->first_us < base->first_us));
	if (is_swapped) {
		struct tl_source *first = base;

		base = twin;
		twin = first;
	}
	if (tl_group_join(tl, base, twin, pair_offset(twins_pair(base, twin), twin, base),
			  now_us) == 0) {
		*twins_pair(base, twin) = (struct tl_pair){ 0 };
	}
}
