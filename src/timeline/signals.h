/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between the signals of a source's health and who holds them against thresholds. Pure. */
#ifndef TIMELINE_SIGNALS_H
#define TIMELINE_SIGNALS_H

#include "private.h"

/* One look at a source. */
struct view {
	const struct timeline *tl;
	struct tl_source *s; /* what is usual for it is learned on the way */
	int64_t now_us;
	struct tl_second brief, middle, all; /* of the last 5, 10 and 20 s ... */
	int64_t brief_us;                    /* ... and how long 5 s really are, > 0 */
};

struct reading {
	uint32_t value, detail; /* as in struct timeline_symptom */
	uint32_t least;         /* below this it is no trouble, whatever the threshold */
};

/* False if it cannot be said now: the signal stays as it was. */
bool tl_signal_measure(const struct view *v, enum timeline_signal signal, struct reading *ret);

#endif
