/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is left of a standby that closed (timeline; pure): up to the delay's worth of media that may
 * still be shown. It is no feed that can go on, but a bridge (choice.c) where the live source ends
 * and nobody else takes over without a gap.
 *
 *   CLOSED --entered--> LIVE --to its end--> RELEASED
 *      `--its last point is too late, or another connection's remains take its place--'
 *
 * One of each feed at a time: an encoder that connects over and over must not pile up rings. Where
 * the show has no delay, or has not begun, and of a feed that is taken away, nothing remains.
 */
#include "private.h"

bool tl_has_remains(const struct timeline *tl, const struct tl_source *s)
{
	return !s->is_open && s != tl->live && !s->leaves_tail && !tl_source_is_copy(s) &&
	       s->index.point_head != TL_NONE;
}

/* The show will need it first. */
static bool remains_come_first(const struct timeline *tl, const struct tl_source *s, int64_t now_us)
{
	return tl->live != NULL && tl_is_over(tl, tl->live, now_us) && tl_has_more(tl, s, 0);
}

void tl_keep_remains(struct timeline *tl, struct tl_source *s, int64_t now_us)
{
	if (tl->delay_us == 0 || !tl->out.has_begun || tl_is_leaving(tl, s, now_us)) {
		tl_source_clear(s);
	}
	for (unsigned i = 0; i < TL_SLOTS_MAX && tl_has_remains(tl, s); i++) {
		struct tl_source *other = tl->sources[i];

		if (other != NULL && other != s && other->feed == s->feed &&
		    tl_has_remains(tl, other)) {
			tl_source_clear(remains_come_first(tl, other, now_us) ? s : other);
		}
	}
}
