/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A recording as an endless row of packets in the order in which they leave. ingest-file; blocks
 * on the file only.
 *
 * Containers keep pictures and sound up to seconds apart: packets wait here until none that leaves
 * before them can come, which is also what lets a file begin anew without anybody noticing.
 */
#ifndef INGEST_AV_PLAYER_H
#define INGEST_AV_PLAYER_H

#include <sys/stat.h>

#include <understudy/clip.h>
#include <understudy/codec.h>
#include <understudy/carousel.h>
#include <understudy/silence.h>

struct held {
	struct held *next;
	struct packet packet; /* placed */
	uint8_t payload[];
};

struct lane {
	struct held *first, **end;
	int64_t last_dts_90k;
};

struct player {
	int fd; /* not owned */
	struct stat file;
	struct clip *clip;
	struct carousel loop;
	struct codec_params params[PACKET_KINDS];
	struct lane lanes[PACKET_KINDS];
	uint64_t held_bytes;
	uint64_t read; /* frames of this pass */
	uint8_t silence[SILENCE_BYTES_MAX];
	size_t silence_bytes; /* 0: it can not be filled in */
	char remark[CLIP_TEXT];
};

/* 0, or a negative errno with `why` in words. */
int player_init(struct player *p, int fd, char why[CLIP_TEXT]);
void player_finish(struct player *p);
/* Looks through some more of the file. 1 there is more, 0 all of it is known, or a negative errno
 * with `why` in words. */
int player_survey(struct player *p, char why[CLIP_TEXT]);
/* The packet that leaves next, the caller's to free(). 0, or a negative errno with `why`. */
int player_next(struct player *p, struct held **ret, char why[CLIP_TEXT]);

#endif
