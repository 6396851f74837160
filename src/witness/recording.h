/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A recording taken apart by libavformat: its tracks, and one packet header after the other, in
 * the order of the file. Blocks on reading the descriptor.
 */
#ifndef WITNESS_RECORDING_H
#define WITNESS_RECORDING_H

#include <stddef.h>
#include <stdint.h>

#include <understudy/packet.h>

#define RECORDING_TEXT 160

struct recording;

struct recording_track {
	enum packet_kind kind; /* PACKET_NONE: of no interest */
	unsigned track;
	unsigned width, height, sample_rate, channels;
	const char *codec; /* libavformat's name, static */
};

/* Takes no ownership of fd. 0, or a negative errno with `why` in words. */
int recording_open(int fd, struct recording **ret, char why[RECORDING_TEXT]);
void recording_close(struct recording **r);
unsigned recording_track_count(const struct recording *r);
struct recording_track recording_track(const struct recording *r, unsigned index);
/* 1 a packet (header only), 0 the end, or a negative errno with `why`. */
int recording_next(struct recording *r, struct packet *ret, char why[RECORDING_TEXT]);

#endif
