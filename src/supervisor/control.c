/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The Unix socket: one JSON object a line from the command, one or more back. Also the recent
 * events, which are logged, kept for `events` and sent to those who follow.
 *
 *   {"command":"status"}                       -> {"ok":true,"status":{...}}
 *   {"command":"explain","show":S}             -> {"ok":true,"explain":{...}}
 *   {"command":"take","show":S,"feed":F}       -> {"ok":true} | {"ok":false,"error":"..."}
 *   {"command":"auto"|"start"|"end","show":S}  -> likewise
 *   {"command":"fault","show":S,"kind":K,"target":T,"seconds":N,"live":B}  -> likewise; undone by
 *   {"command":"mend"}                         -> likewise, or when the client goes away
 *   {"command":"witness","show":S}             -> likewise, then {"witness":{}}s, {"summary":{}}s
 *   {"command":"witness_mark","show":S,"mark":N}  -> likewise, and a summary with that mark
 *   {"command":"history","subject":X,"show":S,"since":S,"limit":N}  -> as history.h says
 *   {"command":"drilled","show":S,"report":{}}  -> {"ok":true}: a rehearsal, for the history
 *   {"command":"events","follow":B,"since":S}  -> {"ok":true}, {"event":{...}}..., {"end":true}
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

#include "supervisor.h"

#define REQUEST_MAX 65536
#define PENDING_MAX ((size_t)1 << 20) /* a client that does not read is dropped */
#define CLIENTS_MAX 32

struct client {
	TAILQ_ENTRY(client) entry;
	struct control *control;
	struct bufferevent *stream;
	bool follows;
	char watches[IPC_NAME]; /* the show whose witness it listens to, "" = none */
};

struct control {
	struct supervisor *supervisor;
	int fd, lock_fd;
	struct event *event;
	unsigned count;
	TAILQ_HEAD(, client) clients;
};

/* ---- replies ---- */

/* The witness goes with the last who watches. */
static void client_stop_watching(struct client *client)
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
	client_stop_watching(client);
	client->control->count--;
	TAILQ_REMOVE(&client->control->clients, client, entry);
	bufferevent_free(client->stream);
	free(client);
}

static void client_send(struct client *client, json_t *reply)
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

static void client_error(struct client *client, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void client_error(struct client *client, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	json_t *text = json_vsprintf(format, args);
	va_end(args);
	client_send(client, json_pack("{s:b, s:o}", "ok", false, "error", text));
}

static void client_ok(struct client *client)
{
	client_send(client, json_pack("{s:b}", "ok", true));
}

/* ---- commands ---- */

static bool client_who(const struct client *client, struct ucred *ret)
{
	socklen_t size = sizeof(*ret);

	return getsockopt(bufferevent_getfd(client->stream), SOL_SOCKET, SO_PEERCRED, ret, &size) ==
	       0;
}

/* Who gave an order belongs to the event; `extra` (taken) may be NULL. */
static json_t *signed_by(const struct client *client, json_t *extra)
{
	json_t *event = extra != NULL ? extra : json_object();
	struct ucred who;

	if (client_who(client, &who)) {
		json_object_set_new(event, "uid", json_integer(who.uid));
	}
	return event;
}

static void do_status(struct client *client, struct show *show, const json_t *request)
{
	(void)show;
	(void)request;
	client_send(client, json_pack("{s:b, s:o}", "ok", true, "status",
				      status_json(client->control->supervisor)));
}

static void do_explain(struct client *client, struct show *show, const json_t *request)
{
	(void)request;
	client_send(client, json_pack("{s:b, s:o}", "ok", true, "explain", explain_json(show)));
}

static void do_start(struct client *client, struct show *show, const json_t *request)
{
	(void)request;
	if (!show->is_started) {
		show_go(show);
		events_add(show->supervisor, show->config->name, "start", signed_by(client, NULL),
			   "the operator started the show");
	}
	client_ok(client);
}

static void do_end(struct client *client, struct show *show, const json_t *request)
{
	(void)request;
	if (show->is_started) {
		show_end(show);
		events_add(show->supervisor, show->config->name, "end", signed_by(client, NULL),
			   "the operator ended the show");
	}
	client_ok(client);
}

static void do_take(struct client *client, struct show *show, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "feed"));
	struct feed *feed = name != NULL ? feed_find(show, name) : NULL;
	char why[2 * TIMELINE_TEXT_MAX];

	if (feed == NULL) {
		client_error(client,
			     "show %s has no feed of that name; `understudy status` lists them",
			     show->config->name);
		return;
	}
	if (!condition_can_be_shown(feed, why, sizeof(why))) {
		client_error(client, "feed %s cannot be taken: %s", name, why);
		return;
	}
	show_take(show, feed->id);
	events_add(show->supervisor, show->config->name, "take_ordered",
		   signed_by(client, json_pack("{s:s}", "feed", name)),
		   "the operator takes feed %s", name);
	client_ok(client);
}

static void do_auto(struct client *client, struct show *show, const json_t *request)
{
	const char *meaning = show_give_back(show);

	(void)request;
	if (meaning != NULL) {
		events_add(show->supervisor, show->config->name, "auto", signed_by(client, NULL),
			   "the operator %s", meaning);
	}
	client_ok(client);
}

