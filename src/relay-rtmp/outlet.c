/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What one session is given of the show (outlet.h). Runs in relay-rtmp; no I/O, never blocks. */
#include <errno.h>
#include <stdlib.h>

#include "outlet.h"

#define EVERY_TRACK 0xffffu
#define MAIN_TRACK 1u
#define FRAME_90K 3000 /* a step forward where nothing better is known: 1/30 s */
#define PACKET_ENTRY (PACKET_KEY | PACKET_RECOVERY | PACKET_JOIN)

void outlet_init(struct outlet *o, uint32_t message_stream, const struct outlet_limits *limits)
{
	*o = (struct outlet){ .message_stream = message_stream, .limits = limits };
}

void outlet_finish(struct outlet *o)
{
	queue_finish(&o->queue);
}

static bool is_video_frame(const struct packet *p)
{
	return p->kind == PACKET_VIDEO && p->type == PACKET_FRAME;
}

static int push_whole(struct outlet *o, struct message *m)
{
	return queue_push(&o->queue, m, o->base_90k, o->message_stream);
}

static int push_without_nano(struct outlet *o, const struct message *m)
{
	struct packet plain = m->packet;
	struct message *copy;
	int error;

	plain.nano = 0;
	copy = message_create(&plain, m->payload);
	if (!copy) {
		return -ENOMEM;
	}
	error = push_whole(o, copy);
	message_unref(&copy);
	return error;
}

static int push(struct outlet *o, struct message *m)
{
	return m->packet.nano && o->limits->leaves_nano ? push_without_nano(o, m)
							: push_whole(o, m);
}

/* Whether the platform takes the packet's track at all. */
static bool takes_track(struct outlet *o, const struct packet *p)
{
	if (p->track == 0 || !o->limits->leaves_tracks) {
		return true;
	}
	o->left_out[p->kind] |= (uint16_t)(1u << p->track);
	return false;
}

/* A copy of the packet, as if it were of another show time and published just now. */
static int push_moved(struct outlet *o, const struct packet *p, const uint8_t *payload,
		      int64_t at_90k, int64_t now_us)
{
	struct packet moved = *p;
	struct message *m;
	int error;

	moved.dts_90k = at_90k;
	moved.pts_90k = at_90k;
	moved.arrival_us = now_us;
	m = message_create(&moved, payload);
	if (!m) {
		return -ENOMEM;
	}
	error = push(o, m);
	message_unref(&m);
	return error;
}

static int push_headers(struct outlet *o, const struct outlet_start *start, int64_t now_us)
{
	const struct header_set *set = start->headers;
	int error = 0;
	unsigned i;

	if (start->metadata) {
		error = push_moved(o, &start->metadata->packet, start->metadata->payload,
				   o->base_90k, now_us);
	}
	for (i = 0; i < set->count && !error; i++) {
		if (set->items[i].packet.type != PACKET_META &&
		    takes_track(o, &set->items[i].packet)) {
			error = push_moved(o, &set->items[i].packet, set->items[i].payload,
					   o->base_90k, now_us);
		}
	}
	return error;
}

static int begin(struct outlet *o, const struct packet *p, const struct outlet_start *start)
{
	o->base_90k = p->dts_90k;
	o->state = OUTLET_RUNNING;
	o->waits_for_key = EVERY_TRACK;
	return push_headers(o, start, p->arrival_us);
}

static void resume(struct outlet *o, const struct packet *p)
{
	if (o->must_rebase) {
		int64_t gone_90k = (p->arrival_us - o->last_arrival_us) * 9 / 100;

		o->base_90k = p->dts_90k - o->last_90k -
			      (gone_90k > FRAME_90K ? gone_90k : FRAME_90K);
		o->must_rebase = false;
	}
	o->state = OUTLET_RUNNING;
	o->waits_for_key = EVERY_TRACK;
}

/* Whether a video frame may go out, seen from its track's random-access points. Behind a recovery
 * point come pictures that are shown before it and lack what they refer to. */
static bool passes_gate(struct outlet *o, const struct packet *p)
{
	uint16_t bit = (uint16_t)(1u << p->track);
	bool is_entry = p->flags & PACKET_ENTRY;

	if (o->waits_for_key & bit) {
		if (!is_entry) {
			return false;
		}
		o->waits_for_key &= (uint16_t)~bit;
		o->skips_leading |= bit;
		o->entry_pts_90k[p->track] = p->pts_90k;
	} else if (is_entry) {
		o->skips_leading &= (uint16_t)~bit;
	}
	if (p->flags & PACKET_KEY) {
		o->skips_leading &= (uint16_t)~bit;
	}
	return !(o->skips_leading & bit) ||
	       (!(p->flags & PACKET_LEADING) && p->pts_90k >= o->entry_pts_90k[p->track]);
}

