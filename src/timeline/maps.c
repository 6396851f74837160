/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The two maps (timeline; pure): how a feed's media time becomes show time and show time
 * becomes monotonic.
 *
 *   media --(+ map, one constant per source)--> show --(us, + offset)--> monotonic
 *
 * Both come from one measurement, a source's lag: the smallest `arrival - pts` of the last 20 s.
 * Jitter only ever delays, so the smallest is the path at its best; the window lets the burst
 * of a start and slow drift age out. A source whose first packet would arrive, at its best, just
 * when the clock says that its show time is now, fits:
 *
 *   us(media) + lag = us(media + map) + offset     =>     us(map) = lag - offset
 *
 * On standby the map follows from the offset; once live the map is frozen and the offset follows
 * from the map, slowly. An operator may wish the map to be larger or smaller than that.
 */
#include "private.h"

#define SLEW_PARTS 200 /* 1/200 = 0.5 % */
#define FELL_US 20000  /* a fall of the minimum by less is jitter */

void tl_lag_reset(struct tl_lag *lag)
{
	*lag = (struct tl_lag){ .min_us = INT64_MAX, .usual_us = INT64_MAX };
	for (unsigned i = 0; i < TL_LAG_BUCKETS; i++) {
		lag->bucket_us[i] = INT64_MAX;
	}
}

/* Opens new buckets up to the one that holds at_us. */
static void lag_turn(struct tl_lag *lag, int64_t at_us)
{
	if (at_us - lag->turn_us >= TL_LAG_BUCKET_US * TL_LAG_BUCKETS) {
		for (unsigned i = 0; i < TL_LAG_BUCKETS; i++) {
			lag->bucket_us[i] = INT64_MAX;
		}
		lag->turn_us = at_us;
	}
	while (at_us - lag->turn_us >= TL_LAG_BUCKET_US) {
		lag->at = (lag->at + 1) % TL_LAG_BUCKETS;
		lag->bucket_us[lag->at] = INT64_MAX;
		lag->turn_us += TL_LAG_BUCKET_US;
	}
	lag->min_us = INT64_MAX;
	for (unsigned i = 0; i < TL_LAG_BUCKETS; i++) {
		lag->min_us = tl_min(lag->min_us, lag->bucket_us[i]);
	}
}

/* The median of the buckets' minima, the lower one of two: what was so once is no habit. */
static void lag_find_usual(struct tl_lag *lag)
{
	int64_t sorted[TL_LAG_BUCKETS];
	unsigned count = 0;

	for (unsigned i = 0; i < TL_LAG_BUCKETS; i++) {
		unsigned n = count;

		if (lag->bucket_us[i] == INT64_MAX) {
			continue;
		}
		for (; n > 0 && sorted[n - 1] > lag->bucket_us[i]; n--) {
			sorted[n] = sorted[n - 1];
		}
		sorted[n] = lag->bucket_us[i];
		count++;
	}
	lag->usual_us = sorted[(count - 1) / 2];
}

void tl_lag_put(struct tl_lag *lag, int64_t value_us, int64_t at_us)
{
	if (!tl_lag_is_known(lag)) {
		lag->since_us = lag->fell_us = lag->turn_us = at_us;
	} else if (at_us - lag->turn_us >= TL_LAG_BUCKET_US) {
		lag_turn(lag, at_us);
	} else if (value_us < lag->min_us - FELL_US) {
		lag->fell_us = at_us;
	}
	if (value_us < lag->bucket_us[lag->at]) {
		lag->bucket_us[lag->at] = value_us;
		lag->min_us = tl_min(lag->min_us, value_us);
		lag_find_usual(lag);
	}
}

bool tl_lag_is_known(const struct tl_lag *lag)
{
	return lag->min_us != INT64_MAX;
}

bool tl_lag_is_settled(const struct tl_lag *lag, int64_t now_us)
{
	if (!tl_lag_is_known(lag)) {
		return false;
	}
	return now_us - lag->since_us >= TL_SETTLE_MAX_US ||
	       (now_us - lag->since_us >= TL_SETTLE_US && now_us - lag->fell_us >= TL_SETTLE_US);
}

void tl_clock_slew(struct tl_clock *clock, int64_t target_us, int64_t now_us)
{
	int64_t most_us = (now_us - clock->slewed_us) / SLEW_PARTS;
	int64_t move_us = target_us - clock->offset_us;

	if (most_us <= 0) {
		return; /* less than one us: let time add up */
	}
	clock->offset_us += tl_max(-most_us, tl_min(most_us, move_us));
	clock->slewed_us = now_us;
}

void tl_delay_slew(struct timeline *tl, int64_t now_us)
{
	int64_t most_us = (now_us - tl->delay_lowered_us) / SLEW_PARTS;

	if (most_us > 0) {
		tl->delay_us = tl_max(tl->config.delay_us, tl->delay_us - most_us);
		tl->held_up_us = tl_max(0, tl->held_up_us - most_us);
		tl->delay_lowered_us = now_us;
	}
}

int64_t tl_due_us(const struct timeline *tl, int64_t show_90k)
{
	return tl_us(show_90k) + tl->clock.offset_us + tl->delay_us;
}

int64_t tl_lateness_us(const struct timeline *tl, int64_t show_90k, int64_t now_us)
{
	return now_us - tl_due_us(tl, show_90k);
}

int64_t tl_source_wish_90k(const struct timeline *tl, const struct tl_source *s)
{
	return tl->config.delay_us > 0 ? tl->config.feeds[s->feed].offset_90k : 0;
}

void tl_source_track_map(const struct timeline *tl, struct tl_source *s)
{
	if (tl_source_is_copy(s)) {
		s->map_90k = s->group->source->map_90k + s->copy.offset_90k;
		return;
	}
	if (s != tl->live && !s->leaves_tail && tl_lag_is_known(&s->lag) && tl->clock.is_set) {
		s->map_90k = tl_90k(s->lag.min_us - tl->clock.offset_us) +
			     tl_source_wish_90k(tl, s);
	}
}

int64_t tl_source_offset_us(const struct timeline *tl, const struct tl_source *s)
{
	return s->lag.min_us - tl_us(s->map_90k - tl_source_wish_90k(tl, s));
}
