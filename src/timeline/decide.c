/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * When the show goes to another source (timeline; pure). Runs once for every new `now` or push.
 *
 *   nobody live        -> enter the chosen source at its first point when that is due; until then
 *                         let its audio run, if the show has run before
 *   live cannot go on  -> the last safe moment: the chosen source's last point at or before the
 *                         live horizon, when it comes due; else its next one, with a gap, and its
 *                         audio at once when the live audio has run out
 *   another is wanted  -> take, failback, live degraded or to go: its next point, without a gap
 *   nobody to go to    -> send what there is; then the show is starved
 */
#include <inttypes.h>
#include <string.h>

#include "cut.h"

#define HORIZON_SLACK_90k 9000      /* jitter between two healthy feeds */
#define HORIZON_SLACK_MAX_90k 67500 /* SRT's latency, and sound that MPEG-TS gathers */

static void decide_wake(struct timeline *tl, int64_t at_us)
{
	tl->wake_us = tl_min(tl->wake_us, at_us);
}

static bool decide_is_open(struct timeline *tl, int64_t gate_us, int64_t now_us)
{
	if (gate_us <= now_us) {
		return true;
	}
	decide_wake(tl, gate_us);
	return false;
}

/* Why the live source cannot go on, for people. */
static void decide_note_trouble(struct timeline *tl, const struct tl_source *live,
				const struct tl_flow *stuck, int64_t now_us)
{
	const char *kind = stuck == &live->flows[PACKET_AUDIO] ? "audio" : "video";
	int64_t moved_us = tl_flow_moved_us(stuck);

	if (!live->is_open) {
		tl_note_change(tl, now_us, "%s", live->cause);
	} else if (stuck->holes > 0) {
		tl_note_change(tl, moved_us, "a hole in its %s", kind);
	} else {
		int64_t noticed_us = moved_us + tl->config.stall_us;

		tl_note_change(tl, noticed_us < now_us ? noticed_us : now_us,
			       "no %s for %" PRId64 " ms", kind, (now_us - moved_us) / 1000);
	}
}

/* Nothing of main video or audio waits any more. */
static bool decide_is_exhausted(const struct tl_source *s)
{
	uint64_t main = tl_track_bit(PACKET_AUDIO, 0);

	if (!s->awaits_point) {
		main |= tl_track_bit(PACKET_VIDEO, 0);
	}
	return (s->index.waiting & main) == 0;
}

/* The audio of a show that goes on with its audio alone can begin now. */
static bool decide_audio_is_due(const struct timeline *tl, const struct tl_source *s,
				int64_t now_us)
{
	int64_t end_90k = tl_out_end(tl, PACKET_AUDIO);
	uint64_t n = s->index.tracks[PACKET_AUDIO][0].head;

	if (end_90k == TL_UNKNOWN || tl_source_main_kind(s) != PACKET_VIDEO ||
	    !tl_audio_is_compatible(tl, s)) {
		return false;
	}
	for (; n != TL_NONE; n = tl_index_at(&s->index, n)->next) {
		const struct packet *p = &tl_index_at(&s->index, n)->packet;

		if (p->pts_90k + s->map_90k >= end_90k - tl_audio_overlap(tl, s)) {
			return tl->delay_us == 0 ||
			       tl_lateness_us(tl, p->dts_90k + s->map_90k, now_us) >= 0;
		}
	}
	return false;
}

/* ---- nobody is live ---- */

/* The source can be entered now, at a point or with its audio. Notes when to look again. */
static bool decide_is_ready(struct timeline *tl, const struct tl_source *s, int64_t now_us)
{
	uint64_t point = tl_point_next(tl, s, now_us);

	return (point != TL_NONE && decide_is_open(tl, tl_gate_us(tl, s, point), now_us)) ||
	       (tl->out.has_begun && decide_audio_is_due(tl, s, now_us));
}

/* The show begins with the best source, which may let others wait; once it has begun, whichever
 * can go on first is better than silence. */