static void do_events(struct client *client, struct show *show, const json_t *request)
{
	const json_t *since = json_object_get(request, "since"), *event;
	double from_s = json_is_number(since) ? json_number_value(since) : 0;
	char from[32];
	size_t i;

	(void)show;
	status_time(from, (int64_t)(from_s > 0 && from_s < 1e11 ? from_s * 1e6 : 0));
	client_ok(client);
	json_array_foreach(client->control->supervisor->events, i, event) {
		if (strcmp(json_string_value(json_object_get(event, "time")), from) >= 0) {
			client_send(client, json_pack("{s:O}", "event", event));
		}
	}
	client->follows = json_is_true(json_object_get(request, "follow"));
	if (!client->follows) {
		client_send(client, json_pack("{s:b}", "end", true));
	}
}

/* The answer comes from a reader, straight into the client's socket. */
static void do_history(struct client *client, struct show *show, const json_t *request)
{
	int result = history_ask(client->control->supervisor, request,
				 bufferevent_getfd(client->stream));

	(void)show;
	if (result < 0) {
		client_error(client, "the history cannot be asked: %s", strerror(-result));
	}
}

static void do_drilled(struct client *client, struct show *show, const json_t *request)
{
	history_drill(show, request);
	client_ok(client);
}

static struct destination *requested_destination(struct client *client, struct show *show,
						 const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "destination"));
	struct destination *d = name != NULL ? destination_find(show, name) : NULL;

	if (d == NULL) {
		client_error(client,
			     "show %s has no destination of that name; `understudy status` lists "
			     "them",
			     show->config->name);
	}
	return d;
}

static void do_pause(struct client *client, struct show *show, const json_t *request)
{
	struct destination *d = requested_destination(client, show, request);

	if (d == NULL) {
		return;
	}
	if (!d->is_paused) {
		destination_pause(d);
		events_add(show->supervisor, show->config->name, "destination_paused",
			   signed_by(client, json_pack("{s:s}", "destination", d->config->name)),
			   "the operator paused destination %s", d->config->name);
	}
	client_ok(client);
}

static void do_resume(struct client *client, struct show *show, const json_t *request)
{
	struct destination *d = requested_destination(client, show, request);

	if (d == NULL) {
		return;
	}
	if (d->is_paused) {
		destination_resume(d);
		events_add(show->supervisor, show->config->name, "destination_resumed",
			   signed_by(client, json_pack("{s:s}", "destination", d->config->name)),
			   "the operator resumed destination %s", d->config->name);
	}
	client_ok(client);
}

static void do_fault(struct client *client, struct show *show, const json_t *request)
{
	char error[2 * IPC_TEXT];

	if (fault_order(show, client, request, error, sizeof(error))) {
		client_ok(client);
	} else {
		client_error(client, "%s", error);
	}
}

static void do_witness(struct client *client, struct show *show, const json_t *request)
{
	(void)request;
	client_stop_watching(client);
	text_copy(client->watches, sizeof(client->watches), show->config->name);
	witness_attend(show);
	client_ok(client);
}

static void do_witness_mark(struct client *client, struct show *show, const json_t *request)
{
	json_int_t mark = json_integer_value(json_object_get(request, "mark"));

	if (mark > 0 && mark <= UINT32_MAX && witness_mark(show, (uint32_t)mark)) {
		client_ok(client);
	} else {
		client_error(client, "show %s has no witness now; is it on air?",
			     show->config->name);
	}
}

static void do_mend(struct client *client, struct show *show, const json_t *request)
{
	(void)show;
	(void)request;
	fault_undo(client->control->supervisor, client);
	client_ok(client);
}

static const struct {
	const char *name;
	bool needs_show;
	bool is_order; /* changes something: who gave it is logged */
	void (*run)(struct client *client, struct show *show, const json_t *request);
} commands[] = {
	{ "explain", true, false, do_explain },
	{ "status", false, false, do_status },
	{ "start", true, true, do_start },
	{ "end", true, true, do_end },
	{ "take", true, true, do_take },
	{ "auto", true, true, do_auto },
	{ "events", false, false, do_events },
	{ "history", false, false, do_history },
	{ "drilled", true, false, do_drilled },
	{ "pause", true, true, do_pause },
	{ "resume", true, true, do_resume },
	{ "fault", true, true, do_fault },
	{ "mend", false, false, do_mend },
	{ "witness", true, false, do_witness },
	{ "witness_mark", true, false, do_witness_mark },
};

static void client_log_order(struct client *client, const char *command, const char *show)
{
	struct ucred who;

	if (client_who(client, &who)) {
		log_info("order command=%s show=%s uid=%d pid=%d", command, show, (int)who.uid,
			 (int)who.pid);
	}
}

static void client_dispatch(struct client *client, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "command"));
	const char *show_name = json_string_value(json_object_get(request, "show"));
	struct show *show = NULL;

	for (size_t i = 0; name != NULL && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, name) != 0) {
			continue;
		}
		if (commands[i].needs_show) {
			show = show_name != NULL ? show_find(client->control->supervisor, show_name)
						 : NULL;
			if (show == NULL) {
				client_error(client,
					     "there is no show of that name; `understudy status` "
					     "lists them");
				return;
			}
		}
		if (commands[i].is_order) {
			client_log_order(client, name, show->config->name);
		}
		commands[i].run(client, show, request);
		return;
	}
	client_error(client,
		     "the running relay does not know this command; is it an older version?");
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
			client_dispatch(client, request);
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
			client_send(client, json_pack("{s:O}", "event", event));
		}
	}
}

void control_tell_watchers(struct supervisor *sup, const char *show, const char *what, json_t *told)
{
	struct client *client;

	TAILQ_FOREACH(client, &sup->control->clients, entry) {
		if (strcmp(client->watches, show) == 0) {
			client_send(client, json_pack("{s:O}", what, told));
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
