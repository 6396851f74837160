/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SIGUSR2: the supervisor becomes a new program (an upgrade) while its children, rings and
 * listening sockets stay.
 *
 *   1. The config is reloaded, so that state and file agree.
 *   2. A process of the new program reads the state and the config and says whether it could go
 *      on from there. If not, this program stays.
 *   3. The state is written to a memfd, the descriptors in it lose close-on-exec, and this
 *      process executes the new program, which finds its children still its own.
 *
 * The state is one JSON object. It holds no secrets (keys come from the config) and is read back
 * with the care due to something another version wrote.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <understudy/log.h>
#include <understudy/text.h>

#include "supervisor.h"

#define STATE_VERSION 2
#define STATE_VARIABLE "UNDERSTUDY_STATE_FD"
#define CHECK_VARIABLE "UNDERSTUDY_STATE_CHECK"
#define VALIDATOR_S 10

/* ---- writing ---- */

static json_t *child_ref(const struct child *child)
{
	return child != NULL ? json_integer(child->pid) : json_null();
}

/* Those on their way out have nobody who needs their last words. */
static bool child_is_saved(const struct child *child)
{
	return child->owner != NULL && child->role != ROLE_RESOLVE;
}

static json_t *save_children(const struct supervisor *sup)
{
	json_t *list = json_array();
	const struct child *child;

	TAILQ_FOREACH(child, &sup->children, entry) {
		if (!child_is_saved(child)) {
			continue;
		}
		json_array_append_new(list, json_pack(
			"{s:i, s:i, s:i, s:i, s:I, s:s}", "pid", (int)child->pid, "role",
			(int)child->role, "control", child->control_fd, "log", child->log_fd, "started",
			(json_int_t)child->started_us, "label", child->label));
	}
	return list;
}

static json_t *save_connections(const struct supervisor *sup)
{
	json_t *list = json_array();
	const struct connection *c;

	TAILQ_FOREACH(c, &sup->connections, entry) {
		json_array_append_new(list, json_pack(
			"{s:I, s:I, s:i, s:b, s:s, s:o, s:b, s:I}", "id", (json_int_t)c->id, "address_key",
			(json_int_t)c->address_key, "questions", (int)c->questions, "tls", (int)c->is_tls,
			"peer", c->peer, "child", child_ref(c->child), "srt", (int)c->is_srt, "caller",
			(json_int_t)c->caller));
	}
	return list;
}

static json_t *save_sources(const struct feed *feed)
{
	json_t *list = json_array();
	const struct source *s;

	TAILQ_FOREACH(s, &feed->sources, entry) {
		json_array_append_new(list, json_pack(
			"{s:i, s:i, s:i, s:b, s:b, s:s, s:I}", "incarnation", (int)s->incarnation, "ring",
			s->ring_fd, "wake", s->wake_fd, "ready", (int)s->is_ready, "closed",
			(int)s->is_closed, "cause", s->cause, "connection",
			(json_int_t)(s->connection != NULL ? s->connection->id : 0)));
	}
	return list;
}

static json_t *save_feeds(const struct show *show)
{
	json_t *list = json_array();
	const struct feed *feed;

	TAILQ_FOREACH(feed, &show->feeds, entry) {
		json_array_append_new(list, json_pack("{s:i, s:s, s:o}", "id", feed->id, "name",
						      feed->config->name, "sources", save_sources(feed)));
	}
	return list;
}

static json_t *save_relays(const struct show *show)
{
	json_t *list = json_array();
	const struct relay *r;

	TAILQ_FOREACH(r, &show->relays, entry) {
		json_array_append_new(list, json_pack("{s:i, s:i, s:i, s:b, s:o}", "reader", (int)r->reader,
						      "role", (int)r->role, "wake", r->wake_fd, "shared",
						      (int)r->is_shared, "child", child_ref(r->child)));
	}
	return list;
}

static json_t *save_destinations(const struct show *show)
{
	json_t *list = json_array();
	const struct destination *d;

	TAILQ_FOREACH(d, &show->destinations, entry) {
		json_array_append_new(list, json_pack(
			"{s:i, s:s, s:i, s:i, s:i, s:I, s:b}", "id", (int)d->id, "name", d->config->name, "reader",
			(int)(d->relay != NULL ? d->relay->reader : 0), "state", (int)d->status.state,
			"restarts", (int)d->status.restarts, "since", (json_int_t)d->status.since_us,
			"paused", (int)d->is_paused));
	}
	return list;
}

