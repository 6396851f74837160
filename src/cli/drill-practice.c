/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `--practice` (drill.h): the relay replaces the show's destinations until our connection ends.
 * Blocks until the show is on air there, or so long.
 */
#include <stdio.h>
#include <string.h>

#include "drill.h"

#define READY_MS 30000 /* beyond the show's delay */
#define FEEDS_MS 10000 /* for feeds that are fetched only while the show is started */
#define SAMPLE_MS 300

static bool has_state(const json_t *object, const char *word)
{
	const char *state = json_string_value(json_object_get(object, "state"));

	return state != NULL && strcmp(state, word) == 0;
}

/* On air, and live at every practice platform. */
static bool is_ready(const struct drill *d)
{
	const json_t *destination;
	size_t i;

	if (!json_is_true(json_object_get(d->status, "on_air"))) {
		return false;
	}
	json_array_foreach(json_object_get(d->status, "destinations"), i, destination) {
		if (json_is_object(json_object_get(destination, "practice")) &&
		    !has_state(destination, "live")) {
			return false;
		}
	}
	return true;
}

static bool has_all_feeds(const struct drill *d)
{
	const json_t *feed;
	size_t i;

	json_array_foreach(json_object_get(d->status, "feeds"), i, feed) {
		if (has_state(feed, "offline")) {
			return false;
		}
	}
	return true;
}

/* Looks until it holds, or so long. */
static int look_until(struct drill *d, bool (*holds)(const struct drill *d), int64_t most_ms)
{
	int64_t until_ms = drill_now_ms() + most_ms;
	int code = drill_look(d);

	while (code == EXIT_DONE && !holds(d) && drill_now_ms() < until_ms) {
		code = drill_wait(d, NULL, SAMPLE_MS);
		code = code == EXIT_DONE ? drill_look(d) : code;
	}
	return code;
}

int drill_practice(struct drill *d)
{
	bool was_started = json_is_true(json_object_get(d->status, "started"));
	json_t *reply = NULL;
	int code = drill_ask(d, json_pack("{s:s, s:s}", "command", "practice", "show", d->show),
			     &reply);

	if (code != EXIT_DONE) {
		return code;
	}
	d->practice = json_incref(json_object_get(reply, "practice"));
	json_decref(reply);
	code = look_until(d, is_ready, d->facts.delay_ms + READY_MS);
	if (code == EXIT_DONE && json_is_true(json_object_get(d->status, "on_air")) &&
	    !is_ready(d)) {
		complain("the show did not reach its practice platforms; see the relay's log");
		return EXIT_FAILED;
	}
	if (code == EXIT_DONE && !was_started) {
		code = look_until(d, has_all_feeds, FEEDS_MS);
	}
	return code == EXIT_DONE ? drill_ask_promise(d) : code;
}

static void print_names(const struct terminal *t, const char *what, const json_t *names)
{
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name) {
		char text[EXPLAIN_NAME];

		terminal_copy(text, sizeof(text), json_string_value(name));
		fprintf(t->out, "%s%s", i == 0 ? what : ", ", text);
	}
	if (json_array_size(names) > 0) {
		fputc('\n', t->out);
	}
}

void drill_print_practice(const struct terminal *t, const struct drill *d)
{
	print_names(t, "On practice platforms of this machine: ",
		    json_object_get(d->practice, "replaced"));
	print_names(t, "Left out of this rehearsal: ", json_object_get(d->practice, "left_out"));
}
