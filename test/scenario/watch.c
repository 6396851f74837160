/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What must always be true, packet by packet (watch.h). Tests only. */
#include "watch.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_US 100000
#define RTMP_STEP_90k 90 /* frames nearer than that may have one timestamp there */
/* 500 ms late, 100 ms of new media, 150 ms of jitter and rounding to windows */
#define WINDOW_MAX_90k 67500
#define SQUEEZED_US 1200 /* a squeeze moves by 1 ms */
#define SOURCE_BYTES_MAX ((size_t)2 << 20)
#define TIMELINE_BYTES_MAX ((size_t)512 << 10)
#define SLATE_HOLD_US 2000000
#define TWIN_SLACK_90k 360
#define UNSURE_US 3000000
#define LINGERS_US 10000000 /* beyond the delay: what of an ended connection can still be sent */
#define PARTING_US 3000000

void watch_fail(struct watch *w, const char *rule, int64_t now_us, const char *format, ...)
{
	char what[WATCH_TEXT / 2];
	va_list args;

	if (w->failure[0] != '\0') {
		return;
	}
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	snprintf(w->rule, sizeof(w->rule), "%s", rule);
	now_us = now_us > START_US ? now_us - START_US : 0;
	snprintf(w->failure, sizeof(w->failure), "%s: at %.3f s: %s", rule, (double)now_us / 1e6,
		 what);
}

static void *watch_grow(void *items, size_t *room, size_t count, size_t size)
{
	if (count < *room) {
		return items;
	}
	*room = *room == 0 ? 64 : *room * 2;
	items = realloc(items, *room * size);
	assert(items != NULL);
	return items;
}

void watch_init(struct watch *w, const struct timeline_config *config)
{
	*w = (struct watch){ .config = *config,
			     .last_90k = INT64_MIN,
			     .twin_moved_us = INT64_MIN / 2,
			     .twin_parted_us = INT64_MIN / 2 };
	watch_taken(w, 0);
}

void watch_finish(struct watch *w)
{
	for (size_t i = 0; i < w->connection_count; i++) {
		free(w->connections[i].packets);
	}
	free(w->connections);
	free(w->frames);
	free(w->events);
	free(w->event_us);
	free(w->excuses);
}

/* ---- what goes in ---- */

unsigned watch_connected(struct watch *w, const struct watch_connection *how, int64_t now_us)
{
	struct watch_connection *c;

	w->connections = watch_grow(w->connections, &w->connection_room, w->connection_count,
				    sizeof(*w->connections));
	c = &w->connections[w->connection_count];
	*c = *how;
	c->is_open = true;
	c->opened_us = now_us;
	c->closed_us = INT64_MAX;
	return (unsigned)w->connection_count++;
}

void watch_closed(struct watch *w, unsigned connection, int64_t now_us)
{
	w->connections[connection].is_open = false;
	w->connections[connection].closed_us = now_us;
}

void watch_arrived(struct watch *w, unsigned connection, const struct watch_packet *p)
{
	struct watch_connection *c = &w->connections[connection];

	if (p->encode != 0 && c->count > 0 && p->shift_90k != c->packets[c->count - 1].shift_90k) {
		w->twin_moved_us = p->packet.arrival_us;
	}
	if (p->encode != 0 && p->encode != c->encode) {
		w->twin_parted_us = c->has_differed ? w->twin_parted_us : p->packet.arrival_us;
		c->has_differed = true;
	}
	c->packets = watch_grow(c->packets, &c->room, c->count, sizeof(*c->packets));
	c->packets[c->count++] = *p;
}

void watch_excused(struct watch *w, int64_t from_us, int64_t to_us)
{
	w->excuses = watch_grow(w->excuses, &w->excuse_room, w->excuse_count, sizeof(*w->excuses));
	w->excuses[w->excuse_count++] = (struct watch_excuse){ from_us, to_us };
}

void watch_overwritten(struct watch *w, unsigned connection, int64_t now_us)
{
	struct watch_connection *c = &w->connections[connection];

	for (size_t i = 0; i < c->count; i++) {
		c->packets[i].is_lost = true;
	}
	watch_excused(w, now_us, now_us);
}

void watch_taken(struct watch *w, uint16_t feed)
{
	w->is_taken |= feed != 0;
	for (unsigned i = 0; i < TIMELINE_FEEDS_MAX; i++) {
		w->returned_us[i] = INT64_MIN;
	}
}

