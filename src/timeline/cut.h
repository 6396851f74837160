/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Points, where they are put, and where the left source ends for them: cut.c (timeline; pure). */
#ifndef TIMELINE_CUT_H
#define TIMELINE_CUT_H

#include "private.h"

/* Where the show leaves the live source for a point of another. */
struct tl_cut {
	uint64_t point;
	bool is_clean;    /* follows the frame before by about one frame, and nothing is missing */
	bool lacks_sound; /* the new source's begins later than the left one's ends */
	int64_t pts_90k;  /* show time at which the point shall be presented */
	int64_t left_90k[PACKET_KINDS]; /* what of the left source goes out: see tl_tail_move() */
	int64_t gap_90k;                /* presentation that is missing between the two */
};

enum packet_kind tl_point_kind(const struct tl_source *s, uint64_t point);
int64_t tl_point_pts(const struct tl_source *s, uint64_t point);
/* When it has to be entered at the latest, less some time for being woken late. */
int64_t tl_gate_us(const struct timeline *tl, const struct tl_source *s, uint64_t point);
/* May this point still be entered? Not behind what was sent, not too late. */
bool tl_point_is_usable(const struct timeline *tl, const struct tl_source *s, uint64_t point,
			int64_t now_us);
/* The last usable point at or before `show_90k`; TL_NONE. */
uint64_t tl_point_before(const struct timeline *tl, const struct tl_source *s, int64_t show_90k,
			 int64_t now_us);
/* The first usable point; TL_NONE. */
uint64_t tl_point_next(const struct timeline *tl, const struct tl_source *s, int64_t now_us);
/* The one at which less is missing behind a show that is whole up to there: the last at or before
 * it, or the first behind. TL_NONE: none is here. */
uint64_t tl_point_from(const struct timeline *tl, const struct tl_source *s, int64_t show_90k,
		       int64_t now_us);
struct tl_cut tl_find_cut(const struct timeline *tl, const struct tl_source *to, uint64_t point);
/* Sound sent twice at most where the source's audio follows: half a frame, of the shorter ones. */
int64_t tl_audio_overlap(const struct timeline *tl, const struct tl_source *s);
/* The source's sound that follows where the show's ends, and can still leave in order; TL_NONE. */
uint64_t tl_sound_to_begin(const struct timeline *tl, const struct tl_source *s);
/* The packet comes far enough behind what was sent of its kind's main track. */
bool tl_point_follows(const struct timeline *tl, const struct tl_source *s, const struct packet *p);
/* End of what was sent of the kind's main track, TL_UNKNOWN: nothing was. */
int64_t tl_out_end(const struct timeline *tl, enum packet_kind kind);

#endif
