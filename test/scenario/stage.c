/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A timeline on a virtual clock, fed and watched (stage.h). Tests only. */
#include "stage.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/clock.h>

#define RING_PACKETS 4000 /* how far back a restarted switch can read */
#define UNFINISHED 16     /* frames at the end whose neighbours may not be sent yet */
#define WINDOW_US 100000
/* 500 ms late, 100 ms of new media, 150 ms of jitter and rounding to windows */
#define WINDOW_MAX_90k 67500

void stage_fail(struct stage *st, const char *format, ...)
{
	char what[STAGE_TEXT / 2];
	va_list args;

	if (st->failure[0] != '\0') {
		return;
	}
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	snprintf(st->failure, sizeof(st->failure), "at %.3f s: %s", (double)st->now_us / 1e6, what);
}

static void *grow(void *items, size_t *room, size_t count, size_t size)
{
	if (count < *room) {
		return items;
	}
	*room = *room == 0 ? 1024 : *room * 2;
	items = realloc(items, *room * size);
	assert(items != NULL);
	return items;
}

int stage_find(const struct stage *st, const char *name)
{
	for (unsigned i = 0; i < st->feed_count; i++) {
		if (strcmp(st->feeds[i].name, name) == 0) {
			return (int)i;
		}
	}
	return -1;
}

const char *stage_name(const struct stage *st, uint16_t id)
{
	return id >= 1 && id <= st->feed_count ? st->feeds[id - 1].name : "-";
}

void stage_open(struct stage *st, uint64_t seed)
{
	st->seed = seed;
	st->last_dts_90k = INT64_MIN;
	st->config.feed_count = st->feed_count;
	for (unsigned i = 0; i < st->feed_count; i++) {
		st->config.feeds[i] = (struct timeline_feed_config){
			.id = (uint16_t)(i + 1),
			.is_slate = st->feeds[i].is_slate,
			.offset_90k = st->feeds[i].offset_ms * 90,
		};
	}
	st->tl = timeline_create(&st->config, st->now_us);
	assert(st->tl != NULL);
}

void stage_close(struct stage *st)
{
	timeline_destroy(&st->tl);
	for (unsigned i = 0; i < st->feed_count; i++) {
		free(st->feeds[i].history);
	}
	free(st->frames);
	free(st->events);
	free(st->event_us);
}

/* ---- what goes in ---- */

static void stage_push(struct stage *st, struct stage_feed *f, const struct stage_sent *sent,
		       uint64_t seq)
{
	timeline_push(st->tl, f->handle, seq, &sent->packet,
		      sent->has_params ? &sent->params : NULL, st->now_us);
}

static void stage_write(struct stage *st, struct stage_feed *f, const struct stage_sent *sent)
{
	size_t room = f->history_room;

	f->history = grow(f->history, &room, f->history_count, sizeof(*f->history));
	f->history_room = room;
	f->history[f->history_count++] = *sent;
	if (!st->is_down) {
		stage_push(st, f, sent, f->seq);
	}
	f->seq++;
}

static void stage_write_config(struct stage *st, struct stage_feed *f, enum packet_kind kind)
{
	struct stage_sent sent = { .packet = { .kind = (uint8_t)kind,
					       .type = PACKET_CONFIG,
					       .size = 40,
					       .dts_90k = f->encoder.config.base_ms * 90,
					       .pts_90k = f->encoder.config.base_ms * 90,
					       .arrival_us = st->now_us },
				   .params = encoder_params(&f->encoder, kind),
				   .has_params = true };

	sent.packet.codec = sent.params.codec;
	stage_write(st, f, &sent);
}

void stage_connect(struct stage *st, unsigned feed)
{
	struct stage_feed *f = &st->feeds[feed];

	f->is_connected = f->is_held = true;
	f->incarnation++;
	f->seq = 0;
	f->history_count = 0;
	if (!st->is_down) {
		f->handle = timeline_open(st->tl, (uint16_t)(feed + 1), f->incarnation, st->now_us);
		assert(f->handle >= 0);
	}
	encoder_start(&f->encoder, &f->config, st->seed * 31 + feed, st->now_us);
	if (f->config.audio_hz > 0) {
		stage_write_config(st, f, PACKET_AUDIO);
	}
	if (f->config.fps > 0) {
		stage_write_config(st, f, PACKET_VIDEO);
	}
}