/* ---- what comes out ---- */

static void check_order(struct watch *w, const struct packet *p, int64_t now_us)
{
	if (p->dts_90k < w->last_90k) {
		watch_fail(w, "order", now_us, "dts falls by %lld",
			   (long long)(w->last_90k - p->dts_90k));
	}
	if (p->type == PACKET_FRAME && w->has_last[p->kind][p->track] &&
	    p->dts_90k <= w->last_dts_90k[p->kind][p->track]) {
		watch_fail(w, "rises", now_us, "dts of kind %u track %u does not rise", p->kind,
			   p->track);
	}
	if (p->type == PACKET_FRAME && packet_is_main(p) && w->has_last[p->kind][p->track] &&
	    p->dts_90k > w->last_dts_90k[p->kind][p->track] &&
	    p->dts_90k - w->last_dts_90k[p->kind][p->track] < RTMP_STEP_90k) {
		watch_fail(w, "rises", now_us, "dts of kind %u rises by less than 1 ms", p->kind);
	}
	if (p->pts_90k < p->dts_90k) {
		watch_fail(w, "rises", now_us, "pts before dts");
	}
}

static int watch_find(const struct watch *w, const struct packet *p)
{
	for (size_t i = w->connection_count; i > 0; i--) {
		const struct watch_connection *c = &w->connections[i - 1];

		if (c->feed == p->feed && c->incarnation == p->incarnation) {
			return (int)i - 1;
		}
	}
	return -1;
}

static bool is_same(const struct packet *in, const struct packet *out)
{
	return in->kind == out->kind && in->type == out->type && in->track == out->track &&
	       in->size == out->size && in->fingerprint == out->fingerprint;
}

static void check_origin(struct watch *w, struct watch_connection *c,
			 const struct timeline_step *step, int64_t now_us)
{
	const struct packet *p = &step->packet;

	if (step->seq != p->source_seq || step->seq >= c->count ||
	    !is_same(&c->packets[step->seq].packet, p)) {
		watch_fail(w, "origin", now_us, "not packet %llu of feed %u",
			   (unsigned long long)step->seq, p->feed);
		return;
	}
	if (c->packets[step->seq].is_sent) {
		watch_fail(w, "once", now_us, "packet %llu of feed %u leaves again",
			   (unsigned long long)step->seq, p->feed);
	}
	c->packets[step->seq].is_sent = true;
	if (step->seq < c->next_seq[p->kind][p->track]) {
		watch_fail(w, "sequence", now_us,
			   "packet %llu of feed %u leaves behind a later one",
			   (unsigned long long)step->seq, p->feed);
	}
	c->next_seq[p->kind][p->track] = step->seq + 1;
}

static bool are_twins(const struct watch_connection *a, const struct watch_connection *b)
{
	return a->encode != 0 && a->encode == b->encode;
}

/* Tracks beside the main ones have no rhythm that would tell at which of their frames timestamps
 * moved. */
static bool is_unsure(const struct watch *w, const struct packet *p, int64_t now_us)
{
	return p->track > 0 && now_us - w->twin_moved_us < w->config.delay_us + UNSURE_US;
}

/* Who encodes something else is a twin no more when that was seen, which takes frames of both. */
static bool was_twin(const struct watch *w, unsigned connection, const struct packet *p,
		     int64_t now_us)
{
	return w->has_last[p->kind][p->track] &&
	       now_us - w->twin_parted_us < w->config.delay_us + PARTING_US &&
	       are_twins(&w->connections[w->last_connection[p->kind][p->track]],
			 &w->connections[connection]);
}

