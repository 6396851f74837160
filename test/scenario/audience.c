/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The show as it was seen, frame by frame in order of presentation (watch.h). Tests only. */
#include <assert.h>
#include <stdlib.h>

#include "watch.h"

#define UNFINISHED 16 /* frames at the end whose neighbours may not be sent yet */
#define YOUNG_US 2000000
#define YOUNG_FRAMES 16

static int compare_pts(const void *a, const void *b)
{
	const struct watch_frame *x = a, *y = b;

	return x->pts_90k < y->pts_90k ? -1 : x->pts_90k > y->pts_90k;
}

struct watch_frame *watch_sorted(const struct watch *w, enum packet_kind kind, int64_t from_us,
				 int64_t to_us, size_t *ret_count)
{
	struct watch_frame *sorted = calloc(w->frame_count + 1, sizeof(*sorted));
	size_t count = 0;

	assert(sorted != NULL);
	for (size_t i = 0; i < w->frame_count; i++) {
		const struct watch_frame *f = &w->frames[i];

		if (f->kind == kind && f->sent_us >= from_us && f->sent_us <= to_us) {
			sorted[count++] = *f;
		}
	}
	qsort(sorted, count, sizeof(*sorted), compare_pts);
	*ret_count = count - (count < UNFINISHED ? count : UNFINISHED);
	return sorted;
}

static int64_t longer(const struct watch_frame *a, const struct watch_frame *b)
{
	return a->frame_90k > b->frame_90k ? a->frame_90k : b->frame_90k;
}

