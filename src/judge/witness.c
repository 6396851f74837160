/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The witness (witness.h): one judge a track, and what concerns them all. */
#include <stdlib.h>
#include <string.h>

#include <understudy/witness.h>

#include "steps.h"

#define EVENTS_MAX 256
#define ENCODES_MAX 256
#define ENDS_LATE_90K MEDIA_HZ /* a track that ends so much before the other has ended early */
#define REORDER_MAX_90K (2 * MEDIA_HZ) /* what claims to reorder more is out of its mind */
#define ENTRY_PATIENCE 600             /* frames without a key frame; then it has none */
#define ENTRY_RING_PATIENCE 8          /* more than anybody reorders */
#define NOTHING_90K INT64_MIN

struct track {
	struct steps steps;
	struct witness_track count;
	bool has_header, is_headerless_said;
	bool has_packet;
	bool has_entered; /* its steps are judged, from `entry_90k` on */
	unsigned before_entry;
	int64_t entry_90k;
	uint16_t feed;
	uint32_t incarnation;
	uint64_t source_seq;
	int64_t dts_90k, pts_90k;
	int64_t reorder_90k; /* pts less dts of its last key frame */
};

struct witness {
	struct witness_config config;
	struct track tracks[PACKET_KINDS][PACKET_TRACKS_MAX];
	struct witness_summary summary;
	struct witness_event events[EVENTS_MAX];
	unsigned first, count;
	uint32_t encodes[ENCODES_MAX];
	int64_t dts_90k; /* the last one of all tracks */
	int64_t seen_us; /* when the last packet came; 0 = none yet */
};

const char *witness_kind_str(enum witness_kind kind)
{
	static const char *const names[WITNESS_KINDS] = {
		[WITNESS_NONE] = "none",
		[WITNESS_MISSING] = "missing",
		[WITNESS_DOUBLED] = "doubled",
		[WITNESS_DISORDER] = "disorder",
		[WITNESS_HEADERLESS] = "no_header",
		[WITNESS_NO_KEY] = "no_key",
		[WITNESS_UNMARKED] = "unmarked",
		[WITNESS_ENDED] = "ended",
		[WITNESS_SPLICE] = "splice",
		[WITNESS_LAPPED] = "lapped",
	};

	return (unsigned)kind < WITNESS_KINDS ? names[kind] : "unknown";
}

/* ---- life ---- */

static void summary_begin(struct witness_summary *s, int64_t now_us)
{
	*s = (struct witness_summary){ .from_us = now_us, .to_us = now_us };
	s->video.first_90k = s->video.last_90k = NOTHING_90K;
	s->audio.first_90k = s->audio.last_90k = NOTHING_90K;
}

struct witness *witness_create(const struct witness_config *config, int64_t now_us)
{
	struct witness *w = calloc(1, sizeof(*w));

	if (w != NULL) {
		w->config = *config;
		w->dts_90k = NOTHING_90K;
		summary_begin(&w->summary, now_us);
	}
	return w;
}

void witness_destroy(struct witness **w)
{
	free(*w);
	*w = NULL;
}

void witness_set_encode(struct witness *w, uint16_t feed, uint32_t encode)
{
	if (feed < ENCODES_MAX) {
		w->encodes[feed] = encode;
	}
}

static bool are_twins(const struct witness *w, uint16_t a, uint16_t b)
{
	return a < ENCODES_MAX && b < ENCODES_MAX && w->encodes[a] != 0 &&
	       w->encodes[a] == w->encodes[b];
}

/* ---- findings ---- */

static void say(struct witness *w, const struct witness_event *event)
{
	w->summary.counts[event->kind]++;
	if (w->count == EVENTS_MAX) {
		w->summary.unsaid++;
		return;
	}
	w->events[(w->first + w->count++) % EVENTS_MAX] = *event;
}

static void say_of(struct witness *w, enum witness_kind kind, const struct packet *p, uint16_t from,
		   int64_t at_90k, int64_t now_us)
{
	const struct witness_event event = { .kind = kind,
					     .from = from,
					     .to = p->feed,
					     .media = p->kind,
					     .track = p->track,
					     .at_90k = at_90k,
					     .seen_us = now_us };

	say(w, &event);
}

bool witness_next(struct witness *w, struct witness_event *ret)
{
	if (w->count == 0) {
		return false;
	}
	*ret = w->events[w->first];
	w->first = (w->first + 1) % EVENTS_MAX;
	w->count--;
	return true;
}

