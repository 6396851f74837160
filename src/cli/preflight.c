/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `understudy preflight` (preflight.h). */
#include <stdlib.h>
#include <string.h>

#include <understudy/clock.h>

#include "client.h"
#include "commands.h"
#include "preflight.h"

#define PLACES_MS 20000 /* the relay gives up on a destination well before */

static int ask(struct client *client, const char *command, const char *show, json_t **ret)
{
	return client_ask(client, json_pack("{s:s, s:s}", "command", command, "show", show), ret);
}

static json_t *find_show(const json_t *status, const char *name)
{
	json_t *show;
	size_t i;

	json_array_foreach(json_object_get(status, "shows"), i, show) {
		const char *is = json_string_value(json_object_get(show, "name"));

		if (is != NULL && strcmp(is, name) == 0) {
			return show;
		}
	}
	return NULL;
}

/* Its reply comes when every destination was tried. */
static int ask_places(struct client *client, const char *show, json_t **ret)
{
	int code = client_send(client,
			       json_pack("{s:s, s:s}", "command", "preflight", "show", show));

	code = code == EXIT_DONE ? client_wait(client, PLACES_MS, ret) : code;
	if (code == EXIT_DONE && !json_is_true(json_object_get(*ret, "ok"))) {
		const char *error = json_string_value(json_object_get(*ret, "error"));

		complain("%s", error != NULL ? error : "the relay does not answer; see its log");
		return EXIT_FAILED;
	}
	return code;
}

static int gather(struct client *client, const char *name, struct findings *findings)
{
	static struct explain_facts facts; /* too large for a stack frame */
	static struct explanation promise;
	json_t *explain = NULL, *status = NULL, *places = NULL;
	int code = ask(client, "explain", name, &explain);

	code = code == EXIT_DONE ? ask(client, "status", name, &status) : code;
	code = code == EXIT_DONE ? ask_places(client, name, &places) : code;
	if (code == EXIT_DONE) {
		const json_t *show = find_show(json_object_get(status, "status"), name);

		if (show == NULL ||
		    !explain_from_json(json_object_get(explain, "explain"), &facts)) {
			complain("the relay's answer makes no sense; is it of another version?");
			code = EXIT_FAILED;
		} else {
			explain_make(&facts, &promise);
			preflight_feeds(show, &facts, &promise, clock_wall_us() / 1000, findings);
			preflight_places(show, json_object_get(places, "preflight"), findings);
		}
	}
	json_decref(explain);
	json_decref(status);
	json_decref(places);
	return code;
}

static int tell(const char *show, const struct findings *findings, bool is_json)
{
	json_t *report = json_pack("{s:s, s:b, s:o}", "show", show, "passed", !findings->has_bad,
				   "findings", findings_json(findings));
	struct terminal terminal;
	int code = findings->has_bad ? EXIT_FAILED : EXIT_DONE;

	if (report == NULL) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	if (is_json) {
		code = print_json(report) == EXIT_DONE ? code : EXIT_FAILED;
	} else {
		terminal_init(&terminal, stdout);
		findings_print(&terminal, json_object_get(report, "findings"));
		printf("\n%s\n", findings->has_bad ? "Mend what is marked with ! before the event."
						   : "Ready.");
	}
	json_decref(report);
	return code;
}

int command_preflight(const struct command_line *line)
{
	static struct findings findings;
	struct client client;
	int code = client_open(&client, client_socket(line->socket));

	if (code != EXIT_DONE) {
		return code;
	}
	code = gather(&client, line->arguments[0], &findings);
	client_close(&client);
	return code == EXIT_DONE ? tell(line->arguments[0], &findings, line->given & OPTION_JSON)
				 : code;
}
