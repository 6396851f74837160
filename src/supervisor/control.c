/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The Unix socket: one JSON object a line from the command, one or more back. Also the recent
 * events, which are logged, kept for `events` and sent to those who follow.
 *
 * Orders are carried out by orders.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/text.h>

#include "control.h"

#define REQUEST_MAX 65536
#define PENDING_MAX ((size_t)1 << 20) /* a client that does not read is dropped */
#define CLIENTS_MAX 32

/* ---- replies ---- */

/* The witness goes with the last who watches. */
void client_stop_watching(struct client *client)
{
	struct show *show = show_find(client->control->supervisor, client->watches);
	const struct client *other;

	client->watches[0] = '\0';
	if (show == NULL) {
		return;
	}
	TAILQ_FOREACH(other, &client->control->clients, entry) {
		if (strcmp(other->watches, show->config->name) == 0) {
			return;
		}
	}
	witness_leave(show);
}

static void client_free(struct client *client)
{
	fault_undo(client->control->supervisor, client);
	practice_undo(client->control->supervisor, client);
	client_stop_watching(client);
	preflight_forget(client->control->supervisor, client);
	client->control->count--;
	TAILQ_REMOVE(&client->control->clients, client, entry);
	bufferevent_free(client->stream);
	free(client);
}

void client_reply(struct client *client, json_t *reply)
{
	struct evbuffer *output = bufferevent_get_output(client->stream);
	char *text = json_dumps(reply, JSON_COMPACT);

	if (evbuffer_get_length(output) > PENDING_MAX) {
		client->follows = false; /* its end arrives as an event of its own */
		shutdown(bufferevent_getfd(client->stream), SHUT_RDWR);
	} else if (text != NULL) {
		bufferevent_write(client->stream, text, strlen(text));
		bufferevent_write(client->stream, "\n", 1);
	}
	free(text);
	json_decref(reply);
}

void client_error(struct client *client, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	json_t *text = json_vsprintf(format, args);
	va_end(args);
	client_reply(client, json_pack("{s:b, s:o}", "ok", false, "error", text));
}

void client_ok(struct client *client)
{
	client_reply(client, json_pack("{s:b}", "ok", true));
}

/* ---- clients ---- */

static void client_readable(struct bufferevent *stream, void *context)
{
	struct client *client = context;
	struct evbuffer *input = bufferevent_get_input(stream);
	size_t size;
	char *line;

	while ((line = evbuffer_readln(input, &size, EVBUFFER_EOL_LF)) != NULL) {
		json_t *request = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);

		free(line);
		if (json_is_object(request)) {
			client_obey(client, request);
		} else {
			client_error(client, "a request is one JSON object a line");
		}
		json_decref(request);
	}
	if (evbuffer_get_length(input) >= REQUEST_MAX) {
		client_free(client);
	}
}

static void client_gone(struct bufferevent *stream, short what, void *context)
{
	(void)stream;
	(void)what;
	client_free(context);
}

static void control_accept(evutil_socket_t fd, short what, void *context)
{
	struct control *control = context;
	int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *client;

	(void)what;
	if (accepted < 0) {
		return;
	}
	client = control->count < CLIENTS_MAX ? calloc(1, sizeof(*client)) : NULL;
	if (client == NULL) {
		close(accepted);
		return;
	}
	client->control = control;
	client->stream = bufferevent_socket_new(control->supervisor->base, accepted,
						BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(client->stream, client_readable, NULL, client_gone, client);
	bufferevent_setwatermark(client->stream, EV_READ, 0, REQUEST_MAX);
	bufferevent_enable(client->stream, EV_READ | EV_WRITE);
	TAILQ_INSERT_TAIL(&control->clients, client, entry);
	control->count++;
}

/* ---- events ---- */

void control_publish(struct supervisor *sup, json_t *event)
{
	struct client *client;

	if (sup->control == NULL) {
		return;
	}
	TAILQ_FOREACH(client, &sup->control->clients, entry) {
		if (client->follows) {
			client_reply(client, json_pack("{s:O}", "event", event));
		}
	}
}

void control_answer(struct supervisor *sup, const void *to, json_t *reply)
{
	struct client *client;

	TAILQ_FOREACH(client, &sup->control->clients, entry) {
		if (client == to) {
			client_reply(client, json_incref(reply));
			break;
		}
	}
	json_decref(reply);
}

void control_tell_watchers(struct supervisor *sup, const char *show, const char *what, json_t *told)
{
	struct client *client;

	TAILQ_FOREACH(client, &sup->control->clients, entry) {
		if (strcmp(client->watches, show) == 0) {
			client_reply(client, json_pack("{s:O}", what, told));
		}
	}
	json_decref(told);
}

/* ---- the socket ---- */

static int control_lock(const char *path)
{
	char lock[sizeof(((struct supervisor *)0)->socket_path) + 8];

	text_format(lock, sizeof(lock), "%s.lock", path);
	int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		log_error("cannot make path=%s: %s", lock, strerror(errno));
		return -errno;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		log_error(
			"another understudy is running with socket=%s: end it first, or give this "
			"one another `socket`",
			path);
		close(fd);
		return -EADDRINUSE;
	}
	return fd;
}

static int control_bind(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (!text_copy(address.sun_path, sizeof(address.sun_path), path)) {
		return -ENAMETOOLONG;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -errno;
	}
	unlink(path); /* stale: we hold the lock */
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0660) < 0 ||
	    listen(fd, 16) < 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

void control_adopt(struct supervisor *sup, int fd, int lock_fd)
{
	struct control *control = calloc(1, sizeof(*control));

	if (control == NULL) {
		abort();
	}
	*control = (struct control){ .supervisor = sup, .fd = fd, .lock_fd = lock_fd };
	TAILQ_INIT(&control->clients);
	control->event = event_new(sup->base, fd, EV_READ | EV_PERSIST, control_accept, control);
	event_add(control->event, NULL);
	sup->control = control;
}

int control_open(struct supervisor *sup, const char *path)
{
	int result = files_make_parents(path, 0750);
	int lock_fd = result < 0 ? result : control_lock(path);

	if (result < 0) {
		log_error("cannot make the directory of socket=%s: %s; choose another `socket`",
			  path, strerror(-result));
	}
	if (lock_fd < 0) {
		return lock_fd;
	}
	int fd = control_bind(path);
	if (fd < 0) {
		log_error("cannot make socket=%s: %s; choose another `socket`", path,
			  strerror(-fd));
		close(lock_fd);
		return fd;
	}
	control_adopt(sup, fd, lock_fd);
	return 0;
}

int control_fds(const struct supervisor *sup, int *ret_lock_fd)
{
	*ret_lock_fd = sup->control->lock_fd;
	return sup->control->fd;
}

void control_close(struct supervisor *sup)
{
	struct control *control = sup->control;
	struct client *client;

	if (control == NULL) {
		return;
	}
	while ((client = TAILQ_FIRST(&control->clients)) != NULL) {
		client_free(client);
	}
	event_free(control->event);
	close(control->fd);
	unlink(sup->socket_path);
	close(control->lock_fd);
	free(control);
	sup->control = NULL;
}
