/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Feeds that come because we fetch them: pulled URLs and files. Each has a worker while its show
 * is started, and none otherwise.
 *
 *   IDLE --show started--> RUNNING --worker ended--> WAITING --policy--> RUNNING
 *     ^                       |                         |
 *     '------ show ended, feed removed or changed ------'
 *
 * A worker that runs is a connection like an encoder's, but for the order that begins it: it has
 * its ring at once. A file is opened before, by an errand (errand.c). Its source is opened at the
 * switch when it has media (RING_READY); one that ends before that is no news but a trouble, which
 * is said when it begins or changes and stands in the status while it lasts.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/codec.h>
#include <understudy/log.h>
#include <understudy/loop.h>
#include <understudy/text.h>

#include "supervisor.h"
#include "tunnel.h"

#define CONNECT_US 10000000 /* for everything until there is media */
#define SILENCE_US 10000000 /* then a worker leaves a source that sends nothing */
#define TRUST_BYTES_MAX ((off_t)8 << 20)

/* ROLE_NONE: the feed is published to us, or nobody can fetch it. */
static enum worker_role pull_role(const struct config_feed *config)
{
	static const enum worker_role roles[CONFIG_SOURCES] = {
		[SOURCE_PULL] = ROLE_INGEST_AV_PULL,
		[SOURCE_FILE] = ROLE_INGEST_FILE,
		[SOURCE_SLATE] = ROLE_INGEST_FILE,
		[SOURCE_PULL_RTMP] = ROLE_INGEST_RTMP_PULL,
	};

	return roles[config->source];
}

bool pull_is_pulled(const struct feed *feed)
{
	return pull_role(feed->config) != ROLE_NONE;
}

void pull_place(const struct config_feed *config, char *to, size_t size)
{
	char url[IPC_HOST + IPC_NAME];
	char *host;

	if (config->pull == NULL) {
		text_copy(to, size,
			  config->source == SOURCE_SLATE ? "a slate made for the show" : "");
		if (to[0] == '\0') {
			text_escape(to, size, config->file, strlen(config->file));
		}
		return;
	}
	config_redact_url(url, sizeof(url), config->pull);
	host = strstr(url, "://");
	if (host != NULL) {
		host[3 + strcspn(host + 3, "/?#")] = '\0';
	}
	text_copy(to, size, url);
}

/* What the worker reads besides the network: a copy in memory of the certificates that are trusted.
 * Without it, it trusts nobody. */
static int pull_input(const struct feed *feed)
{
	struct supervisor *sup = feed->show->supervisor;
	const char *path = config_ca_file(sup->config, keys_environment, sup);
	int fd = files_snapshot(path, TRUST_BYTES_MAX);

	if (fd < 0) {
		log_error(
			"cannot read the trusted certificates path=%s: %s; feeds cannot be pulled "
			"over TLS (install ca-certificates)",
			path, strerror(-fd));
		fd = dup(sup->null_fd);
	}
	return fd;
}

/* ---- recordings ---- */

static const char *pull_path(const struct feed *feed)
{
	return feed->config->source == SOURCE_SLATE ? feed->slate.path : feed->config->file;
}

static bool is_same_file(const struct ipc_file_mark *a, const struct ipc_file_mark *b)
{
	return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes &&
	       a->changed_ns == b->changed_ns;
}

static void pull_compared(void *owner, const struct ipc_errand_done *done, struct ipc_message *m)
{
	struct feed *feed = owner;

	(void)m;
	/* One that is not there: what is being played goes on. */
	if (done->error == 0 && !is_same_file(&done->mark, &feed->pull.file)) {
		pull_retire(feed, "its source was changed");
		pull_start(feed);
	}
}

void pull_compare(struct feed *feed)
{
	if (feed->config->file != NULL && feed->pull.file.changed_ns != 0) {
		errand_begin(feed->show->supervisor, ERRAND_READ, pull_path(feed), 0, pull_compared,
			     feed);
	}
}

void pull_looked(struct connection *c, const struct ipc_loop_report *report)
{
	const struct feed *feed = c->pulled;
	char remark[2 * IPC_TEXT];

	if (!report->is_usable) {
		return; /* it says so again when it ends */
	}
	text_escape(remark, sizeof(remark), report->remark, strlen(report->remark));
	log_info("recording show=%s feed=%s length_ms=%u gop_ms=%u video=%s audio=%s",
		 feed->show->config->name, feed->config->name, report->length_ms, report->gop_ms,
		 codec_str(report->video.codec), codec_str(report->audio.codec));
	if (remark[0] != '\0') {
		log_warn("recording show=%s feed=%s: %s", feed->show->config->name,
			 feed->config->name, remark);
	}
}

