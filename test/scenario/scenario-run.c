/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Plays scenarios against the timeline on a virtual clock: text in, TAP out, one case a file.
 *
 *   scenario-run [-u] [-v] FILE...      -u writes what was decided into the files
 *
 * A scenario is lines; `#` begins a comment, times are ms:
 *
 *   show delay=3000 stall=500 hole=200 return=auto|manual|never after=30000
 *        mismatch=prefer|allow|refuse
 *   feed NAME [fps=30] [gop=60] [bframes=0] [pyramid] [open-gop] [audio=48000] [lag=40]
 *        [jitter=0] [base=0] [burst=0] [ppm=0] [keep=1] [size=1280x720] [offset=0] [slate]
 *        [audio-late=21] [unordered] [connect=0|never]
 *   at TIME kill|connect FEED           the connection ends / a new one, time starts at base
 *   at TIME stall FEED [video|audio]    nothing arrives ...
 *   at TIME flow FEED                   ... and now all of it at once
 *   at TIME freeze FEED, at TIME thaw FEED     nothing is captured meanwhile, time runs on after
 *   at TIME hole FEED video|audio MS    so much is never sent
 *   at TIME jump FEED MS                timestamps jump
 *   at TIME set FEED name=value...      what the feed's next connection is like
 *   at TIME take FEED | auto
 *   at TIME restart MS                  the switch dies and is back after so long
 *   at TIME lapped FEED                 its ring has overwritten what waits
 *   at TIME live FEED|-                 expectation: what is live now
 *   at TIME state FEED STATE            expectation
 *   until TIME
 *   expect unbroken [FROM TO]           nothing missing, nothing doubled (times of sending)
 *   expect video-gap|audio-gap <= MS [FROM TO]
 *   expect splices N                    events of that kind
 *   expect dropped FEED <= N            late packets
 *   = ...                               what was decided; written by -u, compared otherwise
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"

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

static void expect_live(struct scenario *sc, const char *name)
{
	struct timeline_status status;

	timeline_get_status(sc->stage.tl, sc->stage.now_us, &status);
	if (strcmp(stage_name(&sc->stage, status.live), name) != 0) {
		FAIL(sc, "line %d: %s is live, not %s", sc->line,
		     stage_name(&sc->stage, status.live), name);
	}
}

static void expect_state(struct scenario *sc, unsigned feed, const char *name)
{
	struct timeline_status status;
	const char *is;

	timeline_get_status(sc->stage.tl, sc->stage.now_us, &status);
	is = timeline_feed_state_str(status.feeds[feed].state);
	if (strcmp(is, name) != 0) {
		FAIL(sc, "line %d: %s is %s (%s), not %s", sc->line, sc->stage.feeds[feed].name, is,
		     status.feeds[feed].health, name);
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
		expect_live(sc, words[3]);
	} else if (strcmp(what, "state") == 0 && count == 5) {
		expect_state(sc, (unsigned)script_feed(sc, words[3]), words[4]);
	} else {
		do_feed_action(sc, what, (unsigned)script_feed(sc, words[3]), words + 4, count - 4);
	}
}

/* ---- what is expected in the end ---- */

static void expect_unbroken(struct scenario *sc, int64_t from_us, int64_t to_us)
{
	for (enum packet_kind kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		struct stage_measure m = stage_measure(&sc->stage, kind, from_us, to_us);
		const char *name = kind == PACKET_VIDEO ? "video" : "audio";

		if (m.frames < 2) {
			continue;
		}
		if (m.longest_percent > 150) {
			FAIL(sc, "line %d: %s is missing: a step of %d %% of a frame at show %.3f",
			     sc->line, name, m.longest_percent,
			     (double)m.longest_at_90k / MEDIA_HZ);
		}
		if (m.shortest_percent < 50) {
			FAIL(sc, "line %d: %s is doubled: a step of %d %% of a frame at show %.3f",
			     sc->line, name, m.shortest_percent,
			     (double)m.shortest_at_90k / MEDIA_HZ);
		}
	}
}

static void expect_gap(struct scenario *sc, enum packet_kind kind, int64_t most_ms, int64_t from_us,
		       int64_t to_us)
{
	struct stage_measure m = stage_measure(&sc->stage, kind, from_us, to_us);

	if (m.frames < 2) {
		FAIL(sc, "line %d: nothing was sent", sc->line);
	} else if (m.longest_90k > most_ms * 90) {
		FAIL(sc, "line %d: a gap of %lld ms", sc->line, (long long)m.longest_90k / 90);
	}
	if (m.shortest_percent < 50) {
		FAIL(sc, "line %d: doubled: a step of %d %%", sc->line, m.shortest_percent);
	}
}

