/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Relays: what they are told and what they tell. RTMP destinations of a show share one unless
 * they are isolated; a recording has a relay of its own. A relay that dies is replaced by policy
 * and given all of its destinations again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/loop.h>
#include <understudy/text.h>

#include "rehearsal.h"
#include "supervisor.h"

#define WOKEN_MAX 16         /* readers the writer of a ring wakes */
#define BATCH_BEYOND_US 5000 /* the others look by themselves so often; less is no gathering */

struct destination *relay_only_destination(const struct relay *relay)
{
	struct destination *d;

	TAILQ_FOREACH(d, &relay->show->destinations, entry) {
		if (d->relay == relay) {
			return d;
		}
	}
	return NULL;
}

static void destination_failed(struct destination *d, const char *path, int error)
{
	char shown[100];

	text_copy(shown, sizeof(shown), path);
	text_format(d->status.last_error, sizeof(d->status.last_error), "cannot open %s: %s", shown,
		    errand_error_str(error));
	d->status.state = DESTINATION_BACKING_OFF;
	d->status.since_us = clock_monotonic_us();
	log_warn("destination failed show=%s destination=%s: %s", d->show->config->name,
		 d->config->name, d->status.last_error);
}

/* ---- giving a relay its work ---- */

static int trust_open(struct supervisor *sup)
{
	const char *path = config_ca_file(sup->config, keys_environment, sup);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		log_error(
			"cannot read the trusted certificates path=%s: %s; RTMPS destinations will "
			"fail (install ca-certificates)",
			path, strerror(errno));
	}
	return fd;
}

void endpoint_fill(struct ipc_endpoint *to, const struct config_endpoint *from)
{
	to->is_tls = from->is_tls;
	to->port = from->port;
	text_copy(to->host, sizeof(to->host), from->host);
	text_copy(to->app, sizeof(to->app), from->app);
	text_copy(to->stream, sizeof(to->stream), from->stream);
	text_copy(to->tc_url, sizeof(to->tc_url), from->tc_url);
}

void destination_send(struct destination *d)
{
	const struct config_destination *c = d->config;
	struct ipc_destination_add add = {
		.id = d->id,
		.endpoint_count = 1 + (c->backup.host != NULL),
		.allow_redirect = c->allow_redirect,
		.tracks = (uint32_t)c->tracks, /* enum ipc_tracks has the same order */
		.first_us = (int64_t)c->retry.first_s * 1000000,
		.cap_us = (int64_t)c->retry.cap_s * 1000000,
		.healthy_us = (int64_t)c->retry.healthy_s * 1000000,
		.hold_us = (int64_t)c->hold_s * 1000000,
		.max_backlog_us = (int64_t)c->max_backlog_ms * 1000,
		.stall_us = (int64_t)c->stall_s * 1000000,
	};

	text_copy(add.name, sizeof(add.name), c->name);
	text_copy(add.user, sizeof(add.user), c->user != NULL ? c->user : "");
	text_copy(add.password, sizeof(add.password), c->password != NULL ? c->password : "");
	endpoint_fill(&add.endpoints[0], &c->endpoint);
	if (c->backup.host != NULL) {
		endpoint_fill(&add.endpoints[1], &c->backup);
	}
	if (d->stand_in != NULL) {
		practice_divert(d, &add);
	}
	child_send(d->relay->child, IPC_DESTINATION_ADD, &add, NULL, 0);
	explicit_bzero(&add, sizeof(add));
}

static void relay_brief_rtmp(struct relay *relay)
{
	struct show *show = relay->show;
	struct ipc_relay_start start = { .batch_us = relay->batch_us };
	int trust = trust_open(show->supervisor);
	int fds[3] = { show->ring_fd, relay->wake_fd, trust };
	struct destination *d;

	text_copy(start.show, sizeof(start.show), show->config->name);
	child_send(relay->child, IPC_RELAY_START, &start, fds, trust >= 0 ? 3 : 2);
	if (trust >= 0) {
		close(trust);
	}
	TAILQ_FOREACH(d, &show->destinations, entry) {
		if (d->relay == relay) {
			destination_send(d);
		}
	}
}

/* ---- life of a relay ---- */

static void relay_retry(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	relay_start(context);
}

static void relay_start_later(struct relay *relay, int64_t ran_us)
{
	const struct destination *d = relay_only_destination(relay);
	struct restart_policy policy = restart_policy_worker;

	if (relay->role == ROLE_RELAY_FLV && d != NULL) { /* it ends where it cannot write */
		policy = restart_policy_destination;
		policy.first_us = (int64_t)d->config->retry.first_s * 1000000;
		policy.cap_us = (int64_t)d->config->retry.cap_s * 1000000;
		policy.healthy_us = (int64_t)d->config->retry.healthy_s * 1000000;
	}
	int64_t now_us = clock_monotonic_us();
	int64_t at_us = restart_after(&relay->restart, &policy, ran_us, 0, now_us);

	loop_set_timer(relay->retry, at_us > relay->cut_until_us ? at_us : relay->cut_until_us);
}

