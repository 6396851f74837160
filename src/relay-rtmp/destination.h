/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One place the show is sent to, for as long as the operator wants it there.
 *
 *        +-------- nothing to send yet, or for `hold` by now
 *        v
 *      IDLE ---the show has media---> DIALING ---publish accepted---> HELD <--quiet-- LIVE
 *       ^ ^                           ^  |  |                         | |   --media-->  |
 *       | `------quiet for `hold`-----+--+--+-------------------------' |               |
 *       |   wait is over              |  |  `-platform says no-.        |               |
 *       |.----------------------------+  |                     v        |               |
 *       ||                               |                 REFUSED      |               |
 *       |`--- BACKING_OFF <--------------+----- failure ----------------+---------------'
 *       |`--- REFUSED (tried again after 5 s, then every 30 s)
 *       `---- BACKING_OFF, REFUSED: the wait is over and there is nothing to send
 *
 *      any state ---removed, stop---> STOPPED (unpublishes first if so ordered)
 *
 *      from \ to    IDLE DIALING HELD LIVE BACKING_OFF REFUSED STOPPED
 *      IDLE               x                                       x
 *      DIALING                    x            x          x       x
 *      HELD          x                 x       x          x       x
 *      LIVE                       x            x          x       x
 *      BACKING_OFF   x    x                                       x
 *      REFUSED       x    x                                       x
 *
 * The table is `allowed` in destination.c, destination_enter() the one way from state to state;
 * each change says why, in the log and in the status.
 *
 * When to dial again: the destination's restart policy. After a healthy run it is at once, and
 * every 300 ms for the first second and a half, as most interruptions are that short. With a
 * backup ingest, each dial that comes to nothing is followed by one to the other. A platform that
 * took the show lately and says no now may still hold our broken connection for alive: that is
 * a failure like others, and becomes REFUSED only if it goes on.
 *
 * A connection that must be left while it works is replaced by a second one: succession.h.
 */
#ifndef RELAY_DESTINATION_H
#define RELAY_DESTINATION_H

#include <sys/queue.h>

#include <understudy/ipc.h>
#include <understudy/policy.h>

#include "link.h"
#include "succession.h"

struct relay;

struct destination {
	LIST_ENTRY(destination) entry;
	struct relay *relay;
	struct ipc_destination_add config; /* holds the key */
	enum destination_state state;
	int64_t since_us;
	struct link *link; /* while it dials or is connected */
	struct succession succession;
	unsigned endpoint;   /* which of the config's is used */
	struct event *timer; /* when to dial again */
	struct restart_policy policy;
	struct restart restart;
	int64_t accepted_us;               /* when the platform took the show last, 0: never */
	int64_t lost_us;                   /* when it was lost after that */
	int64_t healthy_lost_us;           /* the same, if that run was a healthy one; else 0 */
	bool was_accepted;                 /* in this session */
	unsigned refusals;                 /* in a row */
	int64_t cut_until_us;              /* a rehearsal lets nothing through until then */
	int64_t media_us;                  /* when this session was last given a packet */
	uint64_t past_bytes, past_dropped; /* of earlier sessions */
	uint64_t told_bytes;               /* at the status before */
	uint64_t written_bytes;            /* all sessions together, and ... */
	int64_t written_us;                /* ... when that last grew, 0: never */
	int64_t silence_us; /* the longest time it did not, since the status before */
	int64_t told_us;
	uint32_t kbps;
	char last_error[IPC_TEXT];
	char why[IPC_TEXT];    /* of the state */
	char remark[IPC_TEXT]; /* of the session, as it was told last */
};

/* Adds it to the relay's list. NULL if memory is out. */
struct destination *destination_create(struct relay *r, const struct ipc_destination_add *config,
				       int64_t now_us);
/* Closes uncleanly if a session is left, wipes the key. */
void destination_destroy(struct destination **d);

/* The show has media: dials if that was what it waited for. */
void destination_wake(struct destination *d, int64_t now_us);
void destination_resolved(struct destination *d, const struct ipc_resolve_answer *answer);
/* Once a second: time-outs, HELD or LIVE, status to the supervisor. */
void destination_second(struct destination *d, int64_t now_us);

bool destination_is_listening(const struct destination *d);
void destination_offer(struct destination *d, struct message *m, const struct outlet_start *start);
/* The show was interrupted; with another show time if is_restarted. */
void destination_interrupt(struct destination *d, bool is_restarted);
/* Writes what was offered. */
void destination_flush(struct destination *d, int64_t now_us);

/* A rehearsal: breaks the connection as a platform would, and lets none come about until then. */
void destination_cut(struct destination *d, int64_t until_us, int64_t now_us);

/* For good: STOPPED, after an orderly goodbye if `unpublish` and there is anyone to say it to. */
void destination_stop(struct destination *d, bool unpublish, int64_t now_us);
/* ---- for succession.c ---- */

void destination_enter(struct destination *d, enum destination_state to, const char *cause,
		       int64_t now_us);
/* What a link of it tells, see link.h. */
link_told destination_told;
/* Closes the working connection and dials `to` at once. */
void destination_renew(struct destination *d, const struct ipc_endpoint *to, const char *why,
		       int64_t now_us);
/* Counts what a connection has sent before it is destroyed. */
void destination_account(struct destination *d, const struct link *l);

/* STOPPED, and nothing more to say. */
bool destination_is_over(const struct destination *d);

#endif
