/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Following a show ring, as every relay does: the headers in force, REPEAT packets, a
 * reader that was lapped, and the hand-over to the ring of a replaced switch.
 *
 * One follower serves any number of sessions (destinations, a file). It never blocks,
 * starts at the live edge (headers already in the ring are taken in, media is not), and
 * says of each packet what a session must know. A session decides for itself:
 *
 *   WAITING --packet with PACKET_JOIN--> RUNNING --FOLLOW_LAPPED--> REJOINING
 *     ignores everything;                  sends every packet         sends header packets only,
 *     at the JOIN packet sends             (headers come in           goes on with the next
 *     follower_headers() first; its dts    their place)               PACKET_JOIN packet, same
 *     is the session's time 0                                         session time
 *
 *   FOLLOW_RESTARTED: show time is a new one; as FOLLOW_LAPPED, but a running session must
 *   also choose a new base (or begin anew).
 *
 * Ring hand-over: follower_switch() queues the new ring. The old one is drained, then the
 * new one is read from its oldest packet, without waiting for a PACKET_JOIN. What both
 * rings hold is given once.
 */
#ifndef UNDERSTUDY_FOLLOW_H
#define UNDERSTUDY_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <understudy/codec.h>
#include <understudy/packet.h>

enum follow_event {
	FOLLOW_EMPTY = 0,  /* nothing more at the moment: wait for the wake-up or the timer */
	FOLLOW_PACKET,     /* `packet` and `payload` */
	FOLLOW_LAPPED,     /* `lost` packets were overwritten before they could be read */
	FOLLOW_RESTARTED,  /* the new ring's show time does not go on where the old one's ended */
};

struct follow {
	enum follow_event event;
	struct packet packet;   /* a sane copy; PACKET_REPEAT is never set */
	/* packet.size bytes. Of a header (packet_is_header()) the follower's own copy, valid until
	 * the next call. Of anything else a place in the shared ring, which the writer may
	 * overwrite at any moment: copy, then ask follower_is_valid(). NULL if size is 0. */
	const uint8_t *payload;
	uint64_t lost;
};

struct follower_counts {
	uint64_t packets;    /* given out */
	uint64_t lapped;     /* lost because the reader was too slow */
	uint64_t insane;     /* skipped: damaged or impossible packets */
	uint64_t duplicates; /* skipped at a hand-over */
};

struct follower;

/* Maps the ring read-only; the descriptor stays the caller's and may be closed at once.
 * 0, -ENOMEM or what ring_reader_open() says. */
int follower_open(int ring_fd, struct follower **ret);
void follower_close(struct follower **f);

/* Goes over to a new show ring after the present one is drained. As follower_open(); on
 * failure the present ring stays. Rings that queue up faster than they are drained are cut
 * short from the oldest on, which comes out as FOLLOW_LAPPED. */
int follower_switch(struct follower *f, int ring_fd);

/* The next thing to know; *ret is always filled. Call until FOLLOW_EMPTY (what is left by a
 * bounded amount of work is given at the next wake-up). Gives every packet in ring order,
 * except REPEAT packets and headers that are already in force (a REPEAT header that differs
 * from the one in force is given as a new header: it had been missed). */
enum follow_event follower_next(struct follower *f, struct follow *ret);

/* False if the packet given last was overwritten meanwhile: what was copied from its payload
 * is to be thrown away. The next call of follower_next() says FOLLOW_LAPPED. */
bool follower_is_valid(struct follower *f);

/* Headers in force at the packet given last (that packet included). */
const struct header_set *follower_headers(const struct follower *f);
struct follower_counts follower_counts(const struct follower *f);

/* Session time in milliseconds, rounded to nearest; the difference of two rounded values
 * never drifts. */
static inline int64_t follow_ms(int64_t at_90k, int64_t base_90k)
{
	int64_t d = at_90k - base_90k;

	return d >= 0 ? (d + 45) / 90 : -((-d + 44) / 90);
}

static inline int32_t follow_cts_ms(const struct packet *p, int64_t base_90k)
{
	int64_t cts = follow_ms(p->pts_90k, base_90k) - follow_ms(p->dts_90k, base_90k);

	return cts > 8388607 ? 8388607 : cts < -8388608 ? -8388608 : (int32_t)cts;
}

#endif
