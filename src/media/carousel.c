/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A recording as an endless feed (carousel.h). Pure. */
#include <errno.h>

#include <understudy/carousel.h>

#define DEFAULT_FRAME_90k 3000
#define SILENCES_MAX 100000 /* more than half an hour */

void carousel_init(struct carousel *l)
{
	*l = (struct carousel){ 0 };
}

/* ---- the survey ---- */

static void track_see(struct carousel_track *t, const struct carousel_frame *f)
{
	if (t->frames == 0) {
		t->first_dts_90k = f->dts_90k;
		t->first_pts_90k = t->last_pts_90k = f->pts_90k;
	}
	t->frames++;
	t->last_dts_90k = f->dts_90k;
	if (f->pts_90k < t->first_pts_90k) {
		t->first_pts_90k = f->pts_90k;
	}
	if (f->pts_90k > t->last_pts_90k) {
		t->last_pts_90k = f->pts_90k;
	}
}

static bool is_before_picture(const struct carousel *l, const struct carousel_frame *f)
{
	return !l->has_key || f->pts_90k < l->tracks[PACKET_VIDEO].first_pts_90k;
}

void carousel_survey(struct carousel *l, const struct carousel_frame *f)
{
	if (f->kind == PACKET_VIDEO) {
		if (!f->is_key && is_before_picture(l, f)) {
			return;
		}
		if (l->has_key && f->is_key && f->dts_90k - l->key_dts_90k > l->gop_90k) {
			l->gop_90k = f->dts_90k - l->key_dts_90k;
		}
		if (f->is_key) {
			l->key_dts_90k = f->dts_90k;
			l->has_key = true;
		}
	}
	track_see(&l->tracks[f->kind], f);
}

static void track_settle(struct carousel_track *t)
{
	if (t->frame_90k > 0) {
		return;
	}
	t->frame_90k = t->frames > 1 ? (t->last_pts_90k - t->first_pts_90k +
					(int64_t)(t->frames - 1) / 2) /
					       (int64_t)(t->frames - 1)
				     : DEFAULT_FRAME_90k;
	if (t->frame_90k <= 0) {
		t->frame_90k = DEFAULT_FRAME_90k;
	}
}

static int64_t track_span(const struct carousel_track *t)
{
	int64_t shown_90k = t->last_pts_90k - t->first_pts_90k + t->frame_90k;
	int64_t decoded_90k = t->last_dts_90k - t->first_dts_90k + 1;

	return shown_90k > decoded_90k ? shown_90k : decoded_90k;
}

/* The sound of the next pass begins where this one's ends, or silence is put between. */
static void carousel_settle_sound(struct carousel *l)
{
	const struct carousel_track *sound = &l->tracks[PACKET_AUDIO];
	int64_t next_90k = sound->first_pts_90k + l->period_90k;
	int64_t missing;

	l->silence_90k = sound->last_pts_90k + sound->frame_90k;
	missing = (next_90k - l->silence_90k + sound->frame_90k / 2) / sound->frame_90k;
	l->silences = missing <= 0 ? 0 : missing < SILENCES_MAX ? (uint32_t)missing : SILENCES_MAX;
}

int carousel_settle(struct carousel *l)
{
	struct carousel_track *picture = &l->tracks[PACKET_VIDEO],
			      *sound = &l->tracks[PACKET_AUDIO];

	if (picture->frames == 0 && sound->frames == 0) {
		return -ENODATA;
	}
	track_settle(picture);
	track_settle(sound);
	l->period_90k = track_span(picture->frames > 0 ? picture : sound);
	if (picture->frames > 0) {
		int64_t seam_90k = picture->first_dts_90k + l->period_90k - l->key_dts_90k;

		l->gop_90k = l->gop_90k > seam_90k ? l->gop_90k : seam_90k;
	}
	if (sound->frames > 0) {
		carousel_settle_sound(l);
	}
	return 0;
}

/* ---- the passes ---- */

int64_t carousel_shift_90k(const struct carousel *l)
{
	const struct carousel_track *t =
		&l->tracks[l->tracks[PACKET_VIDEO].frames > 0 ? PACKET_VIDEO : PACKET_AUDIO];

	return (int64_t)l->passes * l->period_90k - t->first_pts_90k;
}

/* Sound that the next pass has itself. */
static bool is_sound_over(const struct carousel *l, int64_t pts_90k)
{
	const struct carousel_track *sound = &l->tracks[PACKET_AUDIO];

	return pts_90k + sound->frame_90k / 2 > sound->first_pts_90k + l->period_90k;
}

bool carousel_place(const struct carousel *l, struct carousel_frame *f)
{
	int64_t shift_90k = carousel_shift_90k(l);

	if (l->tracks[f->kind].frames == 0 ||
	    (f->kind == PACKET_VIDEO ? f->pts_90k < l->tracks[PACKET_VIDEO].first_pts_90k ||
					       f->dts_90k < l->tracks[PACKET_VIDEO].first_dts_90k
				     : is_sound_over(l, f->pts_90k))) {
		return false;
	}
	f->dts_90k += shift_90k;
	f->pts_90k += shift_90k;
	return true;
}

void carousel_next_pass(struct carousel *l)
{
	l->passes++;
}

bool carousel_is_last_sound(const struct carousel *l, int64_t pts_90k)
{
	return l->silences > 0 && pts_90k == l->tracks[PACKET_AUDIO].last_pts_90k;
}

int64_t carousel_silence_90k(const struct carousel *l, uint32_t n)
{
	return l->silence_90k + (int64_t)n * l->tracks[PACKET_AUDIO].frame_90k +
	       carousel_shift_90k(l);
}

/* ---- when a frame leaves ---- */

int64_t pace_due_us(struct pace *p, int64_t dts_90k, int64_t now_us)
{
	int64_t media_us = dts_90k * 100 / 9;

	if (!p->is_started || now_us - (media_us + p->offset_us) > PACE_LATE_US) {
		p->offset_us = now_us - media_us;
		p->is_started = true;
	}
	return media_us + p->offset_us;
}

/* ---- decoding times ---- */

void order_init(struct order *o, unsigned depth)
{
	*o = (struct order){ .depth = depth < ORDER_DEPTH_MAX ? depth : ORDER_DEPTH_MAX };
}

int64_t order_dts_90k(struct order *o, int64_t pts_90k, int64_t frame_90k)
{
	unsigned i = 0;

	if (!o->is_started) {
		for (unsigned k = 0; k <= o->depth; k++) {
			o->latest_90k[k] = pts_90k - (int64_t)(o->depth + 1 - k) * frame_90k;
		}
		o->is_started = true;
	}
	/* The least leaves, the new one takes its place in the order. */
	for (; i < o->depth && o->latest_90k[i + 1] < pts_90k; i++) {
		o->latest_90k[i] = o->latest_90k[i + 1];
	}
	o->latest_90k[i] = pts_90k;
	return o->latest_90k[0];
}
