/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From the timeline to the show ring: packets copied out of feed rings, the headers readers
 * need, checkpoints. switch; blocks on nothing.
 *
 * Headers. Where a track goes on with another source's packets (PACKET_SPLICE), and where readers
 * may start (PACKET_JOIN), those of the source's headers that differ from the show's go out first.
 * Between twins there is no splice: what is in force for one is for the other. Before a
 * PACKET_JOIN packet the headers in force are written again, marked PACKET_REPEAT, at most once
 * a second.
 *
 * Silence. Where the show is to have sound and has none, frames of it go out beside the pictures,
 * in the format of the sound that was there before, else in AAC of two channels; they belong to
 * feed 0.
 */
#ifndef SWITCH_SHOW_H
#define SWITCH_SHOW_H

#include <stdbool.h>
#include <stdint.h>

#include <understudy/ring.h>
#include <understudy/silence.h>
#include <understudy/timeline.h>

#include "source.h"

/* What the ring's header keeps for the switch after this one. */
struct show_checkpoint {
	uint64_t next_seq; /* packets from here on were published later */
	struct timeline_checkpoint timeline;
};

struct show {
	struct ring_writer *ring; /* owned */
	uint64_t next_seq;        /* of the show ring, to be written */
	uint64_t published_seq;
	struct header_set headers; /* in force in the show */
	bool is_filled;            /* with silence: sound that follows brings its header with it */
	bool has_begun;
	int64_t repeated_us; /* when the headers were last repeated */
	struct silence silence;
	uint8_t silence_frame[SILENCE_BYTES_MAX];
	size_t silence_bytes; /* 0: the show's sound is of a codec that there is none of */
};

/* `fills_silence`: where sound is missing. */
int show_init(struct show *show, int ring_fd, int64_t span_us, bool fills_silence);
void show_finish(struct show *show);

/* Takes over from the ring of a switch that died: what is in force in the show, which is written
 * to the new ring at once, and the newest checkpoint brought up to its last packet. 0, -ENOENT if
 * that ring has none, or why it cannot be read; then nothing is taken over. */
int show_inherit(struct show *show, int old_ring_fd, int64_t now_us,
		 struct timeline_checkpoint *ret);

/* Writes packet `p` (a step of the timeline) with the payload that lies in the source's ring. 0;
 * -EEXIST it is not needed: a header that is in force already, or sound that silence stood in for;
 * -ESTALE the payload is gone; -EBADMSG it is no longer what it was; -EMSGSIZE. */
int show_send(struct show *show, struct source *source, const struct packet *p, int64_t now_us);

/* Makes what was written visible, if anything was. */
bool show_publish(struct show *show);
/* After show_publish(), never before it: a checkpoint may lag behind the ring, not lead. */
void show_write_checkpoint(struct show *show, const struct timeline *tl);

#endif