void stage_kill(struct stage *st, unsigned feed)
{
	struct stage_feed *f = &st->feeds[feed];

	if (f->is_connected) {
		f->is_connected = false;
		timeline_close(st->tl, f->handle, "connection closed", st->now_us);
	}
}

static void stage_come_back(struct stage *st)
{
	timeline_destroy(&st->tl);
	st->tl = timeline_create(&st->config, st->now_us);
	assert(st->tl != NULL);
	st->is_down = false;
	if (timeline_resume(st->tl, &st->checkpoint, st->now_us) != 0 && st->sent > 0) {
		stage_fail(st, "the checkpoint is refused");
	}
	for (unsigned i = 0; i < st->feed_count; i++) {
		struct stage_feed *f = &st->feeds[i];

		if (!f->is_held) {
			continue;
		}
		f->handle = timeline_open(st->tl, (uint16_t)(i + 1), f->incarnation, st->now_us);
		assert(f->handle >= 0);
		for (uint64_t n = f->seq > RING_PACKETS ? f->seq - RING_PACKETS : 0; n < f->seq;
		     n++) {
			stage_push(st, f, &f->history[n], n);
		}
		if (!f->is_connected) {
			timeline_close(st->tl, f->handle, "connection closed", st->now_us);
		}
	}
}

void stage_restart(struct stage *st, int64_t down_us)
{
	st->is_down = true;
	st->down_until_us = st->now_us + down_us;
}

/* ---- what must always be true ---- */

static const struct stage_sent *stage_origin(struct stage *st, const struct timeline_step *step)
{
	const struct packet *p = &step->packet;
	struct stage_feed *f;

	if (p->feed < 1 || p->feed > st->feed_count) {
		stage_fail(st, "a packet of feed %u", p->feed);
		return NULL;
	}
	f = &st->feeds[p->feed - 1];
	if (step->seq != p->source_seq || p->incarnation > f->incarnation) {
		stage_fail(st, "a packet that was never there");
		return NULL;
	}
	return p->incarnation == f->incarnation && step->seq < f->seq ? &f->history[step->seq]
								      : NULL;
}

static void check_order(struct stage *st, const struct packet *p)
{
	const struct packet *last = &st->last[p->kind];

	if (p->dts_90k < st->last_dts_90k) {
		stage_fail(st, "dts falls by %lld", (long long)(st->last_dts_90k - p->dts_90k));
	}
	if (p->type == PACKET_FRAME && st->has_last[p->kind] && p->dts_90k <= last->dts_90k) {
		stage_fail(st, "dts of kind %u does not rise", p->kind);
	}
	if (p->pts_90k < p->dts_90k) {
		stage_fail(st, "pts before dts");
	}
}

static void check_origin(struct stage *st, const struct timeline_step *step)
{
	const struct packet *p = &step->packet, *last = &st->last[p->kind];
	const struct stage_sent *sent = stage_origin(st, step);
	bool is_other = !st->has_last[p->kind] || last->feed != p->feed ||
			last->incarnation != p->incarnation;

	if (p->type != PACKET_FRAME) {
		return;
	}
	if (is_other && (p->flags & PACKET_SPLICE) == 0) {
		stage_fail(st, "kind %u goes over to %s without a splice", p->kind,
			   stage_name(st, p->feed));
	}
	if ((p->flags & PACKET_SPLICE) != 0 && p->kind == PACKET_VIDEO &&
	    (p->flags & (PACKET_KEY | PACKET_RECOVERY)) == 0) {
		stage_fail(st, "a splice that does not start on a random-access point");
	}
	if (sent != NULL &&
	    (sent->packet.kind != p->kind ||
	     sent->packet.pts_90k - sent->packet.dts_90k < p->pts_90k - p->dts_90k)) {
		stage_fail(st, "not the packet of the source");
	}
	if (!is_other && (p->flags & PACKET_SPLICE) == 0 && p->source_seq <= last->source_seq) {
		stage_fail(st, "a packet out of its source's order");
	}
}

