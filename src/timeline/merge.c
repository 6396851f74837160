/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Twins, merged packet by packet (timeline; pure). What the copies of a group bring waits in their
 * own indexes until it has its place in the encode's order, in the index of the group's source.
 *
 *    copy A (leads)   | v5 |    | v7 |                    A has lost v6
 *    copy B           | v5 | v6 | v7 | v8 |               B is ahead
 *                        \    |    /
 *    group's source   ...| v5 | v6 | v7 |                 v8 waits for A, until it is due
 *
 * One copy *leads*: what it brings goes on at once. What another one brings is used where it is
 * proven that the leading copy has not got it (a later frame of it is there, and the other one
 * agrees on that), or when it is due and there is nothing else. So a copy that is ahead, and
 * forges what the leading one has still to bring, gains nothing. A hole of the leading copy
 * waits for copies that are behind, until what follows it is due.
 *
 * Whatever lies at or before what was merged is held against the log of it: equal is good;
 * others are strikes, and after some in a row, or one key frame, the copy is a feed of its own
 * again, with the packets from there on.
 */
#include "private.h"

#define STRIKES_MAX 5
#define DOUBT_FRAMES 4 /* tl_copy_steps() takes a step back by more for what it is */

static const struct packet *copy_head(const struct tl_source *c, unsigned kind)
{
	uint64_t n = c->index.tracks[kind][0].head;

	return n == TL_NONE ? NULL : &tl_index_at(&c->index, n)->packet;
}

const struct packet *tl_copy_from(const struct tl_source *c, unsigned kind, int64_t dts_90k)
{
	for (uint64_t n = c->index.tracks[kind][0].head; n != TL_NONE;
	     n = tl_index_at(&c->index, n)->next) {
		const struct packet *p = &tl_index_at(&c->index, n)->packet;

		if (tl_copy_time(c, p) >= dts_90k - TL_TWIN_SLACK_90k) {
			return p;
		}
	}
	return NULL;
}

/* How far the copy has come, in the group's media time. */
static int64_t copy_reached(const struct tl_source *c, unsigned kind)
{
	return c->flows[kind].last_dts_90k + c->copy.offset_90k;
}

/* It may still bring something of the kind that comes before `dts_90k`. */
static bool copy_may_bring(const struct timeline *tl, const struct tl_source *c, unsigned kind,
			   int64_t dts_90k, int64_t now_us)
{
	return c->is_open && c->copy.strikes == 0 &&
	       !tl_flow_is_silent(&c->flows[kind], tl->config.stall_us, now_us) &&
	       copy_reached(c, kind) < dts_90k - TL_TWIN_SLACK_90k;
}

static uint64_t log_oldest(const struct tl_group *group, unsigned kind)
{
	return group->logged[kind] > TL_LOG_FRAMES ? group->logged[kind] - TL_LOG_FRAMES : 0;
}

/* ---- what was merged ---- */

enum verdict { VERDICT_UNKNOWN, VERDICT_SAME, VERDICT_OTHER };

/* A frame at or before what was merged, against the log. */
static enum verdict group_judge(const struct tl_group *group, struct tl_source *c,
				const struct packet *p)
{
	const struct tl_logged *log = group->log[p->kind];
	uint64_t oldest = log_oldest(group, p->kind), next = group->logged[p->kind];
	uint64_t at = c->copy.at[p->kind] > oldest ? c->copy.at[p->kind] : oldest;
	int64_t dts_90k = tl_copy_time(c, p);
	const struct tl_logged *found;

	while (at < next && log[at % TL_LOG_FRAMES].dts_90k < dts_90k - TL_TWIN_SLACK_90k) {
		at++;
	}
	c->copy.at[p->kind] = at;
	found = &log[at % TL_LOG_FRAMES];
	if (at == next) {
		return VERDICT_UNKNOWN;
	}
	if (found->dts_90k > dts_90k + TL_TWIN_SLACK_90k) {
		/* what all had lost in time proves nothing */
		return at == oldest || found->dts_90k - log[(at - 1) % TL_LOG_FRAMES].dts_90k >
					       group->source->flows[p->kind].frame_90k * 3 / 2
			       ? VERDICT_UNKNOWN
			       : VERDICT_OTHER;
	}
	return found->fingerprint == p->fingerprint ? VERDICT_SAME : VERDICT_OTHER;
}

