/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a rehearsal showed, for programs and for people (drill.h). No socket, no clock. */
#include <string.h>

#include <understudy/clock.h>
#include <understudy/history.h>
#include <understudy/text.h>

#include "drill.h"

static json_t *number_json(int64_t number)
{
	return number == DRILL_NONE ? json_null() : json_integer(number);
}

static json_t *time_json(int64_t ms)
{
	char text[32];

	if (ms == DRILL_NONE) {
		return json_null();
	}
	format_utc_time(text, sizeof(text), ms);
	return json_string(text);
}

static json_t *track_json(const struct drill_track *t)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "missing", (json_int_t)t->missing, "doubled",
			 (json_int_t)t->doubled, "longest_step_ms", (json_int_t)t->longest_ms,
			 "frame_ms", (json_int_t)t->frame_ms);
}

static json_t *practice_json(const struct drill_destination *d)
{
	if (!d->is_practised) {
		return json_null();
	}
	return json_pack("{s:I, s:I, s:I, s:I}", "publishes", (json_int_t)d->publishes, "bytes",
			 (json_int_t)d->bytes, "backwards", (json_int_t)d->backwards,
			 "longest_silence_ms", (json_int_t)d->heard_ms);
}

static json_t *destinations_json(const struct drill_seen *seen)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < seen->destination_count; i++) {
		const struct drill_destination *d = &seen->destinations[i];

		json_array_append_new(
			list,
			json_pack("{s:s, s:b, s:b, s:I, s:b, s:o, s:o}", "name", d->name, "was_up",
				  d->was_up, "is_up", d->is_up, "restarts", (json_int_t)d->restarts,
				  "kept", d->is_up && d->restarts == 0, "longest_silence_ms",
				  number_json(d->silence_ms), "practice", practice_json(d)));
	}
	return list;
}

json_t *drill_step_json(const struct drill_step *step, const struct drill_seen *seen,
			const struct findings *verdict)
{
	json_t *targets = json_array();

	for (unsigned i = 0; i < step->target_count; i++) {
		json_array_append_new(targets, json_string(step->targets[i]));
	}
	json_t *json = json_pack("{s:s, s:o, s:b, s:o, s:o, s:o, s:o}", "scenario", step->name,
				 "targets", targets, "passed", !verdict->has_bad, "began",
				 time_json(seen->began_ms), "ended", time_json(seen->ended_ms),
				 "findings", findings_json(verdict), "destinations",
				 destinations_json(seen));
	json_t *times = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "fault",
				  time_json(seen->fault_ms), "mended", time_json(seen->mended_ms),
				  "noticed_ms", number_json(seen->noticed_ms), "left_ms",
				  number_json(seen->left_ms), "returned_ms",
				  number_json(seen->returned_ms), "down_ms",
				  number_json(seen->down_ms), "up_ms", number_json(seen->up_ms));
	json_object_update(json, times);
	json_decref(times);
	json_object_set_new(json, "from", seen->from[0] ? json_string(seen->from) : json_null());
	json_object_set_new(json, "to", seen->to[0] ? json_string(seen->to) : json_null());
	json_object_set_new(json, "gap_ms", json_integer(seen->gap_ms));
	json_object_set_new(json, "return_gap_ms", json_integer(seen->return_gap_ms));
	json_object_set_new(json, "off_air_ms", json_integer(seen->off_ms));
	json_object_set_new(json, "held_up", json_integer(seen->held_ups));
	json_object_set_new(json, "video",
			    seen->has_witness ? track_json(&seen->picture) : json_null());
	json_object_set_new(json, "audio",
			    seen->has_witness ? track_json(&seen->sound) : json_null());
	return json;
}

json_t *drill_report_json(const struct drill *d, const char *scenario, json_t *steps,
			  int64_t began_ms)
{
	const json_t *step;
	bool is_passed = json_array_size(steps) > 0;
	size_t i;

	json_array_foreach(steps, i, step) {
		is_passed = is_passed && json_is_true(json_object_get(step, "passed"));
	}
	return json_pack("{s:i, s:s, s:s, s:o, s:o, s:b, s:o, s:o, s:O, s:O?}", "version", 1,
			 "show", d->show, "scenario", scenario, "began", time_json(began_ms),
			 "ended", time_json(drill_now_ms()), "passed", is_passed, "promise",
			 explain_to_json(&d->facts, &d->promise), "steps", steps, "events",
			 d->events, "practice", d->practice);
}