static void check_time(struct stage *st, const struct packet *p)
{
	int64_t due_us = st->config.delay_us > 0 ? timeline_due_us(st->tl, p->dts_90k) : 0;

	if (st->config.delay_us > 0 && due_us > st->now_us + 1200) { /* a squeeze moves by 1 ms */
		stage_fail(st, "sent %lld us before it is due", (long long)(due_us - st->now_us));
	}
	if (p->kind != PACKET_VIDEO || !st->has_last[PACKET_VIDEO]) {
		return;
	}
	if (st->now_us - st->window_us > WINDOW_US) {
		st->window_us = st->now_us;
		st->window_90k = 0;
	}
	int64_t step_90k = p->dts_90k - st->last[PACKET_VIDEO].dts_90k;

	st->window_90k += step_90k < 9000 ? step_90k : 0;
	if (st->window_90k > WINDOW_MAX_90k) {
		stage_fail(st, "faster than real time: %lld ms at once",
			   (long long)st->window_90k / 90);
	}
}

static void stage_keep(struct stage *st, const struct packet *p)
{
	struct stage_frame *frame;
	bool is_other = st->has_last[p->kind] && (p->flags & PACKET_SPLICE) != 0;

	if (p->type != PACKET_FRAME || p->track != 0 || p->kind == PACKET_DATA) {
		return;
	}
	st->frames = grow(st->frames, &st->frame_room, st->frame_count, sizeof(*st->frames));
	frame = &st->frames[st->frame_count++];
	*frame = (struct stage_frame){ .pts_90k = p->pts_90k,
				       .dts_90k = p->dts_90k,
				       .sent_us = st->now_us,
				       .feed = p->feed,
				       .flags = p->flags,
				       .kind = p->kind,
				       .is_behind_splice = is_other };
	st->last[p->kind] = *p;
	st->has_last[p->kind] = true;
}

__attribute__((noinline)) static void stage_watch(struct stage *st,
						  const struct timeline_step *step)
{
	check_order(st, &step->packet);
	check_origin(st, step);
	check_time(st, &step->packet);
	st->last_dts_90k = step->packet.dts_90k;
	st->sent++;
	stage_keep(st, &step->packet);
}

static void stage_note(struct stage *st, const struct timeline_event *event)
{
	size_t room = st->event_room;

	st->events = grow(st->events, &st->event_room, st->event_count, sizeof(*st->events));
	st->event_us = grow(st->event_us, &room, st->event_count, sizeof(*st->event_us));
	st->events[st->event_count] = *event;
	st->event_us[st->event_count++] = st->now_us;
}

static void stage_release(struct stage *st, int handle)
{
	for (unsigned i = 0; i < st->feed_count; i++) {
		if (st->feeds[i].handle == handle && !st->feeds[i].is_connected) {
			st->feeds[i].is_held = false;
		}
	}
	st->released++;
}

/* ---- running ---- */

static int64_t stage_pump(struct stage *st)
{
	struct timeline_step step;

	timeline_get_checkpoint(st->tl, &st->checkpoint);
	for (unsigned steps = 0; steps < 100000; steps++) {
		timeline_next(st->tl, st->now_us, &step);
		switch (step.action) {
		case TIMELINE_WAIT:
			if (step.deadline_us <= st->now_us) {
				stage_fail(st, "a deadline that has passed");
				return st->now_us + 1000;
			}
			return step.deadline_us;
		case TIMELINE_SEND:
			timeline_checkpoint_advance(&st->checkpoint, &step.packet);
			stage_watch(st, &step);
			break;
		case TIMELINE_EVENT:
			stage_note(st, &step.event);
			break;
		case TIMELINE_RELEASE:
			stage_release(st, step.source);
			break;
		}
	}
	stage_fail(st, "it never ends");
	return st->now_us + 1000;
}

