/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Media that comes in bursts (segments, a server's cache, a file) on its way to the ring at the
 * speed of its own clock, its tracks in step again. No I/O; the clock is an argument. Owns copies
 * of the packets.
 *
 *   first packet                      due at once
 *   the others                        as far behind it as their times are
 *   one that is there later than due  due now, and all others are as much later
 *   a jump of a track's time          goes on where the track was
 *
 * A packet goes out when it is due, or as much before as the lead says. What a source whose clock
 * is faster than ours is ahead stays with the source: less than half a second an hour.
 */
#ifndef INGEST_AV_RESERVOIR_H
#define INGEST_AV_RESERVOIR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <understudy/packet.h>

struct held;
TAILQ_HEAD(held_list, held);

struct reservoir {
	int64_t lead_us;
	bool is_started;
	int64_t anchor_us, anchor_90k; /* this media time is due at that time */
	int64_t newest_us;             /* the latest due time so far */
	struct {
		bool is_known;
		int64_t due_us;
	} tracks[PACKET_DATA + 1][PACKET_TRACKS_MAX]; /* when the last packet of each is due */
	struct held_list held;                        /* by due time */
	struct held *taken;
	uint64_t bytes;
};

void reservoir_init(struct reservoir *r, int64_t lead_us);
void reservoir_finish(struct reservoir *r);
/* Copies the packet, which is here at now_us. 0 or -ENOMEM. */
int reservoir_put(struct reservoir *r, const struct packet *p, const uint8_t *payload,
		  int64_t now_us);
/* The next packet that may go out at now_us, its arrival put off to when it might first; valid
 * until the next call. False if there is none. */
bool reservoir_take(struct reservoir *r, int64_t now_us, struct packet *ret,
		    const uint8_t **ret_payload);
/* When the next one may; INT64_MAX if nothing is held. */
int64_t reservoir_next_us(const struct reservoir *r);
/* Nothing more should be read for now. */
bool reservoir_is_full(const struct reservoir *r, int64_t now_us);

#endif
