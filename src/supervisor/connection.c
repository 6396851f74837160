/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One encoder's connection, from accept to its worker's end. The worker asks whether a key may
 * publish (at most twice); what it says of itself is believed in nothing else: the peer is known
 * from accept(2), the worker from its socketpair.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/text.h>

#include "supervisor.h"
#include "tunnel.h"

#define QUESTIONS_MAX 2
#define WRONG_KEYS_WINDOW_US 60000000
#define PEM_BYTES_MAX ((off_t)1 << 20)

unsigned connection_count_unauthorised(const struct supervisor *sup, uint64_t address_key)
{
	const struct connection *c;
	unsigned count = 0;

	TAILQ_FOREACH(c, &sup->connections, entry) {
		if (c->source == NULL && (address_key == 0 || c->address_key == address_key)) {
			count++;
		}
	}
	return count;
}

/* The worker gets a copy in memory: it can open no file, and the file may change. */
static int pem_copy(const char *path)
{
	int fd = files_snapshot(path, PEM_BYTES_MAX);

	if (fd < 0) {
		log_error("cannot read path=%s: %s; RTMPS connections are refused until it is a "
			  "PEM file",
			  path, strerror(-fd));
	}
	return fd;
}

static bool connection_start(struct connection *c, int fd)
{
	const struct config_listener *tls = c->supervisor->config->rtmps;
	struct ipc_ingest_start start = { .connection = c->id, .is_tls = c->is_tls };
	int fds[3] = { fd, -1, -1 };
	bool is_sent = false;

	text_copy(start.peer, sizeof(start.peer), c->peer);
	if (!c->is_tls) {
		return child_send(c->child, IPC_INGEST_START, &start, fds, 1);
	}
	if (tls != NULL) {
		fds[1] = pem_copy(tls->certificate);
		fds[2] = pem_copy(tls->private_key);
	}
	if (fds[1] >= 0 && fds[2] >= 0) {
		is_sent = child_send(c->child, IPC_INGEST_START, &start, fds, 3);
	}
	for (int i = 1; i < 3; i++) {
		if (fds[i] >= 0) {
			close(fds[i]);
		}
	}
	return is_sent;
}

void connection_create(struct supervisor *sup, int fd, bool is_tls, uint64_t address_key,
		       const char *peer)
{
	struct connection *c = calloc(1, sizeof(*c));
	char label[2 * IPC_NAME];

	if (c == NULL) {
		close(fd);
		return;
	}
	*c = (struct connection){ .supervisor = sup,
				  .is_tls = is_tls,
				  .address_key = address_key,
				  .id = ++sup->next_connection };
	text_copy(c->peer, sizeof(c->peer), peer);
	text_format(label, sizeof(label), "ingest %s", peer);
	c->child = child_spawn(sup, ROLE_INGEST_RTMP, &connection_ops, c, label);
	if (c->child != NULL) {
		TAILQ_INSERT_TAIL(&sup->connections, c, entry);
		if (!connection_start(c, fd)) {
			child_kill(c->child, NULL);
		}
	} else {
		free(c);
	}
	close(fd);
}

static void connection_refuse(struct connection *c, struct ipc_publish_answer *answer)
{
	answer->is_allowed = 0;
	child_send(c->child, IPC_PUBLISH_ANSWER, answer, NULL, 0);
}

static void connection_admit(struct connection *c, struct feed *feed,
			     struct ipc_publish_answer *answer)
{
	struct source *source = feed_publish(feed, c, answer->reason);

	if (source == NULL) {
		log_warn("publish refused show=%s feed=%s peer=%s: %s", feed->show->config->name,
			 feed->config->name, c->peer, answer->reason);
		connection_refuse(c, answer);
		return;
	}
	int fds[2] = { source->ring_fd, source->wake_fd };
	answer->is_allowed = 1;
	answer->max_kbps = feed->config->max_kbps;
	answer->span_us = feed_span_us(feed);
	answer->gather_us = show_feed_gather_us(feed->show);
	text_copy(answer->show, sizeof(answer->show), feed->show->config->name);
	text_copy(answer->feed, sizeof(answer->feed), feed->config->name);
	text_format(c->child->label, sizeof(c->child->label), "ingest %s/%s",
		    feed->show->config->name, feed->config->name);
	child_send(c->child, IPC_PUBLISH_ANSWER, answer, fds, source->wake_fd >= 0 ? 2 : 1);
	listener_update(c->supervisor);
}

static void connection_asked(struct connection *c, struct ipc_publish_ask *ask)
{
	struct ipc_publish_answer answer = { 0 };
	struct feed *feed = NULL;

	if (c->child->is_reaped) {
		return; /* nobody is there to publish, so nobody is thrown out for it */
	}
	if (c->source != NULL || ++c->questions > QUESTIONS_MAX) {
		child_kill(c->child, "it asked too many questions");
		return;
	}
	feed = keys_find_feed(c->supervisor, ask->app, ask->stream);
	text_copy(c->status.encoder, sizeof(c->status.encoder), ask->encoder);
	explicit_bzero(ask, sizeof(*ask));
	if (feed != NULL) {
		connection_admit(c, feed, &answer);
		return;
	}
	unsigned wrong = rate_count(&c->supervisor->failures, c->address_key, WRONG_KEYS_WINDOW_US,
				    clock_monotonic_us());
	log_warn(
		"publish refused peer=%s: no feed has this stream key (%u wrong keys from there in "
		"the last minute)",
		c->peer, wrong);
	text_copy(answer.reason, sizeof(answer.reason), "stream key not accepted");
	connection_refuse(c, &answer);
}

/* How much of SRT's latency may be taken off arrival times: less than would let a feed look silent
 * or late that is neither. */