static void decide_begin(struct timeline *tl, int64_t now_us)
{
	struct tl_source *best;
	uint64_t point;

	for (unsigned i = 0; i < TL_SLOTS_MAX; i++) {
		struct tl_source *s = tl->sources[i];

		if (s != NULL && !tl_source_is_copy(s)) {
			s->is_barred = tl->out.has_begun && !decide_is_ready(tl, s, now_us);
		}
	}
	best = tl_choose(tl, TL_UNKNOWN, now_us);
	if (best == NULL || !decide_is_ready(tl, best, now_us)) {
		return;
	}
	point = tl_point_next(tl, best, now_us);
	if (point != TL_NONE && decide_is_open(tl, tl_gate_us(tl, best, point), now_us)) {
		tl_enter(tl, best, point, now_us);
	} else {
		tl_enter_audio(tl, best, now_us);
	}
}

/* ---- the live source cannot go on ---- */

/* It was sent to its end: sound that runs on without a picture is a show. */
static bool decide_has_ended(const struct timeline *tl, const struct tl_source *live,
			     int64_t now_us)
{
	return decide_is_exhausted(live) && tl_is_over(tl, live, now_us);
}

/* Of its picture or sound nothing comes any more, and what there is lies behind us. */
static bool decide_is_dead(const struct timeline *tl, const struct tl_source *s, uint64_t point,
			   int64_t now_us)
{
	return !tl_is_whole(tl, s, now_us) &&
	       tl_source_horizon_from(s, tl_point_pts(s, point)) <= tl->out.last_90k;
}

/* It has but a hole, and what comes behind that is nearer than the other one's point, or no more
 * than a frame further: how long one lasts may not have been known before the hole. Nor is it left
 * for one of which picture or sound is dead. */
static bool decide_runs_again(const struct timeline *tl, const struct tl_flow *stuck,
			      const struct tl_source *to, uint64_t point, bool is_safe,
			      int64_t now_us)
{
	const struct tl_source *live = tl->live;

	if (!live->is_open || stuck->holes == 0 ||
	    tl_flow_is_silent(stuck, tl->config.stall_us, now_us)) {
		return false;
	}
	return point == TL_NONE || decide_is_dead(tl, to, point, now_us) ||
	       (!is_safe &&
		tl_index_at(&live->index, stuck->hole)->packet.pts_90k + live->map_90k <=
			tl_point_pts(to, point) + stuck->frame_90k);
}

static void decide_leave(struct timeline *tl, struct tl_source *best, const struct tl_flow *stuck,
			 int64_t now_us)
{
	struct tl_source *live = tl->live;
	int64_t safe_90k = tl_source_horizon(live);
	uint64_t point = tl_point_from(tl, best, safe_90k, now_us);
	bool is_safe = point != TL_NONE &&
		       tl_point_pts(best, point) <= safe_90k + TL_SNAP_EARLIER_90k;

	if (decide_runs_again(tl, stuck, best, point, is_safe, now_us)) {
		return;
	}
	decide_note_trouble(tl, live, stuck, now_us);
	if (point != TL_NONE && decide_is_open(tl, tl_gate_us(tl, best, point), now_us)) {
		tl_failback_left(tl, live, now_us);
		tl_enter(tl, best, point, now_us);
	} else if (!is_safe && decide_has_ended(tl, live, now_us) &&
		   decide_audio_is_due(tl, best, now_us)) {
		tl_failback_left(tl, live, now_us);
		tl_enter_audio(tl, best, now_us);
	}
}

/* ---- another is wanted ---- */

/* The live feed's format is not the show's any more, and the other's is: to go to a less preferred
 * feed for that is no return. */
static bool decide_has_other_format(const struct timeline *tl, const struct tl_source *to)
{
	return tl_group_order(to) > tl_group_order(tl->live) && tl_is_compatible(tl, to) &&
	       !tl_is_compatible(tl, tl->live);
}

/* When the show may leave a source that could go on; why goes into *ret_cause. */
static int64_t decide_change_at_us(const struct timeline *tl, const struct tl_source *to,
				   int64_t now_us, const char **ret_cause)
{
	const struct tl_source *live = tl->live;

	if (tl_is_leaving(tl, live, now_us) && !tl_is_leaving(tl, to, now_us)) {
		*ret_cause = tl_leaving_cause(live);
		return now_us;
	}
	if (tl->taken != 0 && tl_group_has_feed(to, tl->taken)) {
		*ret_cause = "taken by the operator";
		return now_us;
	}
	if (!tl_is_degraded(tl, to, now_us) && tl_is_degraded(tl, live, now_us)) {
		*ret_cause = "the live feed is degraded";
		return now_us;
	}
	if (decide_has_other_format(tl, to)) {
		*ret_cause = "the live feed is of another format";
		return now_us;
	}
	*ret_cause = "a preferred feed is healthy again";
	return tl_failback_at_us(tl, to, now_us);
}

