/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A recording in any container that libavformat reads, as canonical packets: its first track of
 * pictures and its first of sound, codec headers before the frames they are for. Reads from a
 * descriptor and opens nothing. Blocks on the file only.
 */
#ifndef UNDERSTUDY_CLIP_H
#define UNDERSTUDY_CLIP_H

#include <stdbool.h>
#include <stdint.h>

#include <understudy/packet.h>

#define CLIP_TEXT 192

struct clip;

struct clip_packet {
	struct packet packet;   /* times are the file's; PACKET_CONFIG or PACKET_FRAME */
	const uint8_t *payload; /* valid until the next call */
};

/* `fd` stays the caller's and is read by position. 0, or a negative errno with `why` in words. */
int clip_open(int fd, struct clip **ret, char why[CLIP_TEXT]);
void clip_close(struct clip **c);
/* To the beginning. 0, or a negative errno with `why` in words. */
int clip_rewind(struct clip *c, char why[CLIP_TEXT]);
/* 1 a packet, 0 the end, negative errno: it cannot be read on. */
int clip_next(struct clip *c, struct clip_packet *ret);
/* Tracks of the file that are not carried, in words; "" if there are none. */
const char *clip_remark(const struct clip *c);

#endif
