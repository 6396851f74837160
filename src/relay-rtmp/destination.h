/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One place the show is sent to, for as long as the operator wants it there.
 *
 *        +-------- nothing to send yet
 *        v
 *      IDLE ---the show has media---> DIALING ---publish accepted---> HELD <--quiet-- LIVE
 *                                     ^  |  |                          |  `--media--> |
 *           wait is over              |  |  `-platform says no-.       |              |
 *        .----------------------------+  |                     v       |              |
 *        |                               |                 REFUSED     |              |
 *        `--- BACKING_OFF <--------------+----- failure ---------------+--------------'
 *        `--- REFUSED (tried again after 5 s, then every 30 s)
 *
 *      any state ---removed, stop---> STOPPED (unpublishes first if so ordered)
 *
 * When to dial again: restart_policy_destination. After a healthy run it is at once, and every
 * 300 ms for the first second and a half, as most interruptions are that short. A platform that
 * took the show lately and says no now may still hold our broken connection for alive: that is
 * a failure like others, and becomes REFUSED only if it goes on.
 */
#ifndef RELAY_DESTINATION_H
#define RELAY_DESTINATION_H

#include <sys/queue.h>

#include <understudy/ipc.h>
#include <understudy/policy.h>

#include "dial.h"
#include "session.h"

struct relay;

struct destination {
	LIST_ENTRY(destination) link;
	struct relay *relay;
	struct ipc_destination_add config; /* holds the key */
	enum destination_state state;
	int64_t since_us;
	struct dial *dial;                 /* while a socket is looked for */
	struct session *session;           /* while there is one */
	struct event *readable, *writable; /* of the session's socket */
	struct event *timer;               /* when to dial again */
	struct restart restart;
	int64_t accepted_us;               /* when the platform took the show last, 0: never */
	int64_t lost_us;                   /* when it was lost after that */
	int64_t healthy_lost_us;           /* the same, if that run was a healthy one; else 0 */
	bool was_accepted;                 /* in this session */
	unsigned refusals;                 /* in a row */
	int64_t media_us;                  /* when this session was last given a packet */
	uint64_t past_bytes, past_dropped; /* of earlier sessions */
	uint64_t told_bytes;               /* at the status before */
	int64_t told_us;
	uint32_t kbps;
	char last_error[IPC_TEXT];
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

/* For good: STOPPED, after an orderly goodbye if `unpublish` and there is anyone to say it to. */
void destination_stop(struct destination *d, bool unpublish, int64_t now_us);
/* STOPPED, and nothing more to say. */
bool destination_is_over(const struct destination *d);

#endif
