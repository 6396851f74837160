/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Random scenarios, and what is left of one that fails when all is dropped that it can do without.
 * Tests only.
 */
#ifndef SCENARIO_RANDOM_H
#define SCENARIO_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

enum random_kind {
	RANDOM_ANY,     /* anything happens to anybody, all the time */
	RANDOM_PROMISE, /* one thing happens that the delay covers: nothing may be missing */
	RANDOM_TWINS,   /* one encode sent twice; one copy at a time has trouble, or both have holes
			 * that they do not share: nothing may be missing, nothing spliced */
	RANDOM_STARVED, /* one of the above, and now and then the switch gets no turn */
	RANDOM_COPIES,  /* anything happens to anybody, and some carry what others do */
	RANDOM_CLOSING, /* all feeds close, one soon after the other, and come back or do not */
	RANDOM_KINDS
};

const char *random_kind_str(enum random_kind kind);
/* The scenario of that seed. The caller frees. */
char *random_scenario(enum random_kind kind, uint64_t seed);

/* Plays a text: which rule it breaks (in `rule`), and when at the latest (ms); false: none. */
bool random_fails(const char *text, char rule[16], int64_t *ret_at_ms);
/* The shortest text found that breaks the same rule. What a promise is bound to (the delay, GOPs,
 * lags, a while without faults) stays. The caller frees. */
char *random_minimise(enum random_kind kind, const char *text);

#endif
