/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The state a predecessor handed over (reexec.c): whether this program can go on from there, and
 * going on. Runs in the supervisor before its loop; read with the care due to something another
 * version wrote.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <understudy/log.h>
#include <understudy/text.h>

#include "supervisor.h"

static int64_t get_integer(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *get_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static bool get_boolean(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

int reexec_validate(const struct supervisor *sup, const json_t *state)
{
	const json_t *show;
	size_t i;

	if (get_integer(state, "version") != STATE_VERSION) {
		log_error("the running program's state has version %d, this program understands %d",
			  (int)get_integer(state, "version"), STATE_VERSION);
		return -EINVAL;
	}
	if (get_integer(state, "messages") != reexec_messages_mark()) {
		log_error("this program speaks to workers in another way than the one that runs; "
			  "restart the relay instead");
		return -EINVAL;
	}
	json_array_foreach(json_object_get(state, "shows"), i, show) {
		bool is_known = false;

		for (unsigned k = 0; k < sup->config->shows_count; k++) {
			is_known |= strcmp(sup->config->shows[k].name, get_text(show, "name")) == 0;
		}
		if (!is_known) {
			log_error("show %s runs but is not in the config", get_text(show, "name"));
			return -EINVAL;
		}
	}
	return 0;
}

static struct child *restore_child(struct supervisor *sup, const json_t *state, const json_t *pid,
				   void *owner)
{
	const json_t *child;
	size_t i;

	json_array_foreach(json_object_get(state, "children"), i, child) {
		if (json_is_integer(pid) && json_integer_value(pid) == get_integer(child, "pid")) {
			enum worker_role role = (enum worker_role)get_integer(child, "role");

			files_set_cloexec((int)get_integer(child, "control"), true);
			files_set_cloexec((int)get_integer(child, "log"), true);
			struct child *adopted = child_adopt(sup, role, child_ops_of(role), owner,
							    get_text(child, "label"),
							    (pid_t)get_integer(child, "pid"),
							    (int)get_integer(child, "control"),
							    (int)get_integer(child, "log"),
							    get_integer(child, "started"));
			if (adopted == NULL) {
				return NULL;
			}
			child_set_file(adopted, json_string_value(json_object_get(child, "file")));
			if (get_boolean(child, "stopping")) {
				child_stop(adopted, false);
			}
			return adopted;
		}
	}
	return NULL;
}

static int restore_fd(const json_t *object, const char *key)
{
	int fd = (int)get_integer(object, key);

	files_set_cloexec(fd, true);
	return fd;
}

/* NULL also of a caller whose port had been closed. */
static struct srt_port *restore_port(struct supervisor *sup, const json_t *name)
{
	struct srt_port *port;

	TAILQ_FOREACH(port, &sup->srt_ports, entry) {
		if (json_is_string(name) && strcmp(port->name, json_string_value(name)) == 0) {
			return port;
		}
	}
	return NULL;
}

static void restore_connections(struct supervisor *sup, const json_t *state)
{
	const json_t *json;
	size_t i;

	json_array_foreach(json_object_get(state, "connections"), i, json) {
		struct connection *c = calloc(1, sizeof(*c));

		if (c == NULL) {
			abort();
		}
		*c = (struct connection){ .supervisor = sup,
					  .id = (uint64_t)get_integer(json, "id"),
					  .address_key = (uint64_t)get_integer(json, "address_key"),
					  .questions = (unsigned)get_integer(json, "questions"),
					  .is_tls = get_boolean(json, "tls"),
					  .is_srt = get_boolean(json, "srt"),
					  .srt_port = restore_port(
						  sup, json_object_get(json, "srt_port")),
					  .caller = (uint64_t)get_integer(json, "caller"),
					  .ready_us = get_integer(json, "ready") };
		text_copy(c->peer, sizeof(c->peer), get_text(json, "peer"));
		c->child = restore_child(sup, state, json_object_get(json, "child"), c);
		if (c->child == NULL) {
			free(c);
			continue;
		}
		c->tunnel = restore_child(sup, state, json_object_get(json, "tunnel"), c);
		TAILQ_INSERT_TAIL(&sup->connections, c, entry);
	}
}

static struct connection *connection_by_id(struct supervisor *sup, uint64_t id)
{
	struct connection *c;

	TAILQ_FOREACH(c, &sup->connections, entry) {
		if (c->id == id) {
			return c;
		}
	}
	return NULL;
}

static void restore_source(struct feed *feed, const json_t *json)
{
	struct source *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		abort();
	}
	*s = (struct source){ .feed = feed,
			      .config = feed->config,
			      .incarnation = (uint32_t)get_integer(json, "incarnation"),
			      .ring_fd = restore_fd(json, "ring"),
			      .wake_fd = restore_fd(json, "wake"),
			      .is_ready = get_boolean(json, "ready"),
			      .is_closed = get_boolean(json, "closed") };
	text_copy(s->cause, sizeof(s->cause), get_text(json, "cause"));
	s->connection = connection_by_id(feed->show->supervisor,
					 (uint64_t)get_integer(json, "connection"));
	if (s->connection != NULL) {
		s->connection->source = s;
	}
	TAILQ_INSERT_TAIL(&feed->sources, s, entry);
}

static void restore_pull(struct feed *feed, const json_t *json)
{
	const json_t *file = json_object_get(json, "file");
	struct pull *pull = &feed->pull;

	pull->restart.failures = (unsigned)get_integer(json, "failures");
	text_copy(pull->trouble, sizeof(pull->trouble), get_text(json, "trouble"));
	pull->file = (struct ipc_file_mark){ .device = (uint64_t)get_integer(file, "device"),
					     .inode = (uint64_t)get_integer(file, "inode"),
					     .bytes = (uint64_t)get_integer(file, "bytes"),
					     .changed_ns = get_integer(file, "changed") };
	pull->connection = connection_by_id(feed->show->supervisor,
					    (uint64_t)get_integer(json, "pull"));
	if (pull->connection != NULL) {
		pull->connection->pulled = feed;
	}
}

static void restore_feeds(struct show *show, const json_t *list)
{
	const json_t *json, *source;
	size_t i, k;

	json_array_foreach(list, i, json) {
		struct feed *feed = feed_find(show, get_text(json, "name"));

		if (feed == NULL) {
			continue;
		}
		feed->id = (uint16_t)get_integer(json, "id");
		account_restore(&feed->account, json_object_get(json, "account"));
		json_array_foreach(json_object_get(json, "sources"), k, source) {
			restore_source(feed, source);
		}
		restore_pull(feed, json);
	}
}

static void restore_relays(struct show *show, const json_t *state, const json_t *list)
{
	const json_t *json;
	size_t i;

	json_array_foreach(list, i, json) {
		struct relay *r = relay_create(show, (enum worker_role)get_integer(json, "role"),
					       get_boolean(json, "shared"));

		if (r == NULL) {
			abort();
		}
		close(r->wake_fd);
		r->wake_fd = restore_fd(json, "wake");
		r->reader = (uint32_t)get_integer(json, "reader");
		r->batch_us = get_integer(json, "batch");
		r->child = restore_child(show->supervisor, state, json_object_get(json, "child"),
					 r);
	}
}

static void restore_destinations(struct show *show, const json_t *list)
{
	const json_t *json;
	size_t i;

	json_array_foreach(list, i, json) {
		struct destination *d;
		struct relay *r;

		TAILQ_FOREACH(d, &show->destinations, entry) {
			if (strcmp(d->config->name, get_text(json, "name")) == 0) {
				break;
			}
		}
		if (d == NULL) {
			continue;
		}
		d->id = (uint32_t)get_integer(json, "id");
		d->status.id = d->id;
		d->status.state = (uint32_t)get_integer(json, "state") % DESTINATION_STATES;
		d->status.restarts = (uint32_t)get_integer(json, "restarts");
		d->status.since_us = get_integer(json, "since");
		text_copy(d->status.last_error, sizeof(d->status.last_error),
			  get_text(json, "error"));
		account_restore(&d->account, json_object_get(json, "account"));
		if (json_is_true(json_object_get(json, "paused"))) {
			destination_pause(d);
		}
		TAILQ_FOREACH(r, &show->relays, entry) {
			if (r->reader == (uint32_t)get_integer(json, "reader")) {
				d->relay = r;
			}
		}
	}
}

static void restore_show(struct supervisor *sup, const json_t *state, const json_t *json)
{
	struct show *show = show_find(sup, get_text(json, "name"));

	show->ring_fd = restore_fd(json, "ring");
	show->old_ring_fd = restore_fd(json, "old_ring");
	show->is_ring_ready = get_boolean(json, "ring_ready");
	show->is_started = get_boolean(json, "started");
	show->taken_feed = (uint16_t)get_integer(json, "taken");
	show->is_inherited = true;
	text_copy(show->off_cause, sizeof(show->off_cause), get_text(json, "off_cause"));
	account_restore(&show->account, json_object_get(json, "account"));
	restore_feeds(show, json_object_get(json, "feeds"));
	restore_relays(show, state, json_object_get(json, "relays"));
	restore_destinations(show, json_object_get(json, "destinations"));
	show->next_feed_id = (uint16_t)get_integer(json, "next_feed");
	show->next_incarnation = (uint32_t)get_integer(json, "next_incarnation");
	show->switcher = restore_child(sup, state, json_object_get(json, "switch"), show);
}

static void restore_listener(struct supervisor *sup, struct listener *l, const json_t *json,
			     bool is_tls)
{
	if (json_is_object(json)) {
		listener_adopt(sup, l, get_text(json, "address"), is_tls, restore_fd(json, "fd"));
	}
}

static void restore_srt(struct supervisor *sup, const json_t *state, const json_t *list)
{
	const json_t *json;
	size_t i;

	json_array_foreach(list, i, json) {
		struct srt_port *port = srt_adopt(sup, get_text(json, "name"),
						  get_text(json, "address"),
						  restore_fd(json, "fd"));

		port->child = restore_child(sup, state, json_object_get(json, "child"), port);
	}
}

/* Whatever was between two states when its old program left is set going again. */
static void restore_motion(struct supervisor *sup)
{
	struct show *show;
	struct relay *relay;

	TAILQ_FOREACH(show, &sup->shows, entry) {
		if (show->switcher == NULL) {
			show_start_switch(show);
		}
		TAILQ_FOREACH(relay, &show->relays, entry) {
			relay_start(relay);
		}
		if (show->is_started) {
			show_go(show);
		}
	}
}

void reexec_restore(struct supervisor *sup, const json_t *state)
{
	const json_t *json;
	size_t i;

	sup->next_connection = (uint64_t)get_integer(state, "next_connection");
	json_array_extend(sup->events, json_object_get(state, "events"));
	sup->last_event = get_integer(state, "last_event");
	json = json_object_get(state, "history");
	history_restore(sup, json,
			restore_child(sup, state, json_object_get(json, "child"), &sup->history));
	/* The socket stays where it is, whatever the config says by now. */
	text_copy(sup->socket_path, sizeof(sup->socket_path), get_text(state, "socket"));
	control_adopt(sup, restore_fd(state, "control"), restore_fd(state, "lock"));
	restore_listener(sup, &sup->rtmp, json_object_get(state, "rtmp"), false);
	restore_listener(sup, &sup->rtmps, json_object_get(state, "rtmps"), true);
	restore_srt(sup, state, json_object_get(state, "srt"));
	restore_connections(sup, state);
	json_array_foreach(json_object_get(state, "shows"), i, json) {
		restore_show(sup, state, json);
	}
	sup->next_destination = (uint32_t)get_integer(state, "next_destination");
	sup->next_reader = (uint32_t)get_integer(state, "next_reader");
	restore_motion(sup);
	srt_sync(sup, sup->config);
	srt_tell_feeds(sup);
}