/* What a running session leaves out whatever the platform's speed: an encoder's goodbye is the end
 * of a feed, never of the show; media from before the session's time 0. */
static bool is_wanted(const struct outlet *o, const struct packet *p)
{
	if (p->type == PACKET_END || p->type == PACKET_META) {
		return false;
	}
	return packet_is_header(p) || p->dts_90k >= o->base_90k;
}

static bool is_over_limits(const struct outlet *o)
{
	return o->queue.bytes > o->limits->bytes || queue_span_us(&o->queue) > o->limits->behind_us;
}

/* For each video track the place of its newest random-access point that is recent enough to go on
 * from; `count` where there is none. */
static void find_entries(const struct outlet *o, bool finds_none,
			 unsigned ret_place[PACKET_TRACKS_MAX])
{
	const struct queue *q = &o->queue;
	int64_t newest_us = queue_at(q, q->count - 1)->packet.arrival_us;
	unsigned i;

	for (i = 0; i < PACKET_TRACKS_MAX; i++) {
		ret_place[i] = q->count;
	}
	for (i = 0; i < q->count && !finds_none; i++) {
		const struct packet *p = &queue_at(q, i)->packet;

		if (is_video_frame(p) && (p->flags & PACKET_ENTRY) &&
		    newest_us - p->arrival_us <= o->limits->behind_us / 2) {
			ret_place[p->track] = i;
		}
	}
}

/* Leaves out whole groups of pictures: every video frame before the newest usable random-access
 * point of its track; without one, or if `drops_all`, all of them and what comes until the next
 * one. */
static int drop_video(struct outlet *o, bool drops_all)
{
	unsigned place[PACKET_TRACKS_MAX], i, count = o->queue.count;
	bool *keep = calloc(count, sizeof(*keep));

	if (!keep) {
		return -ENOMEM;
	}
	find_entries(o, drops_all, place);
	for (i = 0; i < count; i++) {
		const struct packet *p = &queue_at(&o->queue, i)->packet;

		keep[i] = !is_video_frame(p) || i >= place[p->track];
		if (is_video_frame(p) && place[p->track] == count) {
			o->waits_for_key |= (uint16_t)(1u << p->track);
		}
	}
	o->dropped += queue_filter(&o->queue, keep);
	free(keep);
	return 0;
}

/* Keeps the backlog within its limits. */
static int trim(struct outlet *o)
{
	int error = drop_video(o, false);

	if (!error && o->queue.bytes > o->limits->bytes) {
		error = drop_video(o, true);
	}
	if (error) {
		return error;
	}
	if (o->queue.bytes > o->limits->bytes || queue_span_us(&o->queue) > o->limits->give_up_us) {
		return -ETIMEDOUT;
	}
	return 0;
}

static int offer_running(struct outlet *o, struct message *m)
{
	const struct packet *p = &m->packet;
	int error;

	if (!is_wanted(o, p)) {
		return 0;
	}
	if (is_video_frame(p) && !passes_gate(o, p)) {
		/* Other tracks are still on their way to their first random-access point. */
		o->dropped += p->track == 0;
		return 0;
	}
	error = push(o, m);
	if (error) {
		return error;
	}
	if (p->type == PACKET_FRAME) {
		o->last_90k = p->dts_90k - o->base_90k;
		o->last_arrival_us = p->arrival_us;
	}
	return is_over_limits(o) ? trim(o) : 0;
}

int outlet_offer(struct outlet *o, struct message *m, const struct outlet_start *start)
{
	const struct packet *p = &m->packet;
	int error;

	if (o->state != OUTLET_RUNNING && (p->flags & PACKET_JOIN)) {
		if (o->state == OUTLET_WAITING) {
			error = begin(o, p, start);
			if (error) {
				return error;
			}
		} else {
			resume(o, p);
		}
	}
	if (!takes_track(o, p)) {
		return 0;
	}
	switch (o->state) {
	case OUTLET_RUNNING:
		return offer_running(o, m);
	case OUTLET_REJOINING:
		/* At the time of what was sent last: show time may be another one already. */
		return packet_is_header(p) && p->type != PACKET_META
			       ? push_moved(o, p, m->payload, o->base_90k + o->last_90k,
					    p->arrival_us)
			       : 0;
	case OUTLET_WAITING:
		break;
	}
	return 0;
}

void outlet_rejoin(struct outlet *o)
{
	if (o->state == OUTLET_RUNNING) {
		o->state = OUTLET_REJOINING;
	}
}

void outlet_rebase(struct outlet *o)
{
	if (o->state != OUTLET_WAITING) {
		o->state = OUTLET_REJOINING;
		o->must_rebase = true;
	}
}
