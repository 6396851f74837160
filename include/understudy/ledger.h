/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The ledger, pure: how long something was on air, off air and why. Every moment of a period is
 * in exactly one stretch, so the sums are the period.
 *
 *   ON       on air
 *   OFF      ought to be on air and is not; counted by cause
 *   REST     not wanted on air: ended, paused, not configured
 *   UNKNOWN  what was so is not in the history (it could not be written then)
 *
 * Time here is the history's axis: microseconds that never run backwards (ledger_axis). Wall time
 * is used where nothing else is known: between two boots of the machine.
 */
#ifndef UNDERSTUDY_LEDGER_H
#define UNDERSTUDY_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEDGER_CAUSE 128
#define LEDGER_CAUSES 12
#define LEDGER_NOT_RUNNING "understudy was not running"
#define LEDGER_ASLEEP "the machine was asleep"

enum ledger_class { LEDGER_NOTHING, LEDGER_ON, LEDGER_OFF, LEDGER_REST, LEDGER_UNKNOWN,
		    LEDGER_CLASSES };
const char *ledger_class_str(enum ledger_class c); /* "on", "off", "rest", "unknown" */

struct ledger_cause {
	char text[LEDGER_CAUSE];
	int64_t us;
	uint32_t times; /* stretches with this cause */
};

/* One account: a show, or a destination. Zeroed = nothing known yet. */
struct ledger {
	enum ledger_class now;
	char cause[LEDGER_CAUSE];       /* of `now` */
	int64_t from_us, at_us;         /* the period so far; from_us: its beginning */
	bool has_begun;
	int64_t us[LEDGER_CLASSES];     /* sums; us[NOTHING] is always 0 */
	uint32_t interruptions;         /* ON -> OFF */
	int64_t longest_off_us;         /* without REST, across causes */
	int64_t longest_off_at_us;      /* where it began */
	int64_t off_since_us;           /* of the stretch that goes on while `now` is OFF */
	struct ledger_cause causes[LEDGER_CAUSES]; /* of OFF; the last one gathers all others */
	unsigned cause_count;
};

/* From `at_us` on it is so. The first call begins the period; an earlier time than the last one
 * counts as the last one. `cause` may be NULL. */
void ledger_set(struct ledger *l, int64_t at_us, enum ledger_class now, const char *cause);
/* As time passes: what is so was so until `at_us`. */
void ledger_advance(struct ledger *l, int64_t at_us);
/* Forgets everything before `at_us`; what is so then stays so. */
void ledger_begin(struct ledger *l, int64_t at_us);
/* On air in percent of the time it ought to have been; 100 if that is none. */
double ledger_percent(const struct ledger *l);

/* A moment as the history notes it. */
struct ledger_time {
	int64_t boot_us; /* CLOCK_BOOTTIME: counts on in sleep, not across boots */
	int64_t wall_us; /* CLOCK_REALTIME: may be set */
};

/* The relay's runs laid end to end: places moments of any of them on one axis on which `now` is
 * the present wall time. A clock that was set in between bends nothing: within a run, and from one
 * to the next of the same boot, boot time counts. */
struct ledger_run {
	uint64_t boot;             /* which boot of the machine */
	struct ledger_time began, last;
	int64_t axis_us;           /* place of `began`, by ledger_axis() */
};
/* Fills axis_us of all `runs` (in order); the last one is to have `last` = the present. */
void ledger_axis(struct ledger_run *runs, size_t count);
int64_t ledger_place(const struct ledger_run *run, int64_t boot_us);

#endif
