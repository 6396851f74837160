/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Returning to a preferred feed (timeline; pure): not before it was healthy for a while; longer
 * each time it fails again soon after (flapping), unless that was a rehearsal.
 *
 *   return_after_us --left within 10 min of coming back: doubled, up to 10 min--> ...
 *                   <--10 healthy minutes--
 */
#include "private.h"

#define WAIT_MAX_US 600000000
#define CALM_US 600000000
#define SLATE_WAIT_US 2000000 /* a slate is left as soon as an encoder is steady */

void tl_failback_left(struct timeline *tl, const struct tl_source *s, int64_t now_us)
{
	struct tl_feed *f = &tl->feeds[s->feed];

	if (now_us >= f->rehearsed_us) {
		f->wait_us = f->back_us != 0 && now_us - f->back_us < CALM_US
				     ? tl_min(tl_max(f->wait_us * 2, tl->config.return_after_us),
					      WAIT_MAX_US)
				     : tl->config.return_after_us;
		f->was_left = true;
	}
	if (s->is_open) { /* whatever the trouble was; another connection has a time of its own */
		f->ailed_us = now_us;
	}
}

void tl_failback_entered(struct timeline *tl, unsigned feed, int64_t now_us)
{
	struct tl_feed *f = &tl->feeds[feed];

	f->entered_us = now_us;
	if (f->was_left) {
		f->was_left = false;
		f->back_us = now_us;
	}
}

void timeline_set_rehearsed(struct timeline *tl, uint16_t feed, bool is_rehearsed, int64_t now_us)
{
	int place = tl_feed_find(tl, feed);

	if (place >= 0) {
		tl->feeds[place].rehearsed_us = is_rehearsed ? CLOCK_NEVER : now_us + tl->delay_us;
	}
}

int64_t tl_failback_at_us(const struct timeline *tl, const struct tl_source *to, int64_t now_us)
{
	const struct tl_feed *f = &tl->feeds[to->feed];
	int64_t well_us = tl_max(f->healthy_us, f->ailed_us);

	if (f->healthy_us == TL_UNKNOWN) {
		return CLOCK_NEVER;
	}
	if (!tl->returns_once) { /* takes come and go meanwhile, but do not make it flap */
		well_us = tl_max(well_us, f->entered_us);
	}
	if (tl->config.feeds[tl->live->feed].is_slate) {
		return well_us + tl_min(f->wait_us, SLATE_WAIT_US);
	}
	if (tl->config.return_mode == RETURN_AUTO) {
		return well_us + f->wait_us;
	}
	return tl->config.return_mode == RETURN_MANUAL && tl->returns_once ? now_us : CLOCK_NEVER;
}