/* The frame lies behind all that was merged. */
static bool copy_is_ahead(const struct tl_group *group, const struct tl_source *c,
			  const struct packet *p)
{
	const struct tl_flow *flow = &group->source->flows[p->kind];

	return !flow->is_present || tl_copy_time(c, p) > flow->last_dts_90k + TL_TWIN_SLACK_90k;
}

static int64_t group_due_us(const struct timeline *tl, const struct tl_group *group,
			    int64_t dts_90k)
{
	return tl_due_us(tl, dts_90k + group->source->map_90k);
}

static bool group_is_time(int64_t at_us, int64_t now_us, int64_t *wake_us)
{
	if (at_us <= now_us) {
		return true;
	}
	*wake_us = tl_min(*wake_us, at_us);
	return false;
}

static bool group_is_hole(const struct tl_group *group, unsigned kind, int64_t dts_90k)
{
	const struct tl_flow *flow = &group->source->flows[kind];

	return flow->is_present && dts_90k - flow->last_dts_90k > flow->frame_90k * 3 / 2;
}

/* The copy has stepped, and nothing has told yet whether its time moved by that. */
static bool copy_may_have_moved(const struct timeline *tl, const struct tl_source *c,
				const struct packet *p)
{
	return tl->config.delay_us > 0 && c->copy.is_odd && p->source_seq >= c->copy.odd_seq;
}

/* The copy's time may have moved, or a hole lies before its head: until that is due, or as late
 * as what was merged before, it waits for another copy to have it, too, or to come further; and for
 * one that is behind to fill the hole. Without a delay nothing waits for that. */
static bool copy_is_in_doubt(const struct timeline *tl, const struct tl_group *group,
			     const struct tl_source *c, const struct packet *p, int64_t now_us,
			     int64_t *wake_us)
{
	int64_t dts_90k = tl_copy_time(c, p);
	int64_t until_90k = dts_90k + group->source->flows[p->kind].frame_90k * DOUBT_FRAMES;
	int64_t late_us = tl_max(0, tl_min(group->late_us[p->kind], TL_ENTER_LATE_US));
	bool is_hole = group_is_hole(group, p->kind, dts_90k);
	bool is_confirmed = false, may_fill = false, may_tell = false;

	if (tl->config.delay_us == 0 || !(is_hole || copy_may_have_moved(tl, c, p))) {
		return false;
	}
	for (unsigned i = 0; i < group->count; i++) {
		const struct tl_source *other = group->copies[i];
		const struct packet *q = other != c ? tl_copy_from(other, p->kind, dts_90k) : NULL;

		is_confirmed |= q != NULL && q->fingerprint == p->fingerprint &&
				tl_copy_time(other, q) <= dts_90k + TL_TWIN_SLACK_90k;
		may_fill |= is_hole && copy_may_bring(tl, other, p->kind, dts_90k, now_us);
		may_tell |= other != c && copy_may_bring(tl, other, p->kind, until_90k, now_us);
	}
	is_confirmed = is_confirmed && tl_copy_tells(group, p, dts_90k);
	return (may_fill || (may_tell && !is_confirmed)) &&
	       !group_is_time(group_due_us(tl, group, dts_90k) + late_us, now_us, wake_us);
}

/* The head of the copy is not the group's, or not where it should be. False: that was once too
 * often. */
static bool group_strike(struct timeline *tl, struct tl_group *group, struct tl_source *c,
			 unsigned kind, int64_t now_us)
{
	const struct packet *p = copy_head(c, kind);

	enum tl_rejoin rejoin = tl_copy_rejoin(group, c, kind, true, now_us);

	if (rejoin == TL_REJOIN_MOVED) {
		return true;
	}
	if (rejoin == TL_REJOIN_NOT && group->count > 1 &&
	    (++c->copy.strikes >= STRIKES_MAX || (p->flags & PACKET_KEY) != 0)) {
		tl_group_part(tl, group, c, now_us);
		return false;
	}
	tl_source_pop(c, kind, 0);
	return true;
}

