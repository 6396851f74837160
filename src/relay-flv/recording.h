/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One FLV file of a show, byte for byte what the encoders sent.
 *
 *   WAITING --JOIN: file header, script, headers in force--> RUNNING <--JOIN-- REJOINING
 *                                                               '---lapped-------^
 *
 * Time 0 of the file is the dts of the packet it begins with; a gap in the show is a gap in
 * the file. Headers that change are written in their place.
 */
#ifndef RELAY_FLV_RECORDING_H
#define RELAY_FLV_RECORDING_H

#include <stdbool.h>
#include <stdint.h>

#include <understudy/buffer.h>
#include <understudy/follow.h>

enum recording_state { RECORDING_WAITING, RECORDING_RUNNING, RECORDING_REJOINING };

struct recording {
	int file; /* not owned; writing to it may block on the disk */
	enum recording_state state;
	struct buffer out;    /* whole tags, not yet in the file */
	int64_t base_90k;     /* show time of the file's time 0 */
	int64_t latest_ms;    /* of the tags written */
	int64_t join_pts_90k; /* pictures shown before it cannot be decoded ... */
	bool is_open_join;    /* ... because the point joined at was no closed one */
	bool is_rebased;      /* show time is a new one: choose a new base */
	int64_t duration_at;  /* offset of the script's duration in the file */
	uint64_t bytes;       /* in the file */
	uint64_t packets;
	uint64_t dropped; /* lost to the ring, and what was left out until the next JOIN */
};

void recording_init(struct recording *r, int file);
void recording_finish(struct recording *r);

/* Takes what there is, until FOLLOW_EMPTY, and writes it. Returns the number of packets
 * taken, or a negative errno of the file (-ENOMEM: a packet found no room): then the
 * recording cannot go on. */
int recording_follow(struct recording *r, struct follower *follower);

/* Notes the duration in the script. A negative errno of the file, which otherwise is whole. */
int recording_end(struct recording *r);

#endif
