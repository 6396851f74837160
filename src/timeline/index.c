/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The packets of a source that may still be sent (timeline; pure): one array in order of
 * arrival, threaded into a FIFO per track and one of random-access points. Appending and
 * dropping heads are O(1); a slot is free again when everything before it is gone.
 *
 *    first                                            next
 *      v                                                v
 *    | V0 | A0 | V1 | gone | V2 | A1 | V3* | A2 | V4 |     |  capacity: a power of two
 *      `---------'`------------'`-----'          track FIFO of main video
 *
 * Owns the array; grows by doubling up to TL_INDEX_MAX.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

static void index_reset(struct tl_index *x)
{
	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		for (unsigned track = 0; track < PACKET_TRACKS_MAX; track++) {
			x->tracks[kind][track].head = TL_NONE;
			x->tracks[kind][track].tail = TL_NONE;
		}
	}
	x->first = x->next;
	x->waiting = 0;
	x->point_head = x->point_tail = TL_NONE;
}

int tl_index_init(struct tl_index *x)
{
	*x = (struct tl_index){ .capacity = TL_INDEX_MIN };
	x->entries = malloc(x->capacity * sizeof(*x->entries));
	if (x->entries == NULL) {
		return -ENOMEM;
	}
	index_reset(x);
	return 0;
}

void tl_index_finish(struct tl_index *x)
{
	free(x->entries);
	x->entries = NULL;
}

struct tl_entry *tl_index_at(const struct tl_index *x, uint64_t n)
{
	return &x->entries[n & (x->capacity - 1)];
}

int tl_index_reserve(struct tl_index *x)
{
	struct tl_index larger = *x;

	if (x->next - x->first < x->capacity) {
		return 0;
	}
	if (x->capacity == TL_INDEX_MAX) {
		return -ENOBUFS;
	}
	larger.capacity *= 2;
	larger.entries = malloc(larger.capacity * sizeof(*larger.entries));
	if (larger.entries == NULL) {
		return -ENOMEM;
	}
	for (uint64_t n = x->first; n < x->next; n++) {
		*tl_index_at(&larger, n) = *tl_index_at(x, n);
	}
	free(x->entries);
	*x = larger;
	return 0;
}

uint64_t tl_index_append(struct tl_index *x, const struct tl_entry *e)
{
	struct tl_track *track = &x->tracks[e->packet.kind][e->packet.track];
	uint64_t n = x->next++;
	struct tl_entry *to = tl_index_at(x, n);

	*to = *e;
	to->next = to->next_point = TL_NONE;
	if (track->head == TL_NONE) {
		track->head = n;
	} else {
		tl_index_at(x, track->tail)->next = n;
	}
	track->tail = n;
	x->waiting |= tl_track_bit(e->packet.kind, e->packet.track);
	if ((e->flags & TL_ENTRY_POINT) != 0) {
		if (x->point_head == TL_NONE) {
			x->point_head = n;
		} else {
			tl_index_at(x, x->point_tail)->next_point = n;
		}
		x->point_tail = n;
	}
	return n;
}

uint64_t tl_index_before(const struct tl_index *x, unsigned kind, int64_t dts_90k)
{
	uint64_t before = TL_NONE;

	for (uint64_t n = x->tracks[kind][0].head;
	     n != TL_NONE && tl_index_at(x, n)->packet.dts_90k < dts_90k;
	     n = tl_index_at(x, n)->next) {
		before = n;
	}
	return before;
}

void tl_index_insert(struct tl_index *x, const struct tl_entry *e, uint64_t behind)
{
	struct tl_track *track = &x->tracks[e->packet.kind][e->packet.track];
	uint64_t n = x->next++, *link = &x->point_head;
	struct tl_entry *to = tl_index_at(x, n);

	*to = *e;
	to->next = behind == TL_NONE ? track->head : tl_index_at(x, behind)->next;
	*(behind == TL_NONE ? &track->head : &tl_index_at(x, behind)->next) = n;
	track->tail = to->next == TL_NONE ? n : track->tail;
	x->waiting |= tl_track_bit(e->packet.kind, e->packet.track);
	if ((e->flags & TL_ENTRY_POINT) == 0) {
		return;
	}
	while (*link != TL_NONE && tl_index_at(x, *link)->packet.dts_90k < e->packet.dts_90k) {
		link = &tl_index_at(x, *link)->next_point;
	}
	to->next_point = *link;
	x->point_tail = *link == TL_NONE ? n : x->point_tail;
	*link = n;
}

void tl_index_pop(struct tl_index *x, unsigned kind, unsigned number)
{
	struct tl_track *track = &x->tracks[kind][number];
	struct tl_entry *e = tl_index_at(x, track->head);

	if (x->point_head == track->head) {
		x->point_head = e->next_point;
		if (x->point_head == TL_NONE) {
			x->point_tail = TL_NONE;
		}
	}
	e->flags |= TL_ENTRY_GONE;
	track->head = e->next;
	if (track->head == TL_NONE) {
		track->tail = TL_NONE;
		x->waiting &= ~tl_track_bit(kind, number);
	}
	while (x->first < x->next && (tl_index_at(x, x->first)->flags & TL_ENTRY_GONE) != 0) {
		x->first++;
	}
}

void tl_index_clear(struct tl_index *x)
{
	index_reset(x);
}

bool tl_index_is_empty(const struct tl_index *x)
{
	return x->waiting == 0;
}

void tl_index_forget_points(struct tl_index *x)
{
	x->point_head = x->point_tail = TL_NONE;
}

uint64_t tl_index_earliest(const struct tl_index *x, uint64_t mask)
{
	uint64_t best = TL_NONE;

	for (uint64_t left = x->waiting & mask; left != 0; left &= left - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(left);
		uint64_t n = x->tracks[bit / PACKET_TRACKS_MAX][bit % PACKET_TRACKS_MAX].head;

		if (best == TL_NONE ||
		    tl_index_at(x, n)->packet.dts_90k < tl_index_at(x, best)->packet.dts_90k) {
			best = n;
		}
	}
	return best;
}
