/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * libavformat as a demultiplexer of live streams, without its probing and without its parsers: a
 * packet comes out as soon as its last byte is known to be there. Blocks only in the callback, or
 * in what was opened by somebody else.
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
	INPUT_AAC, /* raw: always framed */
};

/* What one PES packet held: a whole access unit of video, or a stretch of audio. */
struct input_packet {
	unsigned stream, pid;
	enum input_format format;
	const char *codec;           /* libavformat's name of it, for people */
	const uint8_t *data;         /* valid until the next call */
	size_t size;
	int64_t pts_90k, dts_90k;    /* their lowest 33 bits, or INPUT_NO_TIME */
	bool is_damaged;             /* bytes of it are missing */
	bool is_framed;              /* one frame as packets have it, not as MPEG-TS does */
	bool is_clocked;             /* its time is known to fit the other streams' (RTP) */
	/* Codec header: of what is framed as packets have it; of AVC and HEVC that is not,
	 * parameter sets in Annex B; of Opus in MPEG-TS from the program map. May be empty. */
	const uint8_t *config;
	size_t config_size;
};

/* Gives up to `room` bytes and waits for them; 0 = the stream has ended, for good. */
typedef int input_read(void *context, uint8_t *to, int room);

/* 0 or a negative errno. Reads until the program map is there or some hundred kilobytes came. */
int input_open_ts(input_read *read, void *context, struct input **ret);
/* Goes on with what was opened elsewhere (without AVFMT_FLAG_CUSTOM_IO; its flags are set here
 * or, for what it reads while it is opened, by input_prepare()); taken in any case. */
struct AVFormatContext;
int input_take(struct AVFormatContext **format, struct input **ret);
void input_prepare(struct AVFormatContext *format);
void input_close(struct input **in);
/* 1 a packet; 0 the stream has ended; negative errno, or what libavformat says. */
int input_next(struct input *in, struct input_packet *ret);
/* Whether the program map still names the stream. */
bool input_is_current(const struct input *in, unsigned stream);

#endif
