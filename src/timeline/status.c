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
	ret->kbps = s->rate.kbps;
	ret->fps_milli = s->rate.fps_milli;
	ret->gop_ms = s->gop_90k > 0 ? (int32_t)(s->gop_90k / 90) : -1;
	ret->horizon_90k = tl_source_horizon(s);
	ret->packets += s->packets;
	ret->nonsense += s->nonsense;
	ret->late_dropped += s->late_dropped;
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
		.video = f->params[PACKET_VIDEO],
		.audio = f->params[PACKET_AUDIO],
		.gop_ms = -1,
		.horizon_90k = TL_UNKNOWN,
		.packets = f->packets,
		.nonsense = f->nonsense,
		.late_dropped = f->late_dropped,
	};
	text_copy(ret->health, sizeof(ret->health), f->health);
	ret->is_compatible = !tl_mismatch(tl, f->params, ret->mismatch, sizeof(ret->mismatch));
	if (s != NULL) {
		status_fill_source(s, ret);
	}
}

void timeline_get_status(const struct timeline *tl, int64_t now_us, struct timeline_status *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->is_on = tl->live != NULL && !tl->is_starved;
	ret->live = tl->live != NULL ? tl->live->feed_id : 0;
	ret->taken = tl->taken;
	text_copy(ret->why, sizeof(ret->why), tl->why);
	ret->now_90k = tl->out.has_begun ? tl->out.last_90k : 0;
	ret->feed_count = tl->config.feed_count;
	for (unsigned i = 0; i < tl->config.feed_count; i++) {
		status_fill_feed(tl, i, &ret->feeds[i]);
	}
}
