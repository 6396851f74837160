/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What sources are made of, and the reference they are held against (timeline; pure).
 *
 *   FOLLOWING: that of the most preferred encoder that was seen
 *      |    ^
 *      |    '-- the show has ended at its destinations
 *      v a destination goes live, or a take
 *   SETTLED: stays, whoever comes; a take makes it the taken feed's
 *
 * A slate never makes the reference. A settled reference still learns what was not known when it
 * was settled, as long as its feed keeps to it.
 */
#include <string.h>

#include "private.h"

#define MEASURED_US 5000000
#define GOP_MEASURED_US 12000000
#define WINDOW_US (TL_SECONDS * INT64_C(1000000)) /* what is measured is of that time */
#define LASTS_US 5000000                          /* trouble has been noticed by then */
#define B_FRAMES_90k 900 /* presentation runs behind decoding by more than rounding */

/* What takes time to be measured; the rest is said by headers. */
#define FORMAT_MEASURED                                                             \
	(FORMAT_BITRATES | FORMAT_BIT(FORMAT_FRAME_RATE) | FORMAT_BIT(FORMAT_GOP) | \
	 FORMAT_BIT(FORMAT_OPEN_GOPS) | FORMAT_BIT(FORMAT_B_FRAMES))

/* ---- of a source ---- */

static bool source_is_measured(const struct tl_source *s, int64_t now_us)
{
	int64_t for_us = tl_source_has_frames(s) ? now_us - s->first_us : 0;

	return for_us >= MEASURED_US &&
	       (s->gop_90k > 0 || !s->flows[PACKET_VIDEO].is_present || for_us >= GOP_MEASURED_US);
}

static struct format source_header_format(const struct tl_source *s, int64_t now_us)
{
	return (struct format){ .video = s->params[PACKET_VIDEO],
				.audio = s->params[PACKET_AUDIO],
				.is_measured = source_is_measured(s, now_us) };
}

static bool source_has_b_frames(const struct tl_source *s)
{
	/* What the header says cannot happen is an offset that the encoder adds to all. */
	bool can_reorder = s->params[PACKET_VIDEO].width == 0 ||
			   s->params[PACKET_VIDEO].reorder_frames != 0;

	return can_reorder && s->flows[PACKET_VIDEO].reorder_90k > B_FRAMES_90k;
}

uint32_t tl_fps_milli(const struct tl_second *sum)
{
	int64_t frames = sum->frames[PACKET_VIDEO], frames_90k = sum->frames_90k[PACKET_VIDEO];

	return frames_90k > 0 ? (uint32_t)tl_min(frames * MEDIA_HZ * 1000 / frames_90k, UINT32_MAX)
			      : 0;
}

static struct format source_format(const struct tl_source *s, int64_t now_us)
{
	struct format f = source_header_format(s, now_us);
	int64_t span_us;
	struct tl_second all = tl_gauge_sum(&s->gauge, TL_SECONDS - 1, now_us, &span_us);

	f.gop_ms = s->gop_90k > 0 && tl_source_main_kind(s) == PACKET_VIDEO
			   ? (uint32_t)(s->gop_90k / 90)
			   : 0;
	f.has_open_gops = all.weak_points > 0;
	f.has_b_frames = source_has_b_frames(s);
	f.fps_milli = tl_fps_milli(&all);
	span_us = tl_gauge_filled_us(&all, tl_min(span_us, now_us - s->first_us));
	if (f.is_measured && span_us > 0) {
		f.video_kbps = (uint32_t)(all.bytes[PACKET_VIDEO] * 8000 / (uint64_t)span_us);
		f.audio_kbps = (uint32_t)(all.bytes[PACKET_AUDIO] * 8000 / (uint64_t)span_us);
	}
	return f;
}

/* ---- of a feed ---- */

static bool format_has_same_headers(const struct format *a, const struct format *b)
{
	return memcmp(&a->video, &b->video, sizeof(a->video)) == 0 &&
	       memcmp(&a->audio, &b->audio, sizeof(a->audio)) == 0;
}

