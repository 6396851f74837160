/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rehearsal's connection (drill.h): replies, events and the witness's counts come over one
 * socket. Blocks for a reply, or as long as it was told to wait.
 */
#include <signal.h>
#include <string.h>

#include <understudy/clock.h>
#include <understudy/text.h>

#include "drill.h"
#include "terminal.h"

#define REPLY_MS 5000
#define WITNESS_MS 1000
#define LEASE_MARGIN_S 120 /* we undo faults ourselves; the lease is for when we cannot */

static volatile sig_atomic_t is_interrupted;

static void interrupt(int signal)
{
	is_interrupted = 1;
}

bool drill_is_interrupted(void)
{
	return is_interrupted != 0;
}

int64_t drill_now_ms(void)
{
	return clock_wall_us() / 1000;
}

/* ---- events ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static int64_t number_of(const json_t *object, const char *key)
{
	const json_t *number = json_object_get(object, key);

	return json_is_number(number) ? (int64_t)json_number_value(number) : 0;
}

static bool is_target(const struct drill *d, const char *name)
{
	for (unsigned i = 0; i < d->step->target_count; i++) {
		if (strcmp(d->step->targets[i], name) == 0) {
			return true;
		}
	}
	return false;
}

static void note_left(struct drill_seen *seen, const json_t *event, int64_t at_ms)
{
	seen->failovers++;
	if (seen->left_ms != DRILL_NONE || seen->fault_ms == DRILL_NONE) {
		return;
	}
	seen->left_ms = at_ms - seen->fault_ms;
	seen->noticed_ms = seen->left_ms - number_of(event, "noticed_ms_ago");
	seen->gap_ms = number_of(event, "gap_ms");
	text_copy(seen->from, sizeof(seen->from), text_of(event, "from"));
	text_copy(seen->to, sizeof(seen->to), text_of(event, "to"));
}

static void note_returned(const struct drill *d, struct drill_seen *seen, const json_t *event,
			  int64_t at_ms)
{
	seen->failbacks++;
	if (seen->mended_ms != DRILL_NONE &&
	    strcmp(text_of(event, "to"), d->step->targets[0]) == 0) {
		seen->returned_ms = at_ms - seen->mended_ms;
		seen->return_gap_ms = number_of(event, "gap_ms");
	}
}

static void note_on_air(struct drill_seen *seen, int64_t at_ms)
{
	if (seen->off_since_ms != DRILL_NONE) {
		seen->off_ms += at_ms - seen->off_since_ms;
		seen->off_since_ms = DRILL_NONE;
	}
}

static void note_destination(const struct drill *d, struct drill_seen *seen, const json_t *event,
			     int64_t at_ms, bool is_up)
{
	if (d->step->kind != DRILL_LOSE || !is_target(d, text_of(event, "destination"))) {
		return;
	}
	if (!is_up && seen->fault_ms != DRILL_NONE && seen->down_ms == DRILL_NONE) {
		seen->down_ms = at_ms - seen->fault_ms;
	} else if (is_up && seen->mended_ms != DRILL_NONE) {
		seen->up_ms = at_ms - seen->mended_ms;
	}
}

static void note_held_up(struct drill *d, const json_t *event)
{
	if (d->held_ups++ == 0) {
		text_copy(d->held_up, sizeof(d->held_up), text_of(event, "text"));
	}
}

/* Whatever a change is called, it leaves the target or comes back to it: the feed that takes over
 * may be a preferred one, or a twin. */
static void note_change(const struct drill *d, struct drill_seen *seen, const json_t *event,
			int64_t at_ms)
{
	if (is_target(d, text_of(event, "from")) && !is_target(d, text_of(event, "to"))) {
		note_left(seen, event, at_ms);
	} else {
		note_returned(d, seen, event, at_ms);
	}
}

