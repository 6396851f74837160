/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Answers, one JSON object a line (answer.h). */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include <understudy/text.h>

#include "answer.h"
#include "replay.h"
#include "times.h"

#define PATIENCE_MS 60000

/* ---- lines ---- */

static void write_all(int fd, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t wrote = write(fd, text, size);

		if (wrote < 0 && (errno == EAGAIN || errno == EINTR)) {
			struct pollfd output = { .fd = fd, .events = POLLOUT };

			if (poll(&output, 1, PATIENCE_MS) == 0) {
				exit(EXIT_SUCCESS); /* nobody reads; others want to ask, too */
			}
		} else if (wrote < 0) {
			exit(EXIT_SUCCESS); /* nobody listens any more */
		} else {
			text += wrote;
			size -= (size_t)wrote;
		}
	}
}

/* Takes the object. */
static void put(int fd, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));

	if (text != NULL) {
		size_t size = strlen(text);

		text[size] = '\n'; /* where the terminator was */
		write_all(fd, text, size + 1);
	}
	free(text);
	json_decref(json);
}

static json_t *time_json(int64_t wall_us)
{
	char text[TIME_TEXT];

	time_format(text, wall_us);
	return json_string(text);
}

static json_t *text_json(sqlite3_stmt *rows, int column)
{
	const char *text = (const char *)sqlite3_column_text(rows, column);

	return json_string(text != NULL ? text : "");
}

static json_t *object_json(sqlite3_stmt *rows, int column)
{
	const char *text = (const char *)sqlite3_column_text(rows, column);
	json_t *json = text != NULL && text[0] != '\0' ? json_loads(text, 0, NULL) : NULL;

	return json_is_object(json) ? json : (json_decref(json), json_object());
}

/* ---- events, drills ---- */

static void put_event(int fd, sqlite3_stmt *rows)
{
	json_t *event = json_pack("{s:I, s:o, s:o, s:o, s:o}", "id",
				  (json_int_t)sqlite3_column_int64(rows, 0), "time",
				  time_json(sqlite3_column_int64(rows, 1)), "show",
				  text_json(rows, 2), "kind", text_json(rows, 3), "text",
				  text_json(rows, 4));
	json_t *extra = object_json(rows, 5);

	json_object_update_missing(event, extra);
	json_decref(extra);
	put(fd, json_pack("{s:o}", "event", event));
}

static void put_drill(int fd, sqlite3_stmt *rows)
{
	put(fd, json_pack("{s:{s:o, s:o, s:o, s:b, s:o}}", "drill", "time",
			  time_json(sqlite3_column_int64(rows, 1)), "show", text_json(rows, 2),
			  "scenario", text_json(rows, 3), "passed",
			  sqlite3_column_int(rows, 4) != 0, "report", object_json(rows, 5)));
}

/* ?1 since, ?2 show, ?3 the newest so many (-1: all) */
static const char events_sql[] =
	"SELECT id, wall_us, show, kind, text, extra FROM"
	" (SELECT * FROM event WHERE wall_us >= ?1 AND (?2 = '' OR show = ?2)"
	"  ORDER BY seq DESC LIMIT ?3) ORDER BY seq";
static const char drills_sql[] =
	"SELECT seq, wall_us, show, scenario, passed, report FROM drill"
	" WHERE wall_us >= ?1 AND (?2 = '' OR show = ?2) ORDER BY seq LIMIT ?3";

static int list(struct store *s, const struct ipc_history_read *q, const char *sql,
		void (*put_row)(int fd, sqlite3_stmt *rows), int fd)
{
	sqlite3_stmt *rows = NULL;
	int step;

	if (sqlite3_prepare_v2(s->db, sql, -1, &rows, NULL) != SQLITE_OK) {
		return -EIO;
	}
	sqlite3_bind_int64(rows, 1, q->since_us);
	sqlite3_bind_text(rows, 2, q->show, -1, SQLITE_STATIC);
	sqlite3_bind_int64(rows, 3, q->limit > 0 ? (int64_t)q->limit : -1);
	while ((step = sqlite3_step(rows)) == SQLITE_ROW) {
		put_row(fd, rows);
	}
	sqlite3_finalize(rows);
	return step == SQLITE_DONE ? 0 : -EIO;
}

/* ---- the ledger ---- */

static int by_time(const void *a, const void *b)
{
	int64_t x = ((const struct ledger_cause *)a)->us, y = ((const struct ledger_cause *)b)->us;

	return x < y ? 1 : x > y ? -1 : 0;
}

static json_t *seconds(int64_t us)
{
	return json_real((double)us / 1e6);
}

static json_t *causes_json(struct ledger *l)
{
	json_t *list = json_array();

	qsort(l->causes, l->cause_count, sizeof(l->causes[0]), by_time);
	for (unsigned i = 0; i < l->cause_count; i++) {
		json_array_append_new(list, json_pack("{s:s, s:o, s:i}", "cause", l->causes[i].text,
						      "s", seconds(l->causes[i].us), "times",
						      (int)l->causes[i].times));
	}
	return list;
}

