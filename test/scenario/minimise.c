/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A scenario that breaks a rule, made as short as it can be while it breaks the same one
 * (random.h): what comes after, then lines, feeds with all that befalls them, settings, and time
 * are left out, again and again, until nothing more can be. Tests only.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "script.h"

#define PLAYS_MAX 4000
#define LINES_MAX 400

struct draft {
	char *lines[LINES_MAX];
	unsigned count;
	char rule[16];
	unsigned plays;
	enum random_kind kind;
};

bool random_fails(const char *text, char rule[16], int64_t *ret_at_ms)
{
	struct scenario *sc = calloc(1, sizeof(*sc));
	bool has_failed;

	assert(sc != NULL);
	has_failed = !script_play(sc, text);
	memcpy(rule, sc->stage.watch.rule, sizeof(sc->stage.watch.rule));
	*ret_at_ms = (sc->stage.now_us - START_US) / 1000;
	stage_close(&sc->stage);
	free(sc);
	return has_failed;
}

/* ---- drafts ---- */

static char *draft_text(const struct draft *d)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	assert(to != NULL);
	for (unsigned i = 0; i < d->count; i++) {
		fprintf(to, "%s\n", d->lines[i]);
	}
	fclose(to);
	return text;
}

static void draft_read(struct draft *d, const char *text)
{
	for (; *text != '\0' && d->count < LINES_MAX; d->count++) {
		size_t length = strcspn(text, "\n");

		d->lines[d->count] = strndup(text, length);
		assert(d->lines[d->count] != NULL);
		text += length + (text[length] != '\0');
	}
}

static void draft_clear(struct draft *d)
{
	for (unsigned i = 0; i < d->count; i++) {
		free(d->lines[i]);
	}
	d->count = 0;
}

/* The other text still breaks the rule: it becomes the draft. Frees it. */
static bool draft_try(struct draft *d, char *text)
{
	char rule[16];
	int64_t at_ms;
	bool is_kept = d->plays < PLAYS_MAX && random_fails(text, rule, &at_ms) &&
		       strcmp(rule, d->rule) == 0;

	d->plays++;
	if (is_kept) {
		draft_clear(d);
		draft_read(d, text);
	}
	free(text);
	return is_kept;
}

static bool is_of(const char *line, const char *word)
{
	size_t length = strlen(word);

	return strncmp(line, word, length) == 0 && line[length] == ' ';
}

/* ---- leaving out ---- */

/* The text without lines from..from+count. */
static char *text_without(const struct draft *d, unsigned from, unsigned count)
{
	struct draft less = *d;

	memmove(&less.lines[from], &less.lines[from + count],
		(d->count - from - count) * sizeof(less.lines[0]));
	less.count -= count;
	return draft_text(&less);
}

static bool drop_lines(struct draft *d)
{
	bool has_dropped = false;

	for (unsigned chunk = d->count / 2; chunk > 0; chunk /= 2) {
		for (unsigned i = 1; i + chunk <= d->count;) {
			bool is_dropped = draft_try(d, text_without(d, i, chunk));

			has_dropped |= is_dropped;
			i += is_dropped ? 0 : chunk;
		}
	}
	return has_dropped;
}

/* The text without one feed and all that befalls it. */
static char *text_without_feed(const struct draft *d, unsigned line)
{
	struct draft less = { .count = 0 };
	char name[32] = "";

	if (sscanf(d->lines[line], "feed %31s", name) != 1) {
		return draft_text(d);
	}
	for (unsigned i = 0; i < d->count; i++) {
		char of[32] = "";

		if (i != line &&
		    (!is_of(d->lines[i], "at") || sscanf(d->lines[i], "at %*d %*s %31s", of) != 1 ||
		     strcmp(of, name) != 0)) {
			less.lines[less.count++] = d->lines[i];
		}
	}
	return draft_text(&less);
}

static bool drop_feeds(struct draft *d)
{
	bool has_dropped = false;

	for (unsigned i = d->count; i > 0; i--) {
		if (i <= d->count && is_of(d->lines[i - 1], "feed")) {
			has_dropped |= draft_try(d, text_without_feed(d, i - 1));
		}
	}
	return has_dropped;
}

/* The text with one line replaced. */
static char *text_with(const struct draft *d, unsigned line, char *with)
{
	struct draft other = *d;

	other.lines[line] = with;
	return draft_text(&other);
}

/* Nothing may be missing in it, if what it is bound to is given. */
static bool is_promise(enum random_kind kind)
{
	return kind != RANDOM_ANY && kind != RANDOM_COPIES;
}

