/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * understudy-witness: looks at every packet of a show ring and tells what it found: events as they
 * come, a summary once a second and at each mark. It reads headers only and is woken by nobody, so
 * it costs the show nothing. Waits in poll() alone; ends when its control socket closes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/clock.h>
#include <understudy/follow.h>
#include <understudy/log.h>
#include <understudy/worker.h>

#include "tell.h"

#define SUMMARY_US 1000000
#define PERIOD_LEAST_US 1000

struct program {
	struct follower *follower;
	struct witness *witness;
	int64_t period_us, told_us;
	bool has_headers; /* those in force have been shown to the witness */
};

static void show_headers(struct program *p, int64_t now_us)
{
	const struct header_set *headers = follower_headers(p->follower);

	for (unsigned i = 0; i < headers->count; i++) {
		witness_push(p->witness, &headers->items[i].packet, now_us);
	}
	p->has_headers = true;
}

static void round_of(struct program *p, int64_t now_us)
{
	struct follow next;

	while (follower_next(p->follower, &next) != FOLLOW_EMPTY) {
		if (next.event == FOLLOW_PACKET) {
			if (!p->has_headers) {
				show_headers(p, now_us);
			}
			witness_push(p->witness, &next.packet, now_us);
		} else if (next.event == FOLLOW_LAPPED) {
			witness_lapped(p->witness, next.lost, now_us);
			p->has_headers = false;
		} else {
			witness_restart(p->witness);
		}
	}
	tell_events(p->witness, false);
}

static void obey(struct program *p, struct ipc_message *m)
{
	if (m->type == IPC_SHOW_RING) {
		if (follower_switch(p->follower, m->fds[0]) < 0) {
			log_error("cannot read the new show ring");
		}
	} else if (m->type == IPC_WITNESS_TWINS) {
		const struct ipc_witness_twins *twins = (const void *)m->body;

		for (uint32_t i = 0; i < twins->count; i++) {
			witness_set_encode(p->witness, twins->feeds[i].feed, twins->feeds[i].group);
		}
	} else if (m->type == IPC_WITNESS_MARK) {
		const struct ipc_witness_mark *mark = (const void *)m->body;

		round_of(p, clock_monotonic_us());
		tell_summary(p->witness, mark->mark, clock_monotonic_us(), true);
		p->told_us = clock_monotonic_us();
	}
	ipc_message_finish(m);
}

static int begin(struct program *p)
{
	const struct witness_config config = { .is_ring = true };
	static struct ipc_message m;
	int result;

	if (take_order(&m, -1) != 1) {
		return -EPIPE;
	}
	const struct ipc_witness_start *start = (const void *)m.body;
	if (m.type != IPC_WITNESS_START) {
		ipc_message_finish(&m);
		return -EPROTO;
	}
	p->period_us = start->period_us < PERIOD_LEAST_US ? PERIOD_LEAST_US : start->period_us;
	p->told_us = clock_monotonic_us();
	p->witness = witness_create(&config, p->told_us);
	result = p->witness != NULL ? follower_open(m.fds[0], &p->follower) : -ENOMEM;
	ipc_message_finish(&m);
	return result;
}

static void run(struct program *p)
{
	static struct ipc_message m;
	int result;

	while ((result = take_order(&m, (int)(p->period_us / 1000))) >= 0) {
		int64_t now_us = clock_monotonic_us();

		if (result == 1) {
			obey(p, &m);
			continue;
		}
		round_of(p, now_us);
		if (now_us - p->told_us >= SUMMARY_US) {
			tell_summary(p->witness, 0, now_us, false);
			p->told_us = now_us;
		}
	}
}

int main(void)
{
	struct program p = { 0 };
	int result;

	worker_begin(ROLE_WITNESS);
	result = begin(&p);
	if (result == 0) {
		run(&p);
	} else if (result != -EPIPE) {
		log_error("cannot watch the show: %s", strerror(-result));
	}
	follower_close(&p.follower);
	witness_destroy(&p.witness);
	return result == 0 || result == -EPIPE ? EXIT_SUCCESS : EXIT_FAILURE;
}
