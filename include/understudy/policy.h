/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * When to try again: pure, the clock is an argument. Used for workers (supervisor) and for
 * dials (relay).
 *
 *   a run of at least `healthy_us`  -> at once, and the series begins anew
 *   otherwise                       -> first_us, doubling to cap_us, +-jitter
 */
#ifndef UNDERSTUDY_POLICY_H
#define UNDERSTUDY_POLICY_H

#include <stdint.h>

struct restart_policy {
	int64_t healthy_us;   /* a run this long counts as healthy */
	int64_t first_us;     /* first wait after an unhealthy run */
	int64_t cap_us;       /* longest wait */
	unsigned jitter_percent; /* the wait varies by +- this much */
};

/* Destinations: 5 s, 1 s, 10 s, 20 %. Workers: 5 s, 200 ms, 5 s, 0. */
extern const struct restart_policy restart_policy_destination;
extern const struct restart_policy restart_policy_worker;
/* Feeds that are fetched: 5 s, 500 ms, 10 s, 20 %. */
extern const struct restart_policy restart_policy_pull;

struct restart {
	unsigned failures;  /* unhealthy runs in a row */
	unsigned restarts;  /* all, for people */
};

/* A run that lasted `ran_us` has ended at now_us; `random` any 32 bits. Returns the monotonic
 * time for the next start. */
int64_t restart_after(struct restart *r, const struct restart_policy *policy, int64_t ran_us,
		      uint32_t random, int64_t now_us);

/* Failures per key (an address) in a window that begins with the first, fixed memory: used to
 * refuse addresses that guess keys. Zeroed = empty. The entry whose window began first makes
 * room. */
#define RATE_ENTRIES 256
struct rate_entry {
	uint64_t key;          /* 0 = free */
	int64_t window_us;     /* when the window began */
	uint32_t count;
};
struct rate_table {
	struct rate_entry entries[RATE_ENTRIES];
};
/* Counts one event and returns how many there were in the key's window of window_us, this
 * included. */
unsigned rate_count(struct rate_table *t, uint64_t key, int64_t window_us, int64_t now_us);
/* The same without counting. */
unsigned rate_get(const struct rate_table *t, uint64_t key, int64_t window_us, int64_t now_us);

#endif
