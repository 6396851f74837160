/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `understudy drill`: a rehearsal (drill.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/text.h>

#include "commands.h"
#include "drill.h"
#include "report.h"

#define SECONDS_DEFAULT 10
#define SECONDS_MAX 600

static int parse_seconds(const char *text, int64_t *ret)
{
	char *end;
	long long seconds = text != NULL ? strtoll(text, &end, 10) : SECONDS_DEFAULT;

	if (text != NULL && (*end != '\0' || end == text || seconds < 1 || seconds > SECONDS_MAX)) {
		complain("--seconds takes 1 to %d: how long a fault lasts at least", SECONDS_MAX);
		return EXIT_USAGE;
	}
	*ret = seconds;
	return EXIT_DONE;
}

/* An operator's choice would be mixed up with what is rehearsed. */
static int check_free(const struct drill *d)
{
	const char *taken = json_string_value(json_object_get(d->status, "taken"));

	if (taken != NULL) {
		complain("show %s holds feed %s by an operator's take; give the choice back first: "
			 "`understudy auto %s`",
			 d->show, taken, d->show);
		return EXIT_FAILED;
	}
	if (!json_is_true(json_object_get(d->status, "on_air"))) {
		complain("show %s is not on air; start its encoders, and see `understudy status`",
			 d->show);
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

static int run_steps(struct drill *d, const struct drill_plan *plan, const struct terminal *t,
		     json_t *steps)
{
	static struct drill_seen seen; /* too large for a stack frame */
	static struct findings verdict;
	int code = EXIT_DONE;

	for (unsigned i = 0; i < plan->count && code == EXIT_DONE; i++) {
		code = drill_run(d, &plan->steps[i], &seen);
		if (code != EXIT_DONE) {
			return code;
		}
		drill_judge(&plan->steps[i], &seen, &d->facts, &d->promise, &verdict);
		json_t *step = drill_step_json(&plan->steps[i], &seen, &verdict);
		if (t != NULL) {
			drill_print_step(t, step);
		}
		json_array_append_new(steps, step);
	}
	return code;
}

static int write_report(const struct command_line *line, const json_t *report)
{
	const char *path = line->report, *ending = strrchr(path, '.');

	if (ending != NULL && strcmp(ending, ".html") == 0) {
		return report_write_drill(line, path, report);
	}
	if (json_dump_file(report, path, JSON_INDENT(2)) != 0) {
		complain("cannot write the report to %s: %s", path, strerror(errno));
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

static int conclude(struct drill *d, const struct command_line *line, const char *scenario,
		    json_t *steps, int64_t began_ms)
{
	struct terminal terminal;
	json_t *report = drill_report_json(d, scenario, steps, began_ms);
	int code = EXIT_DONE;

	if (report == NULL) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	if (line->given & OPTION_JSON) {
		code = print_json(report);
	} else {
		terminal_init(&terminal, stdout);
		drill_print_end(&terminal, report);
	}
	if (line->report != NULL && code == EXIT_DONE) {
		code = write_report(line, report);
	}
	/* For the history; a rehearsal is none the worse without. */
	drill_shorten_report(report);
	(void)drill_order(d, json_pack("{s:s, s:s, s:O}", "command", "drilled", "show", d->show,
				       "report", report));
	if (code == EXIT_DONE && !json_is_true(json_object_get(report, "passed"))) {
		code = EXIT_FAILED;
	}
	json_decref(report);
	return code;
}

static int rehearse(struct drill *d, const struct command_line *line, const char *scenario)
{
	static struct drill_plan plan;
	struct terminal terminal;
	char error[512];
	int64_t began_ms = drill_now_ms();
	json_t *steps = json_array();
	int code = line->given & OPTION_PRACTICE ? drill_practice(d) : EXIT_DONE;

	code = code == EXIT_DONE ? check_free(d) : code;
	if (code == EXIT_DONE &&
	    !drill_plan(&d->facts, d->status, scenario, line->given & OPTION_HARD, &plan, error,
			sizeof(error))) {
		complain("%s", error);
		code = EXIT_USAGE;
	}
	terminal_init(&terminal, stdout);
	if (code == EXIT_DONE && !(line->given & OPTION_JSON)) {
		drill_print_practice(&terminal, d);
	}
	if (code == EXIT_DONE) {
		code = run_steps(d, &plan, line->given & OPTION_JSON ? NULL : &terminal, steps);
	}
	if (code == EXIT_DONE) {
		return conclude(d, line, scenario, steps, began_ms);
	}
	json_decref(steps);
	if (drill_is_interrupted()) {
		complain("interrupted: what was rehearsed has been put back");
	}
	return code;
}

int command_drill(const struct command_line *line)
{
	static struct drill drill; /* too large for a stack frame */
	const char *scenario = line->scenario != NULL ? line->scenario : "pull-primary";
	int code = parse_seconds(line->seconds, &drill.seconds);

	if (code != EXIT_DONE) {
		return code;
	}
	drill.is_live_meant = line->given & OPTION_LIVE;
	text_copy(drill.show, sizeof(drill.show), line->arguments[0]);
	code = drill_open(&drill, client_socket(line->socket));
	if (code == EXIT_DONE) {
		code = rehearse(&drill, line, scenario);
	}
	drill_close(&drill);
	return code;
}
