/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SIGUSR2: the supervisor becomes a new program (an upgrade) while its children, rings and
 * listening sockets stay.
 *
 *   1. The config is reloaded from a copy, which all that follows reads, so that state and config
 *      agree. What is written to the file meanwhile is loaded at the end.
 *   2. A process of the new program reads the state and the config and says whether it could go
 *      on from there. If not, this program stays.
 *   3. The state is written to a memfd, the descriptors in it lose close-on-exec, and this
 *      process executes the new program, which finds its children still its own.
 *
 * The state is one JSON object. It holds no secrets: keys come from the copy of the config, which
 * is memory that nobody else can open. What the new
 * program makes of it is in inherit.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xxhash.h>

#include <understudy/log.h>
#include <understudy/text.h>

#include "rehearsal.h"
#include "supervisor.h"

#define STATE_VARIABLE "UNDERSTUDY_STATE_FD"
#define CHECK_VARIABLE "UNDERSTUDY_STATE_CHECK"
#define VALIDATOR_S 10
#define CONFIG_BYTES_MAX (1 << 20)

/* ---- writing ---- */

/* Workers stay those of the old program, so the new one must speak to them in the same way. */
int64_t reexec_messages_mark(void)
{
	char text[64];
	uint64_t mark = 0;

	for (int type = IPC_NONE; type < IPC_TYPES; type++) {
		text_format(text, sizeof(text), "%s %zu", ipc_type_str((enum ipc_type)type),
			    ipc_body_size((enum ipc_type)type));
		mark = XXH3_64bits_withSeed(text, strlen(text), mark);
	}
	return (int64_t)mark;
}

static json_t *child_ref(const struct child *child)
{
	return child != NULL ? json_integer(child->pid) : json_null();
}

/* Those on their way out have nobody who needs their last words. */
static bool child_is_saved(const struct child *child)
{
	/* A slate that is not ready is begun anew. Those without a row serve a client of ours. */
	return child->owner != NULL && child_ops_of(child->role) != NULL &&
	       child->role != ROLE_RESOLVE && child->role != ROLE_SLATE;
}

static json_t *save_children(const struct supervisor *sup)
{
	json_t *list = json_array();
	const struct child *child;

	TAILQ_FOREACH(child, &sup->children, entry) {
		if (!child_is_saved(child)) {
			continue;
		}
		json_array_append_new(list,
				      json_pack("{s:i, s:i, s:i, s:i, s:I, s:b, s:s, s:s*}", "pid",
						(int)child->pid, "role", (int)child->role,
						"control", child->control_fd, "log", child->log_fd,
						"started", (json_int_t)child->started_us,
						"stopping", (int)child->is_stopping, "label",
						child->label, "file", child->file));
	}
	return list;
}

static json_t *save_connections(const struct supervisor *sup)
{
	json_t *list = json_array();
	const struct connection *c;

	TAILQ_FOREACH(c, &sup->connections, entry) {
		json_array_append_new(
			list,
			json_pack("{s:I, s:I, s:i, s:b, s:s, s:o, s:o, s:b, s:I, s:I, s:s*}", "id",
				  (json_int_t)c->id, "address_key", (json_int_t)c->address_key,
				  "questions", (int)c->questions, "tls", (int)c->is_tls, "peer",
				  c->peer, "child", child_ref(c->child), "tunnel",
				  child_ref(c->tunnel), "srt", (int)c->is_srt, "caller",
				  (json_int_t)c->caller, "ready", (json_int_t)c->ready_us,
				  "srt_port", c->srt_port != NULL ? c->srt_port->name : NULL));
	}
	return list;
}

static json_t *save_sources(const struct feed *feed)
{
	json_t *list = json_array();
	const struct source *s;

	TAILQ_FOREACH(s, &feed->sources, entry) {
		json_array_append_new(
			list,
			json_pack("{s:i, s:i, s:i, s:b, s:b, s:s, s:I}", "incarnation",
				  (int)s->incarnation, "ring", s->ring_fd, "wake", s->wake_fd,
				  "ready", (int)s->is_ready, "closed", (int)s->is_closed, "cause",
				  s->cause, "connection",
				  (json_int_t)(s->connection != NULL ? s->connection->id : 0)));
	}
	return list;
}

static uint64_t pull_id(const struct feed *feed)
{
	return feed->pull.connection != NULL ? feed->pull.connection->id : 0;
}

