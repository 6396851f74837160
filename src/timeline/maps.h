/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How late a source comes, and the show's clock (maps.c). Pure. */
#ifndef TIMELINE_MAPS_H
#define TIMELINE_MAPS_H

#include <stdbool.h>
#include <stdint.h>

/* Windowed minimum: 10 buckets of 2 s. */
#define TL_LAG_BUCKETS 10
#define TL_LAG_BUCKET_US 2000000

struct tl_lag {
	int64_t bucket_us[TL_LAG_BUCKETS]; /* minimum within each bucket */
	int64_t min_us;                    /* of all; INT64_MAX: nothing yet */
	int64_t usual_us;                  /* half of the buckets have no greater minimum */
	int64_t turn_us;                   /* when the current bucket began */
	int64_t since_us;                  /* first value after the last reset */
	int64_t fell_us;                   /* when the minimum last fell noticeably */
	unsigned at;
};

void tl_lag_reset(struct tl_lag *lag);
void tl_lag_put(struct tl_lag *lag, int64_t value_us, int64_t at_us);
bool tl_lag_is_known(const struct tl_lag *lag);
/* The burst at the start is over: the minimum has stopped falling. */
bool tl_lag_is_settled(const struct tl_lag *lag, int64_t now_us);

struct tl_clock {
	int64_t offset_us; /* monotonic = us(show) + offset */
	int64_t slewed_us; /* when it was last moved */
	bool is_set;
};

/* Moves the offset towards the target, at most 0.5 % of the time that has passed. */
void tl_clock_slew(struct tl_clock *clock, int64_t target_us, int64_t now_us);

#endif
