/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A scenario's lines, carried out one after the other (script.h). Tests only. */
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what happens ---- */

static void run_to(struct scenario *sc, int64_t ms)
{
	struct stage *st = &sc->stage;

	if (!sc->is_started) {
		sc->is_started = true;
		st->now_us = START_US;
		stage_open(st, 1);
	}
	for (;;) { /* feeds connect on the way */
		int next = -1;

		for (unsigned i = 0; i < st->feed_count; i++) {
			if (!sc->is_never[i] && st->feeds[i].incarnation == 0 &&
			    sc->connect_ms[i] <= ms &&
			    (next < 0 || sc->connect_ms[i] < sc->connect_ms[next])) {
				next = (int)i;
			}
		}
		if (next < 0) {
			break;
		}
		stage_run(st, START_US + sc->connect_ms[next] * 1000);
		stage_connect(st, (unsigned)next);
	}
	stage_run(st, START_US + ms * 1000);
}

static void do_hold(struct scenario *sc, struct stage_feed *f, const char *stream, int64_t until_us)
{
	bool is_all = stream == NULL;

	if (is_all || strcmp(stream, "video") == 0) {
		f->encoder.held_us[ENCODER_VIDEO] = until_us;
	}
	if (is_all || strcmp(stream, "audio") == 0) {
		f->encoder.held_us[ENCODER_AUDIO] = until_us;
	}
}

static void do_feed_action(struct scenario *sc, const char *what, unsigned feed, char *words[],
			   unsigned count)
{
	struct stage *st = &sc->stage;
	struct stage_feed *f = &st->feeds[feed];
	struct encoder *e = &f->encoder;

	if (strcmp(what, "kill") == 0) {
		stage_kill(st, feed);
	} else if (strcmp(what, "connect") == 0) {
		stage_connect(st, feed);
	} else if (strcmp(what, "stall") == 0) {
		do_hold(sc, f, count > 0 ? words[0] : NULL, INT64_MAX);
	} else if (strcmp(what, "flow") == 0) {
		do_hold(sc, f, NULL, st->now_us);
	} else if (strcmp(what, "freeze") == 0) {
		f->froze_us = st->now_us;
		do_hold(sc, f, NULL, INT64_MAX);
	} else if (strcmp(what, "thaw") == 0) {
		encoder_freeze(e, f->froze_us, st->now_us);
		do_hold(sc, f, NULL, st->now_us);
	} else if (strcmp(what, "hole") == 0 && count == 2) {
		e->skip_until_us[strcmp(words[0], "audio") == 0 ? ENCODER_AUDIO : ENCODER_VIDEO] =
			st->now_us + script_number(sc, words[1]) * 1000;
	} else if (strcmp(what, "jump") == 0 && count == 1) {
		e->shift_ms += script_number(sc, words[0]);
		e->next[ENCODER_VIDEO].packet.dts_90k += script_number(sc, words[0]) * 90;
		e->next[ENCODER_VIDEO].packet.pts_90k += script_number(sc, words[0]) * 90;
		e->next[ENCODER_AUDIO].packet.dts_90k += script_number(sc, words[0]) * 90;
		e->next[ENCODER_AUDIO].packet.pts_90k += script_number(sc, words[0]) * 90;
	} else if (strcmp(what, "set") == 0) {
		for (unsigned i = 0; i < count; i++) {
			script_set_feed(sc, (int)feed, words[i]);
		}
	} else if (strcmp(what, "take") == 0) {
		timeline_take(st->tl, (uint16_t)(feed + 1), st->now_us);
	} else if (strcmp(what, "lapped") == 0) {
		timeline_lapped(st->tl, f->handle, f->seq, st->now_us);
	} else {
		FAIL(sc, "line %d: %s?", sc->line, what);
	}
}

static void read_at(struct scenario *sc, char *words[], unsigned count)
{
	const char *what = count > 2 ? words[2] : "";

	run_to(sc, script_number(sc, words[1]));
	if (strcmp(what, "auto") == 0) {
		timeline_take(sc->stage.tl, 0, sc->stage.now_us);
	} else if (count < 4) {
		FAIL(sc, "line %d: at what?", sc->line);
	} else if (strcmp(what, "restart") == 0) {
		stage_restart(&sc->stage, script_number(sc, words[3]) * 1000);
	} else if (strcmp(what, "live") == 0) {
		script_expect_live(sc, words[3]);
	} else if (strcmp(what, "state") == 0 && count == 5) {
		script_expect_state(sc, (unsigned)script_feed(sc, words[3]), words[4]);
	} else {
		do_feed_action(sc, what, (unsigned)script_feed(sc, words[3]), words + 4, count - 4);
	}
}

/* ---- what was decided ---- */

static void summarise(struct scenario *sc)
{
	static const char *const names[] = {
		[TIMELINE_ON] = "on",           [TIMELINE_SPLICED] = "spliced",
		[TIMELINE_STARVED] = "starved", [TIMELINE_RESUMED] = "resumed",
		[TIMELINE_GAP] = "gap",         [TIMELINE_STATE] = "state"
	};
	const struct stage *st = &sc->stage;
	size_t used = 0;

	for (size_t i = 0; i < st->event_count; i++) {
		const struct timeline_event *e = &st->events[i];

		if (used + LINE_MAX_BYTES > sizeof(sc->decided)) {
			break;
		}
		used += (size_t)snprintf(sc->decided + used, sizeof(sc->decided) - used,
					 "= %.3f %s %s>%s show %.3f gap %.0f: %s\n",
					 (double)(st->event_us[i] - START_US) / 1e6, names[e->kind],
					 stage_name(st, e->from), stage_name(st, e->to),
					 (double)e->show_90k / MEDIA_HZ, (double)e->gap_90k / 90,
					 e->cause);
	}
}

/* ---- lines ---- */

static void read_line(struct scenario *sc, char *line)
{
	char *words[WORDS_MAX];
	unsigned count;

	if (strncmp(line, "= ", 2) == 0) {
		strncat(sc->golden, line, sizeof(sc->golden) - strlen(sc->golden) - 1);
		return;
	}
	line[strcspn(line, "#")] = '\0';
	count = script_split(line, words);
	if (count == 0) {
		return;
	}
	if (strcmp(words[0], "show") == 0) {
		script_read_show(sc, words, count);
	} else if (strcmp(words[0], "feed") == 0) {
		script_read_feed(sc, words, count);
	} else if (strcmp(words[0], "at") == 0 && count > 1) {
		read_at(sc, words, count);
	} else if (strcmp(words[0], "until") == 0 && count == 2) {
		run_to(sc, script_number(sc, words[1]));
	} else if (strcmp(words[0], "expect") == 0) {
		script_read_expect(sc, words, count);
	} else {
		FAIL(sc, "line %d: %s?", sc->line, words[0]);
	}
}

bool script_play(struct scenario *sc, const char *text)
{
	while (*text != '\0' && sc->stage.failure[0] == '\0') {
		size_t length = strcspn(text, "\n");
		char line[LINE_MAX_BYTES];

		sc->line++;
		if (length + 2 > sizeof(line)) {
			FAIL(sc, "line %d: too long", sc->line);
			break;
		}
		memcpy(line, text, length);
		memcpy(line + length, "\n", 2);
		read_line(sc, line);
		text += length + (text[length] != '\0');
	}
	summarise(sc);
	return sc->stage.failure[0] == '\0';
}