static json_t *save_shows(const struct supervisor *sup)
{
	json_t *list = json_array();
	const struct show *s;

	TAILQ_FOREACH(s, &sup->shows, entry) {
		json_array_append_new(list, json_pack(
			"{s:s, s:i, s:i, s:b, s:b, s:i, s:i, s:i, s:o, s:o, s:o, s:o}", "name",
			s->config->name, "ring", s->ring_fd, "old_ring", s->old_ring_fd, "ring_ready",
			(int)s->is_ring_ready, "started", (int)s->is_started, "taken", s->taken_feed,
			"next_feed", s->next_feed_id, "next_incarnation", (int)s->next_incarnation, "switch",
			child_ref(s->switcher), "feeds", save_feeds(s), "relays", save_relays(s),
			"destinations", save_destinations(s)));
	}
	return list;
}

static json_t *save_listener(const struct listener *l)
{
	return l->event != NULL ? json_pack("{s:s, s:i}", "address", l->address, "fd", l->fd)
				: json_null();
}

static json_t *save_srt(const struct srt_port *port)
{
	return port->fd >= 0 ? json_pack("{s:s, s:i, s:o}", "address", port->address, "fd", port->fd,
					 "child", child_ref(port->child))
			     : json_null();
}

static json_t *state_save(const struct supervisor *sup)
{
	int lock_fd, control_fd = control_fds(sup, &lock_fd);

	return json_pack("{s:i, s:i, s:i, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:O}", "version",
			 STATE_VERSION, "control", control_fd, "lock", lock_fd, "rtmp",
			 save_listener(&sup->rtmp), "rtmps", save_listener(&sup->rtmps), "srt",
			 save_srt(&sup->srt),
			 "next_connection", (json_int_t)sup->next_connection, "next_destination",
			 (json_int_t)sup->next_destination, "next_reader",
			 (json_int_t)sup->next_reader, "children", save_children(sup), "connections",
			 save_connections(sup), "shows", save_shows(sup), "events", sup->events);
}

/* ---- every descriptor a successor needs ---- */

static void keep_open(const struct supervisor *sup, bool keep)
{
	const struct child *child;
	const struct show *show;
	const struct feed *feed;
	const struct source *source;
	const struct relay *relay;
	int lock_fd, control_fd = control_fds(sup, &lock_fd);
	bool cloexec = !keep;

	files_set_cloexec(control_fd, cloexec);
	files_set_cloexec(lock_fd, cloexec);
	files_set_cloexec(sup->rtmp.fd, cloexec);
	files_set_cloexec(sup->rtmps.fd, cloexec);
	files_set_cloexec(sup->srt.fd, cloexec);
	TAILQ_FOREACH(child, &sup->children, entry) {
		if (child_is_saved(child)) {
			files_set_cloexec(child->control_fd, cloexec);
			files_set_cloexec(child->log_fd, cloexec);
		}
	}
	TAILQ_FOREACH(show, &sup->shows, entry) {
		files_set_cloexec(show->ring_fd, cloexec);
		files_set_cloexec(show->old_ring_fd, cloexec);
		TAILQ_FOREACH(relay, &show->relays, entry) {
			files_set_cloexec(relay->wake_fd, cloexec);
		}
		TAILQ_FOREACH(feed, &show->feeds, entry) {
			TAILQ_FOREACH(source, &feed->sources, entry) {
				files_set_cloexec(source->ring_fd, cloexec);
				files_set_cloexec(source->wake_fd, cloexec);
			}
		}
	}
}

static int state_memfd(const struct supervisor *sup)
{
	json_t *state = state_save(sup);
	int fd = memfd_create("understudy-state", 0);

	if (state == NULL || fd < 0 || json_dumpfd(state, fd, JSON_COMPACT) < 0 ||
	    lseek(fd, 0, SEEK_SET) < 0) {
		if (fd >= 0) {
			close(fd);
		}
		fd = -1;
	}
	json_decref(state);
	return fd;
}

static void become(const struct supervisor *sup, int state_fd, bool check_only)
{
	char number[16];

	text_format(number, sizeof(number), "%d", state_fd);
	setenv(STATE_VARIABLE, number, 1);
	if (check_only) {
		setenv(CHECK_VARIABLE, "1", 1);
	}
	execv(sup->exe_path, sup->options.argv);
	unsetenv(STATE_VARIABLE);
}

