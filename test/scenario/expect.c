/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a scenario expects of the audience's picture, now and in the end (script.h). Tests only. */
#include "script.h"

#include <stdio.h>
#include <string.h>

#define ENDED_US 2000000
#define ROUNDING_PERCENT 5 /* timestamps are whole ms, frames of audio are short */

/* ---- now ---- */

void script_expect_live(struct scenario *sc, const char *name)
{
	struct timeline_status status;

	timeline_get_status(sc->stage.tl, sc->stage.now_us, &status);
	if (strcmp(stage_name(&sc->stage, status.live), name) != 0) {
		MISS(sc, "line %d: %s is live, not %s", sc->line,
		     stage_name(&sc->stage, status.live), name);
	}
}

void script_expect_state(struct scenario *sc, unsigned feed, const char *name)
{
	struct timeline_status status;
	const struct timeline_feed_status *f = status.feeds;
	char symptom[TIMELINE_TEXT_MAX] = "healthy";
	const char *is;

	timeline_get_status(sc->stage.tl, sc->stage.now_us, &status);
	while (f->id != feed + 1) {
		f++;
	}
	is = timeline_feed_state_str(f->state);
	if (f->symptom_count > 0) {
		timeline_symptom_str(&f->symptoms[0], symptom, sizeof(symptom));
	}
	if (strcmp(is, name) != 0) {
		MISS(sc, "line %d: %s is %s (%s), not %s", sc->line, sc->stage.feeds[feed].name, is,
		     symptom, name);
	}
}

/* ---- what is expected in the end ---- */

static void expect_unbroken(struct scenario *sc, int64_t from_us, int64_t to_us)
{
	for (enum packet_kind kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		struct watch_measure m = watch_measure(&sc->stage.watch, kind, from_us, to_us);
		const char *name = kind == PACKET_VIDEO ? "video" : "audio";
		int slack = kind == PACKET_AUDIO ? ROUNDING_PERCENT : 0;

		if (m.frames < 2) {
			continue;
		}
		if (m.longest_percent > 150 + slack) {
			MISS(sc, "line %d: %s is missing: a step of %d %% of a frame at show %.3f",
			     sc->line, name, m.longest_percent,
			     (double)m.longest_at_90k / MEDIA_HZ);
		}
		if (m.shortest_percent < 50 - slack) {
			MISS(sc, "line %d: %s is doubled: a step of %d %% of a frame at show %.3f",
			     sc->line, name, m.shortest_percent,
			     (double)m.shortest_at_90k / MEDIA_HZ);
		}
	}
}

static void expect_gap(struct scenario *sc, enum packet_kind kind, int64_t most_ms, int64_t from_us,
		       int64_t to_us)
{
	struct watch_measure m = watch_measure(&sc->stage.watch, kind, from_us, to_us);

	if (m.frames < 2) {
		MISS(sc, "line %d: nothing was sent", sc->line);
	} else if (m.longest_90k > most_ms * 90) {
		MISS(sc, "line %d: a gap of %lld ms", sc->line, (long long)m.longest_90k / 90);
	}
	if (m.shortest_percent < 50) {
		MISS(sc, "line %d: doubled: a step of %d %%", sc->line, m.shortest_percent);
	}
}

static void expect_splices(struct scenario *sc, int64_t want)
{
	int64_t count = 0;

	for (size_t i = 0; i < sc->stage.watch.event_count; i++) {
		count += sc->stage.watch.events[i].kind == TIMELINE_SPLICED;
	}
	if (count != want) {
		MISS(sc, "line %d: %lld splices", sc->line, (long long)count);
	}
}

static void expect_dropped(struct scenario *sc, unsigned feed, int64_t most)
{
	struct timeline_status status;

	timeline_get_status(sc->stage.tl, sc->stage.now_us, &status);
	if (status.feeds[feed].late_dropped > (uint64_t)most) {
		MISS(sc, "line %d: %llu packets were too late", sc->line,
		     (unsigned long long)status.feeds[feed].late_dropped);
	}
}

