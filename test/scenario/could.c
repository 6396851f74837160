/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who could have gone on where the show has a gap (watch.h). Worked out afterwards from what the
 * feeds sent, with the rule's words only, and on the safe side: whoever is found certainly could.
 *
 *   left ====a                       b====        a, b: the frames around the gap
 *            |known: a's feed closed, or silent for stall_ms
 *   heir ---------*------------------------
 *                 r                            a random-access point that comes due after that, is
 *                                              presented before a, and whole from there to b
 *
 * or the left feed itself, if its next frame was there in time. Tests only.
 */
#include "watch.h"

#define STEADY_US 22000000    /* a lag's window, and some */
#define STEADY_LATE_US 250000 /* more is no steady feed */
#define YOUNG_US 3000000      /* no claim on a feed that connected just before */
#define DECISION_US 100000    /* from knowing to deciding */
#define LATE_US 400000
#define AROUND 40        /* packets ... */
#define REORDERED 6      /* ... and pictures: so far ahead of its turn one may be sent */
#define MARGIN_90k 13500 /* alignment of feeds that are not twins */
#define ENTERED_90k 27000
#define ENDS_90k 27000      /* pictures that are reordered, or few a second, are whole later */
#define HELD_UP_US 50000    /* by more: the switch decided nothing meanwhile */
#define MOVED_90k 22500     /* so far a point may be moved to follow the frame before it */
#define NEW_TIME_90k 180000 /* a fall of media time by more begins it anew */