static json_t *save_file(const struct ipc_file_mark *file)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "device", (json_int_t)file->device, "inode",
			 (json_int_t)file->inode, "bytes", (json_int_t)file->bytes, "changed",
			 (json_int_t)file->changed_ns);
}

static json_t *save_feeds(const struct show *show)
{
	json_t *list = json_array();
	const struct feed *feed;

	TAILQ_FOREACH(feed, &show->feeds, entry) {
		json_array_append_new(
			list, json_pack("{s:i, s:s, s:o, s:I, s:i, s:s, s:o, s:o}", "id", feed->id,
					"name", feed->config->name, "sources", save_sources(feed),
					"pull", (json_int_t)pull_id(feed), "failures",
					(int)feed->pull.restart.failures, "trouble",
					feed->pull.trouble, "account", account_save(&feed->account),
					"file", save_file(&feed->pull.file)));
	}
	return list;
}

static json_t *save_relays(const struct show *show)
{
	json_t *list = json_array();
	const struct relay *r;

	TAILQ_FOREACH(r, &show->relays, entry) {
		json_array_append_new(list, json_pack("{s:i, s:i, s:i, s:I, s:b, s:o}", "reader",
						      (int)r->reader, "role", (int)r->role, "wake",
						      r->wake_fd, "batch", (json_int_t)r->batch_us,
						      "shared", (int)r->is_shared, "child",
						      child_ref(r->child)));
	}
	return list;
}

static json_t *save_destinations(const struct show *show)
{
	json_t *list = json_array();
	const struct destination *d;

	TAILQ_FOREACH(d, &show->destinations, entry) {
		json_array_append_new(
			list, json_pack("{s:i, s:s, s:i, s:i, s:i, s:I, s:b, s:o, s:s}", "id",
					(int)d->id, "name", d->config->name, "reader",
					(int)(d->relay != NULL ? d->relay->reader : 0), "state",
					(int)d->status.state, "restarts", (int)d->status.restarts,
					"since", (json_int_t)d->status.since_us, "paused",
					(int)d->is_paused, "account", account_save(&d->account),
					"error", d->status.last_error));
	}
	return list;
}

static json_t *save_shows(const struct supervisor *sup)
{
	json_t *list = json_array();
	const struct show *s;

	TAILQ_FOREACH(s, &sup->shows, entry) {
		json_array_append_new(
			list,
			json_pack("{s:s, s:i, s:i, s:b, s:b, s:i, s:i, s:i, s:o, s:o, s:o, s:o,"
				  " s:s, s:o}",
				  "name", s->config->name, "ring", s->ring_fd, "old_ring",
				  s->old_ring_fd, "ring_ready", (int)s->is_ring_ready, "started",
				  (int)s->is_started, "taken", s->taken_feed, "next_feed",
				  s->next_feed_id, "next_incarnation", (int)s->next_incarnation,
				  "switch", child_ref(s->switcher), "feeds", save_feeds(s),
				  "relays", save_relays(s), "destinations", save_destinations(s),
				  "off_cause", s->off_cause, "account", account_save(&s->account)));
	}
	return list;
}

static json_t *save_listener(const struct listener *l)
{
	return l->event != NULL ? json_pack("{s:s, s:i}", "address", l->address, "fd", l->fd)
				: json_null();
}

static json_t *save_srt(const struct supervisor *sup)
{
	json_t *list = json_array();
	const struct srt_port *port;

	TAILQ_FOREACH(port, &sup->srt_ports, entry) {
		json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:o}", "name", port->name,
						      "address", port->address, "fd", port->fd,
						      "child", child_ref(port->child)));
	}
	return list;
}

static json_t *state_save(const struct supervisor *sup)
{
	int lock_fd, control_fd = control_fds(sup, &lock_fd);

	return json_pack(
		"{s:i, s:I, s:s, s:i, s:i, s:i, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:O,"
		" s:I, s:o}",
		"version", STATE_VERSION, "messages", (json_int_t)reexec_messages_mark(), "socket",
		sup->socket_path, "config", sup->config_fd, "control", control_fd, "lock", lock_fd,
		"rtmp", save_listener(&sup->rtmp), "rtmps", save_listener(&sup->rtmps), "srt",
		save_srt(sup), "next_connection", (json_int_t)sup->next_connection,
		"next_destination", (json_int_t)sup->next_destination, "next_reader",
		(json_int_t)sup->next_reader, "children", save_children(sup), "connections",
		save_connections(sup), "shows", save_shows(sup), "events", sup->events,
		"last_event", (json_int_t)sup->last_event, "history", history_save(sup));
}

