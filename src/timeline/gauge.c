/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What came from a source in each of the last 20 s (timeline; pure). Everything about its health
 * that takes more than one packet to see is read off here.
 *
 *   seconds   | 17 | 18 | 19 | at | 1 | 2 | ...      a ring; `at` is the current one
 *                               ^ turn_us: when it began
 */
#include <string.h>

#include "private.h"

#define SECOND_US 1000000
#define JUMP_US 500000 /* media time runs ahead of the packets' arrival by more: a leap */

static void second_reset(struct tl_second *second)
{
	*second = (struct tl_second){ 0 };
	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		second->least_lag_us[kind] = INT64_MAX;
	}
}

void tl_gauge_reset(struct tl_gauge *g, int64_t now_us)
{
	for (unsigned i = 0; i < TL_SECONDS; i++) {
		second_reset(&g->seconds[i]);
	}
	g->at = 0;
	g->turn_us = g->began_us = g->resumed_us = now_us;
	g->first_us = INT64_MAX;
	tl_pace_reset(&g->pace, now_us);
}

struct tl_second *tl_gauge_now(struct tl_gauge *g, int64_t now_us)
{
	int64_t passed = (now_us - g->turn_us) / SECOND_US;

	for (int64_t i = 0; i < tl_min(passed, TL_SECONDS); i++) {
		g->at = (g->at + 1) % TL_SECONDS;
		second_reset(&g->seconds[g->at]);
	}
	if (passed > 0) { /* packets that were stamped before it began go into it as well */
		g->turn_us += passed * SECOND_US;
	}
	return &g->seconds[g->at];
}

static void second_add(struct tl_second *sum, const struct tl_second *s)
{
	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		sum->bytes[kind] += s->bytes[kind];
		sum->frames[kind] += s->frames[kind];
		sum->frames_90k[kind] += s->frames_90k[kind];
		sum->missing_us[kind] += s->missing_us[kind];
		sum->holes[kind] += s->holes[kind];
		sum->least_lag_us[kind] = tl_min(sum->least_lag_us[kind], s->least_lag_us[kind]);
	}
	sum->media_90k += s->media_90k;
	sum->weak_points += s->weak_points;
	sum->stuck += s->stuck;
	sum->jumps += s->jumps;
	sum->unusable += s->unusable;
	sum->carried += s->carried;
	sum->lost += s->lost;
}

struct tl_second tl_gauge_sum(const struct tl_gauge *g, unsigned count, int64_t now_us,
			      int64_t *ret_span_us)
{
	int64_t whole = tl_min((g->turn_us - g->began_us) / SECOND_US, TL_SECONDS - 1);
	struct tl_second sum;

	whole = tl_min(whole, count);
	second_reset(&sum);
	for (unsigned i = 0; i <= (unsigned)whole; i++) {
		second_add(&sum, &g->seconds[(g->at + TL_SECONDS - i) % TL_SECONDS]);
	}
	if (ret_span_us != NULL) {
		*ret_span_us = tl_max(now_us - g->turn_us, 0) + whole * SECOND_US;
	}
	return sum;
}

int64_t tl_gauge_filled_us(const struct tl_second *sum, int64_t span_us)
{
	return tl_max(span_us, tl_us(sum->frames_90k[PACKET_VIDEO]));
}

void tl_gauge_frame(const struct timeline *tl, struct tl_source *s, const struct packet *p)
{
	const struct tl_flow *flow = &s->flows[p->kind];
	struct tl_second *second = tl_gauge_now(&s->gauge, p->arrival_us);
	bool is_main = p->kind == tl_source_main_kind(s);
	int64_t step_90k = p->dts_90k - flow->last_dts_90k, wait_us = p->arrival_us - flow->last_us;
	int64_t missing_us = 0;

	second->least_lag_us[p->kind] = tl_min(second->least_lag_us[p->kind],
					       p->arrival_us - tl_us(p->dts_90k));
	s->gauge.first_us = tl_min(s->gauge.first_us, p->arrival_us);
	if (!flow->is_present) {
		s->gauge.resumed_us = p->arrival_us;
		return;
	}
	if (is_main) {
		second->media_90k += step_90k;
	}
	if (is_main && wait_us >= tl_flow_patience_us(flow, tl->config.stall_us)) {
		s->gauge.resumed_us = p->arrival_us;
		missing_us = wait_us;
	}
	if (is_main && tl_us(step_90k) - wait_us > JUMP_US) {
		second->jumps++;
		s->jump_ms = (uint32_t)((tl_us(step_90k) - wait_us) / 1000);
		return;
	}
	if (step_90k > tl_90k(tl->config.hole_us) + flow->frame_90k) {
		missing_us = tl_max(missing_us, tl_us(step_90k - flow->frame_90k));
	} else {
		second->frames[p->kind]++;
		second->frames_90k[p->kind] += step_90k;
		if (p->kind == PACKET_VIDEO) {
			tl_pace_step(&s->gauge.pace, step_90k);
		}
	}
	second->missing_us[p->kind] += missing_us;
	second->holes[p->kind] += missing_us > 0;
}
