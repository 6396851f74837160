/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The witness of a show: there as long as a client watches. It reads the show ring like a relay,
 * but wakes nobody; what it tells goes to those who watch, as JSON.
 */
#include <stdlib.h>
#include <string.h>

#include <understudy/clock.h>
#include <understudy/log.h>
#include <understudy/text.h>

#include "rehearsal.h"

#define PERIOD_US 20000
#define RUN_LEAST_US 1000000  /* one that dies sooner is not started again */
#define ON_ITS_WAY_US 2000000 /* beyond the delay: from the merging of twins to the witness */

/* The lowest group of the feed and its twin becomes that of both. */
static void join_twin(const struct timeline_status *t, struct ipc_witness_twins *twins, unsigned of)
{
	for (unsigned i = 0; i < t->feed_count; i++) {
		uint16_t *a = &twins->feeds[of].group, *b = &twins->feeds[i].group;

		if (t->feeds[i].id == t->feeds[of].twin_of) {
			*b = *b == 0 ? t->feeds[i].id : *b;
			*a = *b = *a < *b ? *a : *b;
		}
	}
}

/* What was merged while a feed was a twin goes on air until the delay is over. */
static uint16_t remember_encode(struct show *show, uint16_t feed_id, uint16_t group)
{
	struct feed *feed = feed_by_id(show, feed_id);
	int64_t now_us = clock_monotonic_us();

	if (feed == NULL) {
		return group;
	}
	if (group != 0) {
		feed->encode = group;
		feed->encode_us = now_us;
	} else if (now_us - feed->encode_us >
		   (int64_t)show->config->delay_ms * 1000 + ON_ITS_WAY_US) {
		feed->encode = 0;
	}
	return feed->encode;
}

void witness_tell_twins(struct show *show)
{
	const struct timeline_status *t = &show->status.timeline;
	struct ipc_witness_twins twins = { .count = t->feed_count };

	if (show->witness == NULL) {
		return;
	}
	for (unsigned i = 0; i < t->feed_count; i++) {
		twins.feeds[i].feed = t->feeds[i].id;
		twins.feeds[i].group = t->feeds[i].twin_of != 0 ? t->feeds[i].id : 0;
	}
	/* Each names one of its twins, all but one of them the same: twice round joins them all. */
	for (unsigned i = 0; i < 2 * t->feed_count; i++) {
		join_twin(t, &twins, i % t->feed_count);
	}
	for (unsigned i = 0; i < t->feed_count; i++) {
		twins.feeds[i].group = remember_encode(show, twins.feeds[i].feed,
						       twins.feeds[i].group);
	}
	child_send(show->witness, IPC_WITNESS_TWINS, &twins, NULL, 0);
}

static void witness_start(struct show *show)
{
	struct ipc_witness_start start = { .period_us = PERIOD_US };
	char label[2 * IPC_NAME];

	if (!show->is_ring_ready || show->witness != NULL) {
		return; /* witness_give_ring() comes when the ring is ready */
	}
	text_format(label, sizeof(label), "witness %s", show->config->name);
	show->witness = child_spawn(show->supervisor, ROLE_WITNESS, &witness_ops, show, label);
	if (show->witness != NULL) {
		text_copy(start.show, sizeof(start.show), show->config->name);
		child_send(show->witness, IPC_WITNESS_START, &start, &show->ring_fd, 1);
		witness_tell_twins(show);
	}
}

void witness_attend(struct show *show)
{
	show->is_watched = true;
	witness_start(show);
}

void witness_leave(struct show *show)
{
	show->is_watched = false;
	if (show->witness != NULL) {
		child_stop(show->witness, false);
		child_disown(show->witness);
		show->witness = NULL;
	}
}

void witness_give_ring(struct show *show)
{
	struct ipc_show_ring message = { 0 };

	if (show->witness != NULL) {
		child_send(show->witness, IPC_SHOW_RING, &message, &show->ring_fd, 1);
	} else if (show->is_watched) {
		witness_start(show);
	}
}

bool witness_mark(struct show *show, uint32_t mark)
{
	struct ipc_witness_mark order = { .mark = mark };
	struct destination *d;

	TAILQ_FOREACH(d, &show->destinations, entry) {
		d->silence_us = 0;
		d->is_just_marked = true;
	}
	practice_mark(show);
	return show->witness != NULL &&
	       child_send(show->witness, IPC_WITNESS_MARK, &order, NULL, 0);
}

/* ---- what it tells ---- */

static json_t *track_json(const struct witness_track *t)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:f, s:f}", "packets", (json_int_t)t->packets,
			 "missing", (json_int_t)t->missing, "doubled", (json_int_t)t->doubled,
			 "holes", (json_int_t)t->holes, "longest_ms", (double)t->longest_90k / 90.0,
			 "frame_ms", (double)t->frame_90k / 90.0);
}

static json_t *summary_json(const struct ipc_witness_summary *told)
{
	const struct witness_summary *s = &told->summary;
	uint64_t faults = s->counts[WITNESS_DISORDER] + s->counts[WITNESS_HEADERLESS] +
			  s->counts[WITNESS_NO_KEY] + s->counts[WITNESS_UNMARKED];

	return json_pack("{s:I, s:o, s:o, s:I, s:I, s:I, s:f}", "mark", (json_int_t)told->mark,
			 "video", track_json(&s->video), "audio", track_json(&s->audio), "packets",
			 (json_int_t)s->packets, "faults", (json_int_t)faults, "lapped",
			 (json_int_t)s->counts[WITNESS_LAPPED], "longest_silence_ms",
			 (double)s->longest_silence_us / 1000.0);
}

static json_t *event_json(const struct show *show, const struct witness_event *e)
{
	const struct feed *from = feed_by_id((struct show *)show, e->from);
	const struct feed *to = feed_by_id((struct show *)show, e->to);

	return json_pack("{s:s, s:s?, s:s?, s:s, s:i, s:I, s:I, s:f}", "kind",
			 witness_kind_str((enum witness_kind)e->kind), "from",
			 from != NULL ? from->config->name : NULL, "to",
			 to != NULL ? to->config->name : NULL, "media",
			 e->media == PACKET_VIDEO ? "video" : "audio", "track", (int)e->track,
			 "frames", (json_int_t)e->frames, "at_90k", (json_int_t)e->at_90k,
			 "step_ms", (double)e->step_90k / 90.0);
}

static void witness_message(struct child *child, struct ipc_message *m)
{
	struct show *show = child->owner;
	const char *name = show->config->name;

	if (m->type == IPC_WITNESS_SUMMARY) {
		control_tell_watchers(show->supervisor, name, "summary",
				      summary_json((const void *)m->body));
	} else if (m->type == IPC_WITNESS_EVENT) {
		control_tell_watchers(show->supervisor, name, "witness",
				      event_json(show, (const void *)m->body));
	} else {
		child_kill(child, "it sent a message that is not its business");
	}
}

static void witness_exited(struct child *child, const char *cause)
{
	struct show *show = child->owner;

	show->witness = NULL;
	log_warn("the witness %s show=%s", cause, show->config->name);
	if (clock_monotonic_us() - child->started_us >= RUN_LEAST_US && show->is_watched &&
	    !show->supervisor->is_ending) {
		witness_start(show);
	}
}

const struct child_ops witness_ops = { witness_message, witness_exited };