static bool pull_brief_file(struct connection *c, struct source *source, int file)
{
	const struct ipc_loop_start start = { .span_us = feed_span_us(c->pulled) };
	int fds[3] = { file, source->ring_fd, source->wake_fd };

	return child_send(c->child, IPC_LOOP_START, &start, fds, source->wake_fd >= 0 ? 3 : 2);
}

/* ---- URLs ---- */

static bool pull_brief_rtmp(struct connection *c)
{
	struct feed *feed = c->pulled;
	const struct config_feed *config = feed->config;
	struct ipc_tunnel_start tunnel = {
		.connect_us = CONNECT_US,
		.silence_us = SILENCE_US,
		.allow_private = config->allow_private,
	};
	struct ipc_stream_start player = {
		.span_us = feed_span_us(feed),
		.max_kbps = config->max_kbps,
	};
	int trust = config->endpoint.is_tls ? pull_input(feed) : -1;

	endpoint_fill(&tunnel.endpoint, &config->endpoint);
	text_copy(player.show, sizeof(player.show), feed->show->config->name);
	text_copy(player.feed, sizeof(player.feed), config->name);
	bool is_sent = tunnel_brief(c, &tunnel, &player, trust);
	explicit_bzero(&tunnel, sizeof(tunnel));
	if (trust >= 0) {
		close(trust);
	}
	return is_sent;
}

static bool pull_brief_url(struct connection *c, struct source *source)
{
	struct feed *feed = c->pulled;
	const struct config_feed *config = feed->config;

	if (config->source == SOURCE_PULL_RTMP) {
		return pull_brief_rtmp(c);
	}
	struct ipc_pull_start start = {
		.span_us = feed_span_us(feed),
		.connect_us = CONNECT_US,
		.silence_us = SILENCE_US,
		.max_kbps = config->max_kbps,
		.latency_ms = config->latency_ms,
		.allow_private = config->allow_private,
	};
	int fds[3] = { source->ring_fd, pull_input(feed), source->wake_fd };

	text_copy(start.show, sizeof(start.show), feed->show->config->name);
	text_copy(start.feed, sizeof(start.feed), config->name);
	text_copy(start.url, sizeof(start.url), config->pull);
	if (config->passphrase != NULL) {
		text_copy(start.passphrase, sizeof(start.passphrase), config->passphrase);
	}
	bool is_sent = fds[1] >= 0 && child_send(c->child, IPC_PULL_START, &start, fds,
						 source->wake_fd >= 0 ? 3 : 2);
	explicit_bzero(&start, sizeof(start));
	if (fds[1] >= 0) {
		close(fds[1]);
	}
	return is_sent;
}

/* ---- trying again ---- */

static void pull_retry(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	pull_start(context);
}

static void pull_start_later(struct feed *feed, int64_t ran_us)
{
	struct pull *pull = &feed->pull;
	int64_t now_us = clock_monotonic_us();
	/* Feeds of one server that was away come back apart. */
	int64_t at_us = restart_after(&pull->restart, &restart_policy_pull, ran_us,
				      (uint32_t)now_us, now_us);

	if (pull->retry == NULL) {
		pull->retry = evtimer_new(feed->show->supervisor->base, pull_retry, feed);
	}
	if (pull->retry == NULL) {
		abort(); /* libevent is out of memory for a few bytes: nothing can be saved */
	}
	loop_set_timer(pull->retry, at_us);
}

static void pull_fail(struct feed *feed, const char *trouble)
{
	struct pull *pull = &feed->pull;

	if (strcmp(pull->trouble, trouble) != 0) {
		text_copy(pull->trouble, sizeof(pull->trouble), trouble);
		events_add(feed->show->supervisor, feed->show->config->name, "feed_unreachable",
			   json_pack("{s:s}", "feed", feed->config->name), "feed %s: %s; trying on",
			   feed->config->name, trouble);
	}
}

/* ---- life ---- */

static struct connection *pull_connection(struct feed *feed)
{
	struct supervisor *sup = feed->show->supervisor;
	struct connection *c = calloc(1, sizeof(*c));
	char label[2 * IPC_NAME];

