/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Twins as one (timeline; pure): which connections are copies of one encode, which of them leads,
 * and what the others of the timeline may ask. How they are merged is in merge.c.
 *
 * A group has a source of its own, which is no connection: the show is made of it like of any
 * other. It is made from the source that was there first, so that the show goes on with what it
 * was; the connection of that becomes the first copy. It ends when all copies are closed.
 *
 *   source --twins recognised--> group of 2 --one joins, closes, parts--> ... of 1 --> closed
 *
 * Which copy leads: one that can go on before one that cannot; one that is in time; the one an
 * operator took; the config's order.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/text.h>

#include "private.h"

#define APART_US 10000000 /* twins that parted are none for so long */
#define ABREAST_US 20000

/* ---- copies come and go ---- */

/* One that has just moved is measured anew: until then it comes as the group does. */
int64_t tl_copy_lag_us(const struct tl_source *c)
{
	const struct tl_lag *lag = &c->lag, *group = &c->group->source->lag;

	if (tl_lag_is_known(lag)) {
		return lag->min_us - tl_us(c->copy.offset_90k);
	}
	return tl_lag_is_known(group) ? group->min_us : 0;
}

int64_t tl_copy_time(const struct tl_source *c, const struct packet *p)
{
	return p->dts_90k + c->copy.offset_90k;
}

static void group_attach(struct timeline *tl, struct tl_group *group, struct tl_source *c,
			 int64_t offset_90k)
{
	c->group = group;
	c->copy = (struct tl_copy){ .offset_90k = offset_90k };
	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		c->copy.placed_90k[kind] = INT64_MIN;
	}
	group->copies[group->count++] = c;
	tl->feeds[c->feed].was_twin = true;
	tl_twins_forget(tl, c->slot);
}

void tl_group_detach(struct tl_group *group, struct tl_source *copy)
{
	unsigned i = 0;

	while (group->copies[i] != copy) {
		i++;
	}
	group->copies[i] = group->copies[--group->count];
	if (group->leader == copy) {
		group->leader = group->count > 0 ? group->copies[0] : NULL;
	}
	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		for (unsigned track = 0; track < PACKET_TRACKS_MAX; track++) {
			if (group->extra_from[kind][track] == copy) {
				group->extra_from[kind][track] = NULL;
			}
		}
		group->last[kind] = group->last[kind] == copy ? NULL : group->last[kind];
	}
	copy->group = NULL;
	memset(copy->prints, 0, sizeof(copy->prints));
	memset(copy->pairs, 0, sizeof(copy->pairs));
}

/* The connection of `base` becomes the first copy, with an empty index; `base` keeps what waits,
 * what was learned, and its place in the show. */
static int group_create(struct timeline *tl, struct tl_source *base, int64_t now_us)
{
	struct tl_group *group = calloc(1, sizeof(*group));
	struct tl_source *c = NULL;
	int error = group == NULL ? -ENOMEM
				  : tl_add_source(tl, base->handle, base->feed, base->incarnation,
						  now_us, &c);

	if (error != 0) {
		free(group);
		return error;
	}
	struct tl_index index = c->index;
	unsigned slot = c->slot;

	*c = *base;
	c->index = index;
	c->slot = slot;
	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		for (unsigned track = 0; track < PACKET_TRACKS_MAX; track++) {
			struct tl_track *to = &c->index.tracks[kind][track];

			to->last_dts_90k = base->index.tracks[kind][track].last_dts_90k;
			to->has_frames = base->index.tracks[kind][track].has_frames;
		}
		for (uint64_t n = base->index.tracks[kind][0].head; n != TL_NONE;
		     n = tl_index_at(&base->index, n)->next) {
			if (packet_is_main(&tl_index_at(&base->index, n)->packet)) {
				tl_group_log(group, &tl_index_at(&base->index, n)->packet);
			}
		}
		c->flows[kind].holes = 0;
		group->merged_us[kind] = base->flows[kind].last_us;
		group->late_us[kind] = tl_lateness_us(
			tl, base->flows[kind].last_dts_90k + base->map_90k,
			base->flows[kind].last_us);
		group->sent_90k[kind] = TL_UNKNOWN;
	}
	base->handle = TL_NO_HANDLE;
	base->is_leaving = false; /* the connection is */
	base->is_open = true;     /* for as long as one of the copies is */
	base->group = group;
	base->packets = base->nonsense = base->late_dropped = 0;
	base->nonsense_recent = 0;
	group->resumed_90k = TL_UNKNOWN;
	group->source = base;
	group->leader = c;
	tl->group_count++;
	group_attach(tl, group, c, 0);
	c->copy.keep_until = base->index.next;
	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		if (c->flows[kind].is_present) { /* all that was there is of this copy */
			c->copy.placed_90k[kind] = c->flows[kind].last_dts_90k;
		}
	}
	return 0;
}