/* A connection may begin with video: at its first point there is no audio to go on with yet, and
 * little is known of it. */
static bool decide_has_audio_at(const struct tl_source *s, uint64_t point)
{
	const struct tl_flow *audio = &s->flows[PACKET_AUDIO];

	return !audio->is_present ||
	       audio->run_90k + audio->frame_90k <= tl_index_at(&s->index, point)->packet.pts_90k ||
	       tl_source_main_kind(s) == PACKET_AUDIO;
}

/* How far behind the live feed's horizon another one's may lie for a change that nobody needs:
 * with a delay there is time for it to come; pictures that are reordered more deeply always are
 * complete later. */
static int64_t decide_slack_90k(const struct timeline *tl, const struct tl_source *s)
{
	return tl_max(HORIZON_SLACK_90k, tl_min(tl_90k(tl->delay_us) / 2, HORIZON_SLACK_MAX_90k)) +
	       s->flows[PACKET_VIDEO].reorder_90k;
}

/* For people: what the show waits for. */
static void decide_note_next(struct timeline *tl, const struct tl_source *to, int64_t at_us)
{
	if (at_us != CLOCK_NEVER || tl->feeds[to->feed].healthy_us != TL_UNKNOWN) {
		tl->next_feed = to->feed_id;
		tl->next_at_us = at_us;
	}
}

/* The live source's sound has yet to begin where that of the one before ended: it was gone over to
 * just now. */
static bool decide_is_under_way(const struct timeline *tl, const struct tl_source *live)
{
	return live->flows[PACKET_AUDIO].is_present &&
	       live->index.tracks[PACKET_AUDIO][0].is_joining &&
	       tl->out.max_pts_90k[PACKET_AUDIO] != TL_UNKNOWN;
}

static void decide_change(struct timeline *tl, struct tl_source *best, int64_t now_us)
{
	const char *cause = NULL;
	char text[TIMELINE_TEXT_MAX];
	bool is_forced, is_wish;
	int64_t at_us = decide_change_at_us(tl, best, now_us, &cause);
	uint64_t point;

	decide_note_next(tl, best, at_us);
	if (!decide_is_open(tl, at_us, now_us) || decide_is_under_way(tl, tl->live)) {
		return;
	}
	point = tl_point_next(tl, best, now_us);
	if (point == TL_NONE || !decide_is_open(tl, tl_gate_us(tl, best, point), now_us) ||
	    tl_source_horizon(best) + decide_slack_90k(tl, best) < tl_source_horizon(tl->live) ||
	    !decide_has_audio_at(best, point) || !tl_find_cut(tl, best, point).is_clean) {
		return;
	}
	is_forced = best->feed_id != tl->taken &&
		    (tl_is_degraded(tl, tl->live, now_us) || decide_has_other_format(tl, best));
	is_wish = !is_forced && !tl->change.is_pending && !tl_is_leaving(tl, tl->live, now_us);
	tl_health_say_acute(tl->live, text, sizeof(text));
	tl_note_change(tl, now_us, "%s%s", cause, text);
	tl->change.is_wish = is_wish;
	if (is_forced) {
		tl_failback_left(tl, tl->live, now_us);
	}
	tl_enter(tl, best, point, now_us);
}

/* ---- nobody to go to ---- */

static void decide_starve(struct timeline *tl, const struct tl_flow *stuck, int64_t now_us)
{
	struct tl_source *live = tl->live;

	if (!decide_has_ended(tl, live, now_us)) {
		return;
	}
	decide_note_trouble(tl, live, stuck, now_us);
	if (!tl->is_starved) {
		struct timeline_event *e = tl_event(tl, TIMELINE_STARVED);

		tl->is_starved = true;
		e->from = live->feed_id;
		e->noticed_us = tl->change.noticed_us;
		memcpy(e->cause, tl->change.cause, sizeof(e->cause));
		memcpy(tl->why, tl->change.cause, sizeof(tl->why));
		tl->why_feed = live->feed_id;
	}
	if (!live->is_open) {
		tl_failback_left(tl, live, now_us);
		tl_leave(tl, now_us);
	}
}

