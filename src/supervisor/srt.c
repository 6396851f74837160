/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SRT ports: the one for all feeds, and those of feeds that have one for themselves. Each is a UDP
 * socket, the ingest-srt process behind it, and the table of feeds that process is given (hashes
 * of keys, passphrases). The socket stays open here, so that a process that died is replaced
 * without the port being lost. Each caller becomes a connection with an ingest-av of its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>

#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/loop.h>
#include <understudy/net.h>
#include <understudy/text.h>

#include "supervisor.h"

/* ---- the table of feeds ---- */

static void hash_key(const uint8_t salt[16], const char *key, uint8_t ret[32])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestUpdate(context, salt, 16) != 1 ||
	    EVP_DigestUpdate(context, key, strlen(key)) != 1 ||
	    EVP_DigestFinal_ex(context, ret, NULL) != 1) {
		abort(); /* OpenSSL is out of memory for a few bytes */
	}
	EVP_MD_CTX_free(context);
}

uint32_t srt_latency_ms(const struct supervisor *sup, const struct config_feed *feed)
{
	return feed->latency_ms != 0      ? feed->latency_ms
	       : sup->config->srt != NULL ? sup->config->srt->latency_ms
					  : 0;
}

static void feeds_flush(struct srt_port *port, struct ipc_srt_feeds *piece)
{
	child_send(port->child, IPC_SRT_FEEDS, piece, NULL, 0);
	piece->first += piece->count;
	piece->count = 0;
	explicit_bzero(piece->feeds, sizeof(piece->feeds));
}

/* "" of the port for all, SHOW/FEED of the feed's own. */
static void port_name(char name[SRT_PORT_NAME], const char *show, const struct config_feed *feed)
{
	text_format(name, SRT_PORT_NAME, "%s%s%s", feed->srt_port != 0 ? show : "",
		    feed->srt_port != 0 ? "/" : "", feed->srt_port != 0 ? feed->name : "");
}

static bool is_let_in(const struct srt_port *port, const struct feed *feed)
{
	char name[SRT_PORT_NAME];

	port_name(name, feed->show->config->name, feed->config);
	return !port->is_leaving && !feed->is_leaving && feed->config->key != NULL &&
	       strcmp(port->name, name) == 0;
}

const struct srt_port *srt_port_of(const struct supervisor *sup, const struct feed *feed)
{
	const struct srt_port *port;

	TAILQ_FOREACH(port, &sup->srt_ports, entry) {
		if (is_let_in(port, feed)) {
			return port;
		}
	}
	return NULL;
}

static uint32_t feeds_count(const struct srt_port *port)
{
	const struct show *show;
	const struct feed *feed;
	uint32_t count = 0;

	TAILQ_FOREACH(show, &port->supervisor->shows, entry) {
		TAILQ_FOREACH(feed, &show->feeds, entry) {
			count += is_let_in(port, feed);
		}
	}
	return count;
}

static void port_tell_feeds(struct srt_port *port)
{
	static struct ipc_srt_feeds piece; /* 16 KiB */
	const struct supervisor *sup = port->supervisor;
	const struct show *show;
	const struct feed *feed;

	if (port->child == NULL) {
		return;
	}
	piece = (struct ipc_srt_feeds){ .total = feeds_count(port) };
	if (getrandom(piece.salt, sizeof(piece.salt), 0) != (ssize_t)sizeof(piece.salt)) {
		abort();
	}
	TAILQ_FOREACH(show, &sup->shows, entry) {
		TAILQ_FOREACH(feed, &show->feeds, entry) {
			struct ipc_srt_feed *to = &piece.feeds[piece.count];

			if (!is_let_in(port, feed)) {
				continue;
			}
			hash_key(piece.salt, feed->config->key, to->key_hash);
			to->latency_ms = srt_latency_ms(sup, feed->config);
			if (feed->config->passphrase != NULL) {
				text_copy(to->passphrase, sizeof(to->passphrase),
					  feed->config->passphrase);
			}
			text_copy(to->show, sizeof(to->show), show->config->name);
			text_copy(to->feed, sizeof(to->feed), feed->config->name);
			if (++piece.count == IPC_SRT_FEEDS_MAX) {
				feeds_flush(port, &piece);
			}
		}
	}
	if (piece.count > 0 || piece.total == 0) {
		feeds_flush(port, &piece);
	}
	explicit_bzero(&piece, sizeof(piece));
}

void srt_tell_feeds(struct supervisor *sup)
{
	struct srt_port *port;

	TAILQ_FOREACH(port, &sup->srt_ports, entry) {
		port_tell_feeds(port);
	}
}

/* ---- the process ---- */

