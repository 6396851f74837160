/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How the feeds are (timeline; pure). Looked at up to ten times a second, and after every change.
 *
 *                        connected, frames come
 *   OFFLINE ------------------------------------------> STANDBY <--entered/left--> LIVE
 *      ^                                                 |  ^                       |
 *      |                            a signal is entered  v  | all are left          |
 *      |<------------------- (any) ------------------- DEGRADED                     |
 *      '--- closed --- STALLED <------------ main video or audio silent ------------'
 *
 * A live feed stays LIVE with signals on: they are reason enough to leave it for a healthy one.
 * Signals and what they are made of: signals.c.
 */
#include <inttypes.h>
#include <string.h>

#include <understudy/text.h>

#include "signals.h"

#define BRIEF_S 5
#define MIDDLE_S 10
#define KBPS_S 2
#define BEGUN_US 3000000 /* connections may begin with a burst, and a silence behind it */
#define SILENCE (UINT32_C(1) << SIGNAL_NO_VIDEO | UINT32_C(1) << SIGNAL_NO_AUDIO)

const char *timeline_feed_state_str(enum timeline_feed_state state)
{
	static const char *const names[] = {
		[FEED_OFFLINE] = "offline",   [FEED_STALLED] = "stalled",
		[FEED_DEGRADED] = "degraded", [FEED_STANDBY] = "standby",
		[FEED_LIVE] = "live",
	};

	return names[state];
}

/* ---- signals ---- */

/* From where on a number is trouble. 0: the signal is off. */
static uint32_t signal_enter_at(const struct timeline *tl, enum timeline_signal signal,
				const struct reading *r)
{
	uint32_t enter = tl->config.health.of[signal].enter;

	if (enter == 0 && (signal == SIGNAL_NO_VIDEO || signal == SIGNAL_NO_AUDIO)) {
		enter = (uint32_t)(tl->config.stall_us / 1000);
	}
	return enter == 0 ? 0 : (uint32_t)tl_max(enter, r->least);
}

/* What comes in steps, like frames and GOPs, is calm while the steps are the usual ones. */
static uint32_t signal_leave_at(const struct timeline *tl, enum timeline_signal signal,
				uint32_t enter, const struct reading *r)
{
	uint32_t leave = timeline_leave_of(&tl->config.health, signal);

	return (uint32_t)tl_max(leave != 0 ? leave : enter - 1, r->least * INT64_C(3) / 4);
}

static bool signal_is_calm(enum timeline_signal signal, uint32_t value, uint32_t leave)
{
	return timeline_signal_is_floor(signal) ? value >= leave : value <= leave;
}

static void signal_hold(const struct timeline *tl, struct tl_signal *signal, int64_t now_us)
{
	int64_t hold_us = (int64_t)tl->config.health.of[signal->symptom.signal].hold_ms * 1000;

	if (signal->symptom.is_calm == 0) {
		signal->symptom.is_calm = 1;
		signal->calm_us = now_us;
	}
	signal->is_on = now_us - signal->calm_us < hold_us;
}

static void signal_update(const struct view *v, enum timeline_signal which)
{
	struct tl_signal *signal = &v->s->signals[which];
	bool is_floor = timeline_signal_is_floor(which);
	struct reading r;
	bool is_known = tl_signal_measure(v, which, &r);
	uint32_t enter = signal_enter_at(v->tl, which, &r);

	if (enter == 0) {
		signal->is_on = false;
		return;
	}
	if (!is_known) {
		return;
	}
	if (!signal->is_on && (is_floor ? r.value < enter : r.value >= enter)) {
		*signal = (struct tl_signal){
			.is_on = true, .symptom = { .signal = which, .since_us = v->now_us }
		};
	}
	if (!signal->is_on) {
		return;
	}
	if (signal_is_calm(which, r.value, signal_leave_at(v->tl, which, enter, &r))) {
		signal_hold(v->tl, signal, v->now_us);
		return;
	}
	signal->symptom.is_calm = 0;
	signal->symptom.value = r.value;
	signal->symptom.detail = r.detail;
}

static void health_update_source(struct timeline *tl, struct tl_source *s, int64_t now_us)
{
	struct view v = { .tl = tl, .s = s, .now_us = now_us };

	tl_gauge_now(&s->gauge, now_us);
	v.brief = tl_gauge_sum(&s->gauge, BRIEF_S, now_us, &v.brief_us);
	v.brief_us = tl_max(v.brief_us, 1);
	v.middle = tl_gauge_sum(&s->gauge, MIDDLE_S, now_us, NULL);
	v.all = tl_gauge_sum(&s->gauge, TL_SECONDS - 1, now_us, NULL);
	s->symptoms = s->acute = 0;
	for (unsigned i = 0; i < TIMELINE_SIGNALS; i++) {
		signal_update(&v, (enum timeline_signal)i);
		s->symptoms |= s->signals[i].is_on ? UINT32_C(1) << i : 0;
		s->acute |= s->signals[i].is_on && s->signals[i].symptom.is_calm == 0
				    ? UINT32_C(1) << i
				    : 0;
	}
	if (s->acute != 0) {
		s->troubled_us = now_us;
	}
}