/* ---- steps ---- */

static struct witness_track *counts_of(struct witness *w, unsigned kind, unsigned track)
{
	if (track != 0) {
		return NULL;
	}
	return kind == PACKET_VIDEO   ? &w->summary.video
	       : kind == PACKET_AUDIO ? &w->summary.audio
				      : NULL;
}

static void take_judgement(struct witness *w, unsigned kind, unsigned track,
			   const struct judgement *j)
{
	struct witness_track *count = counts_of(w, kind, track);
	struct witness_event event = {
		.from = j->step.left.feed,
		.to = j->step.right.feed,
		.media = (uint8_t)kind,
		.track = (uint8_t)track,
		.frames = j->missing + j->doubled,
		.at_90k = j->step.left.pts_90k,
		.step_90k = j->step.right.pts_90k - j->step.left.pts_90k,
		.frame_90k = j->frame_90k,
		.seen_us = j->step.right.seen_us,
	};

	if (count != NULL) {
		count->frame_90k = j->frame_90k;
		count->missing += j->missing;
		count->doubled += j->doubled;
		count->holes += j->missing > 0;
		if (event.step_90k > count->longest_90k) {
			count->longest_90k = event.step_90k;
		}
	}
	if (j->missing > 0 || j->doubled > 0) {
		event.kind = j->missing > 0 ? WITNESS_MISSING : WITNESS_DOUBLED;
		say(w, &event);
	}
}

static void take_steps(struct witness *w, unsigned kind, unsigned track, int64_t dts_90k)
{
	struct steps *steps = &w->tracks[kind][track].steps;
	struct judgement j;

	while (steps_advance(steps, dts_90k, &j)) {
		take_judgement(w, kind, track, &j);
	}
}

/* ---- packets ---- */

static bool needs_header(const struct packet *p)
{
	switch (p->codec) {
	case CODEC_AVC:
	case CODEC_HEVC:
	case CODEC_VVC:
	case CODEC_AV1:
	case CODEC_AAC:
	case CODEC_FLAC:
		return true;
	default:
		return false;
	}
}

static void check_order(struct witness *w, const struct track *t, const struct packet *p,
			int64_t now_us)
{
	bool falls = !w->config.mixes_freely && w->dts_90k != NOTHING_90K &&
		     p->dts_90k < w->dts_90k;

	if (falls || (t->has_packet && p->dts_90k <= t->dts_90k)) {
		say_of(w, WITNESS_DISORDER, p, t->feed, p->dts_90k, now_us);
	}
}

static void check_header(struct witness *w, struct track *t, const struct packet *p, int64_t now_us)
{
	if (!t->has_header && !t->is_headerless_said && needs_header(p)) {
		t->is_headerless_said = true; /* once is enough */
		say_of(w, WITNESS_HEADERLESS, p, t->feed, p->pts_90k, now_us);
	}
}

/* Twins are merged packet by packet: which copy a packet comes from is no change of source. */
static bool is_other_source(const struct witness *w, const struct track *t, const struct packet *p)
{
	bool is_same = t->feed == p->feed && t->incarnation == p->incarnation;

	return t->has_packet && !is_same &&
	       (p->flags & PACKET_SPLICE || !are_twins(w, t->feed, p->feed));
}

static void check_source(struct witness *w, const struct track *t, const struct packet *p,
			 int64_t now_us)
{
	bool is_other = is_other_source(w, t, p), is_marked = p->flags & PACKET_SPLICE;
	bool is_entry = (is_marked && is_other) || p->flags & PACKET_JOIN;

	bool is_same = t->feed == p->feed && t->incarnation == p->incarnation;
	bool runs_back = t->has_packet && is_same && p->source_seq <= t->source_seq;

	if ((is_other && !is_marked) || runs_back) {
		say_of(w, WITNESS_UNMARKED, p, t->feed, p->pts_90k, now_us);
	}
	if (p->kind == PACKET_VIDEO && is_entry && !(p->flags & (PACKET_KEY | PACKET_RECOVERY))) {
		say_of(w, WITNESS_NO_KEY, p, t->feed, p->pts_90k, now_us);
	}
}

static void note_splice(struct witness *w, const struct track *t, const struct packet *p,
			int64_t now_us)
{
	struct witness_track *count = counts_of(w, p->kind, p->track);

	say_of(w, WITNESS_SPLICE, p, t->feed, t->pts_90k, now_us);
	if (count != NULL) {
		count->splices++;
	}
}