/* What lies at or before what was merged has done its duty. */
static void copy_drop_passed(struct timeline *tl, struct tl_group *group, struct tl_source *c,
			     unsigned kind, int64_t now_us, int64_t *wake_us)
{
	const struct packet *p;

	while ((p = copy_head(c, kind)) != NULL) {
		if (p->type != PACKET_FRAME && c == group->leader) {
			return;
		}
		if (p->type == PACKET_FRAME) {
			if (copy_is_ahead(group, c, p)) {
				return;
			}
			enum verdict verdict = group_judge(group, c, p);

			if (verdict == VERDICT_OTHER) {
				if (copy_is_in_doubt(tl, group, c, p, now_us, wake_us) ||
				    !group_strike(tl, group, c, kind, now_us)) {
					return;
				}
				continue;
			}
			if (verdict == VERDICT_SAME) {
				c->copy.strikes = 0;
				c->copy.placed_90k[kind] = tl_copy_time(c, p);
				tl_copy_followed(group, c, p, tl_copy_time(c, p));
				c->copy.hint_90k = 0;
			} else if (tl_group_fill(tl, group, c, kind, now_us, wake_us)) {
				return;
			}
		}
		tl_source_pop(c, kind, 0);
	}
}

/* ---- merging ---- */

/* Up to here (the group's media time) the kind went out before the switch was restarted: by number,
 * or, where the copy whose the last one was is gone, by the show's time. */
static int64_t group_sent(const struct timeline *tl, const struct tl_group *group, unsigned kind)
{
	int64_t last_90k = tl->resume.last_dts_90k[kind][0];

	return group->sent_90k[kind] != TL_UNKNOWN || group->resumed_90k == TL_UNKNOWN ||
			       last_90k == TL_UNKNOWN
		       ? group->sent_90k[kind]
		       : last_90k - group->source->map_90k;
}

static bool group_has_sent(const struct timeline *tl, const struct tl_group *group,
			   const struct packet *p)
{
	int64_t sent_90k = group_sent(tl, group, p->kind);

	return sent_90k != TL_UNKNOWN && p->dts_90k <= sent_90k + TL_TWIN_SLACK_90k;
}

/* Where the group goes on with another copy, the show may have to pause until what comes later
 * is there: once, and the clock catches up in its own time. What comes late because it stood
 * still is not behind by nature: the rule of late media holds. What had been sent is not waited
 * for. */
static void group_pause(struct timeline *tl, const struct tl_group *group,
			const struct tl_source *c, const struct packet *p, int64_t now_us)
{
	const struct tl_source *m = group->source;
	int64_t late_us = tl_lateness_us(tl, p->dts_90k + m->map_90k, now_us);

	if (m == tl->live && late_us > TL_TWIN_GRACE_US && c != group->last[p->kind] &&
	    c->lag.since_us <= group->merged_us[p->kind] && !group->is_resumed &&
	    !group_has_sent(tl, group, p)) {
		tl->clock.offset_us += late_us;
		tl->clock.slewed_us = now_us;
	}
}

/* Went out before the switch was restarted. */
static bool group_was_sent(const struct timeline *tl, struct tl_group *group,
			   const struct packet *p)
{
	bool is_sent;

	/* Here is what went out with another copy: its own it knows by number. */
	if (tl_sent_kind(p) == PACKET_DATA) {
		return p->dts_90k + group->source->map_90k < group->resumed_90k;
	}
	if (!packet_is_main(p)) {
		return group->is_resumed && p->dts_90k + group->source->map_90k < tl->out.last_90k;
	}
	is_sent = group_has_sent(tl, group, p);
	if (!is_sent && p->kind == tl_source_main_kind(group->source)) {
		group->is_resumed = false;
	}
	return is_sent;
}

void tl_group_log(struct tl_group *group, const struct packet *p)
{
	group->log[p->kind][group->logged[p->kind]++ % TL_LOG_FRAMES] = (struct tl_logged){
		.fingerprint = p->fingerprint, .dts_90k = p->dts_90k
	};
}