/* A relay that gathers packets looks into the ring by itself and needs no wake-up. */
static void relay_introduce(struct relay *relay)
{
	struct show *show = relay->show;
	struct ipc_reader_add add = { .reader = relay->reader };

	if (show->switcher != NULL && relay->batch_us == 0) {
		child_send(show->switcher, IPC_READER_ADD, &add, &relay->wake_fd, 1);
	}
}

static void relay_part(const struct relay *relay)
{
	struct ipc_reader_remove remove = { .reader = relay->reader };

	if (relay->show->switcher != NULL) {
		child_send(relay->show->switcher, IPC_READER_REMOVE, &remove, NULL, 0);
	}
}

/* What the show's rounds gather, its relays need not; where that is all, the switch wakes them. */
void relay_choose_batch(struct relay *relay)
{
	const struct relay *other;
	int64_t batch_us = (int64_t)relay->show->config->batch_ms * 1000 -
			   show_round_us(relay->show);
	bool is_woken = batch_us < BATCH_BEYOND_US;
	unsigned woken = 0;

	relay_part(relay);
	TAILQ_FOREACH(other, &relay->show->relays, entry) {
		woken += other != relay && other->batch_us == 0;
	}
	if (is_woken) {
		batch_us = woken < WOKEN_MAX ? 0 : BATCH_BEYOND_US;
	}
	relay->batch_us = batch_us;
	relay_introduce(relay);
}

struct relay *relay_create(struct show *show, enum worker_role role, bool is_shared)
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (relay == NULL) {
		return NULL;
	}
	*relay = (struct relay){ .show = show,
				 .role = role,
				 .is_shared = is_shared,
				 .reader = ++show->supervisor->next_reader };
	relay->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	relay->retry = evtimer_new(show->supervisor->base, relay_retry, relay);
	TAILQ_INSERT_TAIL(&show->relays, relay, entry);
	relay_choose_batch(relay);
	return relay;
}

static void relay_spawn(struct relay *relay)
{
	struct show *show = relay->show;
	char label[2 * IPC_NAME];

	relay_choose_batch(relay);
	text_format(label, sizeof(label), "relay %s", show->config->name);
	if (!relay->is_shared) {
		text_format(label, sizeof(label), "relay %s/%s", show->config->name,
			    relay_only_destination(relay)->config->name);
	}
	relay->child = child_spawn(show->supervisor, relay->role, &relay_ops, relay, label);
	if (relay->child == NULL) {
		relay_start_later(relay, 0);
	}
}

static void relay_carry(struct relay *relay, int file)
{
	relay_spawn(relay);
	if (relay->child != NULL && relay->role == ROLE_RELAY_RTMP) {
		relay_brief_rtmp(relay);
	} else if (relay->child != NULL) {
		output_brief(relay, relay_only_destination(relay), file);
	}
}

static void relay_opened(void *owner, const struct ipc_errand_done *done, struct ipc_message *m)
{
	struct relay *relay = owner;
	struct destination *d = relay_only_destination(relay);

	relay->is_opening = false;
	if (done->error < 0) {
		destination_failed(d, d->config->path, done->error);
		relay_start_later(relay, 0);
		return;
	}
	if (relay->show->is_ring_ready) { /* else relay_give_ring() comes when it is */
		log_info("recording show=%s destination=%s path=%s", d->show->config->name,
			 d->config->name, done->path);
		relay_carry(relay, m->fds[0]);
	}
	if (relay->child != NULL) {
		child_set_file(relay->child, done->path);
	} else {
		errand_begin(relay->show->supervisor, ERRAND_TIDY, done->path, 0, NULL, NULL);
	}
}

/* The file of a recording is opened for each worker anew. */
static void relay_open_recording(struct relay *relay)
{
	const struct destination *d = relay_only_destination(relay);
	int error = errand_begin(relay->show->supervisor, ERRAND_RECORDING, d->config->path, 0,
				 relay_opened, relay);

	relay->is_opening = error == 0;
	if (error < 0) {
		relay_start_later(relay, 0);
	}
}

void relay_start(struct relay *relay)
{
	if (!relay->show->is_ring_ready || relay->child != NULL || relay->is_opening) {
		return; /* relay_give_ring() comes when the ring is ready */
	}
	if (relay->role == ROLE_RELAY_FLV) {
		relay_open_recording(relay);
	} else {
		relay_carry(relay, -1);
	}
}

void relay_give_ring(struct relay *relay)
{
	struct ipc_show_ring message = { .batch_us = relay->batch_us };
	int fds[2] = { relay->show->ring_fd, relay->wake_fd };

	if (relay->child != NULL) {
		child_send(relay->child, IPC_SHOW_RING, &message, fds, 2);
	} else {
		relay_start(relay);
	}
}