static int64_t connection_backdate_us(const struct feed *feed)
{
	const struct config_show *show = feed->show->config;
	int64_t most_us = (int64_t)show->failover.stall_ms * 1000 / 4;
	int64_t delay_us = (int64_t)show->delay_ms * 1000 / 4;

	return show->delay_ms > 0 && delay_us < most_us ? delay_us : most_us;
}

static bool connection_start_srt(struct connection *c, struct feed *feed, int stream)
{
	struct ipc_stream_start start = { .span_us = feed_span_us(feed),
					  .backdate_us = connection_backdate_us(feed),
					  .max_kbps = feed->config->max_kbps };
	char reason[IPC_TEXT];
	struct source *source = feed_publish(feed, c, reason);

	if (source == NULL) {
		log_warn("publish refused show=%s feed=%s peer=%s: %s", feed->show->config->name,
			 feed->config->name, c->peer, reason);
		return false;
	}
	int fds[3] = { stream, source->ring_fd, source->wake_fd };
	text_copy(start.show, sizeof(start.show), feed->show->config->name);
	text_copy(start.feed, sizeof(start.feed), feed->config->name);
	return child_send(c->child, IPC_STREAM_START, &start, fds, source->wake_fd >= 0 ? 3 : 2);
}

bool connection_create_srt(struct srt_port *port, struct feed *feed, uint64_t caller,
			   const char *peer, int stream)
{
	struct supervisor *sup = port->supervisor;
	struct connection *c = calloc(1, sizeof(*c));
	char label[2 * IPC_NAME];

	if (c == NULL) {
		return false;
	}
	*c = (struct connection){ .supervisor = sup,
				  .is_srt = true,
				  .srt_port = port,
				  .caller = caller,
				  .id = ++sup->next_connection };
	text_copy(c->peer, sizeof(c->peer), peer);
	text_format(label, sizeof(label), "ingest %s/%s", feed->show->config->name,
		    feed->config->name);
	c->child = child_spawn(sup, ROLE_INGEST_AV, &connection_ops, c, label);
	if (c->child == NULL) {
		free(c);
		return false;
	}
	TAILQ_INSERT_TAIL(&sup->connections, c, entry);
	if (!connection_start_srt(c, feed, stream)) {
		c->caller = 0; /* ours to drop no more: the answer does it */
		c->child->is_stopping = true;
		child_kill(c->child, NULL);
		return false;
	}
	return true;
}

void connection_note_cause(struct connection *c, const struct ipc_ingest_closed *closed)
{
	if (c->cause[0] == '\0') {
		text_escape(c->cause, sizeof(c->cause), closed->cause, strlen(closed->cause));
		secrets_redact(&c->supervisor->secrets, c->cause);
	}
}

static void connection_message(struct child *child, struct ipc_message *m)
{
	struct connection *c = child->owner;
	bool is_pull = c->pulled != NULL;

	if (child->is_stopping) {
		return; /* nobody needs its last words */
	}
	if (m->type == IPC_PUBLISH_ASK && !c->is_srt && !is_pull) {
		connection_asked(c, (struct ipc_publish_ask *)m->body);
	} else if (m->type == IPC_RING_READY && c->source != NULL && !c->source->is_ready) {
		if (!source_ready(c->source)) {
			child_kill(child, "its ring is not sealed as it must be");
		} else if (is_pull) {
			pull_ready(c);
		}
	} else if (m->type == IPC_RESOLVE_ASK && is_pull) {
		resolver_ask(c->supervisor, child, (struct ipc_resolve_ask *)m->body);
	} else if (m->type == IPC_LOOP_REPORT && is_pull) {
		pull_looked(c, (const struct ipc_loop_report *)m->body);
	} else if (m->type == IPC_INGEST_STATUS) {
		memcpy(&c->status, m->body, sizeof(c->status));
	} else if (m->type == IPC_TS_STATUS && (c->is_srt || is_pull)) {
		memcpy(&c->ts, m->body, sizeof(c->ts));
	} else if (m->type == IPC_INGEST_CLOSED) {
		connection_note_cause(c, (const struct ipc_ingest_closed *)m->body);
	} else {
		child_kill(child, "it sent a message that is not its business");
	}
}

void connection_free(struct connection *c)
{
	if (c->pulled != NULL && c->pulled->pull.connection == c) {
		c->pulled->pull.connection = NULL;
	}
	TAILQ_REMOVE(&c->supervisor->connections, c, entry);
	free(c);
}

static void connection_exited(struct child *child, const char *cause)
{
	struct connection *c = child->owner;
	struct supervisor *sup = c->supervisor;

	tunnel_end(c);
	const char *why = c->cause[0] != '\0' ? c->cause : cause;
	srt_drop(c->srt_port, c->caller);
	resolver_forget(sup, child);
	struct feed *feed = c->source != NULL ? c->source->feed : NULL;
	if (c->source != NULL && c->pulled != NULL && !c->source->is_ready) {
		source_release(c->source); /* said below, once and not at each try */
	} else if (c->source != NULL) {
		source_close(c->source, why);
		c->source->connection = NULL;
		if (!c->source->is_ready || c->source->is_withheld) {
			source_release(c->source);
		}
	} else if (!child->is_stopping) {
		log_info("connection ended before a key was accepted peer=%s: %s", c->peer, why);
	}
	if (c->pulled != NULL) {
		pull_ended(c, why);
	}
	connection_free(c);
	if (sup->is_ending) {
		return;
	}
	listener_update(sup);
	if (feed != NULL) {
		feed_settle(feed);
	}
}

const struct child_ops connection_ops = { connection_message, connection_exited };

void connection_end(struct connection *c, const char *cause)
{
	if (c->source != NULL) {
		source_close(c->source, cause);
	}
	c->child->is_stopping = true;
	child_kill(c->child, NULL);
}