void tl_group_commit(struct timeline *tl, struct tl_group *group, struct tl_source *c,
		     unsigned kind, unsigned track, int64_t now_us)
{
	struct tl_source *m = group->source;
	struct tl_entry e = {
		.packet = tl_index_at(&c->index, c->index.tracks[kind][track].head)->packet,
		.handle = c->handle,
	};
	struct packet *p = &e.packet;
	bool is_main = packet_is_main(p) && kind != PACKET_DATA;

	tl_source_pop(c, kind, track);
	p->dts_90k += c->copy.offset_90k;
	p->pts_90k += c->copy.offset_90k;
	p->arrival_us = now_us;
	if (tl_index_reserve(&m->index) != 0) {
		c->late_dropped++;
		return;
	}
	if (is_main) {
		group_pause(tl, group, c, p, now_us);
		tl_group_log(group, p);
		group->last[kind] = c;
		group->merged_us[kind] = now_us;
		group->late_us[kind] = tl_lateness_us(tl, p->dts_90k + m->map_90k, now_us);
		c->copy.placed_90k[kind] = p->dts_90k;
		c->copy.strikes = 0;
		tl_copy_followed(group, c, p, p->dts_90k);
		c->copy.hint_90k = p->source_seq < c->copy.hint_seq ? c->copy.hint_90k : 0;
	}
	tl_source_append(tl, m, &e);
	c->copy.keep_until = m->index.next;
	if (is_main) {
		tl_twins_look(tl, m, p);
	}
	if (group_was_sent(tl, group, p)) {
		tl_source_pop(m, kind, track);
	}
}

/* How long copies that may bring it are behind the leading one; negative: there are none. */
static int64_t group_behind_us(const struct timeline *tl, const struct tl_group *group,
			       unsigned kind, int64_t dts_90k, int64_t now_us)
{
	int64_t most_us = -1;

	for (unsigned i = 0; i < group->count; i++) {
		const struct tl_source *c = group->copies[i];

		if (copy_may_bring(tl, c, kind, dts_90k, now_us)) {
			most_us = tl_max(most_us, tl_max(0, tl_copy_lag_us(c) -
								    tl_copy_lag_us(group->leader)));
		}
	}
	return most_us;
}

/* Without a delay, when the leading copy's head may go on: a hole before it can be filled while
 * others are behind, and the other kind's frames of the same time go first, or could not go at
 * all. */
static int64_t group_lead_at_us(const struct timeline *tl, const struct tl_group *group,
				const struct packet *p, int64_t now_us)
{
	unsigned other = p->kind == PACKET_VIDEO ? PACKET_AUDIO : PACKET_VIDEO;
	const struct tl_flow *flow = &group->source->flows[other];
	int64_t dts_90k = tl_copy_time(group->leader, p), behind_us = -1;

	if (tl->config.delay_us > 0) {
		return INT64_MIN;
	}
	if (group_is_hole(group, p->kind, dts_90k)) {
		behind_us = group_behind_us(tl, group, p->kind, dts_90k, now_us);
	}
	if (flow->is_present &&
	    dts_90k > flow->last_dts_90k + flow->frame_90k + TL_TWIN_SLACK_90k) {
		behind_us = tl_max(behind_us, group_behind_us(tl, group, other, dts_90k, now_us));
	}
	return behind_us < 0 ? INT64_MIN : p->arrival_us + behind_us + TL_TWIN_GRACE_US;
}

/* The copy, other than the leading one, whose head comes first, before `until_90k`. */
static struct tl_source *group_first(const struct tl_group *group, unsigned kind, int64_t until_90k)
{
	struct tl_source *first = NULL;

	for (unsigned i = 0; i < group->count; i++) {
		struct tl_source *c = group->copies[i];
		const struct packet *p = copy_head(c, kind);

		if (c != group->leader && p != NULL && c->copy.strikes == 0 &&
		    tl_copy_time(c, p) < until_90k && copy_is_ahead(group, c, p)) {
			first = c;
			until_90k = tl_copy_time(c, p);
		}
	}
	return first;
}

/* Has the copy the leading one's frame `p`, too? It may not have come as far yet, and where the
 * leading one's time may have moved only the same frame at the same time tells. */
