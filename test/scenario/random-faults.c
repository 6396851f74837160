/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Random shows against the timeline on a virtual clock; prints TAP and, for a failure, the seed
 * that repeats it.
 *
 *   random-faults [SEED [ROUNDS]]
 *
 * Two kinds of round: *any* does anything to anybody and watches what must always be true (see
 * stage.h); *promise* does one fault to the live feed of a show whose delay is long enough, and
 * holds the timeline to its word: nothing missing, nothing doubled.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage.h"

#define SECOND_US INT64_C(1000000)
#define ROUNDS 800

struct dice {
	uint64_t state;
};

static int64_t roll(struct dice *d, int64_t from, int64_t to)
{
	return from + (int64_t)(random_next(&d->state) % (uint32_t)(to - from + 1));
}

static bool chance(struct dice *d, unsigned percent)
{
	return random_next(&d->state) % 100 < percent;
}

static void dress_feed(struct stage *st, struct dice *d, const char *name, int64_t lag_most_ms)
{
	static const double rates[] = { 24, 25, 29.97, 30, 50, 59.94, 60 };
	struct stage_feed *f = &st->feeds[st->feed_count++];
	struct encoder_config *c = &f->config;

	snprintf(f->name, sizeof(f->name), "%s", name);
	/* one after the other: the order of initialisers is the compiler's choice */
	c->fps = rates[roll(d, 0, 6)];
	c->audio_hz = chance(d, 70) ? 48000 : 44100;
	c->audio_late_ms = roll(d, 0, 90);
	c->bframes = (unsigned)(chance(d, 50) ? roll(d, 1, 4) : 0);
	c->has_pyramid = chance(d, 50);
	c->lag_ms = roll(d, 10, lag_most_ms);
	c->jitter_ms = roll(d, 0, 60);
	c->base_ms = chance(d, 50) ? roll(d, 0, 100000000) : 0;
	c->ppm = (double)roll(d, -200, 200);
	c->width = 1280;
	c->height = 720;
	c->video_codec = CODEC_AVC;
	c->audio_codec = CODEC_AAC;
	c->gop = (unsigned)(c->fps * (double)roll(d, 5, 20) / 10);
}

/* ---- one fault, and the promise ---- */

static void hold(struct stage_feed *f, bool is_audio_too, int64_t until_us)
{
	f->encoder.held_us[ENCODER_VIDEO] = until_us;
	if (is_audio_too) {
		f->encoder.held_us[ENCODER_AUDIO] = until_us;
	}
}

static void check_promise(struct stage *st)
{
	for (enum packet_kind kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		struct stage_measure m = stage_measure(st, kind, INT64_MIN, INT64_MAX);

		/* timestamps are whole ms: 5 % of an audio frame */
		int slack = kind == PACKET_AUDIO ? 5 : 0;

		if (m.longest_percent > 150 + slack || m.shortest_percent < 50 - slack) {
			stage_fail(st,
				   "kind %u: steps of %d %% to %d %% of a frame (show %.3f, %.3f)",
				   kind, m.shortest_percent, m.longest_percent,
				   (double)m.shortest_at_90k / MEDIA_HZ,
				   (double)m.longest_at_90k / MEDIA_HZ);
		}
	}
}

static void play_promise(struct stage *st, struct dice *d)
{
	int64_t at_us = roll(d, 12000, 16000) * 1000;

	st->config.delay_us = 2000000 + st->config.stall_us + 250000 + roll(d, 0, 500) * 1000;
	st->wake_late_us = chance(d, 30) ? roll(d, 1, 30) * 1000 : 0;
	dress_feed(st, d, "primary", 200);
	dress_feed(st, d, "backup", 200);
	st->feeds[1].config.audio_hz = st->feeds[0].config.audio_hz;
	stage_open(st, d->state);
	stage_connect(st, 0);
	stage_run(st, st->now_us + roll(d, 0, 2000) * 1000);
	stage_connect(st, 1);
	stage_run(st, st->now_us + at_us);
	switch (roll(d, 0, 3)) {
	case 0:
		stage_kill(st, 0);
		break;
	case 1:
		hold(&st->feeds[0], true, INT64_MAX);
		break;
	case 2:
		hold(&st->feeds[0], false, INT64_MAX);
		break;
	case 3:
		timeline_take(st->tl, 2, st->now_us);
		break;
	}
	if (chance(d, 25)) {
		stage_run(st, st->now_us + roll(d, 0, 3000) * 1000);
		stage_restart(st, roll(d, 20, 250) * 1000);
	}
	stage_run(st, st->now_us + 10 * SECOND_US);
	check_promise(st);
}

/* ---- anything ---- */

