/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The tunnel of a pulled RTMP feed: a connection to a foreign server (plain or TLS) on one side,
 * librtmp on a socketpair on the other, the guard (guard.h) between. One thread; all calls return
 * at once. Never holds more than the guard does: a player that does not read holds up the server.
 *
 *     tunnel_create -> WAITING --tunnel_attach--> SECURING (TLS only) --> TALKING
 *                         ^                                                 |   |
 *                         '----------------- moved by the server -----------'   |
 *                                      failed, refused, ended, player gone      v
 *                                                   GONE <-- all flushed -- LEAVING
 */
#ifndef UNDERSTUDY_TUNNEL_H
#define UNDERSTUDY_TUNNEL_H

#include <stdbool.h>
#include <stdint.h>

#include <understudy/net.h>

struct tunnel;

struct tunnel_place {
	const char *host;           /* whom the certificate has to name */
	const char *app, *tc_url;   /* copied; may hold secrets */
	struct ssl_ctx_st *trust;   /* NULL: plain; else outlives the tunnel */
};

struct tunnel_config {
	const char *stream;         /* copied; may hold secrets */
	int64_t connect_us;         /* from a connection to the stream's beginning */
	int64_t silence_us;         /* how long its media may pause */
};

enum tunnel_phase {
	TUNNEL_WAITING, /* for tunnel_attach() */
	TUNNEL_SECURING,
	TUNNEL_TALKING,
	TUNNEL_LEAVING, /* tunnel_cause() says why */
	TUNNEL_GONE,
};

/* Takes the player's descriptor (non-blocking) in any case. NULL if memory is out. */
struct tunnel *tunnel_create(const struct tunnel_config *config, int player_fd);
void tunnel_destroy(struct tunnel **t);

/* A connection to `place` stands; takes the descriptor in any case. What goes wrong ends the
 * tunnel. */
void tunnel_attach(struct tunnel *t, const struct tunnel_place *place, int fd, int64_t now_us);
/* Nothing can be reached, in words for people. */
void tunnel_fail(struct tunnel *t, const char *cause);

/* Either socket is ready, or tunnel_wants_more(). */
void tunnel_step(struct tunnel *t, int64_t now_us);
/* Call when tunnel_deadline() has passed. */
void tunnel_tick(struct tunnel *t, int64_t now_us);
int64_t tunnel_deadline(const struct tunnel *t); /* monotonic us; CLOCK_NEVER */

enum tunnel_phase tunnel_phase(const struct tunnel *t);
/* LEAVING and GONE: why, for people; no secrets. "" if the player has left of its own. */
const char *tunnel_cause(const struct tunnel *t);
bool tunnel_is_clean(const struct tunnel *t); /* the server ended the stream in due form */
/* WAITING after the server has sent us elsewhere: the address it named (foreign text); else "". */
const char *tunnel_moved_to(const struct tunnel *t);

int tunnel_server_fd(const struct tunnel *t); /* -1 while WAITING */
int tunnel_player_fd(const struct tunnel *t);
unsigned tunnel_server_wants(struct tunnel *t); /* enum stream_want */
unsigned tunnel_player_wants(struct tunnel *t);
bool tunnel_wants_more(const struct tunnel *t);

#endif