static void group_announce(struct timeline *tl, const struct tl_group *group,
			   const struct tl_source *c)
{
	struct timeline_event *e = tl_event(tl, TIMELINE_TWINS);
	int64_t later_us = tl_copy_lag_us(c) - tl_copy_lag_us(group->leader);

	e->from = group->leader->feed_id;
	e->to = c->feed_id;
	e->noticed_us = c->arrival_us;
	text_format(e->cause, sizeof(e->cause), "the same encode, %" PRId64 " ms %s",
		    tl_abs(later_us) / 1000, later_us < 0 ? "earlier" : "later");
}

/* What waits of the main tracks is its copies' again, to be merged with what others bring. */
static void group_give_back(struct tl_group *group, struct tl_source *c)
{
	const struct tl_index *x = &group->source->index;

	for (uint64_t n = x->first; n < x->next; n++) {
		struct tl_entry e = *tl_index_at(x, n);

		if ((e.flags & TL_ENTRY_GONE) == 0 && e.handle == c->handle &&
		    packet_is_main(&e.packet) && tl_index_reserve(&c->index) == 0) {
			e.flags &= ~(unsigned)TL_ENTRY_HOLE;
			e.packet.dts_90k -= c->copy.offset_90k;
			e.packet.pts_90k -= c->copy.offset_90k;
			e.closed_90k -= c->copy.offset_90k;
			tl_index_insert(&c->index, &e,
					tl_index_before(&c->index, e.packet.kind,
							e.packet.dts_90k));
		}
	}
}

int tl_group_join(struct timeline *tl, struct tl_source *base, struct tl_source *twin,
		  int64_t offset_90k, int64_t now_us)
{
	struct tl_group *other = twin->group;
	unsigned more = other != NULL ? other->count : 1;

	if (tl->tail_count > 0 || twin == tl->live || tl_source_is_copy(twin) || base == twin ||
	    twin->leaves_tail || base->leaves_tail || base->awaits_point ||
	    (base->group != NULL ? base->group->count : 1) + more > TL_COPIES_MAX) {
		return -EBUSY;
	}
	if (base->group == NULL) {
		int error = group_create(tl, base, now_us);

		if (error != 0) {
			return error;
		}
	}
	if (other == NULL) {
		group_attach(tl, base->group, twin, offset_90k);
		if (!tl->is_resuming || tl_lag_is_known(&twin->lag)) {
			group_announce(tl, base->group, twin);
		}
	}
	while (other != NULL && other->count > 0) {
		struct tl_source *c = other->copies[0];
		int64_t to_90k = c->copy.offset_90k + offset_90k;

		group_give_back(other, c);
		tl_group_detach(other, c);
		group_attach(tl, base->group, c, to_90k);
		group_announce(tl, base->group, c);
	}
	if (other != NULL) {
		tl_source_clear(twin);
		twin->is_open = false;
		tl->has_ended = true;
	}
	tl->is_dirty = true;
	return 0;
}

