/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Elementary streams as MPEG-TS carries them, made into canonical packets: Annex B byte streams
 * into length-prefixed NAL units with the parameter sets out of band, audio into one raw frame a
 * packet with its codec header. What comes out equals what an RTMP encoder sends of the same
 * encode. Bounded; nothing is trusted; a broken piece is left out and counted.
 * Sources: ISO/IEC 14496-10 annex B, 14496-15 5.3.3 and 8.3.3, 14496-3 1.7 (LATM) and 1.A (ADTS),
 * 13818-1; ETSI TS 102 366 (AC-3), TS 103 491 F (Opus in MPEG-TS).
 */
#ifndef UNDERSTUDY_ELEMENTARY_H
#define UNDERSTUDY_ELEMENTARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <understudy/buffer.h>
#include <understudy/packet.h>

/* ---- video ---- */

#define PARAMETER_SETS_MAX 24
#define PARAMETER_SET_BYTES_MAX 2048

struct parameter_set {
	uint8_t type;  /* NAL unit type */
	uint8_t order; /* VPS, SPS, PPS in a codec header */
	uint32_t id;   /* its own, which a later one of the same id replaces */
	uint16_t size;
	uint8_t *data; /* owned */
};

struct annexb {
	uint32_t codec; /* CODEC_AVC or CODEC_HEVC */
	struct parameter_set sets[PARAMETER_SETS_MAX];
	unsigned count;
	bool has_changed; /* since annexb_config() was asked last */
};

void annexb_init(struct annexb *a, uint32_t codec);
void annexb_finish(struct annexb *a);
/* Takes the access unit apart and appends its NAL units, each behind its length in 4 bytes, to
 * `to`. Parameter sets are kept aside; delimiters, fillers and ends of sequence vanish, as RTMP
 * encoders send none. Returns how many NAL units were appended, -ENOBUFS or -ENOMEM (`to` as
 * before, parameter sets taken). */
int annexb_convert(struct annexb *a, const uint8_t *data, size_t size, struct buffer *to);
/* avcC or hvcC of the parameter sets in force, if they have changed since the last call and are
 * complete. Returns its size, 0 if there is nothing new, -ENOBUFS if it does not fit. */
int annexb_config(struct annexb *a, uint8_t *to, size_t room);

/* ---- audio ---- */

#define AUDIO_NO_TIME INT64_MIN
#define AUDIO_CONFIG_MAX 64

enum audio_format { AUDIO_ADTS = 1, AUDIO_LATM, AUDIO_MPEG, AUDIO_AC3, AUDIO_OPUS };

struct audio_frame {
	const uint8_t *data; /* valid until the next call */
	size_t size;
	int64_t pts_90k;
};

struct audio_split {
	enum audio_format format;
	struct buffer bytes; /* not yet given out */
	size_t taken;        /* of which are the frame that was given out last */
	int64_t next_90k;    /* when the next frame begins; AUDIO_NO_TIME at first */
	uint32_t fraction;   /* of a tick, in 1 / sample rate */
	int64_t mark_90k;    /* the time that came with the bytes at mark_at */
	size_t mark_at;
	uint8_t *frame;      /* LATM: its bits, shifted into place; owned */
	uint8_t config[AUDIO_CONFIG_MAX];
	size_t config_size;  /* ADTS, LATM: AudioSpecificConfig; 0 = none yet, or none needed */
	uint32_t sample_rate, frame_samples;
	bool is_config_new;  /* the caller clears it */
	uint64_t skipped;    /* bytes that belonged to no frame */
};

void audio_split_init(struct audio_split *s, enum audio_format format);
void audio_split_finish(struct audio_split *s);
/* The next piece of the stream; `pts_90k` is that of the first frame that begins in it, or
 * AUDIO_NO_TIME. 0 or -ENOBUFS, -ENOMEM: what was not given out yet is dropped. */
int audio_split_push(struct audio_split *s, const uint8_t *data, size_t size, int64_t pts_90k);
/* The next whole frame; false if there is none (push more). Frames before the first time are
 * left out. */
bool audio_split_next(struct audio_split *s, struct audio_frame *ret);
/* Bytes were lost: what is unfinished is dropped. */
void audio_split_reset(struct audio_split *s);

/* Timestamps of 33 bits, unwrapped by serial arithmetic. Zeroed = fresh. */
struct unwrap33 {
	int64_t last_90k;
	bool is_started;
};
int64_t unwrap_33(struct unwrap33 *u, uint64_t wire_90k);

#endif