static void srt_start(struct srt_port *port)
{
	struct supervisor *sup = port->supervisor;
	struct ipc_srt_start start = { 0 };
	char label[2 * IPC_NAME];

	if (port->child != NULL || sup->is_ending) {
		return;
	}
	text_format(label, sizeof(label), "srt %s", port->bound);
	port->child = child_spawn(sup, ROLE_INGEST_SRT, &srt_ops, port, label);
	if (port->child != NULL) {
		child_send(port->child, IPC_SRT_START, &start, &port->fd, 1);
		port_tell_feeds(port);
	}
}

static void srt_retry(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	srt_start(context);
}

static void srt_exited(struct child *child, const char *cause)
{
	struct srt_port *port = child->owner;
	int64_t now_us = clock_monotonic_us();
	struct connection *c;

	(void)cause;
	port->child = NULL;
	/* Their streams have ended with it; each ingest-av ends by itself, with what it has. */
	TAILQ_FOREACH(c, &port->supervisor->connections, entry) {
		if (c->srt_port != port) {
			continue;
		}
		if (c->cause[0] == '\0') {
			text_copy(c->cause, sizeof(c->cause), "the relay's SRT process ended");
		}
		c->caller = 0; /* the next process counts anew */
	}
	if (port->supervisor->is_ending) {
		return;
	}
	int64_t ran_us = child->is_stopping ? INT64_MAX : now_us - child->started_us;
	loop_set_timer(port->retry,
		       restart_after(&port->restart, &restart_policy_worker, ran_us, 0, now_us));
}

/* ---- callers ---- */

static struct connection *srt_connection(const struct srt_port *port, uint64_t caller)
{
	struct connection *c;

	TAILQ_FOREACH(c, &port->supervisor->connections, entry) {
		if (c->srt_port == port && c->caller == caller) {
			return c;
		}
	}
	return NULL;
}

void srt_drop(struct srt_port *port, uint64_t caller)
{
	struct ipc_srt_drop drop = { .connection = caller };

	if (port != NULL && port->child != NULL && caller != 0) {
		child_send(port->child, IPC_SRT_DROP, &drop, NULL, 0);
	}
}

static void srt_accepted(struct srt_port *port, const struct ipc_srt_accepted *accepted)
{
	struct supervisor *sup = port->supervisor;
	struct ipc_srt_carry carry = { .connection = accepted->connection };
	struct show *show = show_find(sup, accepted->show);
	struct feed *feed = show != NULL ? feed_find(show, accepted->feed) : NULL;
	char peer[IPC_NAME];
	int pair[2];

	text_escape(peer, sizeof(peer), accepted->peer, strlen(accepted->peer));
	if (feed == NULL || !is_let_in(port, feed) || ipc_pair(pair) < 0) {
		srt_drop(port, accepted->connection);
		return;
	}
	if (connection_create_srt(port, feed, accepted->connection, peer, pair[1])) {
		child_send(port->child, IPC_SRT_CARRY, &carry, &pair[0], 1);
	} else {
		srt_drop(port, accepted->connection);
	}
	close(pair[0]);
	close(pair[1]);
}

static void srt_message(struct child *child, struct ipc_message *m)
{
	struct srt_port *port = child->owner;

	if (m->type == IPC_SRT_ACCEPTED) {
		srt_accepted(port, (const struct ipc_srt_accepted *)m->body);
	} else if (m->type == IPC_CALLER_STATUS) {
		const struct ipc_caller_status *s = (const struct ipc_caller_status *)m->body;
		struct connection *c = srt_connection(port, s->connection);

		if (c != NULL) {
			c->srt = *s;
		}
		if (c != NULL && c->source != NULL) {
			show_note_loss(c->source->feed->show, c->source, s);
		}
	} else if (m->type == IPC_SRT_CLOSED) {
		const struct ipc_srt_closed *closed = (const struct ipc_srt_closed *)m->body;
		struct connection *c = srt_connection(port, closed->connection);

		if (c != NULL) {
			text_escape(c->cause, sizeof(c->cause), closed->cause,
				    strlen(closed->cause));
			c->caller = 0; /* its ingest-av ends once it has read the rest */
		}
	} else {
		child_kill(child, "it sent a message that is not its business");
	}
}

const struct child_ops srt_ops = { srt_message, srt_exited };

/* ---- the ports ---- */

struct srt_port *srt_adopt(struct supervisor *sup, const char *name, const char *address, int fd)
{
	struct srt_port *port = calloc(1, sizeof(*port));
	struct sockaddr_storage bound;
	socklen_t size = sizeof(bound);

	if (port == NULL) {
		abort();
	}
	port->supervisor = sup;
	port->fd = fd;
	text_copy(port->name, sizeof(port->name), name);
	text_copy(port->address, sizeof(port->address), address);
	if (getsockname(fd, (struct sockaddr *)&bound, &size) == 0) {
		net_format_address((struct sockaddr *)&bound, port->bound, sizeof(port->bound));
	}
	port->retry = evtimer_new(sup->base, srt_retry, port);
	TAILQ_INSERT_TAIL(&sup->srt_ports, port, entry);
	return port;
}

