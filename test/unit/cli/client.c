/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command against a relay that answers from a script, in a process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "client.h"

struct relay {
	char directory[32], path[64];
	int fd;
	pid_t pid;
};

static int relay_open(void **state)
{
	static struct relay relay;
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	relay = (struct relay){ .directory = "/tmp/understudy-test-XXXXXX" };
	if (mkdtemp(relay.directory) == NULL) {
		return -1;
	}
	snprintf(relay.path, sizeof(relay.path), "%s/socket", relay.directory);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", relay.path);
	relay.fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(relay.fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(relay.fd, 4) < 0) {
		return -1;
	}
	*state = &relay;
	return 0;
}

static int relay_close(void **state)
{
	struct relay *relay = *state;

	close(relay->fd);
	unlink(relay->path);
	return rmdir(relay->directory);
}

/* Takes one connection: reads a line, which must be `request`, and sends the reply, in pieces of
 * `piece` bytes. */
static void relay_play(struct relay *relay, const char *request, const char *reply, size_t piece)
{
	relay->pid = fork();
	if (relay->pid != 0) {
		return;
	}
	int fd = accept(relay->fd, NULL, NULL);
	char line[512];
	size_t used = 0;

	while (used == 0 || line[used - 1] != '\n') {
		ssize_t got = read(fd, line + used, sizeof(line) - 1 - used);
		if (got <= 0) {
			_exit(3);
		}
		used += (size_t)got;
	}
	line[used - 1] = '\0';
	if (strcmp(line, request) != 0) {
		fprintf(stderr, "# asked: %s\n", line);
		_exit(4);
	}
	for (size_t at = 0, left = strlen(reply); left > 0;) {
		size_t size = left < piece ? left : piece;

		if (send(fd, reply + at, size, MSG_NOSIGNAL) != (ssize_t)size) {
			_exit(5);
		}
		at += size;
		left -= size;
	}
	_exit(0);
}

static void assert_played(struct relay *relay)
{
	int status;

	assert_int_equal(waitpid(relay->pid, &status, 0), relay->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static json_t *ask_status(void)
{
	return json_pack("{s:s}", "command", "status");
}

static void a_reply_in_any_pieces_is_one_reply(void **state)
{
	struct relay *relay = *state;

	for (size_t piece = 1; piece < 60; piece += 7) {
		struct client client;
		json_t *reply = NULL;

		relay_play(relay, "{\"command\":\"status\"}",
			   "{\"ok\":true,\"status\":{\"shows\":[]}}\n", piece);
		assert_int_equal(client_open(&client, relay->path), EXIT_DONE);
		assert_int_equal(client_ask(&client, ask_status(), &reply), EXIT_DONE);
		assert_true(json_is_object(json_object_get(reply, "status")));
		json_decref(reply);
		client_close(&client);
		assert_played(relay);
	}
}

static void lines_after_a_reply_are_kept(void **state)
{
	struct relay *relay = *state;
	struct client client;
	json_t *line;

	relay_play(relay, "{\"command\":\"status\"}",
		   "{\"ok\":true}\n{\"event\":{\"kind\":\"a\"}}\n"
		   "{\"event\":{\"kind\":\"b\"}}\n{\"end\":true}\n",
		   1000);
	assert_int_equal(client_open(&client, relay->path), EXIT_DONE);
	assert_int_equal(client_ask(&client, ask_status(), NULL), EXIT_DONE);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(client_next(&client, &line), EXIT_DONE);
		assert_string_equal(
			json_string_value(json_object_get(json_object_get(line, "event"), "kind")),
			i == 0 ? "a" : "b");
		json_decref(line);
	}
	assert_int_equal(client_next(&client, &line), EXIT_DONE);
	assert_true(json_is_true(json_object_get(line, "end")));
	json_decref(line);
	assert_int_equal(client_next(&client, &line), EXIT_NO_RELAY);
	client_close(&client);
	assert_played(relay);
}

static void a_refusal_ends_with_1(void **state)
{
	static const char *const replies[] = {
		"{\"ok\":false,\"error\":\"no such show; see status\"}\n",
		"{\"ok\":false}\n",
		"{}\n",
		"[]\n",
		"nonsense\n",
		"\n",
	};
	struct relay *relay = *state;

	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		struct client client;

		relay_play(relay, "{\"command\":\"status\"}", replies[i], 1000);
		assert_int_equal(client_open(&client, relay->path), EXIT_DONE);
		assert_int_equal(client_ask(&client, ask_status(), NULL), EXIT_FAILED);
		client_close(&client);
		assert_played(relay);
	}
}

static void a_relay_that_ends_is_3(void **state)
{
	struct relay *relay = *state;
	struct client client;

	relay_play(relay, "{\"command\":\"status\"}", "{\"ok\":tr", 1000);
	assert_int_equal(client_open(&client, relay->path), EXIT_DONE);
	assert_int_equal(client_ask(&client, ask_status(), NULL), EXIT_NO_RELAY);
	client_close(&client);
	assert_played(relay);
}

static void a_socket_nobody_listens_on_is_3(void **state)
{
	struct relay *relay = *state;
	struct client client;

	close(relay->fd);
	relay->fd = -1;
	assert_int_equal(client_open(&client, relay->path), EXIT_NO_RELAY);
	assert_int_equal(client_open(&client, "/nowhere/socket"), EXIT_NO_RELAY);
	assert_int_equal(client_open(&client, ""), EXIT_USAGE);
}

static void the_socket_is_chosen_in_order(void **state)
{
	setenv("UNDERSTUDY_SOCKET", "/from/environment", 1);
	assert_string_equal(client_socket("/from/option"), "/from/option");
	assert_string_equal(client_socket(NULL), "/from/environment");
	unsetenv("UNDERSTUDY_SOCKET");
	assert_non_null(strstr(client_socket(NULL), "understudy.sock"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_reply_in_any_pieces_is_one_reply, relay_open,
						relay_close),
		cmocka_unit_test_setup_teardown(lines_after_a_reply_are_kept, relay_open,
						relay_close),
		cmocka_unit_test_setup_teardown(a_refusal_ends_with_1, relay_open, relay_close),
		cmocka_unit_test_setup_teardown(a_relay_that_ends_is_3, relay_open, relay_close),
		cmocka_unit_test_setup_teardown(a_socket_nobody_listens_on_is_3, relay_open,
						relay_close),
		cmocka_unit_test(the_socket_is_chosen_in_order),
	};

	return cmocka_run_group_tests_name("cli client", tests, NULL, NULL);
}
