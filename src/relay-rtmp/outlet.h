/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The show as one platform connection gets it: where it starts, its time 0, what is left out
 * when the platform does not keep up. Pure: no I/O, no clock.
 *
 *   WAITING ---packet with PACKET_JOIN---> RUNNING <---PACKET_JOIN--- REJOINING
 *     takes nothing                         |                          headers only
 *                                           `--outlet_rejoin()/rebase()-->
 *
 *   At the first JOIN packet: our onMetaData and the headers in force at time 0, then that packet.
 *
 * Video of each track starts at a random-access point of that track, at the beginning and
 * after frames were dropped; so a drop is always whole groups of pictures. Audio is kept.
 */
#ifndef RELAY_OUTLET_H
#define RELAY_OUTLET_H

#include <understudy/codec.h>

#include "queue.h"

enum outlet_state { OUTLET_WAITING, OUTLET_RUNNING, OUTLET_REJOINING };

struct outlet_limits {
	int64_t behind_us;  /* video is dropped when the oldest message is older than this */
	size_t bytes;       /* ... or more than this is queued */
	int64_t give_up_us; /* the platform takes not even the audio */
	bool leaves_tracks; /* the platform knows one track of each kind */
	bool leaves_nano;   /* it knows no ModEx: times go without their nanoseconds */
};

struct outlet {
	enum outlet_state state;
	uint32_t message_stream;
	const struct outlet_limits *limits;
	struct queue queue;
	int64_t base_90k;        /* show time of the session's time 0 */
	bool must_rebase;        /* show time began anew: choose another base at the next JOIN */
	int64_t last_90k;        /* session time of the newest frame queued ... */
	int64_t last_arrival_us; /* ... and when it was published */
	uint16_t waits_for_key;  /* video tracks, one bit each */
	uint16_t skips_leading;  /* tracks that started at a recovery point ... */
	int64_t entry_pts_90k[PACKET_TRACKS_MAX]; /* ... which is shown then */
	uint64_t dropped;                /* frames left out because the platform was slow */
	uint16_t left_out[PACKET_KINDS]; /* tracks it does not take, one bit each */
};

/* The header set and onMetaData (a PACKET_SCRIPT message, may be NULL) a starting session gets. */
struct outlet_start {
	const struct header_set *headers;
	struct message *metadata;
};

void outlet_init(struct outlet *o, uint32_t message_stream, const struct outlet_limits *limits);
void outlet_finish(struct outlet *o);

/* The next message of the show. 0; -ENOMEM; -ETIMEDOUT: the platform takes too little for too
 * long, the connection is of no use any more. PACKET_META is never offered: see metadata.h. */
int outlet_offer(struct outlet *o, struct message *m, const struct outlet_start *start);
/* Packets of the show were lost before they came here: goes on at the next PACKET_JOIN. */
void outlet_rejoin(struct outlet *o);
/* The same, and show time starts over: session time goes on by the time that went by. */
void outlet_rebase(struct outlet *o);

#endif
