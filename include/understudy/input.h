/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * libavformat as a demultiplexer of live MPEG-TS, without its probing and without its parsers: a
 * packet comes out as soon as its last byte is known to be there. Blocks only in the callback.
 */
#ifndef UNDERSTUDY_INPUT_H
#define UNDERSTUDY_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <understudy/packet.h>

#define INPUT_NO_TIME INT64_MIN

struct input;

enum input_format {
	INPUT_UNKNOWN, /* of no use to us */
	INPUT_AVC, INPUT_HEVC,
	INPUT_ADTS, INPUT_LATM, INPUT_MPEG_AUDIO, INPUT_AC3, INPUT_EAC3, INPUT_OPUS,
};

/* What one PES packet held: a whole access unit of video, or a stretch of audio. */
struct input_packet {
	unsigned stream, pid;
	enum input_format format;
	const char *codec;           /* libavformat's name of it, for people */
	const uint8_t *data;         /* valid until the next call */
	size_t size;
	int64_t pts_90k, dts_90k;    /* 33 bits as they came, or INPUT_NO_TIME */
	bool is_damaged;             /* bytes of it are missing */
	const uint8_t *config;       /* from the program map, if it has one (Opus) */
	size_t config_size;
};

/* Gives up to `room` bytes and waits for them; 0 = the stream has ended, for good. */
typedef int input_read(void *context, uint8_t *to, int room);

/* 0 or a negative errno. Reads until the program map is there or some hundred kilobytes came. */
int input_open_ts(input_read *read, void *context, struct input **ret);
void input_close(struct input **in);
/* 1 a packet; 0 the stream has ended; negative errno. */
int input_next(struct input *in, struct input_packet *ret);
/* Whether the program map still names the stream. */
bool input_is_current(const struct input *in, unsigned stream);

#endif
