/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The way to one ingest of a platform: dialling, the session, the socket's events, and the answer
 * to a login challenge, for which connections are opened anew. A destination has one, and a
 * second one while it goes over from one connection to the next.
 *
 *     link_create -> link_start -> told(ACCEPTED) -> media -> told(how it ended) -> link_destroy
 */
#ifndef RELAY_LINK_H
#define RELAY_LINK_H

#include <event2/event.h>

#include <understudy/dial.h>

#include "auth.h"
#include "session.h"

struct relay;
struct link;

/* Called from the loop with anything but GOES_ON, as the last thing that happens to the link: it
 * may be destroyed in it. */
typedef void link_told(void *owner, struct link *l, enum session_result result, int64_t now_us);

struct link {
	struct relay *relay;
	const struct ipc_destination_add *config; /* the destination's */
	struct ipc_endpoint endpoint;             /* holds the key */
	link_told *told;
	void *owner;
	struct dial *dial;                 /* while a socket is looked for */
	struct session *session;           /* while there is one */
	struct event *readable, *writable; /* of the session's socket */
	struct auth auth;
	char error[IPC_TEXT]; /* why it ended; no secrets */
};

/* NULL if memory is out. */
struct link *link_create(struct relay *r, const struct ipc_destination_add *config,
			 const struct ipc_endpoint *endpoint, link_told *told, void *owner);
/* unclean: the platform sees a reset and keeps the broadcast for our return. */
void link_destroy(struct link **l, bool unclean);

/* Never tells before it has returned. False if memory is out. */
bool link_start(struct link *l);
void link_resolved(struct link *l, const struct ipc_resolve_answer *answer);
bool link_is_publishing(const struct link *l);
/* Zeroed while there is no session. */
struct session_counts link_counts(const struct link *l);

/* These return what happened instead of telling it. */
enum session_result link_offer(struct link *l, struct message *m, const struct outlet_start *start);
enum session_result link_flush(struct link *l);
enum session_result link_tick(struct link *l, int64_t now_us);
enum session_result link_leave(struct link *l);

#endif
