/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a source's index forgets (timeline; pure): packets that were sent, that are too late, that
 * were overwritten, and with them the holes that lie before them.
 */
#include "private.h"

/* The hole before this entry is behind us: the next one, if any, ends the horizon now. */
static void drop_pass_hole(struct tl_source *s, struct tl_flow *flow, uint64_t n)
{
	flow->holes--;
	while (flow->holes > 0) {
		const struct tl_entry *e = tl_index_at(&s->index, n);

		n = e->next;
		if ((tl_index_at(&s->index, n)->flags & TL_ENTRY_HOLE) != 0) {
			flow->hole = n;
			flow->hole_end_90k = e->closed_90k + flow->frame_90k;
			flow->hole_us = e->packet.arrival_us;
			return;
		}
	}
}

void tl_source_pop(struct tl_source *s, unsigned kind, unsigned track)
{
	uint64_t n = s->index.tracks[kind][track].head;

	if ((tl_index_at(&s->index, n)->flags & TL_ENTRY_HOLE) != 0) {
		drop_pass_hole(s, &s->flows[kind], n);
	}
	tl_index_pop(&s->index, kind, track);
}

void tl_source_clear(struct tl_source *s)
{
	tl_index_clear(&s->index);
	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		s->flows[kind].holes = 0;
	}
}

void tl_source_expire(struct timeline *tl, struct tl_source *s, int64_t now_us)
{
	int64_t behind_us = tl_source_behind_us(tl, s);
	/* of one just left sound may go on where it was, wherever it would come back */
	int64_t map_90k = s == tl->tail_source ? tl_max(s->map_90k, s->tail_map_90k) : s->map_90k;

	for (uint64_t left = s->index.waiting; left != 0; left &= left - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(left);
		unsigned kind = bit / PACKET_TRACKS_MAX, track = bit % PACKET_TRACKS_MAX;
		const struct tl_track *t = &s->index.tracks[kind][track];

		while (t->head != TL_NONE &&
		       tl_lateness_us(tl, tl_index_at(&s->index, t->head)->packet.dts_90k + map_90k,
				      now_us) > TL_LATE_US + behind_us) {
			tl_source_pop(s, kind, track);
		}
	}
}

bool tl_source_drop_before(struct tl_source *s, int handle, uint64_t seq)
{
	bool has_lost_main = false;

	for (uint64_t left = s->index.waiting; left != 0; left &= left - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(left);
		unsigned kind = bit / PACKET_TRACKS_MAX, track = bit % PACKET_TRACKS_MAX;
		const struct tl_track *t = &s->index.tracks[kind][track];

		while (t->head != TL_NONE && tl_index_at(&s->index, t->head)->handle == handle &&
		       tl_index_at(&s->index, t->head)->packet.source_seq < seq) {
			has_lost_main |= packet_is_main(&tl_index_at(&s->index, t->head)->packet);
			tl_source_pop(s, kind, track);
		}
	}
	return has_lost_main;
}