void reexec_begin(struct supervisor *sup)
{
	if (sup->validator != 0 || !reload_config(sup)) {
		return;
	}
	int state_fd = state_memfd(sup);
	if (state_fd < 0) {
		log_error("cannot write the state for re-execution: out of memory; nothing changed");
		return;
	}
	sup->validator = fork();
	if (sup->validator == 0) {
		alarm(VALIDATOR_S);
		become(sup, state_fd, true);
		_exit(127);
	}
	close(state_fd);
	if (sup->validator < 0) {
		log_error("cannot start the new program: %s; nothing changed", strerror(errno));
		sup->validator = 0;
	}
}

bool reexec_reaped(struct supervisor *sup, pid_t pid, int status)
{
	if (sup->validator == 0 || pid != sup->validator) {
		return false;
	}
	sup->validator = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		log_error("the new program path=%s does not accept the running state; this one goes on",
			  sup->exe_path);
		return true;
	}
	resolver_finish(sup);
	int state_fd = state_memfd(sup);
	if (state_fd >= 0) {
		log_info("re-executing path=%s", sup->exe_path);
		keep_open(sup, true);
		become(sup, state_fd, false);
		keep_open(sup, false);
		close(state_fd);
	}
	log_error("cannot execute path=%s: %s; this program goes on", sup->exe_path, strerror(errno));
	return true;
}

/* ---- reading ---- */

json_t *reexec_inherit(bool *ret_check_only)
{
	const char *number = getenv(STATE_VARIABLE);
	json_t *state;

	*ret_check_only = getenv(CHECK_VARIABLE) != NULL;
	if (number == NULL) {
		return NULL;
	}
	int fd = atoi(number);
	unsetenv(STATE_VARIABLE);
	unsetenv(CHECK_VARIABLE);
	state = json_loadfd(fd, JSON_REJECT_DUPLICATES, NULL);
	close(fd);
	return state != NULL ? state : json_object(); /* unusable, which validation finds */
}

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
	json_array_foreach(json_object_get(state, "shows"), i, show) {
		bool is_known = false;

		for (unsigned k = 0; k < sup->config->shows_count; k++) {
			is_known |= strcmp(sup->config->shows[k].name, get_text(show, "name")) == 0;
		}
		if (!is_known) {
			log_error("show %s runs but is not in the configuration", get_text(show, "name"));
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
			return child_adopt(sup, role, child_ops_of(role), owner, get_text(child, "label"),
					   (pid_t)get_integer(child, "pid"),
					   (int)get_integer(child, "control"), (int)get_integer(child, "log"),
					   get_integer(child, "started"));
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
					  .caller = (uint64_t)get_integer(json, "caller") };
		text_copy(c->peer, sizeof(c->peer), get_text(json, "peer"));
		c->child = restore_child(sup, state, json_object_get(json, "child"), c);
		if (c->child == NULL) {
			free(c);
			continue;
		}
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
			      .incarnation = (uint32_t)get_integer(json, "incarnation"),
			      .ring_fd = restore_fd(json, "ring"),
			      .wake_fd = restore_fd(json, "wake"),
			      .is_ready = get_boolean(json, "ready"),
			      .is_closed = get_boolean(json, "closed") };
	text_copy(s->cause, sizeof(s->cause), get_text(json, "cause"));
	s->connection = connection_by_id(feed->show->supervisor, (uint64_t)get_integer(json, "connection"));
	if (s->connection != NULL) {
		s->connection->source = s;
	}
	TAILQ_INSERT_TAIL(&feed->sources, s, entry);
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
		json_array_foreach(json_object_get(json, "sources"), k, source) {
			restore_source(feed, source);
		}
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
		r->child = restore_child(show->supervisor, state, json_object_get(json, "child"), r);
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
	restore_feeds(show, json_object_get(json, "feeds"));
	restore_relays(show, state, json_object_get(json, "relays"));
	restore_destinations(show, json_object_get(json, "destinations"));
	show->next_feed_id = (uint16_t)get_integer(json, "next_feed");
	show->next_incarnation = (uint32_t)get_integer(json, "next_incarnation");
	show->switcher = restore_child(sup, state, json_object_get(json, "switch"), show);
}

static void restore_listener(struct supervisor *sup, struct listener *l, const json_t *json, bool is_tls)
{
	if (json_is_object(json)) {
		listener_adopt(sup, l, get_text(json, "address"), is_tls, restore_fd(json, "fd"));
	}
}

static void restore_srt(struct supervisor *sup, const json_t *state, const json_t *json)
{
	if (json_is_object(json)) {
		srt_adopt(sup, get_text(json, "address"), restore_fd(json, "fd"));
		sup->srt.child = restore_child(sup, state, json_object_get(json, "child"), &sup->srt);
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
