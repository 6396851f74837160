/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The timeline's way in and out (timeline.h; pure): sources come and go, packets go in, steps
 * come out. Owns every source.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <understudy/text.h>

#include "private.h"

struct timeline *timeline_create(const struct timeline_config *config, int64_t now_us)
{
	struct timeline *tl = calloc(1, sizeof(*tl));

	assert(config->feed_count <= TIMELINE_FEEDS_MAX);
	if (tl == NULL) {
		return NULL;
	}
	tl->config = *config;
	tl->delay_us = config->delay_us;
	tl->delay_lowered_us = now_us;
	tl->asked_us = CLOCK_NEVER;
	tl->reference_feed = TIMELINE_FEEDS_MAX;
	tl->is_dirty = true;
	tl->out.last_90k = TL_UNKNOWN;
	tl->out.is_closed = true;
	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		tl->out.max_pts_90k[kind] = TL_UNKNOWN;
		for (unsigned track = 0; track < PACKET_TRACKS_MAX; track++) {
			tl->out.last_dts_90k[kind][track] = TL_UNKNOWN;
		}
	}
	for (unsigned i = 0; i < config->feed_count; i++) {
		tl->feeds[i] = (struct tl_feed){ .since_us = now_us,
						 .healthy_us = TL_UNKNOWN,
						 .wait_us = config->return_after_us };
	}
	return tl;
}

void timeline_destroy(struct timeline **tl)
{
	if (*tl != NULL) {
		for (unsigned i = 0; i < TL_SLOTS_MAX; i++) {
			tl_source_destroy(&(*tl)->sources[i]);
		}
		free(*tl);
		*tl = NULL;
	}
}

int tl_feed_find(const struct timeline *tl, uint16_t id)
{
	for (unsigned i = 0; i < tl->config.feed_count; i++) {
		if (tl->config.feeds[i].id == id) {
			return (int)i;
		}
	}
	return -ENOENT;
}

struct tl_source *tl_newest_source(const struct timeline *tl, unsigned feed)
{
	struct tl_source *newest = NULL;

	for (unsigned i = 0; i < TL_SLOTS_MAX; i++) {
		struct tl_source *s = tl->sources[i];

		if (s != NULL && s->is_open && s->feed == feed && !tl_source_is_merged(s) &&
		    (newest == NULL || s->incarnation >= newest->incarnation)) {
			newest = s;
		}
	}
	return newest;
}

int tl_add_source(struct timeline *tl, int handle, unsigned feed, uint32_t incarnation,
		  int64_t now_us, struct tl_source **ret)
{
	for (unsigned i = 0; i < TL_SLOTS_MAX; i++) {
		if (tl->sources[i] == NULL) {
			int error = tl_source_create(tl, handle, feed, incarnation, now_us,
						     &tl->sources[i]);

			if (error == 0) {
				tl->by_handle[handle] = tl->sources[i];
				tl->sources[i]->slot = i;
				tl_twins_forget(tl, i);
				*ret = tl->sources[i];
			}
			return error;
		}
	}
	return -EBUSY;
}

int timeline_open(struct timeline *tl, uint16_t feed, uint32_t incarnation, int64_t now_us)
{
	int place = tl_feed_find(tl, feed);
	int handle = tl->handles == UINT32_MAX ? -1 : __builtin_ctz(~tl->handles);
	struct tl_source *s = NULL;
	int error;

	if (place < 0) {
		return -ENOENT;
	}
	if (handle < 0) {
		return -EBUSY;
	}
	error = tl_add_source(tl, handle, (unsigned)place, incarnation, now_us, &s);
	if (error != 0) {
		return error;
	}
	tl->handles |= UINT32_C(1) << handle;
	tl->closed &= ~(UINT32_C(1) << handle);
	tl->is_dirty = true;
	return handle;
}

void tl_end_source(struct timeline *tl, struct tl_source *s, const char *cause, int64_t now_us)
{
	struct tl_feed *feed = &tl->feeds[s->feed];

	s->is_open = false;
	tl->has_ended = true;
	if (cause != s->cause) {
		text_copy(s->cause, sizeof(s->cause), cause);
	}
	feed->packets += s->packets;
	feed->nonsense += s->nonsense;
	feed->late_dropped += s->late_dropped;
	feed->ailed_us = now_us;
	if (s != tl->live && !s->leaves_tail && s->group == NULL) {
		tl_keep_remains(tl, s, now_us);
	}
	tl->is_dirty = true;
	tl->health_us = INT64_MIN;
}

struct tl_source *tl_open_source(const struct timeline *tl, int handle)
{
	struct tl_source *s = tl->by_handle[handle];

	return s != NULL && s->is_open ? s : NULL;
}

