/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A scenario being played (the language: docs/scenarios.md).
 *
 *   script.c  the words that describe its show and feeds
 *   play.c    lines, carried out one after the other
 *   expect.c  what is expected
 *   story.c   what happened, told to people
 */
#ifndef SCENARIO_SCRIPT_H
#define SCENARIO_SCRIPT_H

#include <stdio.h>

#include "stage.h"

#define LINE_MAX_BYTES 512
#define WORDS_MAX 24
#define SUMMARY_BYTES (64 * 1024)

struct scenario {
	struct stage stage;
	const char *path;
	int line;
	bool has_show, is_started;
	bool is_never[STAGE_FEEDS];
	int64_t connect_ms[STAGE_FEEDS];
	FILE *story;                 /* is told there what happens; NULL: nobody listens */
	size_t told;                 /* events so far */
	char golden[SUMMARY_BYTES];  /* from the file */
	char decided[SUMMARY_BYTES]; /* as it came */
};

/* The text is at fault / the show is not as it should be. */
#define FAIL(sc, ...) watch_fail(&(sc)->stage.watch, "script", (sc)->stage.now_us, __VA_ARGS__)
#define MISS(sc, ...) watch_fail(&(sc)->stage.watch, "expect", (sc)->stage.now_us, __VA_ARGS__)

/* Cuts the line into words; returns how many. */
unsigned script_split(char *line, char *words[WORDS_MAX]);
/* Fails the scenario if it is none, and is 0 or 1 then. */
int64_t script_number(struct scenario *sc, const char *word);
int64_t script_positive(struct scenario *sc, const char *word);
/* Place of the word among `names`; fails the scenario if it is none of them. */
int script_choice(struct scenario *sc, const char *word, const char *const names[], int count);
/* Place of the feed of that name; fails the scenario if there is none. */
int script_feed(struct scenario *sc, const char *name);
/* One setting of a feed: name=value, or a flag. */
void script_set_feed(struct scenario *sc, int feed, char *word);
void script_read_show(struct scenario *sc, char *words[], unsigned count);
void script_read_feed(struct scenario *sc, char *words[], unsigned count);
void script_expect_live(struct scenario *sc, const char *name);
void script_expect_state(struct scenario *sc, unsigned feed, const char *name);
void script_read_expect(struct scenario *sc, char *words[], unsigned count);
/* Tells what happened up to now, and that this happens. */
void script_tell(struct scenario *sc, char *words[], unsigned count);
/* The rest, and what was seen. */
void script_tell_end(struct scenario *sc);
/* Plays the whole text; fills `golden` and `decided`. False: stage.failure says why. */
bool script_play(struct scenario *sc, const char *text);

#endif