static void port_close(struct srt_port *port)
{
	struct connection *c;

	TAILQ_FOREACH(c, &port->supervisor->connections, entry) {
		if (c->srt_port == port) {
			c->srt_port = NULL; /* it ends once it has read the rest */
			c->caller = 0;
		}
	}
	if (port->child != NULL) {
		child_disown(port->child);
		child_stop(port->child, false);
	}
	close(port->fd);
	event_free(port->retry);
	TAILQ_REMOVE(&port->supervisor->srt_ports, port, entry);
	free(port);
}

void srt_finish(struct supervisor *sup)
{
	while (!TAILQ_EMPTY(&sup->srt_ports)) {
		port_close(TAILQ_FIRST(&sup->srt_ports));
	}
}

static struct srt_port *port_find(struct supervisor *sup, const char *name)
{
	struct srt_port *port;

	TAILQ_FOREACH(port, &sup->srt_ports, entry) {
		if (!port->is_leaving && strcmp(port->name, name) == 0) {
			return port;
		}
	}
	return NULL;
}

/* Closes when those who came by it have gone. */
static void port_retire(struct srt_port *port)
{
	const struct connection *c;

	TAILQ_FOREACH(c, &port->supervisor->connections, entry) {
		if (c->srt_port == port && c->source != NULL && !c->source->is_closed) {
			source_leave(c->source, "its SRT port was closed");
			port->is_leaving |= c->source->is_leaving;
		}
	}
	if (!port->is_leaving) {
		port_close(port);
	}
}

/* Opens the port or moves it. If that fails the old one, if any, goes on. */
static int port_open(struct supervisor *sup, const char *name, const char *address)
{
	struct srt_port *old = port_find(sup, name);

	if (old != NULL && strcmp(old->address, address) == 0) {
		srt_start(old);
		return 0;
	}
	int fd = net_bind_udp(address);
	if (fd < 0) {
		log_error("cannot listen address=%s for=srt: %s%s", address, strerror(-fd),
			  fd == -EADDRINUSE
				  ? "; another program (or another understudy) has this port"
				  : "");
		return fd;
	}
	if (old != NULL) {
		port_retire(old);
	}
	srt_start(srt_adopt(sup, name, address, fd));
	return 0;
}

/* The feed's own port is at the host of the one for all. */
static void own_address(char *to, size_t size, const char *listen, uint32_t number)
{
	const char *colon = strrchr(listen, ':');

	text_format(to, size, "%.*s:%u", (int)(colon != NULL ? colon - listen : 0), listen, number);
}

static int open_own(struct supervisor *sup, const struct config *config,
		    const struct config_show *show)
{
	char name[SRT_PORT_NAME], address[IPC_NAME + IPC_HOST];
	int result = 0;

	for (unsigned i = 0; i < show->feeds_count; i++) {
		const struct config_feed *feed = &show->feeds[i];

		if (feed->srt_port != 0) {
			port_name(name, show->name, feed);
			own_address(address, sizeof(address), config->srt->listen, feed->srt_port);
			int opened = port_open(sup, name, address);
			result = result < 0 ? result : opened;
		}
	}
	return result;
}

static bool is_configured(const struct srt_port *port, const struct config *config)
{
	char name[SRT_PORT_NAME];

	if (config->srt == NULL || port->name[0] == '\0') {
		return config->srt != NULL;
	}
	for (unsigned s = 0; s < config->shows_count; s++) {
		const struct config_show *show = &config->shows[s];

		for (unsigned f = 0; f < show->feeds_count; f++) {
			port_name(name, show->name, &show->feeds[f]);
			if (strcmp(port->name, name) == 0) {
				return true;
			}
		}
	}
	return false;
}

int srt_sync(struct supervisor *sup, const struct config *config)
{
	struct srt_port *port, *next;
	int result = 0;

	for (port = TAILQ_FIRST(&sup->srt_ports); port != NULL; port = next) {
		next = TAILQ_NEXT(port, entry);
		if (!is_configured(port, config)) {
			port_retire(port);
		}
	}
	if (config->srt == NULL) {
		return 0;
	}
	result = port_open(sup, "", config->srt->listen);
	for (unsigned i = 0; i < config->shows_count; i++) {
		int opened = open_own(sup, config, &config->shows[i]);

		result = result < 0 ? result : opened;
	}
	return result;
}

void srt_settle(struct supervisor *sup)
{
	struct srt_port *port, *next;
	bool has_closed = false;

	for (port = TAILQ_FIRST(&sup->srt_ports); port != NULL; port = next) {
		next = TAILQ_NEXT(port, entry);
		if (port->is_leaving) {
			port_close(port);
			has_closed = true;
		}
	}
	if (has_closed) { /* another port may have waited for its number */
		srt_sync(sup, sup->config);
		srt_tell_feeds(sup);
	}
}
