/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The canonical packet: what every ingest writes into a feed ring and what the
 * switch writes into the show ring. The payload follows separately.
 *
 * Media time is int64 in 1/90000 s, unwrapped; monotonic time is int64 in us.
 * The structure lies in shared memory: fixed size, no pointers, every field of a
 * copy is checked by whoever reads it (packet_is_sane()).
 */
#ifndef UNDERSTUDY_PACKET_H
#define UNDERSTUDY_PACKET_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define MEDIA_HZ 90000
#define PACKET_SIZE_MAX (8u << 20) /* payload bytes of one packet */
#define PACKET_TRACKS_MAX 16       /* track ids 0..15 of each kind are carried */

#define FOURCC(a, b, c, d) \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

enum packet_codec {
	CODEC_NONE = 0, /* unknown: carried opaquely */
	CODEC_AVC = FOURCC('a', 'v', 'c', '1'),
	CODEC_HEVC = FOURCC('h', 'v', 'c', '1'),
	CODEC_VVC = FOURCC('v', 'v', 'c', '1'),
	CODEC_AV1 = FOURCC('a', 'v', '0', '1'),
	CODEC_VP8 = FOURCC('v', 'p', '0', '8'),
	CODEC_VP9 = FOURCC('v', 'p', '0', '9'),
	CODEC_AAC = FOURCC('m', 'p', '4', 'a'),
	CODEC_MP3 = FOURCC('.', 'm', 'p', '3'),
	CODEC_OPUS = FOURCC('O', 'p', 'u', 's'),
	CODEC_FLAC = FOURCC('f', 'L', 'a', 'C'),
	CODEC_AC3 = FOURCC('a', 'c', '-', '3'),
	CODEC_EAC3 = FOURCC('e', 'c', '-', '3'),
};

enum packet_kind { PACKET_NONE, PACKET_VIDEO, PACKET_AUDIO, PACKET_DATA, PACKET_KINDS };

enum packet_type {
	PACKET_FRAME = 1, /* coded frame(s), length-prefixed NALs for AVC/HEVC/VVC, raw AAC, ... */
	PACKET_CONFIG,    /* codec header: avcC, hvcC, av1C, vpcC, AudioSpecificConfig, ... */
	PACKET_COLOR,     /* E-RTMP video metadata (AMF0 "colorInfo"): a codec header to joiners */
	PACKET_CHANNELS,  /* E-RTMP MultichannelConfig: a codec header to joiners */
	PACKET_END,       /* end of sequence */
	PACKET_META,      /* onMetaData of the encoder: AMF0 value(s) after the name */
	PACKET_SCRIPT,    /* other AMF0 data message, whole body */
	PACKET_OPAQUE,    /* a message body we do not understand, whole, flv head included */
	PACKET_TYPES
};

enum packet_flag {
	PACKET_KEY = 1 << 0,       /* random-access point: IDR, AV1/VP9 key frame, ... */
	PACKET_RECOVERY = 1 << 1,  /* weaker random access: HEVC CRA, H.264 recovery point */
	PACKET_LEADING = 1 << 2,   /* leading picture: shown before its random-access point, not
				    * decodable (RASL) or not wanted (RADL) after a splice */
	PACKET_DISPOSABLE = 1 << 3,/* no other frame refers to it */
	PACKET_REPEAT = 1 << 4,    /* a header in force, written again for joiners only */
	PACKET_JOIN = 1 << 5,      /* show ring: a reader may start here */
	PACKET_SPLICE = 1 << 6,    /* show ring: first packet of its track after a splice */
	PACKET_GAP = 1 << 7,       /* show ring: a reported gap lies before this packet */
	PACKET_EX = 1 << 8,        /* came with an Enhanced RTMP header: goes out with one */
	PACKET_SILENCE = 1 << 9,   /* zero-length legacy audio message */
};

struct packet {
	int64_t dts_90k;      /* feed ring: the feed's media time; show ring: show time */
	int64_t pts_90k;      /* >= dts for all sane encoders, not guaranteed in a feed ring */
	int64_t arrival_us;   /* monotonic; when the last byte of it came in */
	uint64_t fingerprint; /* media_fingerprint() of the payload */
	uint64_t source_seq;  /* show ring: sequence number in the feed's ring */
	uint32_t incarnation; /* show ring: which connection of the feed */
	uint32_t codec;       /* enum packet_codec */
	uint32_t size;        /* payload bytes, <= PACKET_SIZE_MAX */
	uint32_t nano;        /* E-RTMP ModEx nanosecond offset to pts, 0..999999 */
	uint16_t feed;        /* show ring: the feed's id, given by the supervisor */
	uint16_t flags;       /* enum packet_flag */
	uint8_t kind;         /* enum packet_kind */
	uint8_t type;         /* enum packet_type */
	uint8_t track;        /* 0 = main */
	/* The message's first byte as the encoder sent it (legacy audio rate bits, video frame
	 * type); 0 if it came from no FLV message. */
	uint8_t head;
};
static_assert(sizeof(struct packet) == 64, "struct packet is an interface");

static inline bool packet_is_main(const struct packet *p)
{
	return p->track == 0 && p->type == PACKET_FRAME;
}

/* A header joiners need: repeated before key frames, sent on when it changes. */
static inline bool packet_is_header(const struct packet *p)
{
	return p->type == PACKET_CONFIG || p->type == PACKET_COLOR || p->type == PACKET_CHANNELS ||
	       p->type == PACKET_META;
}

static inline bool packet_is_sane(const struct packet *p)
{
	return p->kind > PACKET_NONE && p->kind < PACKET_KINDS && p->type > 0 &&
	       p->type < PACKET_TYPES && p->track < PACKET_TRACKS_MAX &&
	       p->size <= PACKET_SIZE_MAX && p->nano < 1000000 &&
	       p->dts_90k > INT64_MIN / 4 && p->dts_90k < INT64_MAX / 4 &&
	       p->pts_90k > INT64_MIN / 4 && p->pts_90k < INT64_MAX / 4;
}

#endif
