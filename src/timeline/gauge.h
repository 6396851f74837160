/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What came from a source in each of the last 20 s (gauge.c). Pure. */
#ifndef TIMELINE_GAUGE_H
#define TIMELINE_GAUGE_H

#include <stdint.h>

#include <understudy/packet.h>

#include "pace.h"

#define TL_SECONDS 20

/* What came in one second. */
struct tl_second {
	uint64_t bytes[PACKET_KINDS];
	unsigned frames[PACKET_KINDS];    /* main ones that follow another ... */
	int64_t frames_90k[PACKET_KINDS]; /* ... by this much in all; not those behind holes */
	int64_t media_90k;                /* by how much the main kind moved on */
	int64_t missing_us[PACKET_KINDS]; /* in holes: what was left out, or came far too late */
	unsigned holes[PACKET_KINDS];
	unsigned weak_points;               /* random-access points that are no IDR */
	unsigned stuck, jumps, unusable;    /* packets */
	uint64_t carried, lost;             /* by SRT */
	int64_t least_lag_us[PACKET_KINDS]; /* smallest arrival - dts; INT64_MAX: nothing came */
};

struct tl_gauge {
	struct tl_second seconds[TL_SECONDS];
	unsigned at;
	int64_t turn_us;  /* when the current second began */
	int64_t began_us; /* when the connection was opened */
	int64_t first_us; /* its first main frame; INT64_MAX */
	struct tl_pace pace;
	int64_t resumed_us; /* when media last began to flow, after a silence or at first */
};

void tl_gauge_reset(struct tl_gauge *g, int64_t now_us);
/* The current second, to be added to. */
struct tl_second *tl_gauge_now(struct tl_gauge *g, int64_t now_us);
/* The last `count` whole seconds and what there is of the current one. How long that is goes
 * into *ret_span_us (may be NULL). */
struct tl_second tl_gauge_sum(const struct tl_gauge *g, unsigned count, int64_t now_us,
			      int64_t *ret_span_us);
/* How much time a sum's bytes are for. What comes all at once, after a restart or at a start, is
 * as long as its pictures, and no matter of the moment it came in. */
int64_t tl_gauge_filled_us(const struct tl_second *sum, int64_t span_us);

#endif
