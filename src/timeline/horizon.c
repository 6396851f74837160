/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How far a source has come, and what may still come of it (timeline; pure): its horizon, when
 * it stands still, and how long what is out of order is waited for. Changes nothing.
 */
#include "private.h"

static int64_t source_least_horizon(const struct tl_source *s, int64_t from_90k, bool has_from)
{
	int64_t least_90k = INT64_MAX;

	for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		const struct tl_flow *flow = &s->flows[kind];

		if (flow->is_present) {
			least_90k = tl_min(least_90k, has_from
							      ? tl_flow_horizon_from(flow, from_90k)
							      : tl_flow_horizon(flow));
		}
	}
	return least_90k == INT64_MAX ? TL_UNKNOWN : least_90k + s->map_90k;
}

int64_t tl_source_horizon(const struct tl_source *s)
{
	return source_least_horizon(s, 0, false);
}

int64_t tl_source_horizon_from(const struct tl_source *s, int64_t from_show_90k)
{
	return source_least_horizon(s, from_show_90k - s->map_90k, true);
}

const struct tl_flow *tl_source_stuck(const struct timeline *tl, const struct tl_source *s,
				      int64_t now_us)
{
	const struct tl_flow *worst = NULL;

	for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		const struct tl_flow *flow = &s->flows[kind];

		if (flow->is_present &&
		    (!s->is_open || now_us - tl_flow_moved_us(flow) >=
					    tl_flow_patience_us(flow, tl->config.stall_us)) &&
		    (worst == NULL || tl_flow_horizon(flow) < tl_flow_horizon(worst))) {
			worst = flow;
		}
	}
	return worst;
}

int64_t tl_source_stuck_at_us(const struct timeline *tl, const struct tl_source *s)
{
	int64_t at_us = CLOCK_NEVER;

	for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		const struct tl_flow *flow = &s->flows[kind];

		if (flow->is_present) {
			at_us = tl_min(at_us,
				       tl_flow_moved_us(flow) +
					       tl_flow_patience_us(flow, tl->config.stall_us));
		}
	}
	return at_us;
}

int64_t tl_source_latest_dts(const struct tl_source *s)
{
	const struct tl_flow *video = &s->flows[PACKET_VIDEO], *audio = &s->flows[PACKET_AUDIO];

	if (!video->is_present) {
		return audio->last_dts_90k;
	}
	return audio->is_present ? tl_max(video->last_dts_90k, audio->last_dts_90k)
				 : video->last_dts_90k;
}

int64_t tl_source_main_dts(const struct timeline *tl, const struct tl_source *s,
			   enum packet_kind only, int64_t now_us)
{
	int64_t least_90k = INT64_MAX;

	for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		const struct tl_flow *flow = &s->flows[kind];

		if ((only == kind || only == PACKET_KINDS) && flow->is_present && s->is_open &&
		    !tl_flow_is_silent(flow, tl->config.stall_us, now_us)) {
			least_90k = tl_min(least_90k, flow->last_dts_90k);
		}
	}
	return least_90k;
}

bool tl_source_is_settled(const struct tl_source *s, int64_t now_us)
{
	return tl_lag_is_settled(&s->lag, now_us) &&
	       (tl_source_main_kind(s) == PACKET_VIDEO || now_us - s->first_us >= TL_VIDEO_WAIT_US);
}

bool tl_source_is_past(const struct timeline *tl, const struct tl_source *s, int64_t dts_90k,
		       int64_t now_us)
{
	return dts_90k <= tl_source_main_dts(tl, s, PACKET_KINDS, now_us) ||
	       dts_90k <=
		       tl_source_latest_dts(s) + s->disorder.min_us - tl_90k(TL_DISORDER_SPARE_US);
}

int64_t tl_source_behind_us(const struct timeline *tl, const struct tl_source *s)
{
	int64_t depth_us = tl_us(s->flows[PACKET_VIDEO].reorder_90k);

	return tl_max(0, tl_min(depth_us, TL_DEEP_MAX_US) - tl->delay_us);
}

int64_t tl_source_ordered_us(const struct tl_source *s, int64_t dts_90k, int64_t arrival_us)
{
	if (s->disorder.usual_us >= 0) {
		return arrival_us;
	}
	return tl_max(arrival_us,
		      tl_min(arrival_us + TL_DISORDER_MAX_US, tl_us(dts_90k) - s->latest.usual_us) +
			      (tl_lag_is_known(&s->age) ? s->age.usual_us : 0) +
			      TL_DISORDER_SPARE_US);
}
