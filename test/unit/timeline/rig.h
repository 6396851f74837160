/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One feed at a timeline, and what ails it: for the tests of its health. */
#ifndef TEST_TIMELINE_RIG_H
#define TEST_TIMELINE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <understudy/timeline.h>

#define START_US INT64_C(1000000000)
#define TICK_US 33333
#define FRAME_90k 3000
#define GOP 60
#define SECOND 30 /* ticks */

/* One feed, 30 ticks a second, a frame of video and one of audio each; and what ails it. */
struct rig {
	struct timeline *tl;
	int source;
	int64_t now_us;
	uint64_t seq, ticks;
	int64_t video, audio; /* next frames */
	int64_t shift_90k;    /* of all timestamps */
	int64_t audio_shift_90k;
	bool has_no_video, has_no_audio, has_no_keys, is_stuck;
	unsigned every; /* only one picture in so many is sent ... */
	bool is_even;   /* ... one as far from the next as the other */
	bool has_half_sound;
	unsigned percent; /* of real time */
	unsigned garbage; /* packets a tick */
	uint32_t size;
};

static inline void rig_open(struct rig *r, const struct timeline_thresholds *health)
{
	struct timeline_config config = { .delay_us = 1000000,
					  .stall_us = 500000,
					  .hole_us = 200000,
					  .return_after_us = 30000000,
					  .health = *health,
					  .feed_count = 1,
					  .feeds = { { .id = 1 } } };

	*r = (struct rig){ .now_us = START_US, .every = 1, .percent = 100, .size = 20000 };
	r->tl = timeline_create(&config, START_US);
	assert_non_null(r->tl);
	r->source = timeline_open(r->tl, 1, 1, START_US);
	assert_int_equal(r->source, 0);
}

static inline void push(struct rig *r, enum packet_kind kind, int64_t dts_90k, unsigned flags)
{
	struct packet p = { .kind = (uint8_t)kind,
			    .type = PACKET_FRAME,
			    .codec = kind == PACKET_VIDEO ? CODEC_AVC : CODEC_AAC,
			    .dts_90k = dts_90k,
			    .pts_90k = dts_90k,
			    .flags = (uint16_t)flags,
			    .size = r->size,
			    .arrival_us = r->now_us };

	timeline_push(r->tl, r->source, r->seq++, &p, NULL, r->now_us);
}

/* What is left out is left out here and there, or evenly. */
static inline bool rig_makes(const struct rig *r)
{
	uint64_t at = (uint64_t)r->video, dice = at * UINT64_C(0x9e3779b97f4a7c15);

	dice = (dice ^ dice >> 29) * UINT64_C(0xbf58476d1ce4e5b9) >> 40;
	return (r->is_even ? at : dice) % r->every == 0;
}

static inline void rig_push(struct rig *r)
{
	bool is_key = r->video % GOP == 0 && !r->has_no_keys;

	if (!r->has_no_video && (is_key || rig_makes(r))) {
		push(r, PACKET_VIDEO, r->video * FRAME_90k + r->shift_90k, is_key ? PACKET_KEY : 0);
	}
	if (!r->has_no_audio && (!r->has_half_sound || r->audio % 2 == 0)) {
		push(r, PACKET_AUDIO, r->audio * FRAME_90k + r->shift_90k + r->audio_shift_90k, 0);
	}
	for (unsigned i = 0; i < r->garbage; i++) {
		push(r, (enum packet_kind)77, 0, 0);
	}
	r->video += !r->is_stuck;
	r->audio++;
}

static inline void rig_run(struct rig *r, unsigned ticks)
{
	struct timeline_step step;

	for (unsigned i = 0; i < ticks; i++) {
		r->now_us += TICK_US;
		r->ticks += r->percent;
		for (; r->ticks >= 100; r->ticks -= 100) {
			rig_push(r);
		}
		do {
			timeline_next(r->tl, r->now_us, &step);
		} while (step.action != TIMELINE_WAIT);
	}
}

/* A feed that has been well for a while. */
static inline void rig_settle(struct rig *r)
{
	struct timeline_status status;

	rig_open(r, &timeline_thresholds_usual);
	rig_run(r, 25 * SECOND);
	timeline_get_status(r->tl, r->now_us, &status);
	assert_int_equal(status.feeds[0].symptom_count, 0);
	assert_int_equal(status.feeds[0].format.fps_milli, 30000);
}

static inline bool rig_has(const struct rig *r, enum timeline_signal signal,
			   struct timeline_symptom *ret)
{
	struct timeline_status status;

	timeline_get_status(r->tl, r->now_us, &status);
	for (unsigned i = 0; i < status.feeds[0].symptom_count; i++) {
		if (status.feeds[0].symptoms[i].signal == (uint32_t)signal) {
			*ret = status.feeds[0].symptoms[i];
			return true;
		}
	}
	return false;
}

/* Entered within `ticks` of now, but not at once; says so in these words. */
static inline void assert_entered(struct rig *r, enum timeline_signal signal, unsigned ticks,
				  const char *words)
{
	struct timeline_symptom symptom;
	char text[TIMELINE_TEXT_MAX];
	unsigned i;

	assert_false(rig_has(r, signal, &symptom));
	for (i = 0; i < ticks && !rig_has(r, signal, &symptom); i++) {
		rig_run(r, 1);
	}
	if (!rig_has(r, signal, &symptom)) {
		fail_msg("%s is not entered", timeline_signal_str(signal));
	}
	assert_int_equal(symptom.is_calm, 0);
	assert_true(symptom.since_us <= r->now_us && symptom.since_us > r->now_us - 200000);
	timeline_symptom_str(&symptom, text, sizeof(text));
	if (strstr(text, words) == NULL) {
		fail_msg("\"%s\" does not say \"%s\"", text, words);
	}
}

/* The trouble is over: held for the time that is configured, then left. */
static inline void assert_left(struct rig *r, enum timeline_signal signal, unsigned ticks)
{
	int64_t hold_us = (int64_t)timeline_thresholds_usual.of[signal].hold_ms * 1000;
	int64_t calm_us = r->now_us;
	struct timeline_symptom symptom;

	for (unsigned i = 0; i < ticks && rig_has(r, signal, &symptom); i++) {
		if (symptom.is_calm == 0) {
			calm_us = r->now_us;
		}
		rig_run(r, 1);
	}
	assert_false(rig_has(r, signal, &symptom));
	assert_in_range(r->now_us - calm_us, hold_us, hold_us + 400000);
	timeline_destroy(&r->tl);
}

static inline struct format rig_format(const struct rig *r)
{
	struct timeline_status status;

	timeline_get_status(r->tl, r->now_us, &status);
	return status.feeds[0].format;
}

#endif
