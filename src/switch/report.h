/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the switch tells the supervisor, which logs it. switch; never blocks: what a full control
 * socket does not take is sent later (releases, status) or goes to the log alone (events).
 */
#ifndef SWITCH_REPORT_H
#define SWITCH_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <understudy/ipc.h>
#include <understudy/timeline.h>

struct report {
	int control; /* not owned */
	char show[IPC_NAME];
	unsigned feed_count;
	struct ipc_feed feeds[TIMELINE_FEEDS_MAX]; /* for names */
	bool has_news;                             /* the status has changed */
	int64_t status_us;                         /* when it was sent last */
	uint64_t packets, lapped;                  /* counters of the status, kept by the switch */
	unsigned released_count;
	struct ipc_source_released released[TIMELINE_SOURCES_MAX]; /* not yet told */
};

void report_init(struct report *r, int control, const struct ipc_switch_start *start);
/* The name of a feed; "none" for 0. */
const char *report_feed_name(const struct report *r, uint16_t feed);

void report_event(struct report *r, const struct timeline_event *event, int64_t now_us);
void report_released(struct report *r, uint16_t feed, uint32_t incarnation);
/* Sends what is due; call after every round. */
void report_settle(struct report *r, const struct timeline *tl, int64_t now_us);
/* When report_settle() has to be called again at the latest. */
int64_t report_deadline(const struct report *r);

#endif