/* How long nothing was sent. */
static void expect_pause(struct scenario *sc, int64_t most_ms, int64_t from_us, int64_t to_us)
{
	const struct watch *w = &sc->stage.watch;

	for (size_t i = 1; i < w->frame_count; i++) {
		int64_t pause_us = w->frames[i].sent_us - w->frames[i - 1].sent_us;

		if (w->frames[i].sent_us >= from_us && w->frames[i].sent_us <= to_us &&
		    pause_us > most_ms * 1000) {
			MISS(sc, "line %d: a pause of %lld ms at show %.3f", sc->line,
			     (long long)pause_us / 1000, (double)w->frames[i].pts_90k / MEDIA_HZ);
		}
	}
}

/* Of an encode that is sent more than once, frames of any track that did not go out; a track that
 * ended is lost as well. */
static void expect_lost(struct scenario *sc, uint64_t most)
{
	const struct watch *w = &sc->stage.watch;
	int64_t ended_us = sc->stage.now_us - w->config.delay_us - ENDED_US;

	if (w->lost > most) {
		MISS(sc, "line %d: %llu frames were lost", sc->line, (unsigned long long)w->lost);
	}
	for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		for (unsigned track = 0; track < PACKET_TRACKS_MAX; track++) {
			if (w->has_last[kind][track] && w->last_sent_us[kind][track] < ended_us) {
				MISS(sc, "line %d: kind %u track %u has ended", sc->line, kind,
				     track);
			}
		}
	}
}

/* How long frames waited from their coming to their going. */
static void expect_held(struct scenario *sc, int64_t most_ms, int64_t from_us, int64_t to_us)
{
	const struct watch *w = &sc->stage.watch;
	const struct watch_frame *worst = NULL;
	int64_t worst_us = most_ms * 1000;

	for (size_t i = 0; i < w->frame_count; i++) {
		const struct watch_frame *f = &w->frames[i];
		const struct packet *p = &w->connections[f->connection].packets[f->seq].packet;

		if (f->sent_us >= from_us && f->sent_us <= to_us &&
		    f->sent_us - p->arrival_us > worst_us) {
			worst = f;
			worst_us = f->sent_us - p->arrival_us;
		}
	}
	if (worst != NULL) {
		MISS(sc, "line %d: %s was held for %lld ms at show %.3f", sc->line,
		     worst->kind == PACKET_VIDEO ? "video" : "audio", (long long)worst_us / 1000,
		     (double)worst->pts_90k / MEDIA_HZ);
	}
}

void script_read_expect(struct scenario *sc, char *words[], unsigned count)
{
	const char *what = count > 1 ? words[1] : "";
	unsigned times = strcmp(what, "unbroken") == 0 ? 2 : 4;
	int64_t from_us = INT64_MIN, to_us = INT64_MAX;

	if (count == times + 2) {
		from_us = START_US + script_number(sc, words[times]) * 1000;
		to_us = START_US + script_number(sc, words[times + 1]) * 1000;
	}
	if (strcmp(what, "unbroken") == 0) {
		expect_unbroken(sc, from_us, to_us);
	} else if (strcmp(what, "video-gap") == 0 && count > 3) {
		expect_gap(sc, PACKET_VIDEO, script_number(sc, words[3]), from_us, to_us);
	} else if (strcmp(what, "audio-gap") == 0 && count > 3) {
		expect_gap(sc, PACKET_AUDIO, script_number(sc, words[3]), from_us, to_us);
	} else if (strcmp(what, "held") == 0 && count > 3) {
		expect_held(sc, script_number(sc, words[3]), from_us, to_us);
	} else if (strcmp(what, "pause") == 0 && count > 3) {
		expect_pause(sc, script_number(sc, words[3]), from_us, to_us);
	} else if (strcmp(what, "splices") == 0 && count == 3) {
		expect_splices(sc, script_number(sc, words[2]));
	} else if (strcmp(what, "lost") == 0 && count == 4) {
		expect_lost(sc, (uint64_t)script_number(sc, words[3]));
	} else if (strcmp(what, "dropped") == 0 && count == 5) {
		expect_dropped(sc, (unsigned)script_feed(sc, words[2]),
			       script_number(sc, words[4]));
	} else {
		FAIL(sc, "line %d: expect %s?", sc->line, what);
	}
}
