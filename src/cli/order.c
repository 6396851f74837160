/* SPDX-License-Identifier: GPL-3.0-or-later */
/* start, end, take, auto, pause, resume: one request, one reply. */
#include <stdio.h>

#include "client.h"
#include "commands.h"
#include "terminal.h"

#define NOTE_MAX 512

/* What is to be known of an order that was taken: why nothing comes of it yet. */
static void print_note(const json_t *reply)
{
	const char *note = json_string_value(json_object_get(reply, "note"));
	char safe[NOTE_MAX];

	if (note != NULL) {
		terminal_copy(safe, sizeof(safe), note);
		puts(safe);
	}
}

static int order(const struct command_line *line, json_t *request)
{
	struct client client;
	json_t *reply = NULL;
	int code = client_open(&client, client_socket(line->socket));

	if (code != EXIT_DONE) {
		json_decref(request);
		return code;
	}
	code = request != NULL ? client_ask(&client, request, &reply) : EXIT_USAGE;
	if (request == NULL) {
		complain("the name is not UTF-8 text; write it as `understudy status` shows it");
	} else if (code == EXIT_DONE) {
		print_note(reply);
	}
	json_decref(reply);
	client_close(&client);
	return code;
}

static int order_show(const struct command_line *line, const char *command)
{
	return order(line, json_pack("{s:s, s:s}", "command", command, "show", line->arguments[0]));
}

int command_start(const struct command_line *line)
{
	return order_show(line, "start");
}

int command_end(const struct command_line *line)
{
	return order_show(line, "end");
}

int command_auto(const struct command_line *line)
{
	return order_show(line, "auto");
}

int command_take(const struct command_line *line)
{
	return order(line, json_pack("{s:s, s:s, s:s}", "command", "take", "show",
				     line->arguments[0], "feed", line->arguments[1]));
}

static int order_destination(const struct command_line *line, const char *command)
{
	return order(line, json_pack("{s:s, s:s, s:s}", "command", command, "show",
				     line->arguments[0], "destination", line->arguments[1]));
}

int command_pause(const struct command_line *line)
{
	return order_destination(line, "pause");
}

int command_resume(const struct command_line *line)
{
	return order_destination(line, "resume");
}