	if (c == NULL) {
		return NULL;
	}
	*c = (struct connection){ .supervisor = sup, .pulled = feed, .id = ++sup->next_connection };
	pull_place(feed->config, c->peer, sizeof(c->peer));
	text_format(label, sizeof(label), "pull %s/%s", feed->show->config->name,
		    feed->config->name);
	c->child = child_spawn(sup, pull_role(feed->config), &connection_ops, c, label);
	if (c->child == NULL) {
		free(c);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&sup->connections, c, entry);
	return c;
}

/* The worker, if there is one, is nobody's any more. */
static void pull_let_go(struct feed *feed, const char *cause)
{
	struct connection *c = feed->pull.connection;

	if (c == NULL) {
		return;
	}
	c->pulled = NULL;
	feed->pull.connection = NULL;
	if (c->source != NULL && !c->source->is_ready) {
		source_release(c->source);
	}
	connection_end(c, cause);
}

static void pull_try_later(struct feed *feed, const char *trouble)
{
	pull_fail(feed, trouble);
	pull_start_later(feed, 0);
}

/* `file` is -1 for a URL. */
static void pull_begin(struct feed *feed, int file)
{
	struct pull *pull = &feed->pull;
	char reason[IPC_TEXT] = "the relay is out of memory";
	struct source *source = NULL;

	pull->connection = pull_connection(feed);
	if (pull->connection != NULL) {
		source = feed_publish(feed, pull->connection, reason);
	}
	bool is_begun = source != NULL &&
			(file >= 0 ? pull_brief_file(pull->connection, source, file)
				   : pull_brief_url(pull->connection, source));
	if (!is_begun) {
		pull_let_go(feed, reason);
		pull_try_later(feed, reason);
	}
}

static void pull_opened(void *owner, const struct ipc_errand_done *done, struct ipc_message *m)
{
	struct feed *feed = owner;
	char trouble[IPC_TEXT];

	feed->pull.is_opening = false;
	if (done->error < 0) {
		text_format(trouble, sizeof(trouble), "%s cannot be read: %s", pull_path(feed),
			    done->error == -EINVAL ? "it is no file"
						   : errand_error_str(done->error));
		pull_try_later(feed, trouble);
		return;
	}
	feed->pull.file = done->mark;
	pull_begin(feed, m->fds[0]);
}

void pull_start(struct feed *feed)
{
	struct pull *pull = &feed->pull;

	if (!pull_is_pulled(feed) || feed->is_leaving || pull->connection != NULL ||
	    pull->is_opening || !feed->show->is_started || feed->show->supervisor->is_ending ||
	    (feed->config->source == SOURCE_SLATE && feed->slate.path[0] == '\0')) {
		return;
	}
	if (feed->config->file == NULL) {
		pull_begin(feed, -1);
		return;
	}
	int error = errand_begin(feed->show->supervisor, ERRAND_READ, pull_path(feed), 0,
				 pull_opened, feed);
	pull->is_opening = error == 0;
	if (error < 0) {
		pull_try_later(feed, errand_error_str(error));
	}
}

static void pull_forget(struct feed *feed)
{
	struct pull *pull = &feed->pull;

	errand_forget(feed->show->supervisor, feed);
	pull->is_opening = false;
	if (pull->retry != NULL) {
		event_free(pull->retry);
		pull->retry = NULL;
	}
	pull->restart = (struct restart){ 0 };
	pull->trouble[0] = '\0';
}

void pull_stop(struct feed *feed, const char *cause)
{
	pull_let_go(feed, cause);
	pull_forget(feed);
}

void pull_retire(struct feed *feed, const char *cause)
{
	struct connection *c = feed->pull.connection;

	if (c == NULL || c->source == NULL || !c->source->is_ready) {
		pull_stop(feed, cause);
		return;
	}
	feed->pull.connection = NULL;
	pull_forget(feed);
	source_leave(c->source, cause);
}

void pull_ready(struct connection *c)
{
	if (c->ready_us == 0) { /* else another ring, in a rehearsal */
		c->ready_us = clock_monotonic_us();
	}
	c->pulled->pull.trouble[0] = '\0';
}

void pull_ended(struct connection *c, const char *why)
{
	struct feed *feed = c->pulled;
	bool was_ready = c->ready_us != 0;

	if (feed->pull.connection != c) {
		return; /* it was to go, and another fetches the feed */
	}
	feed->pull.connection = NULL;
	if (c->supervisor->is_ending) {
		return;
	}
	if (!was_ready) {
		pull_fail(feed, why);
	}
	pull_start_later(feed, was_ready ? clock_monotonic_us() - c->ready_us : 0);
}
