/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The SRT port: its UDP socket, the ingest-srt process behind it, and the table of feeds that
 * process is given (hashes of keys, passphrases). The socket stays open here, so that a process
 * that died is replaced without the port being lost. Each caller becomes a connection with an
 * ingest-av of its own.
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

static uint32_t feeds_count(const struct supervisor *sup)
{
	const struct show *show;
	const struct feed *feed;
	uint32_t count = 0;

	TAILQ_FOREACH(show, &sup->shows, entry) {
		TAILQ_FOREACH(feed, &show->feeds, entry) {
			count += feed->config->key != NULL;
		}
	}
	return count;
}

void srt_tell_feeds(struct supervisor *sup)
{
	static struct ipc_srt_feeds piece; /* 16 KiB */
	struct srt_port *port = &sup->srt;
	const struct show *show;
	const struct feed *feed;

	if (port->child == NULL) {
		return;
	}
	piece = (struct ipc_srt_feeds){ .total = feeds_count(sup) };
	if (getrandom(piece.salt, sizeof(piece.salt), 0) != (ssize_t)sizeof(piece.salt)) {
		abort();
	}
	TAILQ_FOREACH(show, &sup->shows, entry) {
		TAILQ_FOREACH(feed, &show->feeds, entry) {
			struct ipc_srt_feed *to = &piece.feeds[piece.count];

			if (feed->config->key == NULL) {
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

/* ---- the process ---- */

static void srt_start(struct srt_port *port)
{
	struct supervisor *sup = port->supervisor;
	struct ipc_srt_start start = { 0 };
	char label[2 * IPC_NAME];

	if (port->child != NULL || port->fd < 0 || sup->is_ending) {
		return;
	}
	text_format(label, sizeof(label), "srt %s", port->bound);
	port->child = child_spawn(sup, ROLE_INGEST_SRT, &srt_ops, port, label);
	if (port->child != NULL) {
		child_send(port->child, IPC_SRT_START, &start, &port->fd, 1);
		srt_tell_feeds(sup);
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
		if (c->is_srt && c->cause[0] == '\0') {
			text_copy(c->cause, sizeof(c->cause), "the relay's SRT process ended");
		}
		c->caller = 0; /* the next process counts anew */
	}
	if (port->fd < 0 || port->supervisor->is_ending) {
		return;
	}
	int64_t ran_us = child->is_stopping ? INT64_MAX : now_us - child->started_us;
	int64_t wait_us = restart_after(&port->restart, &restart_policy_worker, ran_us, 0, now_us) -
			  now_us;
	struct timeval wait = { .tv_sec = wait_us / 1000000, .tv_usec = wait_us % 1000000 };
	evtimer_add(port->retry, &wait);
}

/* ---- callers ---- */

static struct connection *srt_connection(struct supervisor *sup, uint64_t caller)
{
	struct connection *c;

	TAILQ_FOREACH(c, &sup->connections, entry) {
		if (c->is_srt && c->caller == caller) {
			return c;
		}
	}
	return NULL;
}

void srt_drop(struct supervisor *sup, uint64_t caller)
{
	struct ipc_srt_drop drop = { .connection = caller };

	if (sup->srt.child != NULL && caller != 0) {
		child_send(sup->srt.child, IPC_SRT_DROP, &drop, NULL, 0);
	}
}

static void srt_accepted(struct supervisor *sup, const struct ipc_srt_accepted *accepted)
{
	struct ipc_srt_carry carry = { .connection = accepted->connection };
	struct show *show = show_find(sup, accepted->show);
	struct feed *feed = show != NULL ? feed_find(show, accepted->feed) : NULL;
	char peer[IPC_NAME];
	int pair[2];

	text_escape(peer, sizeof(peer), accepted->peer, strlen(accepted->peer));
	if (feed == NULL || feed->config->key == NULL || ipc_pair(pair) < 0) {
		srt_drop(sup, accepted->connection);
		return;
	}
	if (connection_create_srt(sup, feed, accepted->connection, peer, pair[1])) {
		child_send(sup->srt.child, IPC_SRT_CARRY, &carry, &pair[0], 1);
	} else {
		srt_drop(sup, accepted->connection);
	}
	close(pair[0]);
	close(pair[1]);
}

static void srt_message(struct child *child, struct ipc_message *m)
{
	struct srt_port *port = child->owner;
	struct supervisor *sup = port->supervisor;

	if (m->type == IPC_SRT_ACCEPTED) {
		srt_accepted(sup, (const struct ipc_srt_accepted *)m->body);
	} else if (m->type == IPC_CALLER_STATUS) {
		const struct ipc_caller_status *s = (const struct ipc_caller_status *)m->body;
		struct connection *c = srt_connection(sup, s->connection);

		if (c != NULL) {
			c->srt = *s;
		}
		if (c != NULL && c->source != NULL) {
			show_note_loss(c->source->feed->show, c->source, s);
		}
	} else if (m->type == IPC_SRT_CLOSED) {
		const struct ipc_srt_closed *closed = (const struct ipc_srt_closed *)m->body;
		struct connection *c = srt_connection(sup, closed->connection);

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

/* ---- the port ---- */

void srt_adopt(struct supervisor *sup, const char *address, int fd)
{
	struct srt_port *port = &sup->srt;
	struct sockaddr_storage bound;
	socklen_t size = sizeof(bound);

	port->supervisor = sup;
	port->fd = fd;
	text_copy(port->address, sizeof(port->address), address);
	if (getsockname(fd, (struct sockaddr *)&bound, &size) == 0) {
		net_format_address((struct sockaddr *)&bound, port->bound, sizeof(port->bound));
	}
	if (port->retry == NULL) {
		port->retry = evtimer_new(sup->base, srt_retry, port);
	}
}

void srt_close_port(struct supervisor *sup)
{
	struct srt_port *port = &sup->srt;

	if (port->fd >= 0) {
		close(port->fd);
		port->fd = -1;
	}
	if (port->child != NULL) {
		child_disown(port->child);
		child_stop(port->child, false);
		port->child = NULL;
	}
	if (port->retry != NULL) {
		event_free(port->retry);
		port->retry = NULL;
	}
}

int srt_sync(struct supervisor *sup, const struct config *config)
{
	struct srt_port *port = &sup->srt;

	if (config->srt == NULL) {
		srt_close_port(sup);
		return 0;
	}
	if (port->fd >= 0 && strcmp(port->address, config->srt->listen) == 0) {
		srt_start(port);
		return 0;
	}
	int fd = net_bind_udp(config->srt->listen);
	if (fd < 0) {
		log_error("cannot listen address=%s for=srt: %s%s", config->srt->listen,
			  strerror(-fd),
			  fd == -EADDRINUSE
				  ? "; another program (or another understudy) has this port"
				  : "");
		return fd; /* the old one, if any, goes on */
	}
	srt_close_port(sup);
	srt_adopt(sup, config->srt->listen, fd);
	srt_start(port);
	return 0;
}
