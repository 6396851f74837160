/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Talking to the running relay (client.h). */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <understudy/config.h>
#include <understudy/text.h>

#include "client.h"
#include "terminal.h"

#define REPLY_TIMEOUT_MS 5000
#define LINE_MAX_BYTES (16u << 20)

void complain(const char *format, ...)
{
	char raw[1024], safe[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(raw, sizeof(raw), format, arguments);
	va_end(arguments);
	terminal_copy(safe, sizeof(safe), raw);
	fprintf(stderr, "understudy: %s\n", safe);
}

int print_json(const json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	if (text == NULL) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	puts(text);
	fflush(stdout);
	free(text);
	return EXIT_DONE;
}

const char *client_socket(const char *option)
{
	const char *variable = getenv("UNDERSTUDY_SOCKET");

	if (option != NULL) {
		return option;
	}
	return variable != NULL && variable[0] != '\0' ? variable : config_default_socket();
}

static int complain_connect(const char *path, int error)
{
	if (error == ENOENT || error == ECONNREFUSED || error == ENOTDIR) {
		complain("no relay is running at %s; start one with `understudy run -c FILE`, or "
			 "name "
			 "the socket of a running one with --socket",
			 path);
		return EXIT_NO_RELAY;
	}
	complain("cannot reach the relay at %s: %s; %s", path, strerror(error),
		 error == EACCES ? "run this as the relay's user or as a member of its group"
				 : "see that the path is right");
	return EXIT_FAILED;
}

int client_open(struct client *c, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*c = (struct client){ .fd = -1 };
	if (!text_copy(address.sun_path, sizeof(address.sun_path), path) || path[0] == '\0') {
		complain("%s cannot be the path of a socket; it may have 1 to %zu bytes", path,
			 sizeof(address.sun_path) - 1);
		return EXIT_USAGE;
	}
	text_copy(c->path, sizeof(c->path), path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		complain("cannot make a socket: %s", strerror(errno));
		return EXIT_FAILED;
	}
	if (connect(c->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = errno;
		client_close(c);
		return complain_connect(path, error);
	}
	return EXIT_DONE;
}

void client_adopt(struct client *c, int fd, const char *name)
{
	*c = (struct client){ .fd = fd };
	text_copy(c->path, sizeof(c->path), name);
}

void client_close(struct client *c)
{
	if (c->fd >= 0) {
		close(c->fd);
	}
	c->fd = -1;
	free(c->line);
	c->line = NULL;
	c->used = c->capacity = 0;
}

static int send_all(struct client *c, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t sent = send(c->fd, text, size, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR) {
			continue;
		}
		if (sent < 0) {
			complain("the relay at %s has ended; start it again with `understudy run`",
				 c->path);
			return EXIT_NO_RELAY;
		}
		text += sent;
		size -= (size_t)sent;
	}
	return EXIT_DONE;
}

bool client_has_line(const struct client *c)
{
	return c->used > 0 && memchr(c->line, '\n', c->used) != NULL;
}

static int make_room(struct client *c)
{
	if (c->used < c->capacity) {
		return EXIT_DONE;
	}
	size_t capacity = c->capacity == 0 ? 4096 : 2 * c->capacity;
	char *line = capacity <= LINE_MAX_BYTES ? realloc(c->line, capacity) : NULL;
	if (line == NULL) {
		complain("the reply of the relay at %s is too long", c->path);
		return EXIT_FAILED;
	}
	c->line = line;
	c->capacity = capacity;
	return EXIT_DONE;
}

/* Reads until there is a whole line; -1 = wait for ever. An interrupting signal ends the wait. */
static int receive_line(struct client *c, int timeout_ms)
{
	while (!client_has_line(c)) {
		struct pollfd pollfd = { .fd = c->fd, .events = POLLIN };
		int ready = poll(&pollfd, 1, timeout_ms);

		if (ready < 0) {
			return EXIT_FAILED;
		}
		if (ready == 0) {
			complain("the relay at %s does not answer; see its log", c->path);
			return EXIT_FAILED;
		}
		int code = make_room(c);
		if (code != EXIT_DONE) {
			return code;
		}
		ssize_t got = recv(c->fd, c->line + c->used, c->capacity - c->used, 0);
		if (got <= 0) {
			complain("the relay at %s has ended; start it again with `understudy run`",
				 c->path);
			return EXIT_NO_RELAY;
		}
		c->used += (size_t)got;
	}
	return EXIT_DONE;
}

static int take_line(struct client *c, int timeout_ms, json_t **ret)
{
	int code = receive_line(c, timeout_ms);

	if (code != EXIT_DONE) {
		return code;
	}
	size_t size = (size_t)((char *)memchr(c->line, '\n', c->used) - c->line);
	json_t *json = json_loadb(c->line, size, 0, NULL);
	c->used -= size + 1;
	memmove(c->line, c->line + size + 1, c->used);
	if (!json_is_object(json)) {
		json_decref(json);
		complain("what answers at %s is not a relay of this kind; see that the path is "
			 "right",
			 c->path);
		return EXIT_FAILED;
	}
	*ret = json;
	return EXIT_DONE;
}

int client_next(struct client *c, json_t **ret)
{
	return take_line(c, -1, ret);
}

int client_wait(struct client *c, int timeout_ms, json_t **ret)
{
	struct pollfd pollfd = { .fd = c->fd, .events = POLLIN };

	*ret = NULL;
	if (!client_has_line(c) && poll(&pollfd, 1, timeout_ms) <= 0) {
		return EXIT_DONE; /* also if a signal came */
	}
	return take_line(c, REPLY_TIMEOUT_MS, ret);
}

int client_send(struct client *c, json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);

	json_decref(request);
	if (text == NULL) {
		complain("the order is not UTF-8 text; name shows and feeds as `understudy status` "
			 "does");
		return EXIT_USAGE;
	}
	size_t size = strlen(text);
	text[size] = '\n'; /* takes the place of the terminator: a line, not a string, from here */
	int code = send_all(c, text, size + 1);
	free(text);
	return code;
}

int client_ask(struct client *c, json_t *request, json_t **ret)
{
	json_t *reply = NULL;
	int code = client_send(c, request);

	if (code == EXIT_DONE) {
		code = take_line(c, REPLY_TIMEOUT_MS, &reply);
	}
	if (code != EXIT_DONE) {
		return code;
	}
	if (!json_is_true(json_object_get(reply, "ok"))) {
		const char *error = json_string_value(json_object_get(reply, "error"));

		complain("%s",
			 error != NULL ? error : "the relay refused without a reason; see its log");
		json_decref(reply);
		return EXIT_FAILED;
	}
	if (ret != NULL) {
		*ret = reply;
	} else {
		json_decref(reply);
	}
	return EXIT_DONE;
}