static void stage_take_arrivals(struct stage *st)
{
	for (unsigned i = 0; i < st->feed_count; i++) {
		struct stage_feed *f = &st->feeds[i];

		while (f->is_connected && encoder_next_us(&f->encoder) <= st->now_us) {
			struct stage_sent sent = { .packet = encoder_take(&f->encoder) };

			stage_write(st, f, &sent);
		}
	}
}

static int64_t stage_next_arrival(struct stage *st)
{
	int64_t at_us = INT64_MAX;

	for (unsigned i = 0; i < st->feed_count; i++) {
		struct stage_feed *f = &st->feeds[i];

		if (f->is_connected && encoder_next_us(&f->encoder) < at_us) {
			at_us = encoder_next_us(&f->encoder);
		}
	}
	return at_us;
}

void stage_run(struct stage *st, int64_t until_us)
{
	while (st->now_us < until_us) {
		int64_t next_us;

		stage_take_arrivals(st);
		if (st->is_down && st->now_us >= st->down_until_us) {
			stage_come_back(st);
		}
		next_us = st->is_down ? st->down_until_us : stage_pump(st);
		if (st->wake_late_us > 0 && next_us < INT64_MAX / 2) {
			next_us += random_next(&st->wake_random) % (uint32_t)st->wake_late_us;
		}
		if (st->wake_late_us == 0 && stage_next_arrival(st) < next_us) {
			next_us = stage_next_arrival(st);
		}
		st->now_us = next_us < until_us ? next_us : until_us;
	}
}

/* ---- what the audience saw ---- */

static int compare_pts(const void *a, const void *b)
{
	const struct stage_frame *x = a, *y = b;

	return x->pts_90k < y->pts_90k ? -1 : x->pts_90k > y->pts_90k;
}

static void measure_step(const struct stage *st, const struct stage_frame *a,
			 const struct stage_frame *b, enum packet_kind kind,
			 struct stage_measure *m)
{
	int64_t left_90k = encoder_frame_90k(&st->feeds[a->feed - 1].config, kind);
	int64_t right_90k = encoder_frame_90k(&st->feeds[b->feed - 1].config, kind);
	int64_t longer_90k = left_90k > right_90k ? left_90k : right_90k;
	int64_t shorter_90k = left_90k < right_90k ? left_90k : right_90k;
	int64_t step_90k = b->pts_90k - a->pts_90k;
	int longest_percent = (int)(step_90k * 100 / shorter_90k);
	int shortest_percent = (int)(step_90k * 100 / longer_90k);

	if (step_90k - longer_90k > m->longest_90k) {
		m->longest_90k = step_90k - longer_90k;
	}
	if (longest_percent > m->longest_percent) {
		m->longest_percent = longest_percent;
		m->longest_at_90k = b->pts_90k;
	}
	if (shortest_percent < m->shortest_percent) {
		m->shortest_percent = shortest_percent;
		m->shortest_at_90k = b->pts_90k;
	}
}

struct stage_measure stage_measure(const struct stage *st, enum packet_kind kind, int64_t from_us,
				   int64_t to_us)
{
	struct stage_measure m = { .shortest_percent = INT32_MAX, .longest_90k = INT64_MIN };
	struct stage_frame *sorted = calloc(st->frame_count + 1, sizeof(*sorted));
	size_t count = 0;

	assert(sorted != NULL);
	for (size_t i = 0; i < st->frame_count; i++) {
		const struct stage_frame *f = &st->frames[i];

		if (f->kind == kind && f->sent_us >= from_us && f->sent_us <= to_us) {
			sorted[count++] = *f;
		}
	}
	qsort(sorted, count, sizeof(*sorted), compare_pts);
	count -= count < UNFINISHED ? count : UNFINISHED;
	for (size_t i = 1; i < count; i++) {
		measure_step(st, &sorted[i - 1], &sorted[i], kind, &m);
	}
	m.frames = count;
	free(sorted);
	return m;
}