/* ---- */

/* The live source's audio runs and its video has found its point. */
static void decide_complete(struct timeline *tl, int64_t now_us)
{
	struct tl_source *live = tl->live;
	uint64_t point;

	tl_source_expire(tl, live, now_us);
	point = tl_point_next(tl, live, now_us);
	if (point != TL_NONE && decide_is_open(tl, tl_gate_us(tl, live, point), now_us)) {
		tl_enter(tl, live, point, now_us);
	}
}

static void decide_source(struct timeline *tl, int64_t now_us)
{
	struct tl_source *live = tl->live, *best;
	const struct tl_flow *stuck;

	tl->next_feed = 0;
	if (live == NULL) {
		decide_begin(tl, now_us);
		return;
	}
	if (live->awaits_point) {
		decide_complete(tl, now_us);
	}
	stuck = tl_source_stuck(tl, live, now_us);
	best = tl_choose(tl, stuck != NULL ? tl_source_horizon(live) : TL_UNKNOWN, now_us);
	if (stuck == NULL) {
		decide_wake(tl, tl_source_stuck_at_us(tl, live));
		tl->change.is_pending &= live->awaits_point;
	}
	if (best == live) {
		return;
	}
	if (best == NULL) {
		if (stuck != NULL) {
			decide_starve(tl, stuck, now_us);
		}
	} else if (stuck != NULL) {
		decide_leave(tl, best, stuck, now_us);
	} else {
		decide_change(tl, best, now_us);
	}
}

/* Without a delay nothing waits for the clock: where the live source's time leaps ahead of it, it
 * goes along at once, so that what is late is known to be. */
static void decide_leap(struct timeline *tl, const struct tl_source *live)
{
	const struct tl_flow *flow = &live->flows[tl_source_main_kind(live)];
	int64_t early_us = tl_due_us(tl, flow->last_dts_90k + live->map_90k) - flow->last_us;

	if (tl->delay_us == 0 && flow->holes > 0 && early_us > TL_LATE_US &&
	    !tl_source_is_merged(live)) {
		tl->clock.offset_us -= early_us;
	}
}

static void decide_prepare(struct timeline *tl, int64_t now_us)
{
	bool has_sources = false;

	tl_delay_slew(tl, now_us);
	if (tl->live != NULL) {
		decide_leap(tl, tl->live);
	}
	if (tl->live != NULL && tl_lag_is_known(&tl->live->lag)) {
		tl_clock_slew(&tl->clock, tl_source_offset_us(tl, tl->live), now_us);
	}
	for (unsigned i = 0; i < TL_SLOTS_MAX; i++) {
		struct tl_source *s = tl->sources[i];

		if (s == NULL) {
			continue;
		}
		has_sources = true;
		if (s->leaves_tail && !tl_index_is_empty(&s->index)) {
			tl_tail_move(tl, s, tl->resume.tail_until_90k);
			s->leaves_tail = false;
			if (!s->is_open) {
				tl_source_clear(s);
			}
		}
		if (s != tl->live && tl->clock.is_set && !s->leaves_tail && !tl_source_is_copy(s)) {
			tl_source_track_map(tl, s);
			tl_source_expire(tl, s, now_us);
		}
	}
	if (has_sources) {
		decide_wake(tl, now_us + TL_TICK_US);
	}
}

static void decide_merge(struct timeline *tl, int64_t now_us)
{
	for (unsigned i = 0; i < TL_SLOTS_MAX; i++) {
		const struct tl_source *s = tl->sources[i];

		if (s != NULL && tl_source_is_merged(s) && s->group->count > 0) {
			decide_wake(tl, tl_group_merge(tl, s->group, now_us));
		}
	}
}

void tl_decide(struct timeline *tl, int64_t now_us)
{
	const struct tl_source *live = tl->live;

	tl->wake_us = CLOCK_NEVER;
	tl_leaving_settle(tl, now_us);
	if (tl->has_twins) {
		tl_twins_settle(tl, now_us);
	}
	if (tl->group_count > 0) {
		decide_merge(tl, now_us);
	}
	decide_prepare(tl, now_us);
	if (tl->tail_count == 0) { /* one splice at a time */
		decide_source(tl, now_us);
	}
	if (tl->live != live) {
		tl_leaving_settle(tl, now_us);
	}
	tl_health_update(tl, now_us);
}
