/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Plays scenarios against the timeline on a virtual clock (docs/scenarios.md): text in, TAP out.
 *
 *   scenario-run [-u] [-v] FILE...
 *   scenario-run [-v] --random any|promise|twins|copies|starved|closing FROM COUNT
 *
 *   -u        writes what was decided into the files
 *   -v        tells what happened
 *   --random  COUNT scenarios of the seeds FROM and up. One that breaks a rule is made as short as
 *             it can be and written to random-KIND-SEED.scn in the working directory.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "script.h"

#define FAILURES_MAX 10 /* then it is enough */
#define ENOUGH 100      /* scenarios, for everything to have come about */

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

static void print_decided(const struct scenario *sc)
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
	} else if (is_good && !is_update && sc->golden[0] != '\0' &&
		   strcmp(sc->golden, sc->decided) != 0) {
		MISS(sc, "decided otherwise than the file says");
		print_decided(sc);
	}
	free(text);
	return sc->stage.watch.failure[0] == '\0';
}

static bool play_files(char *const paths[], int count, bool is_update, bool is_verbose)
{
	bool is_good = true;

	printf("1..%d\n", count);
	for (int i = 0; i < count; i++) {
		struct scenario *sc = calloc(1, sizeof(*sc));
		const char *slash = strrchr(paths[i], '/');
		bool is_ok;

		if (sc == NULL) {
			return false;
		}
		sc->path = paths[i];
		sc->story = is_verbose ? stdout : NULL;
		is_ok = play(sc, is_update);
		is_good &= is_ok;
		if (!is_ok) {
			printf("# %s\n", sc->stage.watch.failure);
		}
		printf("%s %d - %s\n", is_ok ? "ok" : "not ok", i + 1,
		       slash != NULL ? slash + 1 : paths[i]);
		stage_close(&sc->stage);
		free(sc);
	}
	return is_good;
}

/* ---- random ones ---- */

/* What came about, over all scenarios: a test that never sees a return proves nothing of it. */
struct tally {
	uint64_t faults, packets;
	uint64_t events[TIMELINE_EVENT_KINDS];
	uint64_t returns;
};

static void tally_add(struct tally *t, const struct stage *st)
{
	t->faults += st->faults;
	t->packets += st->watch.sent;
	for (size_t i = 0; i < st->watch.event_count; i++) {
		t->events[st->watch.events[i].kind]++;
	}
	t->returns += st->watch.returns;
}

static void keep_failure(enum random_kind kind, uint64_t seed, const char *text,
			 const char *failure)
{
	char path[64];
	char *least = random_minimise(kind, text);
	FILE *file;

	snprintf(path, sizeof(path), "random-%s-%" PRIu64 ".scn", random_kind_str(kind), seed);
	printf("# seed %" PRIu64 ": %s\n# the least of it, in %s:\n", seed, failure, path);
	for (const char *at = least; *at != '\0';) {
		size_t n = strcspn(at, "\n") + 1;

		printf("#   %.*s", (int)n, at);
		at += n;
	}
	file = fopen(path, "w");
	if (file != NULL) {
		fprintf(file, "# Seed %" PRIu64 ", made short. %s\n%s", seed, failure, least);
		fclose(file);
	}
	free(least);
}

static bool play_random(enum random_kind kind, uint64_t seed, bool is_verbose, struct tally *t)
{
	struct scenario *sc = calloc(1, sizeof(*sc));
	char *text = random_scenario(kind, seed), failure[WATCH_TEXT];
	bool is_good = false;

	if (sc != NULL) {
		sc->story = is_verbose ? stdout : NULL;
		is_good = script_play(sc, text);
		tally_add(t, &sc->stage);
		memcpy(failure, sc->stage.watch.failure, sizeof(failure));
		stage_close(&sc->stage); /* what it holds is not the next one's */
		if (!is_good) {
			keep_failure(kind, seed, text, failure);
		}
	}
	free(sc);
	free(text);
	return is_good;
}

static bool play_randoms(enum random_kind kind, uint64_t from, uint64_t count, bool is_verbose)
{
	struct tally t = { .faults = 0 };
	unsigned failed = 0;
	bool has_all;

	printf("1..2\n");
	for (uint64_t seed = from; seed < from + count && failed < FAILURES_MAX; seed++) {
		failed += !play_random(kind, seed, is_verbose, &t);
	}
	printf("# seeds %" PRIu64 " to %" PRIu64 ": %" PRIu64 " faults, %" PRIu64
	       " packets; %" PRIu64 " splices, %" PRIu64 " returns, %" PRIu64 " pauses, %" PRIu64
	       " gaps\n",
	       from, from + count - 1, t.faults, t.packets, t.events[TIMELINE_SPLICED], t.returns,
	       t.events[TIMELINE_STARVED], t.events[TIMELINE_GAP]);
	printf("%s 1 - %s: no rule is broken\n", failed == 0 ? "ok" : "not ok",
	       random_kind_str(kind));
	has_all = t.events[kind == RANDOM_TWINS ? TIMELINE_CARRIED : TIMELINE_SPLICED] > 0 &&
		  (kind != RANDOM_COPIES || t.events[TIMELINE_TWINS] > 0) &&
		  ((kind != RANDOM_ANY && kind != RANDOM_COPIES) || count < ENOUGH ||
		   (t.returns > 0 && t.events[TIMELINE_STARVED] > 0 && t.events[TIMELINE_GAP] > 0));
	printf("%s 2 - %s: all that the rules are about came about\n", has_all ? "ok" : "not ok",
	       random_kind_str(kind));
	return failed == 0 && has_all;
}

/* ---- */

static int usage(void)
{
	fprintf(stderr,
		"usage: scenario-run [-u] [-v] FILE...\n"
		"       scenario-run [-v] --random any|promise|twins|copies|starved|closing "
		"FROM COUNT\n");
	return 2;
}

int main(int argc, char **argv)
{
	bool is_update = false, is_verbose = false, is_random = false;
	int first = 1;

	for (; first < argc && argv[first][0] == '-'; first++) {
		is_update |= strcmp(argv[first], "-u") == 0;
		is_verbose |= strcmp(argv[first], "-v") == 0;
		is_random |= strcmp(argv[first], "--random") == 0;
	}
	if (!is_random) {
		return first == argc                                                   ? usage()
		       : play_files(argv + first, argc - first, is_update, is_verbose) ? 0
										       : 1;
	}
	for (enum random_kind kind = 0; kind < RANDOM_KINDS && argc - first == 3; kind++) {
		if (strcmp(argv[first], random_kind_str(kind)) == 0) {
			return play_randoms(kind, strtoull(argv[first + 1], NULL, 10),
					    strtoull(argv[first + 2], NULL, 10), is_verbose)
				       ? 0
				       : 1;
		}
	}
	return usage();
}