static void check_splice(struct watch *w, unsigned connection, const struct packet *p,
			 int64_t now_us)
{
	const struct watch_packet *in = &w->connections[connection].packets[p->source_seq];
	bool is_other = !w->has_last[p->kind][p->track] ||
			w->last_connection[p->kind][p->track] != connection;
	bool is_twin = w->has_last[p->kind][p->track] && in->encode != 0 &&
		       in->encode == w->last_encode[p->kind][p->track];

	if (is_twin && (p->flags & PACKET_SPLICE) == 0 &&
	    in->number <= w->last_number[p->kind][p->track] && !is_unsure(w, p, now_us)) {
		watch_fail(w, "encode", now_us, "kind %u track %u: frame %llu behind frame %llu",
			   p->kind, p->track, (unsigned long long)in->number,
			   (unsigned long long)w->last_number[p->kind][p->track]);
	}
	w->lost += is_twin && (p->flags & PACKET_SPLICE) == 0
			   ? in->number - w->last_number[p->kind][p->track] - 1
			   : 0;
	w->last_sent_us[p->kind][p->track] = now_us;
	w->last_encode[p->kind][p->track] = in->encode;
	w->last_number[p->kind][p->track] = in->number;
	if (is_other && (p->flags & PACKET_SPLICE) == 0 && !is_twin &&
	    !was_twin(w, connection, p, now_us)) {
		watch_fail(w, "splice", now_us, "kind %u track %u goes over to feed %u unsaid",
			   p->kind, p->track, p->feed);
	}
	if ((p->flags & PACKET_SPLICE) != 0 && p->kind == PACKET_VIDEO &&
	    (p->flags & (PACKET_KEY | PACKET_RECOVERY)) == 0) {
		watch_fail(w, "access", now_us, "a splice that starts on no random-access point");
	}
}

/* Twins whose timestamps moved against each other are still one encode: its time is what goes on.
 * Timestamps are whole ms on some sides. */
static bool encode_is_constant(struct watch *w, struct watch_connection *c,
			       const struct watch_packet *in, int64_t map_90k)
{
	int64_t encode_map_90k = map_90k + in->shift_90k;
	int64_t own_90k = encode_map_90k - c->encode_map_90k,
		show_90k = encode_map_90k - w->encode_map_90k;

	c->encode_map_90k = w->encode_map_90k = encode_map_90k;
	return in->encode != 0 && c->has_map &&
	       (llabs(own_90k) <= TWIN_SLACK_90k || llabs(show_90k) <= TWIN_SLACK_90k);
}

/* Presentation is never moved but at a splice; dts may be squeezed upwards, so deep as pts. */
static void check_constant(struct watch *w, struct watch_connection *c,
			   const struct timeline_step *step, int64_t now_us)
{
	const struct packet *p = &step->packet, *in = &c->packets[step->seq].packet;
	int64_t pts_90k = in->pts_90k > in->dts_90k ? in->pts_90k : in->dts_90k;
	int64_t map_90k = p->pts_90k - pts_90k;
	bool is_moved = encode_is_constant(w, c, &c->packets[step->seq], map_90k);

	if (p->dts_90k - in->dts_90k < map_90k) {
		watch_fail(w, "constant", now_us, "dts is moved back");
	}
	if (c->has_map && (map_90k == c->map_90k || map_90k == c->old_map_90k)) {
		return;
	}
	if ((p->flags & PACKET_SPLICE) != 0) { /* its twins are moved with it */
		for (size_t i = 0; i < w->connection_count; i++) {
			w->connections[i].has_map &= &w->connections[i] == c ||
						     !are_twins(&w->connections[i], c);
		}
	} else if (c->has_map && !is_moved && !is_unsure(w, p, now_us)) {
		watch_fail(w, "constant", now_us, "kind %u track %u of feed %u is moved by %lld",
			   p->kind, p->track, p->feed, (long long)(map_90k - c->map_90k));
	}
	c->old_map_90k = c->has_map ? c->map_90k : map_90k;
	c->map_90k = map_90k;
	c->has_map = true;
}

static void check_time(struct watch *w, const struct packet *p, int64_t zero_us, int64_t now_us)
{
	int64_t due_us = zero_us + p->dts_90k * 100 / 9, step_90k;

	if (w->config.delay_us > 0 && due_us > now_us + SQUEEZED_US) {
		watch_fail(w, "early", now_us, "sent %lld us before it is due",
			   (long long)(due_us - now_us));
	}
	if (p->kind != PACKET_VIDEO || p->track != 0 || !w->has_last[PACKET_VIDEO][0]) {
		return;
	}
	if (now_us - w->window_us > WINDOW_US) {
		w->window_us = now_us;
		w->window_90k = 0;
	}
	step_90k = p->dts_90k - w->last_dts_90k[PACKET_VIDEO][0];
	w->window_90k += step_90k < 9000 ? step_90k : 0;
	if (w->window_90k > WINDOW_MAX_90k) {
		watch_fail(w, "burst", now_us, "%lld ms of video at once",
			   (long long)w->window_90k / 90);
	}
}