/* What of the relay's events counts for the step under way. */
static void note_event(struct drill *d, const json_t *event)
{
	const char *kind = text_of(event, "kind");
	int64_t at_ms = parse_time_ms(text_of(event, "time"));
	struct drill_seen *seen = d->seen;

	if (strcmp(text_of(event, "show"), d->show) != 0) {
		return;
	}
	json_array_append(d->events, (json_t *)event);
	if (strcmp(kind, "held_up") == 0) {
		note_held_up(d, event);
	}
	if (seen == NULL) {
		return;
	}
	if (is_target(d, text_of(event, "from")) || is_target(d, text_of(event, "to"))) {
		seen->stirred_ms = at_ms;
	}
	if (strcmp(kind, "fault") == 0) {
		seen->fault_ms = seen->fault_ms == DRILL_NONE ? at_ms : seen->fault_ms;
	} else if (strcmp(kind, "fault_over") == 0) {
		seen->mended_ms = at_ms;
	} else if (strcmp(kind, "failover") == 0) {
		note_left(seen, event, at_ms);
	} else if (strcmp(kind, "failback") == 0 || strcmp(kind, "twin_carries_on") == 0) {
		note_change(d, seen, event, at_ms);
	} else if (strcmp(kind, "reconnect") == 0) {
		note_returned(d, seen, event, at_ms);
	} else if (strcmp(kind, "off_air") == 0) {
		seen->off_since_ms = at_ms;
	} else if (strcmp(kind, "on_air") == 0) {
		note_on_air(seen, at_ms);
	} else if (strcmp(kind, "worker_died") == 0) {
		seen->deaths++;
	} else if (strncmp(kind, "destination_", 12) == 0) {
		note_destination(d, seen, event, at_ms, strcmp(kind, "destination_up") == 0);
	}
}

/* ---- the witness ---- */

static void note_track(struct drill_track *track, const json_t *json)
{
	track->missing += number_of(json, "missing");
	track->doubled += number_of(json, "doubled");
	track->frame_ms = number_of(json, "frame_ms");
	if (number_of(json, "longest_ms") > track->longest_ms) {
		track->longest_ms = number_of(json, "longest_ms");
	}
}

static void note_summary(struct drill *d, const json_t *summary)
{
	if (d->seen != NULL) {
		d->seen->has_witness = true;
		d->seen->disorders += number_of(summary, "faults");
		note_track(&d->seen->picture, json_object_get(summary, "video"));
		note_track(&d->seen->sound, json_object_get(summary, "audio"));
	}
	d->is_marked |= number_of(summary, "mark") == d->mark;
}

/* ---- lines ---- */

/* EXIT_DONE with *ret NULL: nothing came in time. What is no reply is noted and freed. */
static int take_line(struct drill *d, int64_t until_ms, json_t **ret_reply)
{
	int64_t left_ms = until_ms - drill_now_ms();
	json_t *line = NULL;
	int code = client_wait(&d->client, left_ms > 0 ? (int)left_ms : 0, &line);

	*ret_reply = NULL;
	if (code != EXIT_DONE || line == NULL) {
		return is_interrupted ? EXIT_FAILED : code;
	}
	const json_t *event = json_object_get(line, "event");
	const json_t *summary = json_object_get(line, "summary");
	if (event != NULL) {
		note_event(d, event);
	} else if (summary != NULL) {
		note_summary(d, summary);
	} else if (json_object_get(line, "ok") != NULL) {
		*ret_reply = line;
		return EXIT_DONE;
	}
	json_decref(line);
	return EXIT_DONE;
}

int drill_ask(struct drill *d, json_t *request, json_t **ret)
{
	int64_t until_ms = drill_now_ms() + REPLY_MS;
	int code = client_send(&d->client, request);
	json_t *reply = NULL;

	while (code == EXIT_DONE && reply == NULL) {
		code = take_line(d, until_ms, &reply);
		if (code == EXIT_DONE && reply == NULL && drill_now_ms() >= until_ms) {
			complain("the relay does not answer; see its log");
			return EXIT_FAILED;
		}
	}
	if (code == EXIT_DONE && !json_is_true(json_object_get(reply, "ok"))) {
		complain("%s", text_of(reply, "error"));
		code = EXIT_FAILED;
	}
	if (code == EXIT_DONE && ret != NULL) {
		*ret = reply;
		return EXIT_DONE;
	}
	json_decref(reply);
	return code;
}

