/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `understudy events`: what has happened, and what happens. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/text.h>

#include "archive.h"
#include "client.h"
#include "commands.h"
#include "events.h"

#define SEEN_MAX 1000 /* as many as the relay remembers */

static volatile sig_atomic_t is_interrupted;

static void interrupt(int signal)
{
	is_interrupted = 1;
}

/* ---- times ---- */

static int64_t parse_age(const char *text)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { '\0', 1 } };
	char *end;
	long long number = strtoll(text, &end, 10);

	if (end == text || number < 0 || number > 1000000000) {
		return -1;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (*end == units[i].unit && (*end == '\0' || end[1] == '\0')) {
			return number * units[i].seconds;
		}
	}
	return -1;
}

static int64_t parse_date(const char *text, int64_t now_s)
{
	static const char *const formats[] = { "%Y-%m-%dT%H:%M:%S",
					       "%Y-%m-%dT%H:%M",
					       "%Y-%m-%d %H:%M:%S",
					       "%Y-%m-%d %H:%M",
					       "%Y-%m-%d",
					       "%H:%M:%S",
					       "%H:%M" };
	time_t now = (time_t)now_s;

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct tm when = { .tm_isdst = -1 }, today;

		if (formats[i][1] == 'H') {
			localtime_r(&now, &today);
			when.tm_year = today.tm_year;
			when.tm_mon = today.tm_mon;
			when.tm_mday = today.tm_mday;
		}
		const char *rest = strptime(text, formats[i], &when);
		if (rest != NULL && *rest == '\0') {
			return (int64_t)mktime(&when);
		}
		if (rest != NULL && strcmp(rest, "Z") == 0) {
			return (int64_t)timegm(&when);
		}
	}
	return -1;
}

int64_t since_parse(const char *text, int64_t now_s)
{
	int64_t age_s = parse_age(text);

	return age_s >= 0 ? now_s - age_s : parse_date(text, now_s);
}

/* ---- lines ---- */

static enum paint paint_kind(const char *kind)
{
	static const struct {
		const char *kind;
		enum paint paint;
	} paints[] = {
		{ "on_air", PAINT_GOOD },          { "off_air", PAINT_BAD },
		{ "failover", PAINT_WARN },        { "failback", PAINT_GOOD },
		{ "take", PAINT_STANDBY },         { "gap", PAINT_WARN },
		{ "feed_lost", PAINT_WARN },       { "feed_connected", PAINT_GOOD },
		{ "destination_down", PAINT_BAD }, { "destination_up", PAINT_GOOD },
		{ "worker_died", PAINT_BAD },      { "held_up", PAINT_WARN },
		{ "leave", PAINT_STANDBY },
	};

	for (size_t i = 0; i < sizeof(paints) / sizeof(paints[0]); i++) {
		if (strcmp(paints[i].kind, kind) == 0) {
			return paints[i].paint;
		}
	}
	return PAINT_NONE;
}

static const char *text_of(const json_t *event, const char *key)
{
	const char *text = json_string_value(json_object_get(event, key));

	return text != NULL ? text : "";
}

void event_print(const struct terminal *t, const json_t *event)
{
	char time[40], show[64], kind[32], feeds[160] = "", text[768];
	const char *from = text_of(event, "from"), *to = text_of(event, "to");
	int64_t time_ms = parse_time_ms(text_of(event, "time"));
	enum paint paint = paint_kind(text_of(event, "kind"));

	text_copy(time, sizeof(time), "-");
	if (time_ms >= 0) {
		format_local_time(time, sizeof(time), time_ms);
	}
	terminal_copy(show, sizeof(show), text_of(event, "show"));
	terminal_copy(kind, sizeof(kind), text_of(event, "kind"));
	terminal_copy(text, sizeof(text), text_of(event, "text"));
	/* most texts say it themselves */
	if (from[0] != '\0' && to[0] != '\0' && strcmp(from, to) != 0 &&
	    (strstr(text, from) == NULL || strstr(text, to) == NULL)) {
		char raw[160];

		text_format(raw, sizeof(raw), " %s -> %s", from, to);
		terminal_copy(feeds, sizeof(feeds), raw);
	}
	fprintf(t->out, "%s  %s  %s%s%s%s%s%s\n", time, show, terminal_begin(t, paint), kind,
		terminal_end(t, paint), feeds, text[0] != '\0' ? ": " : "", text);
	fflush(t->out);
}

/* Ids of the events printed last: what the history gave, the relay's memory gives again. */
struct printed {
	json_int_t ids[SEEN_MAX];
	size_t count;
};

static bool is_printed(const struct printed *p, json_int_t id)
{
	size_t known = p->count < SEEN_MAX ? p->count : SEEN_MAX;

	for (size_t i = 0; i < known; i++) {
		if (p->ids[i] == id) {
			return true;
		}
	}
	return false;
}

static void print_once(struct printed *printed, const struct terminal *t, const json_t *event,
		       bool is_json)
{
	const json_t *id = json_object_get(event, "id");

	if (json_is_integer(id) && is_printed(printed, json_integer_value(id))) {
		return;
	}
	printed->ids[printed->count++ % SEEN_MAX] = json_integer_value(id);
	if (is_json) {
		print_json(event);
	} else {
		event_print(t, event);
	}
}

/* Lines of either source, until the end. */
static int print_all(struct client *client, struct printed *printed, const struct terminal *t,
		     bool is_json)
{
	for (;;) {
		json_t *line;
		int code = client_next(client, &line);

		if (code != EXIT_DONE) {
			return is_interrupted ? EXIT_DONE : code;
		}
		const json_t *event = json_object_get(line, "event");
		bool is_end = event == NULL && json_object_get(line, "ok") == NULL &&
			      json_is_true(json_object_get(line, "end"));
		if (event != NULL) {
			print_once(printed, t, event, is_json);
		}
		json_decref(line);
		if (is_end) {
			return EXIT_DONE;
		}
	}
}

/* What the relay remembers, and with --follow what happens. */
static int print_present(const struct command_line *line, int64_t since_s, struct printed *printed,
			 const struct terminal *t)
{
	struct client client;
	int code = client_open(&client, client_socket(line->socket));

	if (code != EXIT_DONE) {
		return code;
	}
	code = client_ask(&client,
			  json_pack("{s:s, s:b, s:I}", "command", "events", "follow",
				    (line->given & OPTION_FOLLOW) != 0, "since",
				    (json_int_t)(since_s != INT64_MIN ? since_s : 0)),
			  NULL);
	if (code == EXIT_DONE) {
		code = print_all(&client, printed, t, line->given & OPTION_JSON);
	}
	client_close(&client);
	return code;
}

int command_events(const struct command_line *line)
{
	static struct printed printed;
	struct sigaction action = { .sa_handler = interrupt };
	int64_t since_s = INT64_MIN;
	struct terminal terminal;
	struct archive archive;
	int code;

	if (!archive_since(line, &since_s)) {
		return EXIT_USAGE;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	terminal_init(&terminal, stdout);
	code = archive_open(&archive, line, "events", NULL, since_s,
			    since_s == INT64_MIN ? SEEN_MAX : 0);
	bool is_offline = archive.helper.pid > 0;
	if (code == EXIT_DONE) {
		code = print_all(&archive.client, &printed, &terminal, line->given & OPTION_JSON);
	}
	archive_close(&archive);
	/* Without a history there still is what the relay remembers. */
	bool goes_on = !is_interrupted && (code == EXIT_DONE || code == EXIT_FAILED);
	return goes_on && !is_offline ? print_present(line, since_s, &printed, &terminal) : code;
}