void tl_group_part(struct timeline *tl, struct tl_group *group, struct tl_source *c, int64_t now_us)
{
	struct timeline_event *e;

	tl_group_detach(group, c);
	c->apart_until_us = now_us + APART_US;
	tl->feeds[c->feed].was_twin = false;
	tl->is_dirty = true;
	tl->health_us = INT64_MIN;
	e = tl_event(tl, TIMELINE_PARTED);
	e->from = group->leader->feed_id;
	e->to = c->feed_id;
	e->noticed_us = now_us;
	text_copy(e->cause, sizeof(e->cause), "it carries something else now");
}

/* ---- who leads ---- */

static bool copy_is_usable(const struct timeline *tl, const struct tl_source *c, int64_t now_us)
{
	bool is_usable = c->is_open && c->copy.strikes == 0 && tl_source_has_frames(c);

	for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		is_usable &= !c->flows[kind].is_present ||
			     !tl_flow_is_silent(&c->flows[kind], tl->config.stall_us, now_us);
	}
	return is_usable;
}

/* What it brings is there in time. */
static bool copy_is_abreast(const struct timeline *tl, const struct tl_group *group,
			    const struct tl_source *c)
{
	const struct tl_source *m = group->source;
	int64_t offset_us = tl_copy_lag_us(c) - tl_us(m->map_90k - tl_source_wish_90k(tl, m));
	int64_t spare_us = tl->config.delay_us > 0 ? -TL_TWIN_GRACE_US : ABREAST_US;

	return tl_lag_is_known(&c->lag) &&
	       offset_us <= tl->clock.offset_us + tl->config.delay_us + spare_us;
}

struct fitness {
	bool is_usable, is_open, has_packets, is_abreast, is_taken, is_leader;
	unsigned order;
};

static struct fitness copy_fitness(const struct timeline *tl, const struct tl_group *group,
				   const struct tl_source *c, int64_t now_us)
{
	return (struct fitness){
		.is_usable = copy_is_usable(tl, c, now_us),
		.is_open = c->is_open,
		.has_packets = !tl_index_is_empty(&c->index),
		.is_abreast = c == group->leader || copy_is_abreast(tl, group, c),
		.is_taken = tl->taken != 0 && c->feed_id == tl->taken,
		.is_leader = c == group->leader,
		.order = c->feed,
	};
}

static bool fitness_is_better(const struct fitness *a, const struct fitness *b)
{
	if (a->is_usable != b->is_usable) {
		return a->is_usable;
	}
	if (a->is_open != b->is_open) {
		return a->is_open;
	}
	if (!a->is_open && a->has_packets != b->has_packets) {
		return a->has_packets;
	}
	if (!a->is_usable && a->is_leader != b->is_leader) {
		return a->is_leader;
	}
	if (a->is_abreast != b->is_abreast) {
		return a->is_abreast;
	}
	if (a->is_taken != b->is_taken) {
		return a->is_taken;
	}
	return a->order < b->order || (a->order == b->order && a->is_leader);
}

/* Why the show's packets come from another copy now. */
static void group_report_lead(struct timeline *tl, const struct tl_source *from,
			      const struct tl_source *to, int64_t now_us)
{
	struct timeline_event *e = tl_event(tl, TIMELINE_CARRIED);
	const struct tl_flow *stuck = tl_source_stuck(tl, from, now_us);
	bool is_silent = !copy_is_usable(tl, from, now_us) && stuck != NULL;

	e->from = from->feed_id;
	e->to = to->feed_id;
	e->noticed_us = now_us;
	if (!from->is_open) {
		text_copy(e->cause, sizeof(e->cause), from->cause);
	} else if (is_silent) {
		text_format(e->cause, sizeof(e->cause), "no %s for %" PRId64 " ms",
			    stuck == &from->flows[PACKET_AUDIO] ? "audio" : "video",
			    (now_us - stuck->last_us) / 1000);
	} else {
		text_copy(e->cause, sizeof(e->cause),
			  to->feed_id == tl->taken ? "taken by the operator"
						   : "the preferred one of two twins");
	}
	text_copy(tl->why, sizeof(tl->why), e->cause);
	tl->why_feed = !from->is_open || is_silent ? from->feed_id : 0;
}