int drill_order(struct drill *d, json_t *request)
{
	return drill_ask(d, request, NULL);
}

int drill_fault(struct drill *d, const char *kind, const char *target)
{
	return drill_order(d, json_pack("{s:s, s:s, s:s, s:s, s:I, s:b}", "command", "fault",
					"show", d->show, "kind", kind, "target", target, "seconds",
					(json_int_t)(d->seconds + LEASE_MARGIN_S), "live",
					(int)d->is_live_meant));
}

int drill_mend(struct drill *d)
{
	return drill_order(d, json_pack("{s:s}", "command", "mend"));
}

int drill_wait(struct drill *d, bool (*holds)(const struct drill *d), int64_t most_ms)
{
	int64_t until_ms = drill_now_ms() + most_ms;
	json_t *reply;
	int code = EXIT_DONE;

	while (code == EXIT_DONE && drill_now_ms() < until_ms && (holds == NULL || !holds(d))) {
		code = take_line(d, until_ms, &reply);
		json_decref(reply);
	}
	return code;
}

static bool is_marked(const struct drill *d)
{
	return d->is_marked;
}

int drill_count(struct drill *d)
{
	d->is_marked = false;
	d->mark++;
	int code = drill_order(d, json_pack("{s:s, s:s, s:I}", "command", "witness_mark", "show",
					    d->show, "mark", (json_int_t)d->mark));
	return code == EXIT_DONE ? drill_wait(d, is_marked, REPLY_MS) : code;
}

int drill_look(struct drill *d)
{
	json_t *reply = NULL, *show;
	size_t i;
	int code = drill_ask(d, json_pack("{s:s}", "command", "status"), &reply);

	if (code != EXIT_DONE) {
		return code;
	}
	json_decref(d->status);
	d->status = NULL;
	json_array_foreach(json_object_get(json_object_get(reply, "status"), "shows"), i, show) {
		if (strcmp(text_of(show, "name"), d->show) == 0) {
			d->status = json_incref(show);
		}
	}
	json_decref(reply);
	if (d->status == NULL) {
		complain("there is no show %s; `understudy status` lists them", d->show);
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

int drill_ask_promise(struct drill *d)
{
	json_t *reply = NULL;
	int code = drill_ask(d, json_pack("{s:s, s:s}", "command", "explain", "show", d->show),
			     &reply);

	if (code == EXIT_DONE && !explain_from_json(json_object_get(reply, "explain"), &d->facts)) {
		complain("the relay's answer makes no sense; is it of another version?");
		code = EXIT_FAILED;
	}
	if (code == EXIT_DONE) {
		explain_make(&d->facts, &d->promise);
	}
	json_decref(reply);
	return code;
}

/* ---- begin and end ---- */

int drill_open(struct drill *d, const char *socket)
{
	struct sigaction action = { .sa_handler = interrupt };
	int code = client_open(&d->client, socket);

	if (code != EXIT_DONE) {
		return code;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	d->events = json_array();
	code = drill_look(d);
	if (code == EXIT_DONE) {
		code = drill_ask_promise(d);
	}
	if (code == EXIT_DONE) {
		code = drill_order(d,
				   json_pack("{s:s, s:s}", "command", "witness", "show", d->show));
	}
	if (code == EXIT_DONE) {
		code = drill_order(d, json_pack("{s:s, s:b, s:f}", "command", "events", "follow",
						true, "since", (double)drill_now_ms() / 1000.0));
	}
	/* The witness has to see some pictures before it can miss any. */
	return code == EXIT_DONE ? drill_wait(d, NULL, WITNESS_MS) : code;
}

void drill_close(struct drill *d)
{
	client_close(&d->client);
	json_decref(d->status);
	json_decref(d->events);
	json_decref(d->practice);
}
