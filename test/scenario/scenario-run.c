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

/* The text without the decisions in it, and those of this run. */
static bool write_golden(const struct scenario *sc, const char *text)
{
	FILE *file = fopen(sc->path, "w");
	bool is_written;

	if (file == NULL) {
		return false;
	}
	while (*text != '\0') {
		size_t length = strcspn(text, "\n");

		length += text[length] != '\0';
		if (strncmp(text, "= ", 2) != 0) {
			fwrite(text, 1, length, file);
		}
		text += length;
	}
	fputs(sc->decided, file);
	is_written = ferror(file) == 0;
	return fclose(file) == 0 && is_written;
}

/* The whole file; NULL and errno. */
static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	if (file == NULL) {
		return NULL;
	}
	if (getdelim(&text, &size, '\0', file) < 0) {
		free(text);
		text = NULL;
	}
	fclose(file);
	return text;
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
	char *text = read_file(sc->path);
	bool is_good = false;

	if (text == NULL) {
		FAIL(sc, "%s: %s", sc->path, strerror(errno));
		return false;
	}
	is_good = script_play(sc, text);
	if (is_good && is_update && !write_golden(sc, text)) {
		FAIL(sc, "%s: %s", sc->path, strerror(errno));
	} else if (is_good && !is_update && strcmp(sc->golden, sc->decided) != 0) {
		FAIL(sc, "decided otherwise than the file says");
	}
	free(text);
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