static void note_place(struct witness *w, const struct packet *p)
{
	struct witness_track *count = counts_of(w, p->kind, p->track);
	const struct track *video = &w->tracks[PACKET_VIDEO][0];
	const struct track *audio = &w->tracks[PACKET_AUDIO][0];

	if (count == NULL) {
		return;
	}
	count->packets++;
	if (count->first_90k == NOTHING_90K) {
		count->first_90k = p->pts_90k;
	}
	if (p->pts_90k > count->last_90k) {
		count->last_90k = p->pts_90k;
	}
	if (video->has_packet && audio->has_packet) {
		struct witness_summary *s = &w->summary;
		int64_t off_90k = audio->dts_90k - video->dts_90k;
		bool is_first = s->av_least_90k == 0 && s->av_most_90k == 0;

		s->av_least_90k = is_first || off_90k < s->av_least_90k ? off_90k : s->av_least_90k;
		s->av_most_90k = is_first || off_90k > s->av_most_90k ? off_90k : s->av_most_90k;
	}
}

/* Who comes in the middle of a GOP misses pictures that are shown between those it sees, and so do
 * leading pictures: steps count from the first key frame on. In a show ring nothing is missing but
 * what was before: what is shown behind everything of the first frames is whole. */
static bool enter(const struct witness *w, struct track *t, const struct packet *p)
{
	bool is_entry = p->kind == PACKET_AUDIO || p->flags & (PACKET_KEY | PACKET_RECOVERY);
	unsigned patience = w->config.is_ring ? ENTRY_RING_PATIENCE : ENTRY_PATIENCE;

	if (!t->has_entered && is_entry) {
		t->has_entered = true;
		t->entry_90k = p->pts_90k;
	} else if (!t->has_entered) {
		t->has_entered = ++t->before_entry > patience;
		t->entry_90k = t->before_entry == 1 || p->pts_90k > t->entry_90k ? p->pts_90k
										 : t->entry_90k;
	}
	return t->has_entered && p->pts_90k >= t->entry_90k;
}

static void take_frame(struct witness *w, const struct packet *p, int64_t now_us)
{
	struct track *t = &w->tracks[p->kind][p->track];
	bool is_other = w->config.is_ring && is_other_source(w, t, p);
	struct shown frame = { .pts_90k = p->pts_90k, .seen_us = now_us, .feed = p->feed };

	check_order(w, t, p, now_us);
	check_header(w, t, p, now_us);
	if (w->config.is_ring) {
		check_source(w, t, p, now_us);
	}
	if (is_other) {
		note_splice(w, t, p, now_us);
		if (p->kind == PACKET_VIDEO && !are_twins(w, t->feed, p->feed)) {
			frame.slack_90k = t->reorder_90k;
		}
		t->reorder_90k = 0;
	}
	int64_t reorder_90k = p->pts_90k - p->dts_90k;
	if (p->flags & PACKET_KEY && reorder_90k > t->reorder_90k) {
		t->reorder_90k = reorder_90k < REORDER_MAX_90K ? reorder_90k : REORDER_MAX_90K;
	}
	t->has_packet = true;
	t->feed = p->feed;
	t->incarnation = p->incarnation;
	t->source_seq = p->source_seq;
	t->dts_90k = p->dts_90k;
	t->pts_90k = p->pts_90k;
	w->dts_90k = p->dts_90k;
	note_place(w, p);
	if (enter(w, t, p)) {
		steps_push(&t->steps, &frame);
		take_steps(w, p->kind, p->track, p->dts_90k);
	}
}

static void note_silence(struct witness *w, int64_t now_us)
{
	int64_t silent_us = w->seen_us != 0 ? now_us - w->seen_us : 0;

	if (silent_us > w->summary.longest_silence_us) {
		w->summary.longest_silence_us = silent_us;
	}
}

void witness_push(struct witness *w, const struct packet *p, int64_t now_us)
{
	if (!packet_is_sane(p)) {
		return; /* whoever reads a ring has refused it before */
	}
	note_silence(w, now_us);
	w->seen_us = now_us;
	w->summary.packets++;
	if (p->type == PACKET_CONFIG) {
		w->tracks[p->kind][p->track].has_header = true;
	} else if (p->type == PACKET_FRAME && p->kind != PACKET_DATA) {
		take_frame(w, p, now_us);
	}
}

/* ---- breaks and the end ---- */

