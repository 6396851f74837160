/* SPDX-License-Identifier: GPL-3.0-or-later */
/* States played again (replay.h). Runs in history, reading. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/text.h>

#include "replay.h"

/* ---- runs ---- */

static int add_run(struct replay *r, int64_t id, const struct ledger_run *run)
{
	struct ledger_run *runs = reallocarray(r->runs, r->run_count + 1, sizeof(*runs));
	int64_t *ids;

	if (runs == NULL) {
		return -ENOMEM;
	}
	r->runs = runs;
	ids = reallocarray(r->run_ids, r->run_count + 1, sizeof(*ids));
	if (ids == NULL) {
		return -ENOMEM;
	}
	r->run_ids = ids;
	r->runs[r->run_count] = *run;
	r->run_ids[r->run_count++] = id;
	return 0;
}

static int load_runs(struct replay *r, sqlite3 *db)
{
	const struct ipc_history_read *q = r->question;
	struct ledger_run present = { .boot = q->boot, .began = q->now, .last = q->now };
	sqlite3_stmt *rows = NULL;
	int result = 0;

	if (sqlite3_prepare_v2(db,
			       "SELECT id, boot, began_boot_us, began_wall_us, last_boot_us,"
			       " last_wall_us FROM run ORDER BY id",
			       -1, &rows, NULL) != SQLITE_OK) {
		return -EIO;
	}
	while (result == 0 && sqlite3_step(rows) == SQLITE_ROW) {
		const struct ledger_run run = {
			.boot = (uint64_t)sqlite3_column_int64(rows, 1),
			.began = { sqlite3_column_int64(rows, 2), sqlite3_column_int64(rows, 3) },
			.last = { sqlite3_column_int64(rows, 4), sqlite3_column_int64(rows, 5) },
		};

		result = add_run(r, sqlite3_column_int64(rows, 0), &run);
	}
	sqlite3_finalize(rows);
	if (result == 0 && q->is_running && r->run_count > 0) {
		r->runs[r->run_count - 1].last = q->now;
	} else if (result == 0) {
		result = add_run(r, 0, &present);
	}
	ledger_axis(r->runs, r->run_count);
	return result;
}

/* ---- things ---- */

static struct thing *find_thing(struct replay *r, uint32_t what, const char *show, const char *name)
{
	struct thing **things, *thing;

	for (size_t i = 0; i < r->count; i++) {
		thing = r->things[i];
		if (thing->what == what && strcmp(thing->show, show) == 0 &&
		    strcmp(thing->name, name) == 0) {
			return thing;
		}
	}
	things = reallocarray(r->things, r->count + 1, sizeof(struct thing *));
	thing = calloc(1, sizeof(*thing));
	if (things != NULL) {
		r->things = things;
	}
	if (things == NULL || thing == NULL) {
		free(thing);
		return NULL;
	}
	thing->what = what;
	text_copy(thing->show, sizeof(thing->show), show);
	text_copy(thing->name, sizeof(thing->name), name);
	r->things[r->count++] = thing;
	return thing;
}

static void end_span(struct replay *r, const struct thing *thing, int64_t at_us)
{
	if (r->span != NULL && thing->state[0] != '\0' && at_us > thing->since_us &&
	    at_us > r->from_us) {
		r->span(r->context, thing, at_us);
	}
}

/* The period begins for it no later than with what happens now. */
static void enter_period(struct replay *r, struct thing *thing, int64_t at_us)
{
	if (!thing->is_in_period && at_us >= r->from_us) {
		if (r->from_us != INT64_MIN) {
			ledger_begin(&thing->ledger, r->from_us);
		}
		thing->is_in_period = true;
	}
}

static void change(struct replay *r, struct thing *thing, int64_t at_us, const char *state,
		   enum ledger_class class, const char *cause)
{
	end_span(r, thing, at_us);
	enter_period(r, thing, at_us);
	thing->since_us = at_us;
	thing->class = class;
	text_copy(thing->state, sizeof(thing->state), state);
	text_copy(thing->cause, sizeof(thing->cause), cause);
	if (thing->what != HISTORY_FEED) {
		ledger_set(&thing->ledger, at_us, class, cause);
	}
}

/* What was wanted on air is off from the end of a run on. */
static void end_run(struct replay *r, size_t run)
{
	int64_t at_us = ledger_place(&r->runs[run], r->runs[run].last.boot_us);

	for (size_t i = 0; i < r->count; i++) {
		if (r->things[i]->class != LEDGER_REST) {
			change(r, r->things[i], at_us, "not_running", LEDGER_OFF,
			       LEDGER_NOT_RUNNING);
		}
	}
}

/* ---- states ---- */

static const char *text_of(sqlite3_stmt *rows, int column)
{
	const char *text = (const char *)sqlite3_column_text(rows, column);

	return text != NULL ? text : "";
}

static int take_row(struct replay *r, sqlite3_stmt *rows, size_t *run)
{
	int64_t id = sqlite3_column_int64(rows, 0);
	int64_t class = sqlite3_column_int64(rows, 6);
	struct thing *thing = find_thing(r, (uint32_t)sqlite3_column_int64(rows, 2),
					 text_of(rows, 3), text_of(rows, 4));

	if (thing == NULL) {
		return -ENOMEM;
	}
	while (*run + 1 < r->run_count && r->run_ids[*run] != id) {
		end_run(r, (*run)++);
	}
	if (r->run_ids[*run] == id && class >= 0 && class < LEDGER_CLASSES) {
		change(r, thing, ledger_place(&r->runs[*run], sqlite3_column_int64(rows, 1)),
		       text_of(rows, 5), (enum ledger_class) class, text_of(rows, 7));
	}
	return 0;
}

static int play_states(struct replay *r, sqlite3 *db, size_t *run)
{
	sqlite3_stmt *rows = NULL;
	int result = 0, step = SQLITE_DONE;

	if (sqlite3_prepare_v2(db,
			       "SELECT run, boot_us, what, show, name, state, class, cause"
			       " FROM state WHERE ?1 = '' OR show = ?1 ORDER BY run, seq",
			       -1, &rows, NULL) != SQLITE_OK) {
		return -EIO;
	}
	sqlite3_bind_text(rows, 1, r->question->show, -1, SQLITE_STATIC);
	while (result == 0 && (step = sqlite3_step(rows)) == SQLITE_ROW) {
		result = take_row(r, rows, run);
	}
	sqlite3_finalize(rows);
	return result < 0 ? result : step == SQLITE_DONE ? 0 : -EIO;
}

int replay_run(struct replay *r, struct store *s)
{
	size_t run = 0;
	int result = load_runs(r, s->db);

	if (result == 0) {
		r->to_us = r->question->now.wall_us;
		r->from_us = r->question->since_us < r->to_us ? r->question->since_us : r->to_us;
		result = play_states(r, s->db, &run);
	}
	while (result == 0 && run + 1 < r->run_count) {
		end_run(r, run++);
	}
	for (size_t i = 0; result == 0 && i < r->count; i++) {
		struct thing *thing = r->things[i];

		end_span(r, thing, r->to_us);
		enter_period(r, thing, r->to_us);
		ledger_advance(&thing->ledger, r->to_us);
	}
	return result;
}

void replay_finish(struct replay *r)
{
	for (size_t i = 0; i < r->count; i++) {
		free(r->things[i]);
	}
	free(r->things);
	free(r->runs);
	free(r->run_ids);
}
