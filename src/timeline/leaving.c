/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sources that are to go (timeline; pure): the operator takes their feed away, or changes it. The
 * show leaves them as it would for a take; nobody goes back to them.
 *
 *   OPEN --timeline_set_leaving--> LEAVING --another is live, or the show has not begun--> CLOSED
 *     ^                               |
 *     '------- taken back ------------'
 *
 * While nothing else can carry the show they do. A copy goes as soon as the twins that stay can do
 * without it.
 */
#include <understudy/text.h>

#include "private.h"

void timeline_set_leaving(struct timeline *tl, int source, bool is_leaving, const char *cause)
{
	struct tl_source *s = tl_open_source(tl, source);

	if (s == NULL) {
		return; /* it has left, or ended by itself */
	}
	s->is_leaving = is_leaving;
	text_copy(s->cause, sizeof(s->cause), cause);
	tl->has_leaving |= is_leaving;
	tl->is_dirty = true;
}

bool tl_is_leaving(const struct timeline *tl, const struct tl_source *s, int64_t now_us)
{
	return tl_source_is_merged(s) ? tl_group_is_leaving(tl, s->group, now_us) : s->is_leaving;
}

const char *tl_leaving_cause(const struct tl_source *s)
{
	for (unsigned i = 0; tl_source_is_merged(s) && i < s->group->count; i++) {
		if (s->group->copies[i]->is_leaving) {
			return s->group->copies[i]->cause;
		}
	}
	return s->cause;
}

static bool leaving_is_done(const struct timeline *tl, const struct tl_source *s, int64_t now_us)
{
	const struct tl_source *place = tl_source_is_copy(s) ? s->group->source : s;

	if (place != tl->live) {
		return tl->live != NULL || !tl->out.has_begun;
	}
	return place != s && !tl_group_is_leaving(tl, s->group, now_us);
}

void tl_leaving_settle(struct timeline *tl, int64_t now_us)
{
	bool has_leaving = false;

	for (unsigned i = 0; i < TL_SLOTS_MAX && tl->has_leaving; i++) {
		struct tl_source *s = tl->sources[i];

		if (s == NULL || !s->is_open || !s->is_leaving) {
			continue;
		}
		if (leaving_is_done(tl, s, now_us)) {
			tl->closed |= UINT32_C(1) << s->handle;
			tl_end_source(tl, s, s->cause, now_us);
		} else {
			has_leaving = true;
		}
	}
	tl->has_leaving = has_leaving;
}