void timeline_close(struct timeline *tl, int source, const char *cause, int64_t now_us)
{
	struct tl_source *s = tl_open_source(tl, source);

	if (s == NULL) {
		return; /* it has left before */
	}
	tl->closed |= UINT32_C(1) << source;
	tl_end_source(tl, s, cause != NULL ? cause : "connection closed", now_us);
}

struct tl_source *tl_split_source(struct timeline *tl, struct tl_source *s, const struct packet *p,
				  const char *cause, int64_t now_us)
{
	struct tl_source *next = NULL;

	if (tl_add_source(tl, s->handle, s->feed, s->incarnation, now_us, &next) != 0) {
		return NULL;
	}
	next->is_leaving = s->is_leaving;
	text_copy(next->cause, sizeof(next->cause), s->cause);
	tl_end_source(tl, s, cause, now_us);
	next->arrival_us = s->arrival_us;
	next->first_seq = p->source_seq;
	next->next_seq = s->next_seq;
	next->split_us = p->arrival_us;
	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		next->params[kind] = s->params[kind];
		next->flows[kind].last_us = s->flows[kind].last_us;
		next->flows[kind].frame_90k = s->flows[kind].frame_90k;
		next->flows[kind].frames_learned = s->flows[kind].frames_learned;
	}
	tl_health_inherit(next, s);
	tl_resume_source(tl, next, next->first_seq);
	return next;
}

/* The first frame of all gives the clock its zero, until the show begins. */
static void timeline_start_clock(struct timeline *tl, struct tl_source *s, int64_t now_us)
{
	if (!tl->clock.is_set && tl_lag_is_known(&s->lag)) {
		tl->clock = (struct tl_clock){ .offset_us = s->arrival_us,
					       .slewed_us = now_us,
					       .is_set = true };
		tl_source_track_map(tl, s);
	}
}

int timeline_push(struct timeline *tl, int source, uint64_t seq, const struct packet *p,
		  const struct codec_params *params, int64_t now_us)
{
	struct tl_source *s = tl_open_source(tl, source);
	int error;

	if (s == NULL) {
		return 0; /* it has left */
	}
	error = tl_source_push(tl, s, seq, p, params, now_us);
	timeline_start_clock(tl, tl->by_handle[source], now_us);
	tl->is_dirty = true;
	return error;
}

void timeline_lapped(struct timeline *tl, int source, uint64_t seq, int64_t now_us)
{
	tl_tail_drop(tl, source, seq);
	for (unsigned i = 0; i < TL_SLOTS_MAX; i++) {
		struct tl_source *s = tl->sources[i];

		if (s != NULL && (s->handle == source || tl_source_is_merged(s))) {
			if (tl_source_drop_before(s, source, seq) && s == tl->live) {
				tl_note_change(tl, now_us,
					       "packets were overwritten before they were due");
				tl_failback_left(tl, s, now_us);
				tl_leave(tl, now_us);
			}
		}
	}
	tl->is_dirty = true;
}

int timeline_take(struct timeline *tl, uint16_t feed, int64_t now_us)
{
	if (feed != 0 && tl_feed_find(tl, feed) < 0) {
		return -ENOENT;
	}
	/* Only where there is something to return to: a later failover is none of this order's. */
	tl->returns_once = feed == 0 && tl->live != NULL && tl->live->feed > 0;
	tl->taken = feed;
	if (feed != 0 && !tl->config.feeds[tl_feed_find(tl, feed)].is_slate) {
		tl_reference_take(tl, (unsigned)tl_feed_find(tl, feed));
	}
	tl->is_dirty = true;
	tl->health_us = INT64_MIN;
	return 0;
}

void timeline_note_loss(struct timeline *tl, int source, uint64_t packets, uint64_t lost,
			int64_t now_us)
{
	struct tl_source *s = tl_open_source(tl, source);
	struct tl_second *second;

	if (s == NULL) {
		return; /* it has left */
	}
	second = tl_gauge_now(&s->gauge, now_us);
	if (packets >= s->srt_packets && lost >= s->srt_lost) { /* else it counts anew */
		second->carried += packets - s->srt_packets;
		second->lost += lost - s->srt_lost;
	}
	s->srt_packets = packets;
	s->srt_lost = lost;
}

void timeline_set_thresholds(struct timeline *tl, const struct timeline_thresholds *health)
{
	tl->config.health = *health;
	tl->health_us = INT64_MIN;
	tl->is_dirty = true;
}

static bool timeline_is_done(const struct timeline *tl, const struct tl_source *s)
{
	if (tl_source_is_copy(s)) {
		return tl_group_lets_go(s);
	}
	return !s->is_open && s != tl->live && s->tail_count == 0 && !s->leaves_tail &&
	       !tl_has_remains(tl, s) && (s->group == NULL || s->group->count == 0);
}

