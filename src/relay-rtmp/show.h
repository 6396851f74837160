/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The show as this relay reads it: the show ring, our onMetaData, and the handing out of each
 * packet, copied once, to every destination.
 */
#ifndef RELAY_SHOW_H
#define RELAY_SHOW_H

#include <understudy/follow.h>

#include "message.h"
#include "metadata.h"

struct relay;

struct show {
	struct follower *follower;    /* NULL: no ring yet */
	struct metadata_source shape; /* headers: the follower's */
	struct message *metadata; /* our onMetaData as it is now, a PACKET_SCRIPT; may be NULL */
	bool is_metadata_stale;   /* headers changed since */
	bool has_media;           /* a frame was seen since this relay began */
	int64_t media_us;         /* when the last one was */
};

/* Takes the first ring, or goes over to the next one. The descriptor stays the caller's. 0 or
 * negative errno with everything as it was. */
int show_take_ring(struct show *s, int ring_fd);
void show_finish(struct show *s);
/* Hands everything new in the ring to the destinations. Returns how many packets there were. */
unsigned show_read(struct relay *r, int64_t now_us);
/* True if only an Enhanced RTMP platform can take this show. */
bool show_needs_enhanced(const struct show *s);

#endif