static void expect_splices(struct scenario *sc, int64_t want)
{
	int64_t count = 0;

	for (size_t i = 0; i < sc->stage.event_count; i++) {
		count += sc->stage.events[i].kind == TIMELINE_SPLICED;
	}
	if (count != want) {
		FAIL(sc, "line %d: %lld splices", sc->line, (long long)count);
	}
}

static void expect_dropped(struct scenario *sc, unsigned feed, int64_t most)
{
	struct timeline_status status;

	timeline_get_status(sc->stage.tl, sc->stage.now_us, &status);
	if (status.feeds[feed].late_dropped > (uint64_t)most) {
		FAIL(sc, "line %d: %llu packets were too late", sc->line,
		     (unsigned long long)status.feeds[feed].late_dropped);
	}
}

static void read_expect(struct scenario *sc, char *words[], unsigned count)
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
	} else if (strcmp(what, "splices") == 0 && count == 3) {
		expect_splices(sc, script_number(sc, words[2]));
	} else if (strcmp(what, "dropped") == 0 && count == 5) {
		expect_dropped(sc, (unsigned)script_feed(sc, words[2]),
			       script_number(sc, words[4]));
	} else {
		FAIL(sc, "line %d: expect %s?", sc->line, what);
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

/* ---- files ---- */

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
		read_expect(sc, words, count);
	} else {
		FAIL(sc, "line %d: %s?", sc->line, words[0]);
	}
}

/* The file again, with the decisions of this run in place of the old ones. */
static void write_golden(const struct scenario *sc)
{
	char line[LINE_MAX_BYTES];
	char *text = NULL;
	size_t size = 0;
	FILE *file = fopen(sc->path, "r"), *to = open_memstream(&text, &size);

	while (file != NULL && to != NULL && fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, "= ", 2) != 0) {
			fputs(line, to);
		}
	}
	if (file != NULL && to != NULL) {
		fclose(file);
		fclose(to);
		file = fopen(sc->path, "w");
		fputs(text, file);
		fputs(sc->decided, file);
		fclose(file);
	}
	free(text);
}

static void show_difference(const struct scenario *sc)
{
	printf("# decided:\n");
	for (const char *at = sc->decided; *at != '\0';) {
		size_t n = strcspn(at, "\n") + 1;

		printf("#   %.*s", (int)n, at);
		at += n;
	}
}

static bool play(struct scenario *sc, bool is_update)
{
	char line[LINE_MAX_BYTES];
	FILE *file = fopen(sc->path, "r");

	if (file == NULL) {
		FAIL(sc, "%s: %s", sc->path, strerror(errno));
		return false;
	}
	while (sc->stage.failure[0] == '\0' && fgets(line, sizeof(line), file) != NULL) {
		sc->line++;
		read_line(sc, line);
	}
	fclose(file);
	summarise(sc);
	if (is_update && sc->stage.failure[0] == '\0') {
		write_golden(sc);
	} else if (!is_update && strcmp(sc->golden, sc->decided) != 0) {
		FAIL(sc, "decided otherwise than the file says");
	}
	return sc->stage.failure[0] == '\0';
}

int main(int argc, char **argv)
{
	bool is_update = false, is_verbose = false, is_good = true;
	int first = 1;

	for (; first < argc && argv[first][0] == '-'; first++) {
		is_update |= strcmp(argv[first], "-u") == 0;
		is_verbose |= strcmp(argv[first], "-v") == 0;
	}
	printf("1..%d\n", argc - first);
	for (int i = first; i < argc; i++) {
		struct scenario *sc = calloc(1, sizeof(*sc));
		const char *slash = strrchr(argv[i], '/');
		bool is_ok;

		if (sc == NULL) {
			return 1;
		}
		sc->path = argv[i];
		is_ok = play(sc, is_update);
		is_good &= is_ok;
		printf("%s %d - %s\n", is_ok ? "ok" : "not ok", i - first + 1,
		       slash != NULL ? slash + 1 : argv[i]);
		if (!is_ok) {
			printf("# %s\n", sc->stage.failure);
		}
		if (!is_ok || is_verbose) {
			show_difference(sc);
		}
		stage_close(&sc->stage);
		free(sc);
	}
	return is_good ? 0 : 1;
}
