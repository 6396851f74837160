/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The witness: looks at every packet of a show, or of a recording of one, and says whether it is
 * unbroken. Pure: packet headers and `now_us` in, findings and counts out. It knows nothing of
 * how the timeline decides, so that it can contradict it.
 *
 *   missing   a step in presentation of more than 1.5 frame times     (audio: audio frames)
 *   doubled   a step of less than 0.5
 *   At a splice between different encodes the step may be 0.5 of the shorter to 1.5 of the longer
 *   frame time plus the left feed's reorder depth; between twins nothing is allowed for.
 *
 * The frame time is measured: the median of the steps around, or of the last steady stretch where
 * there is no regularity. So a step is judged when the eight after it are known, and witness_end()
 * judges the rest.
 */
#ifndef UNDERSTUDY_WITNESS_H
#define UNDERSTUDY_WITNESS_H

#include <stdbool.h>
#include <stdint.h>

#include <understudy/packet.h>

enum witness_kind {
	WITNESS_NONE,
	WITNESS_MISSING,
	WITNESS_DOUBLED,
	WITNESS_DISORDER,   /* dts does not rise within a track, or falls across tracks */
	WITNESS_HEADERLESS, /* media before the codec header it needs */
	WITNESS_NO_KEY,     /* no key frame after a splice or at a point to join */
	WITNESS_UNMARKED,   /* another source without PACKET_SPLICE, or one that runs backwards */
	WITNESS_ENDED,      /* a track of a recording ends a second or more before the other */
	WITNESS_SPLICE,     /* no fault: another source goes on here */
	WITNESS_LAPPED,     /* no fault of the show: `frames` packets were not seen */
	WITNESS_KINDS
};
const char *witness_kind_str(enum witness_kind kind); /* "missing", "no_key", ... */

struct witness_event {
	uint32_t kind;       /* enum witness_kind */
	uint16_t from, to;   /* feed ids before and behind it; 0 in a recording */
	uint8_t media;       /* PACKET_VIDEO, PACKET_AUDIO */
	uint8_t track;
	uint16_t reserved;
	uint32_t frames;     /* missing or doubled */
	int64_t at_90k;      /* pts of the frame before it (DISORDER: dts) */
	int64_t step_90k;    /* to the next frame */
	int64_t frame_90k;   /* how long a frame lasts there */
	int64_t seen_us;     /* monotonic: when the packet behind it came to the witness */
};

/* Of one main track. */
struct witness_track {
	uint64_t packets, missing, doubled; /* frames */
	uint32_t holes;            /* in how many places frames are missing */
	uint32_t splices;
	int64_t longest_90k;       /* step */
	int64_t frame_90k;         /* the last frame time measured, 0 unknown */
	int64_t first_90k, last_90k; /* pts, INT64_MIN: no packet */
};

/* What was seen since the summary before (witness_take()). Frames whose step is not judged yet
 * count in the next one. */
struct witness_summary {
	int64_t from_us, to_us;
	struct witness_track video, audio;
	uint64_t packets;              /* of all tracks, with headers */
	uint64_t counts[WITNESS_KINDS];
	int64_t longest_silence_us;    /* between two packets as they came to the witness */
	int64_t av_least_90k, av_most_90k; /* audio's dts less video's; both 0: not known */
	uint64_t unsaid;               /* events for which the queue had no room */
};

struct witness_config {
	bool is_ring;      /* splices are marked and packets name their source */
	bool mixes_freely; /* a container may interleave its tracks as it likes */
};

struct witness;
/* NULL: no memory. */
struct witness *witness_create(const struct witness_config *config, int64_t now_us);
void witness_destroy(struct witness **w);
/* Feeds with the same nonzero `encode` are twins. Feed ids beyond 255 are never twins. */
void witness_set_encode(struct witness *w, uint16_t feed, uint32_t encode);
void witness_push(struct witness *w, const struct packet *p, int64_t now_us);
/* `lost` packets were overwritten before they could be looked at. What follows begins anew. */
void witness_lapped(struct witness *w, uint64_t lost, int64_t now_us);
/* Show time is a new one: begins anew, silently. */
void witness_restart(struct witness *w);
/* Nothing more comes: judges what still waits. Frames that would be shown behind the last dts are
 * left out, as a recording that was cut off lacks some of those before them. */
void witness_end(struct witness *w);
/* The next finding, oldest first; false if there is none. At most 256 wait. */
bool witness_next(struct witness *w, struct witness_event *ret);
/* The summary since the last call, and begins another. */
void witness_take(struct witness *w, int64_t now_us, struct witness_summary *ret);
/* Adds `more` to `to`, as if they had been one. */
void witness_add(struct witness_summary *to, const struct witness_summary *more);
/* Nothing missing or doubled and no other fault. */
bool witness_is_unbroken(const struct witness_summary *s);

#endif