static int64_t to_us(int64_t t_90k)
{
	return t_90k * 100 / 9;
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static enum packet_kind main_kind(const struct watch_connection *c)
{
	return c->frame_90k[PACKET_VIDEO] > 0 ? PACKET_VIDEO : PACKET_AUDIO;
}

/* The packets around that one. Where there are few pictures a second, one that belongs beside it
 * may be sent more than AROUND packets earlier or later: section 3's reordering is in frames. */
static void find_around(const struct watch_connection *c, uint64_t seq, uint64_t *ret_from,
			uint64_t *ret_to)
{
	uint64_t from = seq, to = seq;

	for (unsigned pictures = 0; from > 0 && (seq - from < AROUND || pictures < REORDERED);) {
		const struct packet *p = &c->packets[--from].packet;

		pictures += packet_is_main(p) && p->kind == main_kind(c);
	}
	for (unsigned pictures = 0; to < c->count && (to - seq < AROUND || pictures < REORDERED);) {
		const struct packet *p = &c->packets[to++].packet;

		pictures += packet_is_main(p) && p->kind == main_kind(c);
	}
	*ret_from = from;
	*ret_to = to;
}

/* Around that packet the connection is as an encoder makes it: dts rise by frames, and no kind is
 * far behind the other. */
static bool is_orderly(const struct watch_connection *c, uint64_t seq)
{
	int64_t last_90k[PACKET_KINDS] = { 0 }, latest_90k = INT64_MIN;
	bool has_last[PACKET_KINDS] = { false };
	uint64_t from, to;

	find_around(c, seq, &from, &to);
	for (uint64_t i = from; i < to; i++) {
		const struct packet *p = &c->packets[i].packet;
		int64_t step_90k;

		if (!packet_is_main(p) || p->kind == PACKET_DATA) {
			continue;
		}
		step_90k = p->dts_90k - last_90k[p->kind];
		if ((has_last[p->kind] &&
		     (step_90k <= 0 || step_90k * 2 > c->frame_90k[p->kind] * 3 + 360)) ||
		    p->dts_90k < latest_90k) {
			return false;
		}
		has_last[p->kind] = true;
		last_90k[p->kind] = p->dts_90k;
		latest_90k = larger(latest_90k, p->dts_90k);
	}
	return true;
}

/* Its packets come too late: the show has to leave it, with a gap if need be. */
static bool is_late(const struct watch_connection *c, const struct watch_frame *left)
{
	uint64_t from = left->seq > AROUND ? left->seq - AROUND : 0;

	for (uint64_t i = from; i < c->count && i < left->seq + AROUND; i++) {
		const struct packet *p = &c->packets[i].packet;

		if (p->arrival_us > left->zero_us + to_us(p->dts_90k + left->map_90k) + LATE_US) {
			return true;
		}
	}
	return false;
}

/* The left feed's kind ran on behind that frame until then, be it with pictures shown before it. */
static int64_t ran_until_us(const struct watch *w, const struct watch_frame *left,
			    int64_t patience_us)
{
	const struct watch_connection *c = &w->connections[left->connection];
	const struct packet *last = &c->packets[left->seq].packet;

	for (uint64_t i = left->seq + 1; i < c->count; i++) {
		const struct packet *p = &c->packets[i].packet;

		if (!packet_is_main(p) || p->kind != left->kind) {
			continue;
		}
		if (p->arrival_us - last->arrival_us > patience_us ||
		    to_us(p->dts_90k - last->dts_90k - left->frame_90k) > w->config.hole_us) {
			break;
		}
		last = p;
	}
	return last->arrival_us;
}

/* When it was known that the left feed cannot go on behind that frame. */
static int64_t known_us(const struct watch *w, const struct watch_frame *left)
{
	const struct watch_connection *c = &w->connections[left->connection];
	int64_t patience_us = larger(w->config.stall_us, to_us(3 * left->frame_90k));
	int64_t silent_us = ran_until_us(w, left, patience_us) + patience_us;

	return silent_us < c->closed_us
		       ? silent_us
		       : larger(c->closed_us, c->packets[left->seq].packet.arrival_us);
}

/* The packet's dts rises above all before it, as it has to within a track (3.6): one that falls by
 * less than would be a new media time has no place in the show. */
static bool rises(const struct watch_connection *c, uint64_t seq)
{
	const struct packet *p = &c->packets[seq].packet;
	int64_t latest_90k = INT64_MIN / 2;

	for (uint64_t i = 0; i < seq; i++) {
		const struct packet *before = &c->packets[i].packet;

		if (packet_is_main(before) && before->kind == p->kind) {
			latest_90k = before->dts_90k < latest_90k - NEW_TIME_90k
					     ? before->dts_90k
					     : larger(latest_90k, before->dts_90k);
		}
	}
	return p->dts_90k > latest_90k;
}

/* The left feed goes on behind a hole that was told, and this packet is decoded before its end. */
static bool is_before_hole(const struct watch *w, const struct watch_frame *left, uint64_t seq)
{
	for (size_t i = 0; i < w->frame_count; i++) {
		const struct watch_frame *f = &w->frames[i];

		if (f->connection == left->connection && f->kind == left->kind &&
		    (f->flags & PACKET_GAP) != 0 && f->seq > seq && f->seq <= left->seq) {
			return true;
		}
	}
	return false;
}

/* The left feed did go on, behind a splice that moved it: with that packet, its next one, or with a
 * later one less than a frame further than that should be. Earlier ones could not leave in order
 * any more (3.6): what they carry was moved to where the show had got already. */
static bool is_moved(const struct watch_frame *left, const struct watch_frame *right, uint64_t next)
{
	int64_t by_90k = right->map_90k - left->map_90k;

	return right->connection == left->connection && by_90k != 0 && by_90k <= MOVED_90k &&
	       (right->seq == next || right->pts_90k - left->pts_90k < 2 * left->frame_90k);
}

/* The next frame of the left feed was there, in order and in time, and before it was given up. */
static bool left_goes_on(const struct watch *w, const struct watch_frame *left,
			 const struct watch_frame *right)
{
	const struct watch_connection *c = &w->connections[left->connection];
	int64_t media_90k = left->pts_90k - left->map_90k;
	uint64_t from, to;

	find_around(c, left->seq, &from, &to);
	for (uint64_t i = from; i < c->count && is_orderly(c, left->seq); i++) {
		const struct watch_packet *p = &c->packets[i];
		int64_t step_90k = p->packet.pts_90k - media_90k;

		if (packet_is_main(&p->packet) && p->packet.kind == left->kind && step_90k > 0 &&
		    step_90k * 2 < left->frame_90k * 3) {
			return !p->is_lost && !is_moved(left, right, i) && rises(c, i) &&
			       !is_before_hole(w, left, i) &&
			       p->packet.arrival_us < known_us(w, left) &&
			       p->packet.arrival_us <=
				       left->zero_us + to_us(p->packet.dts_90k + left->map_90k);
		}
	}
	return false;
}

/* Where the left feed's run on the show began. */
static int64_t entered_90k(const struct watch *w, const struct watch_frame *left)
{
	for (size_t i = 0; i < w->frame_count; i++) {
		const struct watch_frame *f = &w->frames[i];

		if (f->connection == left->connection && f->map_90k == left->map_90k) {
			return f->pts_90k;
		}
	}
	return left->pts_90k;
}

/* The feed's map as the rule has it: its smallest lag within a window. */
static bool is_aligned(const struct watch *w, const struct watch_connection *c,
		       const struct watch_frame *left, int64_t at_us, int64_t *ret_map_90k)
{
	int64_t least_us = INT64_MAX;

	for (size_t i = 0; i < c->count; i++) {
		const struct packet *p = &c->packets[i].packet;

		if (packet_is_main(p) && p->kind == main_kind(c) && p->arrival_us <= at_us &&
		    p->arrival_us >= at_us - STEADY_US) {
			int64_t lag_us = p->arrival_us - to_us(p->pts_90k);

			least_us = lag_us < least_us ? lag_us : least_us;
		}
	}
	if (least_us == INT64_MAX) {
		return false;
	}
	*ret_map_90k = (least_us - (left->zero_us - left->delay_us - left->behind_us)) * 9 / 100 +
		       w->config.feeds[c->feed - 1].offset_90k;
	return true;
}

/* Nothing was wrong with the feed: no step but frames', and none late. */
static bool is_steady(const struct watch_connection *c, int64_t from_us, int64_t until_media_90k)
{
	int64_t last_90k[PACKET_KINDS] = { 0 }, least_us = INT64_MAX, most_us = INT64_MIN;
	bool has_last[PACKET_KINDS] = { false };

	for (size_t i = 0; i < c->count; i++) {
		const struct packet *p = &c->packets[i].packet;

		if (p->arrival_us < from_us || !packet_is_main(p) || p->kind == PACKET_DATA) {
			continue;
		}
		if (c->packets[i].is_lost || p->flags & PACKET_LEADING) {
			return false;
		}
		if (has_last[p->kind] &&
		    (p->dts_90k <= last_90k[p->kind] ||
		     (p->dts_90k - last_90k[p->kind]) * 2 > c->frame_90k[p->kind] * 3 + 360)) {
			return false;
		}
		has_last[p->kind] = true;
		last_90k[p->kind] = p->dts_90k;
		least_us = p->arrival_us - to_us(p->dts_90k) < least_us
				   ? p->arrival_us - to_us(p->dts_90k)
				   : least_us;
		most_us = larger(most_us, p->arrival_us - to_us(p->dts_90k));
		if (most_us - least_us > STEADY_LATE_US) {
			return false;
		}
	}
	for (enum packet_kind kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		if (c->frame_90k[kind] > 0 && last_90k[kind] < until_media_90k) {
			return false;
		}
	}
	return true;
}

/* What the left feed sent ends here (show), or before. */
static int64_t left_end_90k(const struct watch_connection *from, const struct watch_frame *left)
{
	int64_t end_90k = left->pts_90k;

	for (size_t i = 0; i < from->count; i++) {
		end_90k = larger(end_90k, from->packets[i].packet.pts_90k + left->map_90k);
	}
	return end_90k;
}

/* Closed on standby, the feed can still be shown for as long as its packets lie ahead; of several
 * connections of a feed what is left of the newest, or, once the left one was closed, the first. */
static bool is_kept(const struct watch *w, size_t connection, const struct watch_frame *left)
{
	const struct watch_connection *c = &w->connections[connection];
	const struct watch_connection *from = &w->connections[left->connection];

	for (size_t i = connection + 1; i < w->connection_count; i++) {
		const struct watch_connection *next = &w->connections[i];

		if (next->feed == c->feed &&
		    (next->closed_us < from->closed_us || !is_steady(next, 0, INT64_MIN))) {
			return false;
		}
	}
	return !c->was_leaving && c->closed_us >= w->frames[0].sent_us;
}

/* A point of the feed at which the left one could have been left without a gap. */
static bool has_point(const struct watch *w, const struct watch_connection *c,
		      const struct watch_frame *left, int64_t map_90k, int64_t known,
		      bool is_closed)
{
	int64_t first_90k = entered_90k(w, left) + ENTERED_90k;

	for (size_t i = 0; i < c->count; i++) {
		const struct packet *p = &c->packets[i].packet;
		int64_t due_us = left->zero_us + to_us(p->dts_90k + map_90k);

		if (packet_is_main(p) && p->kind == main_kind(c) &&
		    (p->kind == PACKET_AUDIO || (p->flags & PACKET_KEY) != 0) &&
		    p->pts_90k + map_90k >= first_90k &&
		    p->pts_90k + map_90k <= left->pts_90k - MARGIN_90k &&
		    due_us >= known + DECISION_US + to_us(left->frame_90k) &&
		    p->arrival_us <= due_us - DECISION_US &&
		    (is_closed || c->closed_us > due_us + DECISION_US)) {
			return true;
		}
	}
	return false;
}

/* Between the two the show went over to another connection, or to one that has sound alone where
 * this one has pictures, or the other way round. */
static bool goes_over(const struct watch *w, const struct watch_frame *left,
		      const struct watch_frame *right, bool is_to_other_kind)
{
	enum packet_kind kind = main_kind(&w->connections[left->connection]);

	for (size_t i = 0; i < w->frame_count; i++) {
		const struct watch_frame *f = &w->frames[i];

		if (f->sent_us >= left->sent_us && f->sent_us <= right->sent_us &&
		    (f->flags & PACKET_SPLICE) != 0 && f->connection != left->connection &&
		    (!is_to_other_kind || main_kind(&w->connections[f->connection]) != kind)) {
			return true;
		}
	}
	return false;
}

/* A feed is left, pictures and all, where its sound is complete no longer (3.4: its horizon is that
 * of both); where the next one has no pictures, they are missing. */
static bool leaves_pictures(const struct watch *w, const struct watch_frame *left,
			    const struct watch_frame *right)
{
	return main_kind(&w->connections[left->connection]) !=
		       main_kind(&w->connections[right->connection]) ||
	       goes_over(w, left, right, true);
}

/* The feed was live all the while: it may come back with the map that it had. */
static bool is_one_run(const struct watch *w, const struct watch_frame *left,
		       const struct watch_frame *right)
{
	return left->connection == right->connection && left->map_90k == right->map_90k &&
	       !goes_over(w, left, right, false);
}

/* When the connection's sound came last, up to then. */
static int64_t last_sound_us(const struct watch_connection *c, int64_t until_us)
{
	int64_t last_us = until_us;

	for (size_t i = 0; i < c->count && c->packets[i].packet.arrival_us <= until_us; i++) {
		const struct packet *p = &c->packets[i].packet;

		if (packet_is_main(p) && p->kind == PACKET_AUDIO) {
			last_us = p->arrival_us;
		}
	}
	return last_us;
}

/* The show had left the feed for another one whose sound never came, so that its own went on
 * until the other's was known to be silent (3.4: stall_ms), in whole frames. From there on
 * nobody but the next point is asked for it, and the gap is told (3.5). */
static bool is_left_for_long(const struct watch *w, const struct watch_frame *left)
{
	int64_t left_us = INT64_MAX;

	for (size_t i = 0; i < w->frame_count && w->frames[i].sent_us <= left->sent_us; i++) {
		const struct watch_frame *f = &w->frames[i];

		if (f->kind == PACKET_VIDEO && (f->flags & PACKET_SPLICE) != 0) {
			left_us = f->connection != left->connection
					  ? last_sound_us(&w->connections[f->connection],
							  f->sent_us)
					  : INT64_MAX;
		}
	}
	return left->kind == PACKET_AUDIO && left_us != INT64_MAX &&
	       left->sent_us - left_us >= w->config.stall_us - to_us(2 * left->frame_90k);
}

/* The connection is of the encode that has the gap, and what belongs into it had passed, by the
 * connection's own map, when it was found to be so: until then it had no other place (3.3), and no
 * standby's packets are kept that could not be sent any more (3.9). */
static bool has_forgotten(const struct watch *w, const struct watch_connection *c,
			  const struct watch_frame *left, int64_t found_us)
{
	const struct watch_packet *from = &w->connections[left->connection].packets[left->seq];
	int64_t from_90k = from->packet.pts_90k - from->shift_90k, map_90k;

	for (size_t i = 0; i < c->count && is_aligned(w, c, left, found_us, &map_90k); i++) {
		const struct watch_packet *p = &c->packets[i];
		int64_t step_90k = p->packet.pts_90k - p->shift_90k - from_90k;

		if (from->encode != 0 && p->encode == from->encode && packet_is_main(&p->packet) &&
		    p->packet.kind == left->kind && step_90k * 2 > left->frame_90k &&
		    step_90k * 2 < 3 * left->frame_90k) {
			return left->zero_us + to_us(p->packet.dts_90k + map_90k) + LATE_US <
			       found_us;
		}
	}
	return false;
}

/* Likewise, when the two were found to be twins. */
static bool is_forgetful_twin(const struct watch *w, const struct watch_connection *c,
			      const struct watch_frame *left, const struct watch_frame *right)
{
	for (size_t i = 0; i < w->event_count && w->event_us[i] <= right->sent_us; i++) {
		const struct timeline_event *e = &w->events[i];

		if (e->kind == TIMELINE_TWINS && (e->from == c->feed || e->to == c->feed) &&
		    w->event_us[i] >= c->opened_us && has_forgotten(w, c, left, w->event_us[i])) {
			return true;
		}
	}
	return false;
}

/* The connection has what belongs into the gap: all of it, or, closed by now, some. */
static bool could_take_over(const struct watch *w, size_t connection,
			    const struct watch_frame *left, const struct watch_frame *right)
{
	const struct watch_connection *c = &w->connections[connection];
	const struct watch_connection *from = &w->connections[left->connection];
	int64_t known = known_us(w, left), map_90k, most_90k;

	if (connection == left->connection || c->is_slate || c->is_odd ||
	    main_kind(c) != main_kind(from) || c->opened_us > known - YOUNG_US ||
	    !is_aligned(w, c, left, known, &map_90k) || is_forgetful_twin(w, c, left, right)) {
		return false;
	}
	if (is_steady(c, known - STEADY_US, right->pts_90k - map_90k) &&
	    has_point(w, c, left, map_90k, known, false)) {
		return c->closed_us > right->sent_us || is_kept(w, connection, left);
	}
	most_90k = left_end_90k(from, left) + w->config.hole_us * 9 / 100 + ENDS_90k;
	return from->closed_us != INT64_MAX && is_kept(w, connection, left) &&
	       is_steady(c, known - STEADY_US, most_90k - map_90k) &&
	       has_point(w, c, left, map_90k, larger(known, from->closed_us), true);
}

int watch_find_heir(const struct watch *w, const struct watch_frame *left,
		    const struct watch_frame *right)
{
	const struct watch_connection *from = &w->connections[left->connection];
	int64_t known = known_us(w, left);

	if (left->delay_us == 0 || left->delay_us != right->delay_us || from->is_odd ||
	    w->connections[w->frames[0].connection].is_odd) {
		return -1;
	}
	if (is_late(from, left) || right->behind_us - left->behind_us > HELD_UP_US ||
	    leaves_pictures(w, left, right)) {
		return -1;
	}
	if ((is_one_run(w, left, right) || known > right->sent_us) && !is_left_for_long(w, left) &&
	    left_goes_on(w, left, right) && !is_forgetful_twin(w, from, left, right)) {
		return (int)left->connection;
	}
	if (left->connection == right->connection && left->map_90k == right->map_90k &&
	    to_us(right->pts_90k - left->pts_90k - left->frame_90k - WATCH_ROUNDING_90k) <=
		    w->config.hole_us) {
		return -1; /* frames that an encoder dropped are no hole */
	}
	for (size_t i = 0; i < w->connection_count && !w->is_taken; i++) {
		if (could_take_over(w, i, left, right)) {
			return (int)i;
		}
	}
	return -1;
}