static void end_steps(struct witness *w)
{
	struct judgement j;

	for (unsigned kind = PACKET_VIDEO; kind <= PACKET_AUDIO; kind++) {
		for (unsigned i = 0; i < PACKET_TRACKS_MAX; i++) {
			struct track *t = &w->tracks[kind][i];

			while (t->has_packet && steps_end(&t->steps, t->dts_90k, &j)) {
				take_judgement(w, kind, i, &j);
			}
		}
	}
}

/* Headers stay in force; all else begins anew. */
void witness_restart(struct witness *w)
{
	end_steps(w);
	for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
		for (unsigned i = 0; i < PACKET_TRACKS_MAX; i++) {
			struct track *t = &w->tracks[kind][i];

			*t = (struct track){ .has_header = t->has_header,
					     .is_headerless_said = t->is_headerless_said };
		}
	}
	w->dts_90k = NOTHING_90K;
}

void witness_lapped(struct witness *w, uint64_t lost, int64_t now_us)
{
	const struct witness_event event = { .kind = WITNESS_LAPPED,
					     .frames = lost > UINT32_MAX ? UINT32_MAX
									 : (uint32_t)lost,
					     .at_90k = w->dts_90k,
					     .seen_us = now_us };

	witness_restart(w);
	say(w, &event);
}

void witness_end(struct witness *w)
{
	const struct track *video = &w->tracks[PACKET_VIDEO][0];
	const struct track *audio = &w->tracks[PACKET_AUDIO][0];

	end_steps(w);
	if (!video->has_packet || !audio->has_packet) {
		return;
	}
	int64_t ahead_90k = video->pts_90k - audio->pts_90k;
	if (ahead_90k >= ENDS_LATE_90K || ahead_90k <= -ENDS_LATE_90K) {
		const struct track *early = ahead_90k > 0 ? audio : video;
		const struct witness_event event = {
			.kind = WITNESS_ENDED,
			.media = ahead_90k > 0 ? PACKET_AUDIO : PACKET_VIDEO,
			.from = early->feed,
			.at_90k = early->pts_90k,
			.step_90k = ahead_90k > 0 ? ahead_90k : -ahead_90k,
			.seen_us = w->seen_us,
		};

		say(w, &event);
	}
}

/* ---- summaries ---- */

void witness_take(struct witness *w, int64_t now_us, struct witness_summary *ret)
{
	note_silence(w, now_us);
	w->summary.to_us = now_us;
	*ret = w->summary;
	summary_begin(&w->summary, now_us);
	/* What was measured stays known. */
	w->summary.video.frame_90k = ret->video.frame_90k;
	w->summary.audio.frame_90k = ret->audio.frame_90k;
}

static int64_t more_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void add_track(struct witness_track *to, const struct witness_track *more)
{
	to->packets += more->packets;
	to->missing += more->missing;
	to->doubled += more->doubled;
	to->holes += more->holes;
	to->splices += more->splices;
	to->longest_90k = more_of(to->longest_90k, more->longest_90k);
	to->frame_90k = more->frame_90k > 0 ? more->frame_90k : to->frame_90k;
	to->first_90k = to->first_90k == NOTHING_90K ? more->first_90k : to->first_90k;
	to->last_90k = more_of(to->last_90k, more->last_90k);
}

void witness_add(struct witness_summary *to, const struct witness_summary *more)
{
	bool is_known = more->av_least_90k != 0 || more->av_most_90k != 0;
	bool is_first = to->av_least_90k == 0 && to->av_most_90k == 0;

	to->to_us = more->to_us;
	add_track(&to->video, &more->video);
	add_track(&to->audio, &more->audio);
	to->packets += more->packets;
	for (unsigned i = 0; i < WITNESS_KINDS; i++) {
		to->counts[i] += more->counts[i];
	}
	to->longest_silence_us = more_of(to->longest_silence_us, more->longest_silence_us);
	if (is_known) {
		to->av_least_90k = is_first ? more->av_least_90k
					    : -more_of(-to->av_least_90k, -more->av_least_90k);
		to->av_most_90k = is_first ? more->av_most_90k
					   : more_of(to->av_most_90k, more->av_most_90k);
	}
	to->unsaid += more->unsaid;
}

bool witness_is_unbroken(const struct witness_summary *s)
{
	for (unsigned i = 0; i < WITNESS_KINDS; i++) {
		if (i != WITNESS_SPLICE && i != WITNESS_LAPPED && s->counts[i] > 0) {
			return false;
		}
	}
	return true;
}
