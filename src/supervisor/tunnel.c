/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The second process of a pulled RTMP feed: the tunnel, which has the network, beside librtmp,
 * which has a socketpair to it and the feed's ring. Both belong to one connection; when one of them
 * ends, the other does. What the tunnel says of the end counts, as it knows the server.
 */
#include <sys/socket.h>
#include <unistd.h>

#include <understudy/text.h>

#include "tunnel.h"

static bool tunnel_send(struct connection *c, const struct ipc_tunnel_start *start, int player,
			int trust)
{
	int fds[2] = { player, trust };

	return child_send(c->tunnel, IPC_TUNNEL_START, start, fds, trust >= 0 ? 2 : 1);
}

static bool tunnel_start_player(struct connection *c, const struct ipc_stream_start *start,
				int tunnel)
{
	int fds[3] = { tunnel, c->source->ring_fd, c->source->wake_fd };

	return child_send(c->child, IPC_STREAM_START, start, fds, c->source->wake_fd >= 0 ? 3 : 2);
}

bool tunnel_brief(struct connection *c, const struct ipc_tunnel_start *start,
		  const struct ipc_stream_start *player, int trust)
{
	char label[2 * IPC_NAME];
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		return false;
	}
	text_format(label, sizeof(label), "tunnel %s/%s", player->show, player->feed);
	c->tunnel = child_spawn(c->supervisor, ROLE_INGEST_RTMP_TUNNEL, &tunnel_ops, c, label);
	bool is_sent = c->tunnel != NULL && tunnel_send(c, start, pair[0], trust) &&
		       tunnel_start_player(c, player, pair[1]);
	close(pair[0]);
	close(pair[1]);
	return is_sent;
}

static void tunnel_message(struct child *child, struct ipc_message *m)
{
	struct connection *c = child->owner;

	if (m->type == IPC_RESOLVE_ASK) {
		resolver_ask(c->supervisor, child, (struct ipc_resolve_ask *)m->body);
	} else if (m->type == IPC_INGEST_CLOSED) {
		connection_note_cause(c, (const struct ipc_ingest_closed *)m->body);
	} else {
		child_kill(child, "it sent a message that is not its business");
	}
}

/* librtmp reads what is on its way to it, and ends. If it went first, it has said why. */
static void tunnel_exited(struct child *child, const char *cause)
{
	struct connection *c = child->owner;
	struct ipc_ingest_closed closed = { 0 };

	resolver_forget(c->supervisor, child);
	c->tunnel = NULL;
	child_hear(c->child);
	if (child->has_failed) { /* else librtmp went first */
		text_format(closed.cause, sizeof(closed.cause), "its tunnel: %s", cause);
		connection_note_cause(c, &closed);
	}
	child_stop(c->child, false);
}

const struct child_ops tunnel_ops = { tunnel_message, tunnel_exited };

void tunnel_end(struct connection *c)
{
	struct child *tunnel = c->tunnel;

	if (tunnel == NULL) {
		return;
	}
	child_hear(tunnel); /* if it went first, it has said why */
	c->tunnel = NULL;
	resolver_forget(c->supervisor, tunnel);
	child_disown(tunnel);
	child_stop(tunnel, false);
}