/* ---- every descriptor a successor needs ---- */

static void keep_open(const struct supervisor *sup, bool keep)
{
	const struct child *child;
	const struct show *show;
	const struct feed *feed;
	const struct source *source;
	const struct relay *relay;
	const struct srt_port *port;
	int lock_fd, control_fd = control_fds(sup, &lock_fd);
	bool cloexec = !keep;

	files_set_cloexec(sup->config_fd, cloexec);
	files_set_cloexec(control_fd, cloexec);
	files_set_cloexec(lock_fd, cloexec);
	files_set_cloexec(sup->rtmp.fd, cloexec);
	files_set_cloexec(sup->rtmps.fd, cloexec);
	TAILQ_FOREACH(port, &sup->srt_ports, entry) {
		files_set_cloexec(port->fd, cloexec);
	}
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
	if (sup->validator != 0) {
		return;
	}
	fault_undo(sup, NULL); /* whoever rehearses loses the connection to us */
	practice_undo(sup, NULL);
	if (sup->options.config_path != NULL) {
		/* What is no file (a pipe, say) is read again by everybody. */
		sup->config_fd = files_snapshot(sup->options.config_path, CONFIG_BYTES_MAX);
	}
	if (!reload_config(sup)) {
		supervisor_drop_snapshot(sup);
		return;
	}
	if (leave_is_pending(sup)) {
		leave_await(sup);
		supervisor_drop_snapshot(sup);
		return;
	}
	int state_fd = state_memfd(sup);
	if (state_fd < 0) {
		log_error(
			"cannot write the state for re-execution: out of memory; nothing changed");
		supervisor_drop_snapshot(sup);
		return;
	}
	sup->validator = fork();
	if (sup->validator == 0) {
		alarm(VALIDATOR_S);
		files_set_cloexec(sup->config_fd, false);
		become(sup, state_fd, true);
		_exit(127);
	}
	close(state_fd);
	if (sup->validator < 0) {
		log_error("cannot start the new program: %s; nothing changed", strerror(errno));
		sup->validator = 0;
		supervisor_drop_snapshot(sup);
	}
}

/* Orders that still wait here for a worker would be lost; history may be, for a disk that hangs. */
static bool has_orders_waiting(const struct supervisor *sup)
{
	const struct child *child;

	TAILQ_FOREACH(child, &sup->children, entry) {
		if (child_is_saved(child) && child->role != ROLE_HISTORY &&
		    !TAILQ_EMPTY(&child->orders)) {
			return true;
		}
	}
	return false;
}

/* Returns only if the new program could not take our place. */
static void hand_over(struct supervisor *sup)
{
	resolver_finish(sup);
	if (leave_is_pending(sup)) { /* a slate was replaced meanwhile */
		leave_await(sup);
		return;
	}
	errand_end_all(sup);
	if (has_orders_waiting(sup)) {
		log_error(
			"not re-executed: a worker has not taken all of its orders yet; try again");
		return;
	}
	int state_fd = state_memfd(sup);
	if (state_fd >= 0) {
		log_info("re-executing path=%s", sup->exe_path);
		keep_open(sup, true);
		become(sup, state_fd, false);
		keep_open(sup, false);
		close(state_fd);
	}
	log_error("cannot execute path=%s: %s; this program goes on", sup->exe_path,
		  strerror(errno));
}

bool reexec_reaped(struct supervisor *sup, pid_t pid, int status)
{
	if (sup->validator == 0 || pid != sup->validator) {
		return false;
	}
	sup->validator = 0;
	if (sup->is_ending) {
		return true;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		hand_over(sup);
	} else {
		log_error(
			"the new program path=%s does not accept the running state; this one goes "
			"on",
			sup->exe_path);
	}
	supervisor_drop_snapshot(sup);
	if (sup->is_reload_due) {
		sup->is_reload_due = false;
		reload_config(sup);
	}
	return true;
}

json_t *reexec_inherit(struct supervisor *sup, bool *ret_check_only)
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
	if (state == NULL) {
		return json_object(); /* unusable, which validation finds */
	}
	sup->config_fd = (int)json_integer_value(json_object_get(state, "config"));
	files_set_cloexec(sup->config_fd, true);
	return state;
}