static void watch_keep(struct watch *w, unsigned connection, const struct packet *p,
		       int64_t zero_us, int64_t now_us)
{
	const struct watch_connection *c = &w->connections[connection];

	w->frames = watch_grow(w->frames, &w->frame_room, w->frame_count, sizeof(*w->frames));
	w->frames[w->frame_count++] = (struct watch_frame){
		.pts_90k = p->pts_90k,
		.dts_90k = p->dts_90k,
		.sent_us = now_us,
		.zero_us = zero_us,
		.delay_us = w->config.delay_us,
		.behind_us = w->behind_us,
		.connection = connection,
		.seq = p->source_seq,
		.map_90k = c->map_90k,
		.frame_90k = c->frame_90k[p->kind],
		.feed = p->feed,
		.flags = p->flags,
		.kind = p->kind,
	};
}

void watch_sent(struct watch *w, const struct timeline_step *step, int64_t zero_us, int64_t now_us)
{
	const struct packet *p = &step->packet;
	int connection = watch_find(w, p);

	w->sent++;
	check_order(w, p, now_us);
	if (connection < 0) {
		watch_fail(w, "origin", now_us, "a packet of nobody");
		return;
	}
	check_origin(w, &w->connections[connection], step, now_us);
	w->last_90k = p->dts_90k;
	if (p->type != PACKET_FRAME || w->failure[0] != '\0') {
		return;
	}
	check_splice(w, (unsigned)connection, p, now_us);
	check_constant(w, &w->connections[connection], step, now_us);
	check_time(w, p, zero_us, now_us);
	w->last_dts_90k[p->kind][p->track] = p->dts_90k;
	w->last_connection[p->kind][p->track] = (unsigned)connection;
	w->has_last[p->kind][p->track] = true;
	if (p->track == 0 && p->kind != PACKET_DATA) {
		watch_keep(w, (unsigned)connection, p, zero_us, now_us);
	}
}

/* ---- what is said ---- */

static void check_failback(struct watch *w, const struct timeline_event *e, int64_t now_us)
{
	int64_t *last_us, hold_us = w->config.return_after_us;

	if (e->kind != TIMELINE_SPLICED || e->to < 1 || e->to > TIMELINE_FEEDS_MAX ||
	    strcmp(e->cause, "a preferred feed is healthy again") != 0) {
		return;
	}
	for (unsigned i = 0; i < w->config.feed_count; i++) {
		if (w->config.feeds[i].id == e->from && w->config.feeds[i].is_slate &&
		    hold_us > SLATE_HOLD_US) {
			hold_us = SLATE_HOLD_US;
		}
	}
	last_us = &w->returned_us[e->to - 1];
	if (*last_us != INT64_MIN && now_us - *last_us < hold_us) {
		watch_fail(w, "failback", now_us, "to feed %u again after %lld ms", e->to,
			   (long long)(now_us - *last_us) / 1000);
	}
	*last_us = now_us;
	w->returns++;
}

/* A feed that was no part of the show becomes the twin of another: its map is that one's. */
static void watch_twins(struct watch *w, uint16_t feed)
{
	for (size_t i = 0; i < w->connection_count; i++) {
		w->connections[i].has_map &= w->connections[i].feed != feed;
	}
}

void watch_event(struct watch *w, const struct timeline_event *event, int64_t now_us)
{
	size_t room = w->event_room;

	check_failback(w, event, now_us);
	if (event->kind == TIMELINE_TWINS) {
		watch_twins(w, event->to);
	}
	w->events = watch_grow(w->events, &w->event_room, w->event_count, sizeof(*w->events));
	w->event_us = watch_grow(w->event_us, &room, w->event_count, sizeof(*w->event_us));
	w->events[w->event_count] = *event;
	w->event_us[w->event_count++] = now_us;
}

void watch_held(struct watch *w, size_t bytes, unsigned sources, int64_t now_us)
{
	int64_t lingers_us = w->config.delay_us + w->behind_us + LINGERS_US;
	unsigned most = 1; /* which the show is left with until another one has a point */

	for (size_t i = 0; i < w->connection_count;
	     i++) { /* those that ended are sent to their end */
		most += now_us - w->connections[i].closed_us < lingers_us;
	}
	if (sources > most) {
		watch_fail(w, "memory", now_us, "%u sources are held", sources);
	}
	if (bytes > TIMELINE_BYTES_MAX + sources * SOURCE_BYTES_MAX) {
		watch_fail(w, "memory", now_us, "%zu bytes for %u sources", bytes, sources);
	}
}
