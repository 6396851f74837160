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

	if (st->feed_count == 0 || START_US + ms * 1000 < st->now_us) {
		FAIL(sc, "line %d: %s", sc->line,
		     st->feed_count == 0 ? "no feed" : "times must not fall");
		return;
	}
	if (!sc->is_started) {
		sc->is_started = true;
		st->now_us = START_US;
		stage_open(st);
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

/* From what the word says, ENCODER_STREAMS: of all there is. */
static enum encoder_stream read_stream(struct scenario *sc, const char *word)
{
	static const char *const names[] = { "video", "audio" };
	static const enum encoder_stream streams[] = { ENCODER_VIDEO, ENCODER_AUDIO };

	return word != NULL ? streams[script_choice(sc, word, names, 2)] : ENCODER_STREAMS;
}

static void hold(struct encoder *e, enum encoder_stream stream, int64_t until_us)
{
	for (unsigned i = 0; i < ENCODER_STREAMS; i++) {
		bool is_video = i == ENCODER_VIDEO || i == ENCODER_EXTRA_VIDEO;
		bool is_audio = i == ENCODER_AUDIO || i == ENCODER_EXTRA_AUDIO;

		if (stream == ENCODER_STREAMS || (is_video && stream == ENCODER_VIDEO) ||
		    (is_audio && stream == ENCODER_AUDIO)) {
			e->held_us[i] = until_us;
		}
	}
}

/* What befalls a connection. */
static bool do_fault(struct scenario *sc, const char *what, unsigned feed, char *words[],
		     unsigned count)
{
	struct stage *st = &sc->stage;
	struct stage_feed *f = &st->feeds[feed];
	struct encoder *e = &f->encoder;

	if (strcmp(what, "kill") == 0) {
		stage_kill(st, feed);
	} else if (strcmp(what, "connect") == 0) {
		stage_kill(st, feed); /* a newcomer with the same key takes over */
		stage_connect(st, feed);
	} else if (strcmp(what, "leave") == 0 || strcmp(what, "stay") == 0) {
		stage_leave(st, feed, what[0] == 'l');
	} else if (strcmp(what, "stall") == 0) {
		hold(e, read_stream(sc, count > 0 ? words[0] : NULL), INT64_MAX);
	} else if (strcmp(what, "flow") == 0) {
		hold(e, ENCODER_STREAMS, st->now_us);
	} else if (strcmp(what, "freeze") == 0) {
		f->froze_us = st->now_us;
		hold(e, ENCODER_STREAMS, INT64_MAX);
	} else if (strcmp(what, "thaw") == 0) {
		if (f->froze_us != 0) {
			encoder_freeze(e, f->froze_us, st->now_us);
			hold(e, ENCODER_STREAMS, st->now_us);
			f->froze_us = 0;
		}
	} else if (strcmp(what, "hole") == 0 && count == 2) {
		e->skip_until_us[read_stream(sc, words[0])] = st->now_us +
							      script_number(sc, words[1]) * 1000;
	} else if (strcmp(what, "jump") == 0 && count == 1) {
		encoder_jump(e, script_number(sc, words[0]));
	} else if (strcmp(what, "swap") == 0) {
		f->swaps = true;
	} else if (strcmp(what, "lose") == 0 && count == 2) {
		e->config.lose_percent = (unsigned)script_number(sc, words[0]);
		e->config.lose_turn = (unsigned)script_number(sc, words[1]);
	} else if (strcmp(what, "slow") == 0 && count == 1) {
		encoder_slow(e, (double)script_positive(sc, words[0]), st->now_us);
	} else if (strcmp(what, "part") == 0 && count == 1) {
		encoder_part(e, script_number(sc, words[0]));
	} else if (strcmp(what, "nonsense") == 0 && count == 1) {
		stage_push_nonsense(st, feed, (unsigned)script_number(sc, words[0]));
	} else if (strcmp(what, "loss") == 0 && count == 1) {
		stage_note_loss(st, feed, (unsigned)script_number(sc, words[0]));
	} else if (strcmp(what, "differ") == 0) {
		encoder_differ(e, (uint64_t)st->now_us + feed);
	} else if (strcmp(what, "lapped") == 0) {
		stage_overwrite(st, feed);
	} else {
		return false;
	}
	return true;
}

/* What an encoder changes while it runs. */
static bool do_change(struct scenario *sc, const char *what, unsigned feed, char *words[],
		      unsigned count)
{
	struct stage *st = &sc->stage;
	struct stage_feed *f = &st->feeds[feed];
	struct encoder *e = &f->encoder;
	unsigned width, height;

	if (strcmp(what, "set") == 0) {
		for (unsigned i = 0; i < count; i++) {
			script_set_feed(sc, (int)feed, words[i]);
		}
	} else if (strcmp(what, "gop") == 0 && count == 1) {
		encoder_differ(e, (uint64_t)st->now_us + feed);
		e->next_gop = (unsigned)script_positive(sc, words[0]);
	} else if (strcmp(what, "drop") == 0 && count == 1) {
		e->config.drop_percent = (unsigned)script_number(sc, words[0]);
	} else if (strcmp(what, "every") == 0 && count == 1) {
		e->config.every = (unsigned)script_positive(sc, words[0]);
	} else if (strcmp(what, "thin") == 0 && count == 1) {
		e->size_percent = (unsigned)script_number(sc, words[0]);
	} else if (strcmp(what, "jitter") == 0 && count == 1) {
		e->config.jitter_ms = script_number(sc, words[0]);
	} else if (strcmp(what, "header") == 0 && count == 1 &&
		   sscanf(words[0], "%ux%u", &width, &height) == 2) {
		encoder_differ(e, (uint64_t)st->now_us + feed);
		f->changes_header = true;
		f->next_width = (uint16_t)width;
		f->next_height = (uint16_t)height;
	} else {
		return false;
	}
	return true;
}

static void do_feed_action(struct scenario *sc, const char *what, unsigned feed, char *words[],
			   unsigned count)
{
	/* what makes good again, or is for later, is no fault */
	sc->stage.faults += strcmp(what, "flow") != 0 && strcmp(what, "thaw") != 0 &&
			    strcmp(what, "set") != 0 && strcmp(what, "stay") != 0 &&
			    strcmp(what, "drill") != 0 && strcmp(what, "mend") != 0;
	if (strcmp(what, "drill") == 0 || strcmp(what, "mend") == 0) {
		timeline_set_rehearsed(sc->stage.tl, (uint16_t)(feed + 1), what[0] == 'd',
				       sc->stage.now_us);
	} else if (strcmp(what, "take") == 0) {
		stage_take(&sc->stage, (uint16_t)(feed + 1));
	} else if (strcmp(what, "prefer") == 0) {
		stage_prefer(&sc->stage, feed);
	} else if (!do_fault(sc, what, feed, words, count) &&
		   !do_change(sc, what, feed, words, count)) {
		FAIL(sc, "line %d: %s?", sc->line, what);
	}
}

/* What happens to the show. */
static bool do_show_action(struct scenario *sc, const char *what, char *words[], unsigned count)
{
	struct stage *st = &sc->stage;

	if (strcmp(what, "auto") == 0) {
		stage_take(st, 0);
	} else if (strcmp(what, "restart") == 0 && count == 1) {
		stage_restart(st, script_number(sc, words[0]) * 1000);
	} else if (strcmp(what, "sleep") == 0 && count == 1) {
		stage_sleep(st, script_number(sc, words[0]) * 1000);
	} else if (strcmp(what, "delay") == 0 && count == 1) {
		stage_set_delay(st, script_number(sc, words[0]) * 1000);
	} else if (strcmp(what, "settle") == 0 || strcmp(what, "unsettle") == 0) {
		timeline_settle_reference(st->tl, what[0] == 's');
	} else {
		return false;
	}
	st->faults++;
	return true;
}

static void read_at(struct scenario *sc, char *words[], unsigned count)
{
	const char *what = count > 2 ? words[2] : "";

	run_to(sc, script_number(sc, words[1]));
	if (sc->stage.watch.failure[0] != '\0') {
		return;
	}
	if (strcmp(what, "live") != 0 && strcmp(what, "state") != 0) {
		script_tell(sc, words + 2, count - 2);
	}
	if (do_show_action(sc, what, words + 3, count > 3 ? count - 3 : 0)) {
		return;
	}
	if (count < 4) {
		FAIL(sc, "line %d: at what?", sc->line);
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
		[TIMELINE_GAP] = "gap",         [TIMELINE_STATE] = "state",
		[TIMELINE_TWINS] = "twins",     [TIMELINE_PARTED] = "parted",
		[TIMELINE_CARRIED] = "carried", [TIMELINE_HELD_UP] = "held"
	};
	const struct stage *st = &sc->stage;
	size_t used = 0;

	for (size_t i = 0; i < st->watch.event_count; i++) {
		const struct timeline_event *e = &st->watch.events[i];

		if (used + LINE_MAX_BYTES > sizeof(sc->decided)) {
			break;
		}
		used += (size_t)snprintf(sc->decided + used, sizeof(sc->decided) - used,
					 "= %.3f %s %s>%s show %.3f gap %.0f: %s\n",
					 (double)(st->watch.event_us[i] - START_US) / 1e6,
					 names[e->kind], stage_name(st, e->from),
					 stage_name(st, e->to), (double)e->show_90k / MEDIA_HZ,
					 (double)e->gap_90k / 90, e->cause);
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
	while (*text != '\0' && sc->stage.watch.failure[0] == '\0') {
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
	if (sc->is_started) {
		watch_end(&sc->stage.watch, sc->stage.now_us);
	}
	summarise(sc);
	script_tell_end(sc);
	return sc->stage.watch.failure[0] == '\0';
}
