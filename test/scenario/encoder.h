/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An encoder on a virtual clock: packet headers as a real one sends them over RTMP. Times are
 * rounded to ms, audio comes in frames of 1024 samples, B-frames are sent in decoding order with
 * composition offsets, and everything arrives late by a lag and jitter, never out of order
 * within a connection.
 */
#ifndef SCENARIO_ENCODER_H
#define SCENARIO_ENCODER_H

#include <stdbool.h>
#include <stdint.h>

#include <understudy/codec.h>

struct encoder_config {
	double fps;        /* 0: no video */
	unsigned gop;      /* frames */
	unsigned bframes;  /* between two references */
	bool has_pyramid;  /* the middle B-frame is a reference */
	bool is_unordered; /* audio and video as they come, not in order of dts */
	bool is_open_gop;  /* only the first is an IDR, then recovery points */
	unsigned leading;  /* open GOP: pictures behind such a point that are shown before it */
	bool is_refreshed; /* intra-refresh: only the first is an IDR, then nothing to enter at */
	unsigned drop_percent; /* so many of the other pictures never leave the encoder */
	unsigned every;        /* only one picture in so many is made: another frame rate */
	bool has_extra_video, has_extra_audio; /* track 1 of each, its own random-access points */
	unsigned data_ms;      /* a data message (caption, cue point) so often; 0: none */
	unsigned audio_hz;     /* 0: no audio */
	int64_t audio_late_ms; /* audio starts with this timestamp */
	int64_t lag_ms, jitter_ms;
	int64_t base_ms;   /* first timestamp */
	int64_t burst_ms;  /* this much media comes at once at the start */
	double ppm;        /* its clock runs fast by this much */
	unsigned keep;     /* one packet in so many is made (long runs); 0, 1: all */
	uint64_t encode;   /* twins have the same, which never ends; 0: one of its own */
	int64_t encode_us; /* when that began */
	unsigned same_audio,
		same_video;    /* what is carried repeats after so many frames; 0: never */
	bool is_exact;         /* MPEG-TS: times are not rounded to ms ... */
	unsigned heap_ms;      /* ... and so much sound is sent at once */
	unsigned dated_ms;     /* SRT: packets are there so long after the time they bear */
	unsigned lose_percent; /* so many packets never arrive ... */
	unsigned lose_turn;    /* ... 1: of odd stretches of 8 only, 2: of even ones, 0: of all */
	uint16_t width, height;
	uint32_t video_codec, audio_codec;
};

enum encoder_stream {
	ENCODER_VIDEO,
	ENCODER_AUDIO,
	ENCODER_EXTRA_VIDEO,
	ENCODER_EXTRA_AUDIO,
	ENCODER_DATA,
	ENCODER_STREAMS
};

struct encoder_packet {
	struct packet packet;
	uint64_t number, content; /* which of its track, and of what */
	int64_t shift_90k;        /* its timestamps less the time in that */
	int64_t arrival_us;
	bool is_ready, is_dropped;
};

struct encoder {
	struct encoder_config config;
	uint64_t content;                /* what it encodes: all fingerprints differ by it */
	int64_t start_us;                /* when its time began */
	int64_t frozen_us;               /* how long it stood still in all */
	int64_t shift_ms;                /* added to timestamps from now on */
	int64_t audio_shift_ms;          /* and to those of the main audio */
	unsigned size_percent;           /* of a picture's usual bytes */
	uint64_t frame[ENCODER_STREAMS]; /* next, in order of sending */
	struct encoder_packet next[ENCODER_STREAMS];
	int64_t arrival_us;               /* of the last packet taken */
	int64_t held_us[ENCODER_STREAMS]; /* nothing arrives before this; INT64_MAX: stalled */
	int64_t skip_until_us[ENCODER_STREAMS]; /* what would arrive before this never does */
	uint64_t random;
	uint64_t gop_first; /* frame number at which GOPs of this length began */
	unsigned next_gop;  /* length of those behind the next key frame; 0: as before */
};

void encoder_start(struct encoder *e, const struct encoder_config *config, uint64_t seed,
		   int64_t now_us);
/* When the next packet arrives; INT64_MAX while stalled. */
int64_t encoder_next_us(struct encoder *e);
/* Takes it. */
struct encoder_packet encoder_take(struct encoder *e);
/* Media time stands still from `from_us` to `to_us`. */
void encoder_freeze(struct encoder *e, int64_t from_us, int64_t to_us);
/* What it encodes from here on is nobody else's. */
void encoder_differ(struct encoder *e, uint64_t by);
/* Its timestamps jump. */
void encoder_jump(struct encoder *e, int64_t ms);
/* Its picture and sound come at this share of real time from now on. */
void encoder_slow(struct encoder *e, double percent, int64_t now_us);
/* Timestamps of the main audio move against those of the picture. */
void encoder_part(struct encoder *e, int64_t ms);
struct codec_params encoder_params(const struct encoder *e, enum packet_kind kind);
/* Duration of a frame of that kind. */
int64_t encoder_frame_90k(const struct encoder_config *config, enum packet_kind kind);

uint32_t random_next(uint64_t *state);

#endif
