/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `understudy status`: once, or once a second until Ctrl-C. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <understudy/clock.h>

#include "client.h"
#include "commands.h"
#include "status.h"
#include "terminal.h"

static volatile sig_atomic_t is_interrupted;

static void interrupt(int signal)
{
	is_interrupted = 1;
}

/* A frame is put together first and written at once, so that nothing flickers. */
static int draw(const struct terminal *t, const json_t *status, bool clears)
{
	char *text = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&text, &size);

	if (memory == NULL) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	struct terminal frame = *t;

	frame.out = memory;
	status_print(&frame, status, clock_wall_us() / 1000);
	fclose(memory);
	fputs(clears ? "\033[H\033[2J" : "", t->out);
	fwrite(text, 1, size, t->out);
	fflush(t->out);
	free(text);
	return EXIT_DONE;
}

static int show_once(struct client *client, const struct terminal *t, unsigned given)
{
	json_t *reply;
	int code = client_ask(client, json_pack("{s:s}", "command", "status"), &reply);

	if (code != EXIT_DONE) {
		return is_interrupted ? EXIT_DONE : code;
	}
	const json_t *status = json_object_get(reply, "status");
	if (given & OPTION_JSON) {
		code = print_json(status);
	} else {
		code = draw(t, status, (given & OPTION_WATCH) && t->has_colour);
	}
	json_decref(reply);
	return code;
}

static int watch(struct client *client, const struct terminal *t, unsigned given)
{
	struct sigaction action = { .sa_handler = interrupt };
	int code = EXIT_DONE;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	while (!is_interrupted && code == EXIT_DONE) {
		struct timespec second = { .tv_sec = 1 };

		code = show_once(client, t, given);
		if (!is_interrupted && code == EXIT_DONE) {
			nanosleep(&second, NULL);
		}
	}
	return code;
}

int command_status(const struct command_line *line)
{
	struct terminal terminal;
	struct client client;
	int code = client_open(&client, client_socket(line->socket));

	if (code != EXIT_DONE) {
		return code;
	}
	terminal_init(&terminal, stdout);
	code = line->given & OPTION_WATCH ? watch(&client, &terminal, line->given)
					  : show_once(&client, &terminal, line->given);
	client_close(&client);
	return code;
}
