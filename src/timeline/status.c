/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The timeline as people see it (timeline; pure). Reads only. */
#include <string.h>

#include <understudy/text.h>

#include "private.h"

static void status_fill_source(const struct tl_source *s, struct timeline_feed_status *ret)
{
	ret->incarnation = s->incarnation;
	ret->has_video = s->flows[PACKET_VIDEO].is_present;
	ret->has_audio = s->flows[PACKET_AUDIO].is_present;
	ret->horizon_90k = tl_source_horizon(s);
	ret->packets += s->packets;
	ret->nonsense += s->nonsense;
	ret->late_dropped += s->late_dropped;
	if (tl_source_is_copy(s)) {
		ret->twin_of = tl_group_twin(s, &ret->lag_ms);
		ret->filled = s->copy.filled;
	}
}

static void status_fill_symptoms(const struct tl_source *s, struct timeline_feed_status *ret)
{
	for (unsigned i = 0; i < TIMELINE_SIGNALS; i++) {
		if ((s->symptoms & UINT32_C(1) << i) != 0) {
			ret->symptoms[ret->symptom_count++] = s->signals[i].symptom;
		}
	}
}

static void status_fill_feed(const struct timeline *tl, unsigned feed,
			     struct timeline_feed_status *ret)
{
	const struct tl_feed *f = &tl->feeds[feed];
	const struct tl_source *s = tl_newest_source(tl, feed);

	*ret = (struct timeline_feed_status){
		.id = tl->config.feeds[feed].id,
		.state = f->state,
		.since_us = f->since_us,
		.format = f->format,
		.horizon_90k = TL_UNKNOWN,
		.packets = f->packets,
		.nonsense = f->nonsense,
		.late_dropped = f->late_dropped,
	};
	ret->mismatch = format_compare(&f->format, &tl->reference);
	if (tl->config.feeds[feed].is_slate) {
		ret->mismatch &= ~FORMAT_BITRATES; /* a picture that stands still needs few */
	}
	ret->is_compatible = (ret->mismatch & FORMAT_INCOMPATIBLE) == 0;
	if (s != NULL) {
		ret->kbps = f->kbps;
		status_fill_source(s, ret);
		status_fill_symptoms(s, ret);
	}
}

void timeline_get_status(const struct timeline *tl, int64_t now_us, struct timeline_status *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->is_on = tl->live != NULL && !tl->is_starved;
	ret->live = tl->live != NULL ? tl->live->feed_id : 0;
	ret->taken = tl->taken;
	text_copy(ret->why, sizeof(ret->why), tl->why);
	ret->why_feed = tl->why_feed;
	ret->next_feed = tl->next_feed;
	ret->next_at_us = tl->next_at_us;
	ret->now_90k = tl->out.has_begun ? tl->out.last_90k : 0;
	ret->reference = tl->reference;
	ret->reference_feed = tl->reference_feed < tl->config.feed_count
				      ? tl->config.feeds[tl->reference_feed].id
				      : 0;
	ret->is_reference_settled = tl->is_reference_settled;
	ret->feed_count = tl->config.feed_count;
	for (unsigned i = 0; i < tl->config.feed_count; i++) {
		status_fill_feed(tl, i, &ret->feeds[i]);
	}
}
