/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What people want to know, queued until the caller asks (timeline; pure). The oldest give way. */
#include "private.h"

struct timeline_event *tl_event(struct timeline *tl, enum timeline_event_kind kind)
{
	struct timeline_event *e;

	if (tl->event_count == TL_EVENTS_MAX) {
		tl->event_at = (tl->event_at + 1) % TL_EVENTS_MAX;
		tl->event_count--;
	}
	e = &tl->events[(tl->event_at + tl->event_count++) % TL_EVENTS_MAX];
	*e = (struct timeline_event){ .kind = kind,
				      .show_90k = tl->out.has_begun ? tl->out.last_90k : 0 };
	return e;
}

bool tl_event_take(struct timeline *tl, struct timeline_event *ret)
{
	if (tl->event_count == 0) {
		return false;
	}
	*ret = tl->events[tl->event_at];
	tl->event_at = (tl->event_at + 1) % TL_EVENTS_MAX;
	tl->event_count--;
	return true;
}