void relay_destroy(struct relay *relay, bool unpublish)
{
	struct show *show = relay->show;

	relay_part(relay);
	errand_forget(show->supervisor, relay);
	if (relay->child != NULL) {
		resolver_forget(show->supervisor, relay->child);
		child_stop(relay->child, unpublish);
		child_disown(relay->child);
	}
	event_free(relay->retry);
	close(relay->wake_fd);
	TAILQ_REMOVE(&show->relays, relay, entry);
	free(relay);
}

bool relay_is_idle(const struct relay *relay)
{
	return relay_only_destination(relay) == NULL;
}

/* ---- what a relay reports ---- */

static bool is_up(uint32_t state)
{
	return state == DESTINATION_LIVE || state == DESTINATION_HELD;
}

static void destination_report(struct destination *d, const struct ipc_destination_status *now)
{
	bool was_up = is_up(d->status.state), goes_up = is_up(now->state);
	uint32_t restarts = d->status.restarts;

	memcpy(&d->status, now, sizeof(d->status));
	if (now->silence_us > d->silence_us && !d->is_just_marked) {
		d->silence_us = now->silence_us;
	}
	d->is_just_marked = false;
	text_escape(d->status.remark, sizeof(d->status.remark), now->remark, strlen(now->remark));
	text_escape(d->status.last_error, sizeof(d->status.last_error), now->last_error,
		    strlen(now->last_error));
	text_escape(d->status.why, sizeof(d->status.why), now->why, strlen(now->why));
	if (d->status.restarts < restarts) {
		d->status.restarts = restarts; /* counted by a relay that has died since */
	}
	if (d->status.state == DESTINATION_LIVE) {
		show_settle_reference(d->show);
	}
	if (was_up == goes_up || d->show->supervisor->is_ending) {
		return;
	}
	events_add(d->show->supervisor, d->show->config->name,
		   goes_up ? "destination_up" : "destination_down",
		   json_pack("{s:s}", "destination", d->config->name), "destination %s%s: %s%s%s",
		   d->config->name, d->stand_in != NULL ? " (a practice platform)" : "",
		   goes_up ? "live" : "lost", !goes_up && now->last_error[0] != '\0' ? ": " : "",
		   goes_up ? "" : d->status.last_error);
}

static void relay_exited(struct child *child, const char *cause)
{
	struct relay *relay = child->owner;
	struct show *show = relay->show;
	struct destination *d;

	relay->child = NULL;
	resolver_forget(show->supervisor, child);
	errand_forget(show->supervisor, relay); /* nobody is there whom to give a file */
	if (show->supervisor->is_ending) {
		return;
	}
	TAILQ_FOREACH(d, &show->destinations, entry) {
		if (d->relay == relay && d->status.state != DESTINATION_BACKING_OFF) {
			struct ipc_destination_status lost = d->status;

			lost.state = DESTINATION_BACKING_OFF;
			lost.since_us = clock_monotonic_us();
			lost.restarts++;
			text_format(lost.last_error, sizeof(lost.last_error),
				    "the relay process %s", cause);
			destination_report(d, &lost);
		}
	}
	history_look(show);
	if (!child->is_stopping) {
		events_add(show->supervisor, show->config->name, "worker_died",
			   json_pack("{s:s}", "role", worker_role_str(relay->role)),
			   "a relay %s; a new one dials again", cause);
	}
	relay_start_later(relay, clock_monotonic_us() - child->started_us);
}

/* Platforms like to repeat what they were told. */
static void relay_redact(const struct relay *relay, struct ipc_destination_status *status)
{
	const struct secrets *secrets = &relay->show->supervisor->secrets;

	secrets_redact(secrets, status->last_error);
	secrets_redact(secrets, status->why);
	secrets_redact(secrets, status->remark);
}

static void relay_message(struct child *child, struct ipc_message *m)
{
	struct relay *relay = child->owner;

	if (m->type == IPC_DESTINATION_STATUS) {
		struct ipc_destination_status *status = (struct ipc_destination_status *)m->body;
		struct destination *d = destination_by_id(relay->show, status->id);

		relay_redact(relay, status);

		if (d != NULL && d->relay == relay && status->state < DESTINATION_STATES) {
			destination_report(d, status);
			history_look(relay->show);
		}
	} else if (m->type == IPC_RESOLVE_ASK &&
		   (relay->role == ROLE_RELAY_RTMP || relay->role == ROLE_RELAY_AV ||
		    relay->role == ROLE_RELAY_SRT)) {
		resolver_ask(relay->show->supervisor, child, (struct ipc_resolve_ask *)m->body);
	} else if (!output_message(relay, relay_only_destination(relay), m)) {
		child_kill(child, "it sent a message that is not its business");
	}
}

const struct child_ops relay_ops = { relay_message, relay_exited };