/* Something came of it and has stopped. Or its header announces what never came: that is reason
 * enough not to go there from the first on, and to leave it once the signal is on. */
static bool source_is_silent(const struct timeline *tl, const struct tl_source *s, int64_t now_us)
{
	for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		const struct tl_flow *flow = &s->flows[kind];
		unsigned signal = kind == PACKET_VIDEO ? SIGNAL_NO_VIDEO : SIGNAL_NO_AUDIO;
		bool is_missed = s != tl->live || (s->acute & UINT32_C(1) << signal) != 0;

		if (flow->is_present ? tl_flow_is_silent(flow, tl->config.stall_us, now_us)
				     : tl_source_has(s, kind) && is_missed) {
			return true;
		}
	}
	return false;
}

bool tl_is_degraded(const struct timeline *tl, const struct tl_source *s, int64_t now_us)
{
	/* When silence is a reason to leave is a matter of now, and of stall_us. */
	uint32_t reasons = s == tl->live ? s->acute & ~SILENCE : s->symptoms;

	return reasons != 0 || source_is_silent(tl, s, now_us);
}

void tl_health_inherit(struct tl_source *to, const struct tl_source *from)
{
	to->gauge = from->gauge;
	memcpy(to->signals, from->signals, sizeof(to->signals));
	to->symptoms = from->symptoms;
	to->acute = from->acute;
	to->troubled_us = from->troubled_us;
	to->jump_ms = from->jump_ms;
	to->best_fps_milli = from->best_fps_milli;
	to->format_us = from->format_us;
	to->srt_packets = from->srt_packets;
	to->srt_lost = from->srt_lost;
}

/* ---- feeds ---- */

/* Main video, or the audio of a feed without, is silent. */
static bool health_is_stalled(const struct timeline *tl, const struct tl_source *s, int64_t now_us)
{
	const struct tl_flow *main = &s->flows[tl_source_main_kind(s)];

	return main->is_present && tl_flow_is_silent(main, tl->config.stall_us, now_us);
}

static enum timeline_feed_state health_state(const struct timeline *tl, const struct tl_source *s,
					     int64_t now_us)
{
	if (s == NULL || !tl_source_has_frames(s)) {
		return FEED_OFFLINE;
	}
	if (health_is_stalled(tl, s, now_us)) {
		return FEED_STALLED;
	}
	if (tl->live != NULL && s == tl_group_face(tl->live)) {
		return FEED_LIVE;
	}
	return s->symptoms != 0 ? FEED_DEGRADED : FEED_STANDBY;
}

/* The time of being healthy, which a return waits for, counts from when the trouble ended: the
 * time that signals are held for is part of it. */
static void health_note_wellness(struct tl_feed *f, const struct tl_source *s, bool is_well,
				 int64_t now_us)
{
	if (!is_well) {
		f->healthy_us = TL_UNKNOWN;
	} else if (f->healthy_us == TL_UNKNOWN) {
		f->healthy_us = s->troubled_us != TL_UNKNOWN ? s->troubled_us : now_us;
	}
}

static void add(char *to, size_t size, const char *before, const char *what)
{
	size_t used = strlen(to);

	text_format(to + used, size - used, "%s%s", before, what);
}

void tl_health_say_acute(const struct tl_source *s, char *to, size_t size)
{
	char text[TIMELINE_TEXT_MAX];

	text_copy(to, size, "");
	for (unsigned i = 0; i < TIMELINE_SIGNALS; i++) {
		if ((s->acute & UINT32_C(1) << i) != 0) {
			timeline_symptom_str(&s->signals[i].symptom, text, sizeof(text));
			add(to, size, "; ", text);
		}
	}
}

/* The encoder makes so many pictures a second from now on. False: as many as people were told. */
static bool health_has_other_rate(struct tl_feed *f, const struct tl_source *s)
{
	uint32_t fps_milli = s != NULL ? s->gauge.pace.kept_milli : 0;
	bool is_other = f->fps_milli != 0 && fps_milli != 0 &&
			tl_pace_differs(f->fps_milli, fps_milli);

	if (is_other || f->fps_milli == 0 || fps_milli == 0) {
		f->fps_milli = fps_milli;
	}
	return is_other;
}