void tl_feed_learn_format(struct tl_feed *f, const struct tl_source *s, int64_t now_us)
{
	struct format now = source_format(s, now_us);
	bool is_young = now_us - s->gauge.first_us < WINDOW_US;
	bool is_other = f->format.is_measured != 0 && !format_has_same_headers(&now, &f->format);

	if (f->incarnation != s->incarnation) {
		f->incarnation = s->incarnation;
		f->format = (struct format){ 0 };
		f->clean_us = now_us;
	} else if (s->acute != 0 || is_other) {
		f->clean_us = now_us + WINDOW_US;
	}
	if (f->format.is_measured == 0 || (is_young && now_us >= f->clean_us)) {
		f->format = f->fresh = now;
		f->fresh_us = now_us;
	} else if (now_us < f->clean_us) {
		f->fresh = now;
		f->fresh_us = now_us;
	} else if (now_us - f->fresh_us >= LASTS_US) {
		f->format = f->fresh;
		f->fresh = now;
		f->fresh_us = now_us;
	}
	f->format.video = now.video;
	f->format.audio = now.audio;
}

/* ---- held against the reference ---- */

static uint32_t source_differs(const struct timeline *tl, const struct tl_source *s)
{
	struct format is = source_header_format(s, s->arrival_us);

	return format_compare(&is, &tl->reference);
}

bool tl_is_compatible(const struct timeline *tl, const struct tl_source *s)
{
	return (source_differs(tl, s) & FORMAT_INCOMPATIBLE) == 0;
}

bool tl_is_complete(const struct timeline *tl, const struct tl_source *s)
{
	return (source_differs(tl, s) & FORMAT_INCOMPLETE) == 0;
}

bool tl_audio_is_compatible(const struct timeline *tl, const struct tl_source *s)
{
	return (source_differs(tl, s) & FORMAT_AUDIO_INCOMPATIBLE) == 0;
}

/* ---- the reference ---- */

static bool format_is_known(const struct format *f)
{
	return f->video.codec != CODEC_NONE || f->audio.codec != CODEC_NONE;
}

static void reference_follow(struct timeline *tl)
{
	for (unsigned i = 0; i < tl->config.feed_count; i++) {
		if (!tl->config.feeds[i].is_slate && format_is_known(&tl->feeds[i].format)) {
			tl->reference = tl->feeds[i].format;
			tl->reference_feed = i;
			return;
		}
	}
}

/* `now` says at least what `before` says, and nothing else. */
static bool format_is_kept(const struct format *before, const struct format *now)
{
	return (format_compare(now, before) & ~FORMAT_MEASURED) == 0 &&
	       (before->video.codec == CODEC_NONE || now->video.codec != CODEC_NONE) &&
	       (before->audio.codec == CODEC_NONE || now->audio.codec != CODEC_NONE) &&
	       (now->is_measured != 0 || before->is_measured == 0);
}

void tl_reference_update(struct timeline *tl)
{
	const struct format *now;

	if (!tl->is_reference_settled || !format_is_known(&tl->reference)) {
		reference_follow(tl); /* settled by a slate: the first encoder's it is */
		return;
	}
	if (tl->reference_feed >= tl->config.feed_count) {
		return;
	}
	now = &tl->feeds[tl->reference_feed].format;
	if (format_is_known(now) && format_is_kept(&tl->reference, now)) {
		tl->reference = *now;
	}
}

/* At once: a feed whose format is followed must not be held against what it was before. One that
 * was of another format has been what it is since now. */
void tl_reference_note_header(struct timeline *tl, const struct tl_source *s, int64_t now_us)
{
	struct tl_feed *f = &tl->feeds[s->feed];
	struct format now = source_format(s, now_us);

	if (s != tl_feed_source(tl, s->feed)) {
		return;
	}
	if ((format_compare(&now, &f->format) & FORMAT_INCOMPATIBLE) != 0) {
		f->ailed_us = now_us;
	}
	tl_feed_learn_format(f, s, now_us);
	tl_reference_update(tl);
}

void tl_reference_take(struct timeline *tl, unsigned feed)
{
	tl->is_reference_settled = true;
	tl->reference_feed = feed;
	tl->reference = tl->feeds[feed].format;
}

void timeline_settle_reference(struct timeline *tl, bool is_settled)
{
	tl->is_reference_settled = is_settled || (tl->taken != 0 && tl->is_reference_settled);
	tl_reference_update(tl);
	tl->is_dirty = true;
}

void timeline_restore_reference(struct timeline *tl, const struct format *reference, uint16_t feed)
{
	int place = tl_feed_find(tl, feed);

	tl->is_reference_settled = true;
	tl->reference = *reference;
	tl->reference_feed = place >= 0 ? (unsigned)place : TIMELINE_FEEDS_MAX;
}