static bool report_is_too_long(const json_t *report)
{
	return json_dumpb(report, NULL, 0, JSON_COMPACT) >= HISTORY_REPORT;
}

void drill_shorten_report(json_t *report)
{
	/* Of each step, and the first first. */
	static const char *const details[] = { "destinations", "findings", "audio", "video",
					       "fault",        "mended",   "began", "ended" };
	json_t *step;
	size_t i;

	json_object_del(report, "events");
	for (size_t d = 0; d < sizeof(details) / sizeof(details[0]) && report_is_too_long(report);
	     d++) {
		json_array_foreach(json_object_get(report, "steps"), i, step) {
			json_object_del(step, details[d]);
		}
	}
}

/* ---- for people ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

void drill_print_step(const struct terminal *t, const json_t *step)
{
	bool is_passed = json_is_true(json_object_get(step, "passed"));
	enum paint paint = is_passed ? PAINT_GOOD : PAINT_BAD;
	char text[2 * EXPLAIN_NAME];

	terminal_copy(text, sizeof(text), text_of(step, "scenario"));
	fprintf(t->out, "%s%-6s%s  %s\n", terminal_begin(t, paint), is_passed ? "held" : "FAILED",
		terminal_end(t, paint), text);
	findings_print(t, json_object_get(step, "findings"));
	fflush(t->out);
}

static void set_number(struct table_cell *cell, const json_t *number, const char *unit)
{
	if (json_is_number(number)) {
		cell_set(cell, PAINT_NONE, "%lld%s", (long long)json_number_value(number), unit);
	} else {
		cell_set(cell, PAINT_DIM, "-");
	}
}

static int64_t number_in(const json_t *step, const char *track, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(step, track), key));
}

static void add_row(struct table *table, const json_t *step)
{
	bool is_passed = json_is_true(json_object_get(step, "passed"));
	struct table_cell *row = table_add_row(table);

	if (row == NULL) {
		return;
	}
	cell_set(&row[0], PAINT_NONE, "%s", text_of(step, "scenario"));
	cell_set(&row[1], is_passed ? PAINT_GOOD : PAINT_BAD, "%s", is_passed ? "held" : "FAILED");
	set_number(&row[2], json_object_get(step, "noticed_ms"), " ms");
	set_number(&row[3], json_object_get(step, "left_ms"), " ms");
	cell_set(&row[4], PAINT_NONE, "%lld+%lld", (long long)number_in(step, "video", "missing"),
		 (long long)number_in(step, "audio", "missing"));
	cell_set(&row[5], PAINT_NONE, "%lld+%lld", (long long)number_in(step, "video", "doubled"),
		 (long long)number_in(step, "audio", "doubled"));
	set_number(&row[6], json_object_get(json_object_get(step, "video"), "longest_step_ms"),
		   " ms");
	set_number(&row[7], json_object_get(step, "returned_ms"), " ms");
}

void drill_print_end(const struct terminal *t, const json_t *report)
{
	static const char *const heads[] = { "step",    "verdict", "noticed",      "took over",
					     "missing", "doubled", "longest step", "returned" };
	bool is_passed = json_is_true(json_object_get(report, "passed"));
	const json_t *step;
	struct table table;
	size_t i;

	table_init(&table, sizeof(heads) / sizeof(heads[0]), heads);
	json_array_foreach(json_object_get(report, "steps"), i, step) {
		add_row(&table, step);
	}
	fputc('\n', t->out);
	table_print(&table, t);
	table_finish(&table);
	fprintf(t->out, "\n%s%s%s (missing and doubled: frames of video + audio)\n",
		terminal_begin(t, is_passed ? PAINT_GOOD : PAINT_BAD),
		is_passed ? "The show held." : "The show did not hold.",
		terminal_end(t, is_passed ? PAINT_GOOD : PAINT_BAD));
}