/* "degraded: no audio for 612 ms; over: holes (12 s)" */
static void health_say(const struct tl_feed *f, const struct tl_source *s, uint32_t told,
		       int64_t now_us, char *to, size_t size)
{
	uint32_t symptoms = s != NULL ? s->symptoms : 0, over = f->symptoms & ~told;
	const char *before = ": ";
	char text[TIMELINE_TEXT_MAX];

	text_copy(to, size, timeline_feed_state_str(f->state));
	for (unsigned i = 0; i < TIMELINE_SIGNALS; i++) {
		if ((symptoms & UINT32_C(1) << i) != 0) {
			timeline_symptom_str(&s->signals[i].symptom, text, sizeof(text));
			add(to, size, before, text);
			before = "; ";
		}
	}
	before = "; over: ";
	for (unsigned i = 0; s != NULL && i < TIMELINE_SIGNALS; i++) {
		if ((over & UINT32_C(1) << i) != 0) {
			text_format(text, sizeof(text), "%s (%" PRId64 " s)",
				    timeline_signal_str((enum timeline_signal)i),
				    (now_us - s->signals[i].symptom.since_us) / 1000000);
			add(to, size, before, text);
			before = ", ";
		}
	}
}

static void health_say_rate(const struct tl_feed *f, char *to, size_t size)
{
	char text[TIMELINE_TEXT_MAX];

	text_format(text, sizeof(text), "%" PRIu32 ".%02" PRIu32 " frames a second",
		    f->fps_milli / 1000, f->fps_milli % 1000 / 10);
	add(to, size, "; from now on ", text);
}

static uint32_t health_kbps(const struct tl_source *s, int64_t now_us)
{
	int64_t span_us;
	struct tl_second sum = tl_gauge_sum(&s->gauge, KBPS_S, now_us, &span_us);
	uint64_t bytes = 0;

	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		bytes += sum.bytes[kind];
	}
	return span_us >= 1000000
		       ? (uint32_t)(bytes * 8000 / (uint64_t)tl_gauge_filled_us(&sum, span_us))
		       : 0;
}

const struct tl_source *tl_feed_source(const struct timeline *tl, unsigned feed)
{
	return tl->live != NULL && tl->live->feed == feed && tl->live->is_open
		       ? tl_group_face(tl->live)
		       : tl_newest_source(tl, feed);
}

/* Where silence comes and goes, that is what the holes say: one that was told of counts as long. */
static uint32_t health_to_be_told(const struct tl_feed *f, uint32_t symptoms)
{
	bool has_holes = (symptoms & UINT32_C(1) << SIGNAL_HOLES) != 0;

	return has_holes ? symptoms | (f->symptoms & SILENCE) : symptoms;
}

static void health_update_feed(struct timeline *tl, unsigned feed, int64_t now_us)
{
	struct tl_feed *f = &tl->feeds[feed];
	const struct tl_source *s = tl_feed_source(tl, feed);
	enum timeline_feed_state state;
	bool has_other_rate = health_has_other_rate(f, s);
	uint32_t symptoms;
	struct timeline_event *e;

	state = health_state(tl, s, now_us);
	symptoms = state != FEED_OFFLINE ? health_to_be_told(f, s->symptoms) : 0;
	if (s != NULL) {
		tl_feed_learn_format(f, s, now_us);
		f->kbps = health_kbps(s, now_us);
	}
	health_note_wellness(f, s, state >= FEED_STANDBY && symptoms == 0, now_us);
	if (state == f->state && symptoms == f->symptoms && !has_other_rate) {
		return;
	}
	f->since_us = state == f->state ? f->since_us : now_us;
	f->state = state;
	e = tl_event(tl, TIMELINE_STATE);
	e->to = tl->config.feeds[feed].id;
	e->noticed_us = now_us;
	health_say(f, state != FEED_OFFLINE ? s : NULL, symptoms, now_us, e->cause,
		   sizeof(e->cause));
	if (has_other_rate) {
		health_say_rate(f, e->cause, sizeof(e->cause));
	}
	f->symptoms = symptoms;
}

void tl_health_update(struct timeline *tl, int64_t now_us)
{
	if (now_us < tl->health_us) {
		return;
	}
	tl->health_us = now_us + TL_TICK_US;
	for (unsigned i = 0; i < TL_SLOTS_MAX; i++) {
		struct tl_source *s = tl->sources[i];

		if (s != NULL && tl_source_is_merged(s)) {
			tl_group_health(s->group);
		} else if (s != NULL && s->is_open && tl_source_has_frames(s) &&
			   now_us - s->gauge.first_us >= BEGUN_US) {
			health_update_source(tl, s, now_us);
		}
	}
	for (unsigned i = 0; i < tl->config.feed_count; i++) {
		health_update_feed(tl, i, now_us);
	}
	tl_reference_update(tl);
}