static enum verdict copy_agrees(const struct tl_source *c, const struct packet *p, int64_t dts_90k,
				bool may_have_moved)
{
	const struct packet *q = tl_copy_from(c, p->kind, dts_90k);
	bool is_there = q != NULL && tl_copy_time(c, q) <= dts_90k + TL_TWIN_SLACK_90k;

	if (is_there && q->fingerprint == p->fingerprint) {
		return VERDICT_SAME;
	}
	if (q == NULL || may_have_moved) {
		return VERDICT_UNKNOWN;
	}
	return is_there ? VERDICT_OTHER : VERDICT_SAME;
}

/* The head of `c` comes before that of the leading copy, `p`. When may it? */
static int64_t group_fill_at_us(const struct timeline *tl, const struct tl_group *group,
				const struct tl_source *c, const struct packet *p, bool *ret_is_bad)
{
	int64_t lead_90k = tl_copy_time(group->leader, p);
	bool may_have_moved = copy_may_have_moved(tl, group->leader, p);
	enum verdict verdict = copy_agrees(c, p, lead_90k, may_have_moved);

	*ret_is_bad = verdict == VERDICT_OTHER || !group_is_hole(group, p->kind, lead_90k);
	return verdict == VERDICT_UNKNOWN && (may_have_moved || !*ret_is_bad)
		       ? group_due_us(tl, group, tl_copy_time(c, copy_head(c, p->kind)))
		       : INT64_MIN;
}

/* The frame's time does not follow from the one before: there is a hole, or its time moved. */
static bool group_is_odd(const struct tl_group *group, const struct tl_source *c,
			 const struct packet *p)
{
	const struct tl_flow *flow = &group->source->flows[p->kind];
	int64_t step_90k = tl_copy_time(c, p) - flow->last_dts_90k;

	return flow->is_present &&
	       (step_90k * 2 > flow->frame_90k * 3 || step_90k * 2 < flow->frame_90k);
}

/* The frame of the leading copy may be one that another copy brought, at another time. */
static bool group_may_double(const struct tl_group *group, const struct tl_source *c,
			     const struct packet *p)
{
	return c == group->leader && (group_is_odd(group, c, p) || group->last[p->kind] != c);
}

/* Copies whose frames did not follow from those before: has their time moved? */
static bool group_rejoin(struct tl_group *group, unsigned kind, int64_t now_us)
{
	const struct tl_flow *flow = &group->source->flows[kind];
	bool has_moved = false;

	for (unsigned i = 0; i < group->count; i++) {
		struct tl_source *c = group->copies[i];
		const struct packet *p = copy_head(c, kind);

		if (p == NULL || p->type != PACKET_FRAME ||
		    !(c->copy.is_odd || group_may_double(group, c, p))) {
			continue;
		}
		switch (tl_copy_rejoin(group, c, kind, c->copy.is_odd, now_us)) {
		case TL_REJOIN_MOVED:
			has_moved = true;
			break;
		case TL_REJOIN_HINT:
			if (tl_copy_time(c, p) + c->copy.hint_90k <= flow->last_dts_90k) {
				tl_source_pop(c, kind, 0); /* it was merged already */
				has_moved = true;
			}
			break;
		case TL_REJOIN_NOT:
			break;
		}
	}
	return has_moved;
}

/* The leading copy's head. False: it has to wait. */
static bool group_merge_lead(struct timeline *tl, struct tl_group *group, const struct packet *p,
			     int64_t now_us, int64_t *wake_us)
{
	int64_t at_us = p->type == PACKET_FRAME ? group_lead_at_us(tl, group, p, now_us)
						: INT64_MIN;

	if (!group_is_time(at_us, now_us, wake_us) ||
	    copy_is_in_doubt(tl, group, group->leader, p, now_us, wake_us)) {
		group->is_waiting = true;
		return false;
	}
	tl_group_commit(tl, group, group->leader, p->kind, 0, now_us);
	return true;
}

/* The head of `c`, before that of the leading copy, `p`, or, if that is NULL, in its place. False:
 * it has to wait. */
