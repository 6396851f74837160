/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What every worker that carries one destination does alike: it waits for its first order, follows
 * the show ring, wakes by timer or by eventfd, as it is told with each ring, tells its
 * state on change and once a second, goes over to a new ring, and ends when told or left alone.
 *
 * Runs in relay-flv, relay-file, relay-av and relay-srt. Whether it blocks is the carrier's
 * affair: the ring's writer waits for no reader, and the supervisor ends a worker that tells
 * nothing for long.
 */
#ifndef UNDERSTUDY_CARRIER_H
#define UNDERSTUDY_CARRIER_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>

#include <understudy/follow.h>
#include <understudy/ipc.h>
#include <understudy/policy.h>
#include <understudy/worker.h>

struct carrier;

struct carrier_ops {
	/* The first order has come; ring and state are set up. 0 or a negative errno. */
	int (*begin)(struct carrier *c, const struct ipc_output_start *start);
	/* Time to look into the ring: the timer, a wake-up, or carrier_again(). */
	void (*round)(struct carrier *c);
	/* Once a second, before the status is told: bytes, dropped and the like. */
	void (*count)(struct carrier *c);
	/* An order other than SHOW_RING and STOP. */
	void (*obey)(struct carrier *c, struct ipc_message *m);
	/* Told to stop, or the supervisor is gone: the last round has been. */
	void (*end)(struct carrier *c);
};

struct carrier {
	const struct carrier_ops *ops;
	void *context;
	struct event_base *base;
	struct event *control, *timer, *wake, *second;
	struct follower *follower;
	int file; /* given with the first order; -1 = none */
	struct ipc_destination_status status;
	struct restart_policy retry; /* as the configuration has it */
	int64_t counted_us;
	uint64_t counted_bytes;
	bool is_ended;
	char show[IPC_NAME], name[IPC_NAME];
};

/* All of main(): worker_begin(), the loop, the end. The exit status. */
int carrier_run(enum worker_role role, const struct carrier_ops *ops, void *context);

/* Tells and logs a change; `cause` for people, without secrets. With a state that is a failure
 * (backing off, refused) the cause becomes the last error, told again only if it is another. */
void carrier_set_state(struct carrier *c, enum destination_state state, const char *cause);
/* Tells the status as it is. */
void carrier_tell(struct carrier *c);
/* Ends the process: nothing can go on. */
void carrier_fail(struct carrier *c, const char *cause);
/* An event that calls back as libevent does; every `period_us`. NULL: no memory. */
struct event *carrier_add_timer(struct carrier *c, event_callback_fn callback, void *context,
				int64_t period_us);

#endif