static bool is_bound(const struct draft *d, const char *setting)
{
	static const char *const bound[] = { "delay=", "fps=",     "gop=", "lag=",
					     "audio=", "connect=", "twin=" };

	for (size_t i = 0; i < sizeof(bound) / sizeof(bound[0]) && is_promise(d->kind); i++) {
		if (strncmp(setting, bound[i], strlen(bound[i])) == 0) {
			return true;
		}
	}
	return false;
}

static bool drop_settings_of(struct draft *d, unsigned line)
{
	bool has_dropped = false;

	for (char *at = strrchr(d->lines[line], ' '); at != NULL && at > d->lines[line];) {
		size_t place = (size_t)(at - d->lines[line]);
		size_t length = 1 + strcspn(at + 1, " ");
		char less[LINE_MAX_BYTES];
		bool is_name = memchr(d->lines[line], ' ', place) == NULL;

		snprintf(less, sizeof(less), "%.*s%s", (int)place, d->lines[line], at + length);
		if ((!is_name || !is_of(d->lines[line], "feed")) && !is_bound(d, at + 1)) {
			has_dropped |= draft_try(d, text_with(d, line, less));
		}
		for (at = d->lines[line] + place; at > d->lines[line] && *--at != ' ';) {
		}
	}
	return has_dropped;
}

static bool drop_settings(struct draft *d)
{
	bool has_dropped = false;

	for (unsigned i = 0; i < d->count; i++) {
		if (is_of(d->lines[i], "feed") || is_of(d->lines[i], "show")) {
			has_dropped |= drop_settings_of(d, i);
		}
	}
	return has_dropped;
}

/* ---- time ---- */

/* The text with everything from that line on earlier by so much. */
static char *text_earlier(const struct draft *d, unsigned line, int64_t by_ms)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	assert(to != NULL);
	for (unsigned i = 0; i < d->count; i++) {
		int64_t ms;
		int length = 0;

		if (i >= line && sscanf(d->lines[i], "at %" SCNd64 "%n", &ms, &length) == 1) {
			fprintf(to, "at %" PRId64 "%s\n", ms - by_ms, d->lines[i] + length);
		} else if (i >= line && sscanf(d->lines[i], "until %" SCNd64, &ms) == 1) {
			fprintf(to, "until %" PRId64 "\n", ms - by_ms);
		} else {
			fprintf(to, "%s\n", d->lines[i]);
		}
	}
	fclose(to);
	return text;
}

static bool shorten_time(struct draft *d)
{
	bool has_shortened = false;
	int64_t before_ms = 0;

	if (is_promise(d->kind)) {
		return false;
	}
	for (unsigned i = 0; i < d->count; i++) {
		int64_t ms;

		if (sscanf(d->lines[i], "at %" SCNd64, &ms) != 1 &&
		    sscanf(d->lines[i], "until %" SCNd64, &ms) != 1) {
			continue;
		}
		for (int64_t by_ms = ms - before_ms; by_ms >= 100; by_ms /= 2) {
			if (ms - by_ms >= before_ms && draft_try(d, text_earlier(d, i, by_ms))) {
				ms -= by_ms;
				has_shortened = true;
			}
		}
		before_ms = ms;
	}
	return has_shortened;
}

/* What lies behind the moment it broke, if it broke on the way. */
static void cut_end(struct draft *d, int64_t at_ms)
{
	struct draft less = { .count = 0 };
	char until[64];

	for (unsigned i = 0; i < d->count; i++) {
		int64_t ms;

		if (sscanf(d->lines[i], "at %" SCNd64, &ms) == 1 && ms > at_ms) {
			continue;
		}
		less.lines[less.count++] = d->lines[i];
		if (is_of(d->lines[i], "until")) {
			snprintf(until, sizeof(until), "until %" PRId64, at_ms + 1);
			less.lines[less.count - 1] = until;
		}
	}
	draft_try(d, draft_text(&less));
}

/* Every way once. True if any of them made it smaller. */
static bool make_smaller(struct draft *d)
{
	bool is_smaller = drop_lines(d);

	is_smaller = drop_feeds(d) || is_smaller;
	is_smaller = drop_settings(d) || is_smaller;
	return shorten_time(d) || is_smaller;
}

char *random_minimise(enum random_kind kind, const char *text)
{
	struct draft d = { .kind = kind };
	int64_t at_ms;
	char *least;

	draft_read(&d, text);
	if (random_fails(text, d.rule, &at_ms)) {
		cut_end(&d, at_ms);
		while (make_smaller(&d)) {
		}
	}
	least = draft_text(&d);
	draft_clear(&d);
	return least;
}
