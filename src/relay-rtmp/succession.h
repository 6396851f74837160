/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Going over from a working connection to another one, make before break: the platform has asked
 * for it (ReconnectRequest), timestamps come near 2^31 ms, or the show has got a codec that the
 * session was not announced for.
 *
 *     wanted --second link publishes--> at the next PACKET_JOIN the second one begins, the first
 *       |                               gets what was queued and is then closed uncleanly
 *       |--the platform refuses two sessions of one key--> break before make
 *       `--it cannot be reached--> tried again; the first link goes on
 *
 * If the first link fails meanwhile and the second one publishes, that is all there is to it.
 */
#ifndef RELAY_SUCCESSION_H
#define RELAY_SUCCESSION_H

#include "link.h"

struct destination;

struct succession {
	const char *why;        /* a constant text; NULL: nothing is wanted */
	struct ipc_endpoint to; /* holds the key */
	struct link *heir;      /* the second link */
	struct link *left;      /* the first one, once it is left */
	int64_t not_before_us;  /* of the next attempt */
	int64_t left_until_us;
	bool refuses_two; /* the platform does not take two sessions of one key */
};

/* Closes whatever there is of it, and forgets what was wanted. */
void succession_finish(struct destination *d);
/* The platform asks us over to `url` (foreign; "" = the same place). */
void succession_ask(struct destination *d, const char *url, int64_t now_us);
void succession_resolved(struct destination *d, const struct ipc_resolve_answer *answer);
/* What the links here tell. */
void succession_told(struct destination *d, struct link *l, enum session_result result,
		     int64_t now_us);
/* Offers a message to a second link that waits for its beginning. True if it began with this
 * one: the first link shall not get it. */
bool succession_offer(struct destination *d, struct message *m, const struct outlet_start *start);
void succession_flush(struct destination *d, int64_t now_us);
/* The first link has failed: true if the second one has taken its place. */
bool succession_rescue(struct destination *d, int64_t now_us);
/* Once a second. */
void succession_second(struct destination *d, int64_t now_us);

#endif
