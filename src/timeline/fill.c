/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Frames of a copy for holes in what was merged already and still waits (timeline; pure). Whoever
 * a group was made of, or was there first after a restart, had lost them before there was a copy
 * that has them.
 *
 *    copy             | v6 | v7 |           v6 is taken if v7 is what the group's is
 *    group's source   | v5 |    | v7 | v8 |
 */
#include "private.h"

/* Where the hole begins: with what waits, or with what was sent last. TL_UNKNOWN: neither. */
static int64_t fill_from(const struct timeline *tl, const struct tl_source *m, unsigned kind,
			 uint64_t behind)
{
	if (behind != TL_NONE) {
		return tl_index_at(&m->index, behind)->packet.dts_90k;
	}
	return m == tl->live && !m->index.tracks[kind][0].is_joining
		       ? tl->out.last_dts_90k[kind][0] - m->map_90k
		       : TL_UNKNOWN;
}

/* The copy has what follows the hole, too. `*ret_is_to_come`: nobody knows yet; if it is due by
 * then, it goes on all the same, as it does where it is merged. */
static bool fill_is_proven(const struct tl_source *c, const struct packet *next,
			   bool *ret_is_to_come)
{
	const struct packet *p = tl_copy_from(c, next->kind, next->dts_90k);

	*ret_is_to_come = p == NULL && c->is_open;
	if (p == NULL || tl_copy_time(c, p) > next->dts_90k + TL_TWIN_SLACK_90k) {
		return p != NULL && !c->copy.is_odd; /* it has lost that one */
	}
	return p->fingerprint == next->fingerprint;
}

/* The newest pts of the kind that went out, by the source's media time. */
static int64_t fill_newest(const struct timeline *tl, const struct tl_source *m, unsigned kind)
{
	int64_t newest_90k = tl->out.max_pts_90k[kind];

	return m == tl->live && newest_90k != TL_UNKNOWN ? newest_90k - m->map_90k : TL_UNKNOWN;
}

/* From the new frame on: which holes are left, and behind which frames none is missing. */
static void fill_mark(const struct timeline *tl, struct tl_source *m, unsigned kind,
		      uint64_t filled)
{
	struct tl_flow *flow = &m->flows[kind];
	int64_t hole_90k = tl_90k(tl->config.hole_us) + flow->frame_90k;
	int64_t newest_90k = fill_newest(tl, m, kind);
	const struct tl_entry *before = NULL;
	bool is_behind = false;

	flow->holes = 0;
	for (uint64_t n = m->index.tracks[kind][0].head; n != TL_NONE;) {
		struct tl_entry *e = tl_index_at(&m->index, n);
		const struct packet *p = &e->packet;

		newest_90k = tl_max(newest_90k, p->pts_90k);
		is_behind |= n == filled;
		if (is_behind && before != NULL) {
			bool is_hole = p->dts_90k - before->packet.dts_90k > hole_90k;
			bool is_closed = newest_90k - p->dts_90k <=
					 flow->reorder_90k + flow->frame_90k / 2;

			e->flags &= ~(unsigned)(TL_ENTRY_HOLE | TL_ENTRY_CLOSED);
			e->flags |= is_hole ? TL_ENTRY_HOLE : 0;
			e->flags |= is_closed ? TL_ENTRY_CLOSED : 0;
			e->closed_90k = is_closed ? newest_90k : before->closed_90k;
		}
		if ((e->flags & TL_ENTRY_HOLE) != 0 && flow->holes++ == 0 && before != NULL) {
			flow->hole = n;
			flow->hole_end_90k = before->closed_90k + flow->frame_90k;
			flow->hole_us = before->packet.arrival_us;
		}
		before = e;
		n = e->next;
	}
}

/* As it would be, had it been merged in its place. */
static struct tl_entry fill_entry(const struct tl_source *c, unsigned kind, int64_t now_us)
{
	struct tl_entry e = *tl_index_at(&c->index, c->index.tracks[kind][0].head);

	e.packet.dts_90k += c->copy.offset_90k;
	e.packet.pts_90k += c->copy.offset_90k;
	e.packet.arrival_us = now_us;
	e.closed_90k += c->copy.offset_90k;
	return e;
}

bool tl_group_fill(struct timeline *tl, struct tl_group *group, struct tl_source *c, unsigned kind,
		   int64_t now_us, int64_t *wake_us)
{
	struct tl_source *m = group->source;
	struct tl_entry e = fill_entry(c, kind, now_us);
	int64_t dts_90k = e.packet.dts_90k, frame_90k = m->flows[kind].frame_90k;
	uint64_t behind = tl_index_before(&m->index, kind, dts_90k + TL_TWIN_SLACK_90k);
	uint64_t next = behind == TL_NONE ? m->index.tracks[kind][0].head
					  : tl_index_at(&m->index, behind)->next;
	int64_t from_90k = fill_from(tl, m, kind, behind);
	const struct tl_entry *to;
	bool is_to_come;

	if (next == TL_NONE || from_90k == TL_UNKNOWN || 2 * (dts_90k - from_90k) < frame_90k ||
	    (m == tl->live && dts_90k + m->map_90k <= tl->out.last_90k)) {
		return false;
	}
	to = tl_index_at(&m->index, next);
	if (to->packet.type != PACKET_FRAME || 2 * (to->packet.dts_90k - dts_90k) < frame_90k) {
		return false;
	}
	if (!fill_is_proven(c, &to->packet, &is_to_come)) {
		int64_t due_us = tl_due_us(tl, dts_90k + m->map_90k);

		if (is_to_come && due_us > now_us) {
			*wake_us = tl_min(*wake_us, due_us);
			return true;
		}
		if (!is_to_come || c->copy.is_odd || tl->config.delay_us == 0) {
			return false;
		}
	}
	if (tl_index_reserve(&m->index) == 0) {
		e.flags |= tl_index_at(&m->index, next)->flags & TL_ENTRY_HOLE;
		tl_index_insert(&m->index, &e, behind);
		fill_mark(tl, m, kind, m->index.next - 1);
		c->copy.keep_until = m->index.next;
		c->copy.filled++;
		tl->is_dirty = true;
	}
	return false;
}