static void group_choose_leader(struct timeline *tl, struct tl_group *group, int64_t now_us)
{
	struct tl_source *m = group->source, *best = group->leader;
	struct fitness best_fitness = copy_fitness(tl, group, best, now_us);

	for (unsigned i = 0; i < group->count; i++) {
		struct fitness fitness = copy_fitness(tl, group, group->copies[i], now_us);

		if (group->copies[i] != best && fitness_is_better(&fitness, &best_fitness)) {
			best = group->copies[i];
			best_fitness = fitness;
		}
	}
	if (best != group->leader && m == tl->live && m->feed_id != best->feed_id) {
		group_report_lead(tl, group->leader, best, now_us);
	}
	group->leader = best;
}

/* The group's source is known by the copy that leads. */
static void group_follow_leader(struct timeline *tl, struct tl_group *group)
{
	struct tl_source *m = group->source;
	const struct tl_source *c = group->leader;

	if (m == tl->live && m->feed_id != c->feed_id) {
		tl->last_feed = c->feed_id;
		tl->health_us = INT64_MIN;
	}
	m->feed = c->feed;
	m->feed_id = c->feed_id;
	m->incarnation = c->incarnation;
	memcpy(m->params, c->params, sizeof(m->params));
	m->disorder = c->disorder;
	m->age = c->age;
	if (tl_lag_is_known(&c->lag)) {
		m->lag = c->lag;
		m->lag.min_us = tl_copy_lag_us(c);
	}
	if (tl_lag_is_known(&c->latest)) {
		m->latest = c->latest;
		m->latest.usual_us += tl_us(c->copy.offset_90k);
	}
}

void tl_group_lead(struct timeline *tl, struct tl_group *group, int64_t now_us)
{
	group_choose_leader(tl, group, now_us);
	group_follow_leader(tl, group);
}

void tl_group_end(struct timeline *tl, struct tl_group *group, int64_t now_us)
{
	struct tl_source *m = group->source;

	for (unsigned i = 0; i < group->count; i++) {
		if (group->copies[i]->is_open) {
			return;
		}
	}
	if (m->is_open) {
		m->is_open = false;
		text_copy(m->cause, sizeof(m->cause), group->leader->cause);
		tl->has_ended = true;
		if (m != tl->live) {
			tl_keep_remains(tl, m, now_us);
		}
	}
}

/* ---- asking ---- */

bool tl_group_lets_go(const struct tl_source *copy)
{
	const struct tl_source *m = copy->group->source;

	return !copy->is_open && tl_index_is_empty(&copy->index) &&
	       m->index.first >= copy->copy.keep_until && m->tail_count == 0;
}

void tl_group_recall(const struct timeline *tl, struct tl_source *copy, const struct packet *p)
{
	struct tl_group *group = copy->group;

	int64_t map_90k = copy->anchor_pts_90k - p->pts_90k - copy->copy.offset_90k;

	if (p->source_seq == copy->anchor_seq &&
	    tl_abs(map_90k - group->source->map_90k) > TL_TWIN_SLACK_90k) {
		group->source->map_90k = map_90k;
	}
	/* of the kind, another copy had sent a later one, which may be gone: it tells nothing */
	if (packet_is_main(p) && p->source_seq == copy->sent_seq[p->kind] &&
	    p->pts_90k + copy->copy.offset_90k + group->source->map_90k + TL_TWIN_SLACK_90k >=
		    tl->resume.last_dts_90k[p->kind][0]) {
		group->sent_90k[p->kind] = tl_max(group->sent_90k[p->kind], tl_copy_time(copy, p));
	}
	if (tl_sent_kind(p) == PACKET_DATA && tl_source_was_sent(tl, copy, p)) {
		tl_source_pop(copy, p->kind, p->track);
	}
}

void tl_group_resume(struct tl_group *group, struct tl_source *leader, int64_t show_90k)
{
	group->resumed_90k = show_90k;
	group->leader = leader != NULL ? leader : group->leader;
	group->is_resumed = true;
}

