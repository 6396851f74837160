/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One connection of a feed: from its ring to the timeline. switch; blocks on nothing.
 *
 * The ring's writer may be compromised: nothing is believed but what was copied and checked;
 * what a frame is and what it holds is worked out here again, and only so many packets a second
 * are looked at.
 */
#ifndef SWITCH_SOURCE_H
#define SWITCH_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include <understudy/ring.h>
#include <understudy/timeline.h>

#include "headers.h"

#define SOURCE_PACKETS_PER_SECOND 20000

struct source {
	uint16_t feed;
	uint32_t incarnation;
	int handle;               /* of the timeline */
	bool is_closed;           /* no more packets will come */
	struct ring_reader *ring; /* owned */
	uint64_t next_seq;        /* to be read */
	uint64_t lapped;          /* packets overwritten before they were read */
	int64_t second_us;        /* start of the second that `taken` counts */
	unsigned taken;
	uint64_t seed; /* of fingerprints; unknown to every writer */
	struct header_history headers;
	uint8_t nal_length_bytes[PACKET_TRACKS_MAX];
	struct codec_params sound; /* of the main audio, as last told ... */
	bool has_sound_header;     /* ... by a header, so frames are not asked */
};

/* Maps the ring (descriptor not kept) and opens the source in the timeline. 0 or a negative
 * errno, then nothing is open. */
int source_create(struct timeline *tl, int ring_fd, uint16_t feed, uint32_t incarnation,
		  uint64_t seed, int64_t now_us, struct source **ret);
void source_destroy(struct source **s);

/* Pushes what has arrived. False if the source talks too fast: there may be more, to be read
 * when source_resumes_us() has come. */
bool source_drain(struct source *s, struct timeline *tl, int64_t now_us);
int64_t source_resumes_us(const struct source *s);

/* Pushes the rest and tells the timeline that no more will come. */
void source_close(struct source *s, struct timeline *tl, const char *cause, int64_t now_us);

#endif
