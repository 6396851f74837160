/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Questions to the history (archive.h). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/config.h>
#include <understudy/history.h>
#include <understudy/text.h>

#include "archive.h"
#include "events.h"

bool archive_since(const struct command_line *line, int64_t *ret_s)
{
	int64_t since_s;

	if (line->since == NULL) {
		return true;
	}
	since_s = since_parse(line->since, clock_wall_us() / 1000000);
	if (since_s < 0) {
		complain("--since is no time; write 90s, 10m, 2h or 1d (ago), 20:15 or "
			 "2026-11-21T20:15:00");
		return false;
	}
	*ret_s = since_s;
	return true;
}

/* ---- the database itself ---- */

static int open_directory(const char *state)
{
	char path[PATH_MAX];

	text_format(path, sizeof(path), "%s/%s", state, HISTORY_FOLDER);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool is_relay_there(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is_there = fd >= 0 && text_copy(address.sun_path, sizeof(address.sun_path), path) &&
			(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
			 errno == EACCES);

	if (fd >= 0) {
		close(fd);
	}
	return is_there;
}

static bool is_socket_named(const struct command_line *line)
{
	const char *variable = getenv("UNDERSTUDY_SOCKET");

	return line->socket != NULL || (variable != NULL && variable[0] != '\0');
}

static int read_database(struct archive *a, const char *state, int directory,
			 const struct ipc_history_read *question)
{
	int pair[2], code = helper_start(ROLE_HISTORY, &a->helper);
	json_t *first;

	if (code != EXIT_DONE) {
		return code;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		complain("cannot make a socket: %s", strerror(errno));
		return EXIT_FAILED;
	}
	int fds[2] = { directory, pair[1] };
	ipc_send(a->helper.fd, IPC_HISTORY_READ, question, fds, 2); /* its end shows a failure */
	close(pair[1]);
	client_adopt(&a->client, pair[0], state);
	code = client_next(&a->client, &first);
	if (code == EXIT_DONE && !json_is_true(json_object_get(first, "ok"))) {
		const char *error = json_string_value(json_object_get(first, "error"));

		complain("%s: %s", state, error != NULL ? error : "the history cannot be read");
		code = EXIT_FAILED;
	}
	if (code == EXIT_DONE) {
		json_decref(first);
	}
	return code;
}

/* ---- asking ---- */

static int ask_relay(struct archive *a, const struct command_line *line, const char *subject,
		     const char *show, int64_t since_s, unsigned limit)
{
	int code = client_open(&a->client, client_socket(line->socket));
	json_t *request;

	if (code != EXIT_DONE) {
		return code;
	}
	request = json_pack("{s:s, s:s, s:s*, s:i}", "command", "history", "subject", subject,
			    "show", show, "limit", (int)limit);
	if (since_s != INT64_MIN) {
		json_object_set_new(request, "since", json_integer(since_s));
	}
	return client_ask(&a->client, request, NULL);
}

int archive_open(struct archive *a, const struct command_line *line, const char *subject,
		 const char *show, int64_t since_s, unsigned limit)
{
	struct ipc_history_read question = {
		.subject = history_subject_of(subject),
		.limit = limit,
		.boot = clock_boot(),
		.now = { clock_boot_us(), clock_wall_us() },
		.since_us = since_s != INT64_MIN ? since_s * 1000000 : INT64_MIN,
	};
	const char *state = line->state;
	int directory, code;

	*a = (struct archive){ .client = { .fd = -1 } };
	if (state == NULL && !is_socket_named(line) && !is_relay_there(client_socket(NULL))) {
		state = config_default_state_directory();
	}
	directory = state != NULL ? open_directory(state) : -1;
	if (directory < 0 && line->state != NULL) {
		complain("there is no history in %s: %s", line->state, strerror(errno));
		return EXIT_USAGE;
	}
	if (directory < 0) {
		return ask_relay(a, line, subject, show, since_s, limit);
	}
	text_copy(question.show, sizeof(question.show), show != NULL ? show : "");
	code = read_database(a, state, directory, &question);
	close(directory);
	return code;
}

int archive_next(struct archive *a, json_t **ret)
{
	int code = client_next(&a->client, ret);
	const json_t *ok = code == EXIT_DONE ? json_object_get(*ret, "ok") : NULL;

	if (json_is_false(ok)) {
		complain("%s", json_string_value(json_object_get(*ret, "error")));
		json_decref(*ret);
		return EXIT_FAILED;
	}
	return code;
}

void archive_close(struct archive *a)
{
	client_close(&a->client);
	if (a->helper.pid > 0) {
		helper_end(&a->helper);
	}
}