static bool group_merge_other(struct timeline *tl, struct tl_group *group, struct tl_source *c,
			      const struct packet *p, unsigned kind, int64_t now_us,
			      int64_t *wake_us)
{
	bool is_bad = false;
	int64_t at_us = INT64_MIN;

	if (p != NULL) {
		at_us = group_fill_at_us(tl, group, c, p, &is_bad);
	} else if (group->leader->is_open && group->last[PACKET_VIDEO] != c &&
		   group->last[PACKET_AUDIO] != c) { /* it may just be a little late */
		at_us = group_due_us(tl, group, tl_copy_time(c, copy_head(c, kind))) +
			tl_max(0, TL_TWIN_GRACE_US - tl->config.delay_us);
	}
	if (!group_is_time(at_us, now_us, wake_us) ||
	    copy_is_in_doubt(tl, group, c, copy_head(c, kind), now_us, wake_us)) {
		group->is_waiting |= p != NULL;
		return false;
	}
	if (is_bad) {
		group_strike(tl, group, c, kind, now_us);
	} else {
		c->copy.filled += group->leader->is_open;
		tl_group_commit(tl, group, c, kind, 0, now_us);
	}
	return true;
}

/* The next packet of the kind. False if there is none that may go on yet. */
static bool group_merge_next(struct timeline *tl, struct tl_group *group, unsigned kind,
			     int64_t now_us, int64_t *wake_us)
{
	const struct packet *p;
	struct tl_source *c;

	for (unsigned i = group->count; i-- > 0;) {
		copy_drop_passed(tl, group, group->copies[i], kind, now_us, wake_us);
	}
	if (group_rejoin(group, kind, now_us)) {
		return true;
	}
	p = copy_head(group->leader, kind);
	if (p != NULL && p->type == PACKET_FRAME && !copy_is_ahead(group, group->leader, p)) {
		group->is_waiting = true;
		return false;
	}
	c = group_first(group, kind,
			p != NULL ? tl_copy_time(group->leader, p) - TL_TWIN_SLACK_90k : INT64_MAX);
	if (c != NULL && (p == NULL || p->type == PACKET_FRAME)) {
		return group_merge_other(tl, group, c, p, kind, now_us, wake_us);
	}
	return p != NULL && group_merge_lead(tl, group, p, now_us, wake_us);
}

/* What one copy had sent before a restart, and another one has brought since. */
static void group_forget_sent(const struct timeline *tl, struct tl_group *group)
{
	struct tl_source *m = group->source;

	for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		const struct tl_track *track = &m->index.tracks[kind][0];

		while (track->head != TL_NONE &&
		       group_has_sent(tl, group, &tl_index_at(&m->index, track->head)->packet)) {
			tl_source_pop(m, kind, 0);
		}
	}
}

/* The kind is not silent while the group waits. Nor, without a delay, while the copy that leads now
 * is on its way to where it has got: the show pauses until it is there. */
static void group_note_coming(const struct timeline *tl, struct tl_group *group, unsigned kind,
			      int64_t now_us)
{
	int64_t *last_us = &group->source->flows[kind].last_us;

	if (group->is_waiting) {
		*last_us = group->merged_us[kind] = now_us;
	}
	if (tl->config.delay_us == 0) {
		*last_us = tl_max(*last_us, group->leader->flows[kind].last_us);
	}
}

int64_t tl_group_merge(struct timeline *tl, struct tl_group *group, int64_t now_us)
{
	int64_t wake_us = CLOCK_NEVER;
	bool is_moving;

	tl_group_lead(tl, group, now_us);
	group->is_waiting = false;
	if (group->is_resumed) {
		group_forget_sent(tl, group);
	}
	do {
		is_moving = false;
		for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
			while (group_merge_next(tl, group, kind, now_us, &wake_us)) {
				is_moving = true;
			}
		}
	} while (is_moving);
	wake_us = tl_min(wake_us, tl_group_merge_extra(tl, group, now_us));
	for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		group_note_coming(tl, group, kind, now_us);
	}
	tl_group_end(tl, group, now_us);
	for (unsigned i = 0; i < group->count; i++) {
		tl_source_track_map(tl, group->copies[i]);
	}
	return wake_us;
}