static void do_anything(struct stage *st, struct dice *d)
{
	unsigned feed = (unsigned)roll(d, 0, (int64_t)st->feed_count - 1);
	struct stage_feed *f = &st->feeds[feed];
	struct encoder *e = &f->encoder;
	int64_t jump_ms;

	switch (roll(d, 0, 10)) {
	case 0:
		stage_kill(st, feed);
		break;
	case 1:
		if (!f->is_connected) {
			f->config.base_ms = roll(d, 0, 1000000);
			stage_connect(st, feed);
		}
		break;
	case 2:
		hold(f, chance(d, 50), st->now_us + roll(d, 10, 5000) * 1000);
		break;
	case 3:
		jump_ms = roll(d, 10, 5000);
		encoder_freeze(e, st->now_us, st->now_us + jump_ms * 1000);
		hold(f, true, st->now_us + jump_ms * 1000);
		break;
	case 4:
		jump_ms = roll(d, 10, 2000);
		e->skip_until_us[roll(d, 0, 1)] = st->now_us + jump_ms * 1000;
		break;
	case 5:
		jump_ms = roll(d, -100000, 100000);
		e->shift_ms += jump_ms;
		break;
	case 6:
		timeline_take(st->tl, (uint16_t)roll(d, 0, st->feed_count), st->now_us);
		break;
	case 7:
		if (!st->is_down) {
			stage_restart(st, roll(d, 1, 1000) * 1000);
		}
		break;
	case 8:
		if (f->is_connected && !st->is_down) {
			timeline_lapped(st->tl, f->handle, f->seq, st->now_us);
		}
		break;
	default:
		break;
	}
}

static void play_any(struct stage *st, struct dice *d)
{
	static const int64_t delays_ms[] = { 0, 0, 300, 500, 1000, 3000, 6000 };

	st->config.delay_us = delays_ms[roll(d, 0, 6)] * 1000;
	st->config.return_after_us = roll(d, 0, 10) * SECOND_US;
	st->config.on_mismatch = (enum timeline_mismatch)roll(d, 0, 2);
	dress_feed(st, d, "primary", 300);
	dress_feed(st, d, "backup", 300);
	dress_feed(st, d, "third", 1000);
	st->feeds[2].is_slate = chance(d, 50);
	st->feeds[1].config.is_unordered = chance(d, 20);
	st->feeds[1].config.is_open_gop = chance(d, 20);
	if (chance(d, 10)) {
		st->feeds[0].config.fps = 0;
	}
	stage_open(st, d->state);
	for (unsigned i = 0; i < st->feed_count; i++) {
		stage_connect(st, i);
	}
	for (int i = 0; i < 40 && st->failure[0] == '\0'; i++) {
		stage_run(st, st->now_us + roll(d, 1, 3000) * 1000);
		if (!st->is_down) {
			do_anything(st, d);
		}
	}
}

/* ---- */

static bool play(bool is_promise, uint64_t seed, bool is_verbose)
{
	struct stage *st = calloc(1, sizeof(*st));
	struct dice d = { .state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1 };
	bool is_good;

	if (st == NULL) {
		return false;
	}
	st->now_us = 1000 * SECOND_US;
	st->config = (struct timeline_config){ .stall_us = 500000,
					       .hole_us = 200000,
					       .return_after_us = 30 * SECOND_US };
	random_next(&d.state);
	if (is_promise) {
		play_promise(st, &d);
	} else {
		play_any(st, &d);
	}
	is_good = st->failure[0] == '\0';
	for (size_t i = 0; is_verbose && i < st->event_count; i++) {
		printf("# %.3f event %d %s>%s gap %.0f: %s\n", (double)st->event_us[i] / 1e6 - 1000,
		       (int)st->events[i].kind, stage_name(st, st->events[i].from),
		       stage_name(st, st->events[i].to), (double)st->events[i].gap_90k / 90,
		       st->events[i].cause);
	}
	if (!is_good) {
		printf("# seed %llu (%s): %s\n", (unsigned long long)seed,
		       is_promise ? "promise" : "any", st->failure);
	}
	stage_close(st);
	free(st);
	return is_good;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	uint64_t rounds = argc > 2 ? strtoull(argv[2], NULL, 0) : argc > 1 ? 1 : ROUNDS;
	bool is_good[2] = { true, true };

	printf("1..2\n");
	for (uint64_t i = seed; i < seed + rounds; i++) {
		is_good[0] &= play(false, i, rounds == 1);
		is_good[1] &= play(true, i, rounds == 1);
	}
	printf("%s 1 - whatever happens the order holds\n", is_good[0] ? "ok" : "not ok");
	printf("%s 2 - one fault within the promise leaves no gap\n", is_good[1] ? "ok" : "not ok");
	return is_good[0] && is_good[1] ? 0 : 1;
}