static void put_account(int fd, struct thing *thing)
{
	struct ledger *l = &thing->ledger;
	json_t *account = json_pack(
		"{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:i, s:o, s:s}", "show", thing->show,
		"destination",
		thing->what == HISTORY_DESTINATION ? json_string(thing->name) : json_null(), "from",
		time_json(l->from_us), "to", time_json(l->at_us), "on_s", seconds(l->us[LEDGER_ON]),
		"off_s", seconds(l->us[LEDGER_OFF]), "rest_s", seconds(l->us[LEDGER_REST]),
		"unknown_s", seconds(l->us[LEDGER_UNKNOWN]), "percent", ledger_percent(l),
		"interruptions", (int)l->interruptions, "longest_off_s", seconds(l->longest_off_us),
		"now", ledger_class_str(l->now));

	json_object_set_new(account, "longest_off_at",
			    l->longest_off_us > 0 ? time_json(l->longest_off_at_us) : json_null());
	json_object_set_new(account, "causes", causes_json(l));
	put(fd, json_pack("{s:o}", "account", account));
}

/* Things that were gone before the period began have no account. */
static bool has_account(const struct thing *thing)
{
	const struct ledger *l = &thing->ledger;

	return thing->what != HISTORY_FEED && l->has_begun &&
	       (strcmp(thing->state, "gone") != 0 || l->us[LEDGER_ON] > 0 ||
		l->us[LEDGER_OFF] > 0 || l->us[LEDGER_UNKNOWN] > 0);
}

static int list_accounts(struct store *s, const struct ipc_history_read *q, int fd)
{
	struct replay replay = { .question = q };
	int result = replay_run(&replay, s);

	for (size_t i = 0; result == 0 && i < replay.count; i++) {
		if (has_account(replay.things[i])) {
			put_account(fd, replay.things[i]);
		}
	}
	replay_finish(&replay);
	return result;
}

/* ---- spans ---- */

struct span_output {
	int fd;
	const struct replay *replay;
};

static void put_span(void *context, const struct thing *thing, int64_t to_us)
{
	static const char *const whats[HISTORY_WHATS] = { "show", "destination", "feed" };
	const struct span_output *to = context;
	int64_t from_us = thing->since_us;

	if (thing->what >= HISTORY_WHATS) {
		return;
	}
	from_us = from_us < to->replay->from_us ? to->replay->from_us : from_us;
	put(to->fd, json_pack("{s:{s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:s}}", "span", "what",
			      whats[thing->what], "show", thing->show, "name", thing->name, "from",
			      time_json(from_us), "to", time_json(to_us), "state", thing->state,
			      "class", ledger_class_str(thing->class), "cause", thing->cause));
}

static int list_spans(struct store *s, const struct ipc_history_read *q, int fd)
{
	struct replay replay = { .question = q, .span = put_span };
	struct span_output output = { .fd = fd, .replay = &replay };
	int result;

	replay.context = &output;
	result = replay_run(&replay, s);
	replay_finish(&replay);
	return result;
}

/* ---- the whole answer ---- */

static int64_t number(struct store *s, const char *sql, int64_t since_us)
{
	sqlite3_stmt *rows = NULL;
	int64_t found = 0;

	if (sqlite3_prepare_v2(s->db, sql, -1, &rows, NULL) == SQLITE_OK) {
		sqlite3_bind_int64(rows, 1, since_us);
		found = sqlite3_step(rows) == SQLITE_ROW ? sqlite3_column_int64(rows, 0) : 0;
	}
	sqlite3_finalize(rows);
	return found;
}

static void put_end(struct store *s, const struct ipc_history_read *q, int fd)
{
	int64_t lost = number(s, "SELECT total(count) FROM lost WHERE wall_us >= ?", q->since_us);
	int64_t oldest_us = number(s, "SELECT min(began_wall_us) FROM run", 0);

	put(fd, json_pack("{s:b, s:I, s:o}", "end", true, "lost", (json_int_t)lost, "oldest",
			  oldest_us > 0 ? time_json(oldest_us) : json_null()));
}

static int answer_subject(struct store *s, const struct ipc_history_read *q, int fd)
{
	switch (q->subject) {
	case HISTORY_EVENTS:
		return list(s, q, events_sql, put_event, fd);
	case HISTORY_DRILLS:
		return list(s, q, drills_sql, put_drill, fd);
	case HISTORY_LEDGER:
		return list_accounts(s, q, fd);
	case HISTORY_SPANS:
		return list_spans(s, q, fd);
	default:
		return -EINVAL;
	}
}

static void put_error(int fd, const char *why)
{
	put(fd, json_pack("{s:b, s:o}", "ok", false, "error",
			  json_sprintf("the history cannot be read: %s", why)));
}

void answer(const char *file, const struct ipc_history_read *question, int output)
{
	char why[IPC_TEXT];
	struct store store;

	if (store_open(&store, file, false, why) < 0) {
		put_error(output, why);
		return;
	}
	put(output, json_pack("{s:b}", "ok", true));
	if (answer_subject(&store, question, output) < 0) {
		put_error(output, store_why(&store));
	} else {
		put_end(&store, question, output);
	}
	store_close(&store);
}
