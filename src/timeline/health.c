/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How the feeds are (timeline; pure). Looked at ten times a second and after every change.
 *
 *                        connected, frames come
 *   OFFLINE ------------------------------------------> STANDBY <--entered/left--> LIVE
 *      ^                                                 |  ^                       |
 *      |            something is wrong                   v  | CALM_US without       |
 *      |<------------------- (any) ------------------- DEGRADED                     |
 *      '--- closed --- STALLED <------------ main video or audio silent ------------'
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <understudy/text.h>

#include "private.h"

#define CALM_US 5000000 /* trouble is over when it was not seen for this long */
#define HOLES_MAX 3     /* in 10 s */
#define HOLES_WINDOW_US 10000000
#define NONSENSE_MAX 10 /* bad packets in 10 s */
#define NONSENSE_WINDOW_US 10000000
#define KEY_WAIT_US 10000000 /* no random-access point for this long, or for two GOPs */

const char *timeline_feed_state_str(enum timeline_feed_state state)
{
	static const char *const names[] = {
		[FEED_OFFLINE] = "offline",   [FEED_STALLED] = "stalled",
		[FEED_DEGRADED] = "degraded", [FEED_STANDBY] = "standby",
		[FEED_LIVE] = "live",
	};

	return names[state];
}

/* Says so, if anybody wants to know. Always true. */
__attribute__((format(printf, 3, 4))) static bool health_say(char *text, size_t size,
							     const char *format, ...)
{
	va_list args;

	if (text != NULL) {
		va_start(args, format);
		vsnprintf(text, size, format, args);
		va_end(args);
	}
	return true;
}

static bool flow_is_degraded(const struct timeline *tl, const struct tl_flow *flow,
			     const char *name, int64_t now_us, char *text, size_t size)
{
	if (!flow->is_present) {
		return false;
	}
	if (tl_flow_is_silent(flow, tl->config.stall_us, now_us)) {
		return health_say(text, size, "no %s for %" PRId64 " ms", name,
				  (now_us - flow->last_us) / 1000);
	}
	if (flow->holes_recent >= HOLES_MAX && now_us - flow->holes_us <= HOLES_WINDOW_US) {
		return health_say(text, size, "holes in the %s: %u in 10 s", name,
				  flow->holes_recent);
	}
	return false;
}

bool tl_is_degraded(const struct timeline *tl, const struct tl_source *s, int64_t now_us,
		    char *text, size_t size)
{
	int64_t key_wait_us = tl_max(KEY_WAIT_US, 2 * tl_us(s->gop_90k));

	if (flow_is_degraded(tl, &s->flows[PACKET_VIDEO], "video", now_us, text, size) ||
	    flow_is_degraded(tl, &s->flows[PACKET_AUDIO], "audio", now_us, text, size)) {
		return true;
	}
	if (s->nonsense_recent >= NONSENSE_MAX && now_us - s->nonsense_us <= NONSENSE_WINDOW_US) {
		return health_say(text, size, "unusable packets: %u in 10 s", s->nonsense_recent);
	}
	if (tl_source_has_frames(s) && now_us - s->key_us > key_wait_us) {
		return health_say(text, size, "no key frame for %" PRId64 " s",
				  (now_us - s->key_us) / 1000000);
	}
	return false;
}

/* Both main flows, or the only one, silent. */
static bool health_is_stalled(const struct timeline *tl, const struct tl_source *s, int64_t now_us)
{
	const struct tl_flow *main = &s->flows[tl_source_main_kind(s)];

	return main->is_present && tl_flow_is_silent(main, tl->config.stall_us, now_us);
}

static enum timeline_feed_state health_state(const struct timeline *tl, const struct tl_source *s,
					     struct tl_feed *f, int64_t now_us, bool *ret_is_well)
{
	bool is_troubled;

	f->health[0] = '\0';
	*ret_is_well = false;
	if (s == NULL || !tl_source_has_frames(s)) {
		return FEED_OFFLINE;
	}
	is_troubled = tl_is_degraded(tl, s, now_us, f->health, sizeof(f->health));
	if (is_troubled) {
		f->troubled_us = now_us;
	}
	if (health_is_stalled(tl, s, now_us)) {
		return FEED_STALLED;
	}
	*ret_is_well = !is_troubled;
	if (s == tl->live) {
		return FEED_LIVE;
	}
	if (is_troubled || (f->state == FEED_DEGRADED && now_us - f->troubled_us < CALM_US)) {
		return FEED_DEGRADED;
	}
	return FEED_STANDBY;
}

static void health_update_feed(struct timeline *tl, unsigned feed, int64_t now_us)
{
	struct tl_feed *f = &tl->feeds[feed];
	const struct tl_source *s = tl_newest_source(tl, feed);
	bool is_well;
	enum timeline_feed_state state;
	struct timeline_event *e;

	if (tl->live != NULL && tl->live->feed == feed && tl->live->is_open) {
		s = tl->live;
	}
	state = health_state(tl, s, f, now_us, &is_well);
	if (s != NULL) {
		memcpy(f->params, s->params, sizeof(f->params));
	}
	if (!is_well) {
		f->healthy_us = TL_UNKNOWN;
	} else if (f->healthy_us == TL_UNKNOWN) {
		f->healthy_us = now_us;
	}
	if (state == f->state) {
		return;
	}
	f->state = state;
	f->since_us = now_us;
	e = tl_event(tl, TIMELINE_STATE);
	e->to = tl->config.feeds[feed].id;
	e->noticed_us = now_us;
	text_format(e->cause, sizeof(e->cause), "%s%s%s", timeline_feed_state_str(state),
		    f->health[0] != '\0' ? ": " : "", f->health);
}

void tl_health_update(struct timeline *tl, int64_t now_us)
{
	if (now_us < tl->health_us) {
		return;
	}
	tl->health_us = now_us + TL_TICK_US;
	for (unsigned i = 0; i < tl->config.feed_count; i++) {
		health_update_feed(tl, i, now_us);
	}
}
