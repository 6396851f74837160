/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the switch tells the supervisor and the log (report.h). switch. */
#include <string.h>

#include <understudy/log.h>
#include <understudy/text.h>

#include "report.h"

#define STATUS_US 1000000

void report_init(struct report *r, int control, const struct ipc_switch_start *start)
{
	*r = (struct report){ .control = control,
			      .feed_count = start->feed_count,
			      .has_news = true };
	text_copy(r->show, sizeof(r->show), start->show);
	memcpy(r->feeds, start->feeds, sizeof(r->feeds));
}

const char *report_feed_name(const struct report *r, uint16_t feed)
{
	for (unsigned i = 0; i < r->feed_count; i++) {
		if (r->feeds[i].id == feed) {
			return r->feeds[i].name;
		}
	}
	return "none";
}

static const char *event_str(enum timeline_event_kind kind)
{
	static const char *const names[] = {
		[TIMELINE_ON] = "on air",
		[TIMELINE_SPLICED] = "spliced",
		[TIMELINE_STARVED] = "starved",
		[TIMELINE_RESUMED] = "resumed",
		[TIMELINE_GAP] = "gap",
		[TIMELINE_STATE] = "feed state",
		[TIMELINE_TWINS] = "twins",
		[TIMELINE_PARTED] = "twins parted",
		[TIMELINE_CARRIED] = "twin carries on",
		[TIMELINE_HELD_UP] = "held up",
	};
	unsigned index = (unsigned)kind;

	return index < sizeof(names) / sizeof(names[0]) && names[index] != NULL ? names[index]
										: "event";
}

static void report_log(const struct report *r, const struct timeline_event *e, int64_t now_us)
{
	log_warn(
		"%s show=%s from=%s to=%s at_90k=%lld gap_ms=%lld noticed_ms_ago=%lld cause=\"%s\"",
		event_str(e->kind), r->show, report_feed_name(r, e->from),
		report_feed_name(r, e->to), (long long)e->show_90k, (long long)e->gap_90k / 90,
		(long long)(now_us - e->noticed_us) / 1000, e->cause);
}

void report_event(struct report *r, const struct timeline_event *event, int64_t now_us)
{
	struct ipc_switch_event message = { .event = *event, .at_us = now_us };

	/* The supervisor logs it. */
	if (ipc_send(r->control, IPC_SWITCH_EVENT, &message, NULL, 0) < 0) {
		report_log(r, event, now_us);
	}
	r->has_news = true;
}

void report_released(struct report *r, uint16_t feed, uint32_t incarnation)
{
	if (r->released_count == TIMELINE_SOURCES_MAX) {
		log_error("the supervisor does not read: a release is lost show=%s feed=%s",
			  r->show, report_feed_name(r, feed));
		return;
	}
	r->released[r->released_count++] = (struct ipc_source_released){
		.feed = feed, .incarnation = incarnation
	};
}

static void report_send_released(struct report *r)
{
	unsigned sent = 0;

	while (sent < r->released_count &&
	       ipc_send(r->control, IPC_SOURCE_RELEASED, &r->released[sent], NULL, 0) == 0) {
		sent++;
	}
	r->released_count -= sent;
	memmove(r->released, r->released + sent, r->released_count * sizeof(r->released[0]));
}

void report_settle(struct report *r, const struct timeline *tl, int64_t now_us)
{
	struct ipc_switch_status status;

	report_send_released(r);
	if (!r->has_news && now_us - r->status_us < STATUS_US) {
		return;
	}
	memset(&status, 0, sizeof(status));
	timeline_get_status(tl, now_us, &status.timeline);
	status.packets = r->packets;
	status.lapped = r->lapped;
	r->has_news = ipc_send(r->control, IPC_SWITCH_STATUS, &status, NULL, 0) != 0;
	r->status_us = now_us;
}

int64_t report_deadline(const struct report *r)
{
	return r->status_us + STATUS_US;
}