static void measure_step(const struct watch_frame *a, const struct watch_frame *b,
			 struct watch_measure *m)
{
	int64_t longer_90k = longer(a, b);
	int64_t shorter_90k = a->frame_90k + b->frame_90k - longer_90k;
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

struct watch_measure watch_measure(const struct watch *w, enum packet_kind kind, int64_t from_us,
				   int64_t to_us)
{
	struct watch_measure m = { .shortest_percent = INT32_MAX, .longest_90k = INT64_MIN };
	struct watch_frame *sorted = watch_sorted(w, kind, from_us, to_us, &m.frames);

	for (size_t i = 1; i < m.frames; i++) {
		measure_step(&sorted[i - 1], &sorted[i], &m);
	}
	free(sorted);
	return m;
}

/* ---- rules for the whole show ---- */

static bool is_meeting(const struct watch_frame *a, const struct watch_frame *b)
{
	return a->connection != b->connection || a->map_90k != b->map_90k;
}

/* Half a frame of either; where one has frames more than three times as long as the other's that
 * is more than the other may miss: what lies in between. */
static int64_t least_step(const struct watch_frame *a, const struct watch_frame *b)
{
	int64_t longer_90k = longer(a, b), shorter_90k = a->frame_90k + b->frame_90k - longer_90k;
	int64_t between_90k = (longer_90k + 3 * shorter_90k) / 4;

	if (a->kind == PACKET_AUDIO) {
		return a->frame_90k - shorter_90k / 2 -
		       WATCH_ROUNDING_90k; /* sound lasts as long as it lasts */
	}
	return (longer_90k / 2 < between_90k ? longer_90k / 2 : between_90k) - WATCH_ROUNDING_90k;
}

/* So few frames tell nobody how long they last. */
static bool is_young(const struct watch *w, const struct watch_frame *f)
{
	const struct watch_connection *c = &w->connections[f->connection];
	unsigned frames = 0;

	for (size_t i = 0; i < c->count && c->packets[i].packet.arrival_us <= f->sent_us; i++) {
		const struct packet *p = &c->packets[i].packet;

		frames += packet_is_main(p) && p->kind == f->kind;
	}
	return f->sent_us - f->delay_us - c->opened_us < YOUNG_US || frames < YOUNG_FRAMES;
}

/* One of twins began to carry something else: that takes frames of both to be seen. */
static bool are_parting(const struct watch *w, const struct watch_frame *a,
			const struct watch_frame *b)
{
	const struct watch_connection *x = &w->connections[a->connection],
				      *y = &w->connections[b->connection];

	return x->encode != 0 && x->encode == y->encode && (x->has_differed || y->has_differed);
}

static void check_doubled(struct watch *w, const struct watch_frame *a, const struct watch_frame *b)
{
	int64_t step_90k = b->pts_90k - a->pts_90k;

	if (is_meeting(a, b) && !is_young(w, a) && !is_young(w, b) && !are_parting(w, a, b) &&
	    step_90k < least_step(a, b)) {
		watch_fail(w, "doubled", b->sent_us,
			   "kind %u: feeds %u and %u meet %lld ms apart at show %.3f", b->kind,
			   a->feed, b->feed, (long long)step_90k / 90,
			   (double)b->pts_90k / MEDIA_HZ);
	}
}

/* The picture behind, in order of presentation, may have left long before the one ahead of it. */
static bool is_excused(const struct watch *w, const struct watch_frame *a,
		       const struct watch_frame *b)
{
	int64_t first_us = a->sent_us < b->sent_us ? a->sent_us : b->sent_us;
	int64_t last_us = a->sent_us + b->sent_us - first_us;

	for (size_t i = 0; i < w->excuse_count; i++) {
		if (w->excuses[i].from_us <= last_us + WATCH_SPLICE_REACH_US &&
		    w->excuses[i].to_us >= first_us - w->config.delay_us - WATCH_SPLICE_REACH_US) {
			return true;
		}
	}
	return false;
}

/* Said, or within a pause that was said to have begun. */
static bool is_reported(const struct watch *w, int64_t from_us, int64_t to_us)
{
	bool is_pause = false;

	for (size_t i = 0; i < w->event_count; i++) {
		enum timeline_event_kind kind = w->events[i].kind;

		/* that feeds are twins neither tells of a gap nor ends a pause */
		if (kind == TIMELINE_STATE || kind == TIMELINE_ON || kind == TIMELINE_HELD_UP ||
		    kind == TIMELINE_TWINS || kind == TIMELINE_PARTED) {
			continue;
		}
		if (w->event_us[i] < from_us) {
			is_pause = kind == TIMELINE_STARVED || (kind == TIMELINE_GAP && is_pause);
		} else if (w->event_us[i] <= to_us) {
			return true;
		}
	}
	return is_pause;
}

/* In the order of sending, as the timeline sees it. */
static void check_reports(struct watch *w, enum packet_kind kind, int64_t now_us)
{
	const struct watch_frame *last = NULL;

	for (size_t i = 0; i < w->frame_count; i++) {
		const struct watch_frame *f = &w->frames[i];
		int64_t missing_90k;

		if (f->kind != kind) {
			continue;
		}
		missing_90k = last != NULL ? f->dts_90k - last->dts_90k - longer(last, f) : 0;
		if (missing_90k >
			    w->config.hole_us * 9 / 100 + longer(last != NULL ? last : f, f) &&
		    now_us - f->sent_us > WATCH_SPLICE_REACH_US &&
		    !is_reported(w, last->sent_us - WATCH_SPLICE_REACH_US,
				 f->sent_us + WATCH_SPLICE_REACH_US)) {
			watch_fail(w, "report", f->sent_us,
				   "kind %u: %lld ms missing at show %.3f, unsaid", kind,
				   (long long)missing_90k / 90, (double)f->dts_90k / MEDIA_HZ);
		}
		last = f;
	}
}

/* The two are of one encode, and no twin has anything of it that lies between them. */
static bool is_of_no_twin(const struct watch *w, const struct watch_frame *a,
			  const struct watch_frame *b)
{
	const struct watch_packet *from = &w->connections[a->connection].packets[a->seq];
	const struct watch_packet *to = &w->connections[b->connection].packets[b->seq];
	int64_t from_90k = from->packet.pts_90k - from->shift_90k + a->frame_90k / 2;
	int64_t to_90k = to->packet.pts_90k - to->shift_90k - a->frame_90k / 2;

	if (from->encode == 0 || from->encode != to->encode) {
		return false;
	}
	for (size_t i = 0; i < w->connection_count; i++) {
		const struct watch_connection *c = &w->connections[i];

		for (size_t n = 0; n < c->count && c->encode == from->encode; n++) {
			const struct watch_packet *p = &c->packets[n];
			int64_t pts_90k = p->packet.pts_90k - p->shift_90k;

			if (packet_is_main(&p->packet) && p->packet.kind == a->kind &&
			    pts_90k > from_90k && pts_90k < to_90k) {
				return false;
			}
		}
	}
	return true;
}

/* The encoder itself sent nothing between the two, and no more than may be missing: hole_ms. */
static bool is_left_out(const struct watch *w, const struct watch_frame *a,
			const struct watch_frame *b, int64_t missing_90k)
{
	const struct watch_connection *c = &w->connections[a->connection];

	if (missing_90k > w->config.hole_us * 9 / 100 + WATCH_ROUNDING_90k) {
		return false;
	}
	if (a->connection != b->connection || a->map_90k != b->map_90k || b->seq <= a->seq) {
		return is_of_no_twin(w, a, b);
	}
	for (uint64_t i = a->seq + 1; i < b->seq; i++) {
		if (packet_is_main(&c->packets[i].packet) && c->packets[i].packet.kind == a->kind) {
			return false;
		}
	}
	return true;
}

static void check_gap(struct watch *w, const struct watch_frame *a, const struct watch_frame *b)
{
	int64_t missing_90k = b->pts_90k - a->pts_90k - longer(a, b);
	int heir;

	if (missing_90k * 2 <= longer(a, b) + 2 * WATCH_ROUNDING_90k || is_excused(w, a, b) ||
	    is_left_out(w, a, b, missing_90k)) {
		return;
	}
	heir = watch_find_heir(w, a, b);
	if (heir >= 0) {
		watch_fail(w, "gap", b->sent_us,
			   "kind %u: %lld ms missing at show %.3f; feed %u could have gone on",
			   b->kind, (long long)missing_90k / 90, (double)b->pts_90k / MEDIA_HZ,
			   w->connections[heir].feed);
	}
}

void watch_end(struct watch *w, int64_t now_us)
{
	for (enum packet_kind kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		size_t count;
		struct watch_frame *sorted = watch_sorted(w, kind, INT64_MIN, now_us, &count);

		for (size_t i = 1; i < count; i++) {
			check_doubled(w, &sorted[i - 1], &sorted[i]);
			check_gap(w, &sorted[i - 1], &sorted[i]);
		}
		free(sorted);
		check_reports(w, kind, now_us);
	}
}
