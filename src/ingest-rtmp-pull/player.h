/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * librtmp as a player over one end of a socketpair, with the tunnel at the other (guard.h). The
 * only place that sees librtmp's headers, which share names with ours.
 */
#ifndef INGEST_RTMP_PULL_PLAYER_H
#define INGEST_RTMP_PULL_PLAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct player;

/* A message that may be media: RTMP type 8, 9 or 18. */
struct player_message {
	uint8_t type; /* 0: nothing of interest */
	uint32_t timestamp_ms;
	const uint8_t *body; /* valid until the next call */
	size_t size;
};

/* Takes the descriptor, in any case; shakes hands and asks for the stream. Blocks until the tunnel
 * has answered, which it does at once. NULL: it has gone, or memory is out. */
struct player *player_create(int fd);
/* Says goodbye to the server, if there is one. */
void player_destroy(struct player **p);

/* Blocks for a chunk, unless player_has_more(); the tunnel sends messages whole. False once the
 * connection has ended. */
bool player_next(struct player *p, struct player_message *ret);
/* Bytes are read that no poll reports any more. */
bool player_has_more(const struct player *p);

#endif