void tl_group_note_sent(struct tl_source *s, int handle, const struct packet *p)
{
	enum packet_kind kind = tl_sent_kind(p);

	if (!tl_source_is_merged(s)) {
		s->sent_seq[kind] = p->source_seq;
		return;
	}
	for (unsigned i = 0; i < s->group->count; i++) {
		if (s->group->copies[i]->handle == handle) {
			s->group->copies[i]->sent_seq[kind] = p->source_seq;
		}
	}
}

/* Smallest number of the handle's packets in the group's index, where kinds are merged one after
 * the other; `seq` if none is smaller. */
static uint64_t group_least_seq(const struct tl_source *s, int handle, uint64_t seq)
{
	for (uint64_t n = s->index.first; n < s->index.next; n++) {
		const struct tl_entry *e = tl_index_at(&s->index, n);

		if (e->handle == handle && (e->flags & TL_ENTRY_GONE) == 0 &&
		    e->packet.source_seq < seq) {
			seq = e->packet.source_seq;
		}
	}
	return seq;
}

bool tl_group_holds(const struct tl_source *s, int handle)
{
	return s->tail_count > 0 || group_least_seq(s, handle, UINT64_MAX) != UINT64_MAX;
}

uint64_t tl_group_next_seq(const struct tl_source *copy, uint64_t seq)
{
	return group_least_seq(copy->group->source, copy->handle, seq);
}

struct tl_source *tl_group_face(const struct tl_source *s)
{
	return tl_source_is_merged(s) && s->group->leader != NULL ? s->group->leader
								  : (struct tl_source *)s;
}

bool tl_group_has_feed(const struct tl_source *s, uint16_t feed_id)
{
	if (!tl_source_is_merged(s)) {
		return s->feed_id == feed_id;
	}
	for (unsigned i = 0; i < s->group->count; i++) {
		if (s->group->copies[i]->is_open && s->group->copies[i]->feed_id == feed_id) {
			return true;
		}
	}
	return false;
}

unsigned tl_group_order(const struct tl_source *s)
{
	unsigned order = s->feed;

	for (unsigned i = 0; tl_source_is_merged(s) && i < s->group->count; i++) {
		const struct tl_source *c = s->group->copies[i];

		if (c->is_open && !c->is_leaving && c->feed < order) {
			order = c->feed;
		}
	}
	return order;
}

bool tl_group_is_leaving(const struct timeline *tl, const struct tl_group *group, int64_t now_us)
{
	bool has_leaving = false;

	for (unsigned i = 0; i < group->count; i++) {
		const struct tl_source *c = group->copies[i];

		has_leaving |= c->is_leaving;
		/* Without a delay a twin that is behind costs a pause, whenever it takes over. */
		if (!c->is_leaving && copy_is_usable(tl, c, now_us) &&
		    (tl->config.delay_us == 0 || copy_is_abreast(tl, group, c))) {
			return false;
		}
	}
	return has_leaving;
}

void tl_group_health(struct tl_group *group)
{
	struct tl_source *m = group->source;

	m->symptoms = m->acute = UINT32_MAX;
	for (unsigned i = 0; i < group->count; i++) {
		if (group->copies[i]->is_open) {
			m->symptoms &= group->copies[i]->symptoms;
			m->acute &= group->copies[i]->acute;
			memcpy(m->signals, group->copies[i]->signals, sizeof(m->signals));
		}
	}
	m->acute &= m->symptoms;
}

uint16_t tl_group_twin(const struct tl_source *copy, int32_t *ret_lag_ms)
{
	const struct tl_group *group = copy->group;
	const struct tl_source *twin = group->leader != copy ? group->leader : NULL;

	for (unsigned i = 0; i < group->count && twin == NULL; i++) {
		twin = group->copies[i] != copy && group->copies[i]->is_open ? group->copies[i]
									     : NULL;
	}
	if (twin == NULL || !twin->is_open) {
		return 0;
	}
	*ret_lag_ms = (int32_t)((tl_copy_lag_us(copy) - tl_copy_lag_us(twin)) / 1000);
	return twin->feed_id;
}
