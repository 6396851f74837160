/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A recording played over and over as one endless feed: where each frame of each pass goes, and
 * when. Pure.
 *
 * The recording is surveyed once from end to end. Its *period* is how long its picture lasts (its
 * sound, where there is no picture), and pass n lies exactly n periods behind the first: what
 * does not fit at a seam is as large at the thousandth as at the first. Sound that is longer than
 * the picture is cut at the seam, to within half a frame; where it is shorter, the survey says how
 * many frames of silence go between. So no step at a seam differs from one frame by more than half
 * a frame.
 *
 *     carousel_init --carousel_survey* --carousel_settle--> [carousel_place* --carousel_next_pass]*
 */
#ifndef UNDERSTUDY_CAROUSEL_H
#define UNDERSTUDY_CAROUSEL_H

#include <stdbool.h>
#include <stdint.h>

#include <understudy/packet.h>

/* What is known of the frames of one kind. Times are the recording's. */
struct carousel_track {
	uint64_t frames;
	int64_t first_pts_90k, last_pts_90k; /* the least and the greatest */
	int64_t first_dts_90k, last_dts_90k;
	int64_t frame_90k; /* how long one lasts; may be given before carousel_settle() */
};

struct carousel {
	struct carousel_track tracks[PACKET_KINDS]; /* PACKET_VIDEO and PACKET_AUDIO */
	int64_t key_dts_90k;
	int64_t gop_90k;    /* the longest distance of key frames, the seam's included */
	int64_t period_90k; /* once settled */
	int64_t silence_90k; /* where the missing sound begins ... */
	uint32_t silences;   /* ... and how many frames of it there are */
	uint64_t passes;
	bool has_key;
};

struct carousel_frame {
	enum packet_kind kind; /* PACKET_VIDEO or PACKET_AUDIO */
	int64_t dts_90k, pts_90k;
	bool is_key; /* a picture that needs none before it */
};

/* `has_video`: the recording begins with its first key frame; otherwise with its first sound. */
void carousel_init(struct carousel *l);
/* Every frame of the recording, in its order. */
void carousel_survey(struct carousel *l, const struct carousel_frame *f);
/* 0; -ENODATA there is no sound and no key frame in it. */
int carousel_settle(struct carousel *l);
/* Moves the frame to its place in the pass at hand, where the first picture of the first pass is
 * shown at time 0. False: it has none. */
bool carousel_place(const struct carousel *l, struct carousel_frame *f);
/* From the recording's times to those of the pass at hand. */
int64_t carousel_shift_90k(const struct carousel *l);
void carousel_next_pass(struct carousel *l);
/* True if `pts_90k` (in the recording) is the last frame of sound before the missing ones. */
bool carousel_is_last_sound(const struct carousel *l, int64_t pts_90k);
/* Where frame n of the missing sound goes in the pass at hand. */
int64_t carousel_silence_90k(const struct carousel *l, uint32_t n);

/* ---- when a frame leaves ---- */

#define PACE_LATE_US 500000 /* later than that, the rest is moved: it never hurries */

struct pace {
	int64_t offset_us; /* of the clock to media time */
	bool is_started;
};

/* When a frame of that dts leaves: now, for the first one. Zeroed = fresh. */
int64_t pace_due_us(struct pace *p, int64_t dts_90k, int64_t now_us);

/* ---- decoding times of containers that keep none ---- */

#define ORDER_DEPTH_MAX 16

/* From presentation times in decoding order, where a picture waits for at most `depth` others. */
struct order {
	int64_t latest_90k[ORDER_DEPTH_MAX + 1]; /* rising */
	unsigned depth;
	bool is_started;
};

void order_init(struct order *o, unsigned depth);
/* `frame_90k`: about how long a picture lasts, for those before the first. */
int64_t order_dts_90k(struct order *o, int64_t pts_90k, int64_t frame_90k);

#endif