/* With the last copy of a group goes what the group was. */
static void timeline_remove(struct timeline *tl, unsigned slot)
{
	struct tl_source *s = tl->sources[slot], *merged = NULL;

	if (tl_source_is_copy(s)) {
		merged = s->group->source;
		tl_group_detach(s->group, s);
	} else if (s->group != NULL) {
		tl->group_count--;
	}
	if (tl->tail_source == s) {
		tl->tail_source = NULL;
	}
	if (s->handle != TL_NO_HANDLE && tl->by_handle[s->handle] == s) {
		tl->by_handle[s->handle] = NULL; /* which a group may still hold */
	}
	tl_source_destroy(&tl->sources[slot]);
	if (merged != NULL && timeline_is_done(tl, merged)) {
		timeline_remove(tl, merged->slot);
	}
}

/* Groups may still have packets of a copy that parted from them. */
static bool timeline_is_held(const struct timeline *tl, int handle)
{
	for (unsigned i = 0; i < TL_SLOTS_MAX && tl->group_count > 0; i++) {
		if (tl->sources[i] != NULL && tl_source_is_merged(tl->sources[i]) &&
		    tl_group_holds(tl->sources[i], handle)) {
			return true;
		}
	}
	return false;
}

/* A source is done when nothing more comes and nothing waits; a handle, when its sources are. */
static bool timeline_release(struct timeline *tl, int *ret_handle)
{
	uint32_t busy = 0;

	if (!tl->has_ended) {
		return false;
	}
	tl->has_ended = false;
	for (unsigned i = 0; i < TL_SLOTS_MAX; i++) {
		struct tl_source *s = tl->sources[i];

		if (s == NULL) {
			continue;
		}
		if (timeline_is_done(tl, s)) {
			timeline_remove(tl, i);
			continue;
		}
		busy |= s->handle != TL_NO_HANDLE ? UINT32_C(1) << s->handle : 0;
		tl->has_ended |= !s->is_open;
	}
	for (uint32_t left = tl->closed & ~busy; left != 0; left &= left - 1) {
		int handle = __builtin_ctz(left);

		tl->has_ended = true; /* there may be more, or it is held */
		if (!timeline_is_held(tl, handle)) {
			tl->closed &= ~(UINT32_C(1) << handle);
			tl->handles &= ~(UINT32_C(1) << handle);
			*ret_handle = handle;
			return true;
		}
	}
	return false;
}

/* What is late only because nobody asked for it in time is not late: the delay takes that up. */
static void timeline_note_held_up(struct timeline *tl, int64_t now_us)
{
	int64_t late_us = tl->asked_us < now_us ? now_us - tl->asked_us : 0;
	int64_t slack_us = tl->config.delay_us > 0 ? TL_HELD_UP_US : TL_HELD_UP_LIVE_US;
	int64_t later_us = tl_min(late_us - slack_us, TL_HELD_UP_MAX_US - tl->held_up_us);
	struct timeline_event *e;

	tl->asked_us = CLOCK_NEVER;
	if (later_us <= 0 || !tl->out.has_begun) {
		return;
	}
	tl->delay_us += later_us;
	tl->held_up_us += later_us;
	tl->delay_lowered_us = now_us;
	e = tl_event(tl, TIMELINE_HELD_UP);
	e->from = e->to = tl->last_feed;
	e->noticed_us = now_us;
	text_format(e->cause, sizeof(e->cause),
		    "nothing could be sent for %lld ms: the show goes on %lld ms later",
		    (long long)late_us / 1000, (long long)later_us / 1000);
}

void timeline_next(struct timeline *tl, int64_t now_us, struct timeline_step *ret)
{
	int64_t due_us = CLOCK_NEVER;

	*ret = (struct timeline_step){ .action = TIMELINE_WAIT };
	timeline_note_held_up(tl, now_us);
	do {
		if (tl->is_dirty || tl->decided_us != now_us) {
			tl->is_dirty = false;
			tl->decided_us = now_us;
			tl_decide(tl, now_us);
		}
		if (tl_event_take(tl, &ret->event)) {
			ret->action = TIMELINE_EVENT;
			return;
		}
		if (timeline_release(tl, &ret->source)) {
			ret->action = TIMELINE_RELEASE;
			return;
		}
		if (tl_pick(tl, now_us, ret, &due_us)) {
			ret->action = TIMELINE_SEND;
			return;
		}
	} while (tl->is_dirty);
	ret->deadline_us = tl->asked_us = tl_min(due_us, tl->wake_us);
}
