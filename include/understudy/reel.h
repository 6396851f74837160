/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A reel: the packets of a show on their way from the ring into a container. It joins where a
 * reader may start, holds packets back until it is known which tracks there are and where they go,
 * and then writes them; what the ring lost is a gap and nothing more.
 *
 *   WAITING --JOIN--> GATHERING --tracks known--> READY --reel_begin()--> RUNNING
 *      ^                  ^                         ^                      |   |
 *      |                  '--codec header that the container cannot        |   |
 *      |                     go on with; reel_cut()------------------------'   |
 *      '------reel_drop()                    REJOINING <--lapped---------------'
 *                                                '-------JOIN----> RUNNING
 *
 * While it is READY nothing is read from the ring, so nothing is lost by waiting for a file or an
 * address as long as the ring holds it.
 */
#ifndef UNDERSTUDY_REEL_H
#define UNDERSTUDY_REEL_H

#include <understudy/follow.h>
#include <understudy/mux.h>

enum reel_state { REEL_WAITING, REEL_GATHERING, REEL_READY, REEL_RUNNING, REEL_REJOINING };

struct held; /* a packet and its payload */

struct reel {
	enum reel_state state;
	struct mux *mux; /* owned; while READY only if it goes on in another sink */
	struct tracks tracks;
	struct held *held, **held_end; /* owned */
	uint64_t held_bytes;
	int64_t base_90k;     /* show time of the container's time 0 */
	int64_t latest_90k;   /* in the container's time */
	int64_t began_90k;    /* the same, of the file now written */
	int64_t join_pts_90k; /* pictures shown before it cannot be decoded ... */
	bool is_open_join;    /* ... because the point joined at was no closed one */
	bool is_rebased;      /* show time is a new one */
	uint64_t packets, dropped;
};

void reel_init(struct reel *r);
void reel_finish(struct reel *r);

/* True if there is something to take: `next` then is the follower's next event. False if the
 * ring is empty, or if the reel is READY and waits for reel_begin(). */
bool reel_next(struct reel *r, struct follower *follower, struct follow *next);
/* True if the packet is where a running container may be cut. */
bool reel_is_cut(const struct reel *r, const struct follow *next);
/* Takes the event. 0, or a negative errno of the container with `why` in words: then the reel
 * has to be dropped. */
int reel_take(struct reel *r, const struct follow *next, struct follower *follower,
	      char why[MUX_TEXT]);

/* Before the packet of reel_is_cut() is taken: what follows goes elsewhere. Finishes the container
 * or, if it can move, flushes it. Like reel_take(). */
int reel_cut(struct reel *r, char why[MUX_TEXT]);
/* READY: begins, or goes on in the new sink, and writes what was held. -ENOTSUP if the format can
 * carry none of the tracks. Like reel_take(). */
int reel_begin(struct reel *r, enum mux_format format, const struct mux_sink *sink,
	       const struct mux_address *address, char remark[MUX_TEXT], char why[MUX_TEXT]);
/* Ends the container, whole if it still can be, and waits for the next JOIN. */
int reel_drop(struct reel *r, bool is_whole);
/* How long what was written into this file runs, in 1/90000 s. */
int64_t reel_length_90k(const struct reel *r);

#endif
