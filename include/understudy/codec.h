/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What can be known of a stream without decoding it: codec headers and the types of
 * coded frames. Bounded readers throughout; Exp-Golomb reads stop at 32 bits.
 * Sources: ISO/IEC 14496-15 (avcC, hvcC), 14496-10, 23008-2, 14496-3; AV1 and VP9
 * codec configuration bindings; RFC 7845 (Opus); FLAC STREAMINFO.
 */
#ifndef UNDERSTUDY_CODEC_H
#define UNDERSTUDY_CODEC_H

#include <stdbool.h>
#include <stddef.h>

#include <understudy/packet.h>

enum codec_scan { SCAN_UNKNOWN, SCAN_PROGRESSIVE, SCAN_INTERLACED };

/* Zero means unknown. */
struct codec_params {
	uint32_t codec; /* enum packet_codec */
	/* video */
	uint16_t width, height;   /* cropped */
	uint8_t profile, level;   /* profile_idc / level_idc */
	uint8_t bit_depth;        /* luma */
	uint8_t chroma;           /* chroma_format_idc + 1; 2 = 4:2:0 */
	uint8_t nal_length_bytes; /* 1, 2 or 4 for length-prefixed codecs */
	uint8_t reorder_frames;   /* frames a decoder must hold back; 255 unknown */
	uint8_t scan;             /* enum codec_scan */
	uint8_t constraints;      /* H.264: constraint_set flags, the first in the top bit */
	uint32_t fps_milli;       /* frames per 1000 s from the header's timing, 0 unknown */
	/* audio */
	uint32_t sample_rate;
	uint8_t channels;
	uint8_t audio_object_type; /* AAC: as signalled, 5 and 29 for explicit SBR and PS */
	uint16_t frame_samples;    /* samples in one packet at sample_rate: 1024, 960, 1152, 2048
				    * (SBR), ...; 0 varies */
};

enum codec_error { CODEC_OK = 0, CODEC_TRUNCATED = -1, CODEC_UNSUPPORTED = -2, CODEC_BAD = -3 };

/* Reads a PACKET_CONFIG payload. Fields it cannot find stay zero. MP3 and AC-3 have no
 * config: give the first frame. CODEC_OK or enum codec_error; *ret untouched on failure. */
int codec_parse_config(uint32_t codec, const uint8_t *data, size_t size, struct codec_params *ret);

/* Reads the head of an audio frame: MP3, AC-3 and E-AC-3 have no other header, Opus and FLAC may
 * have been sent without theirs. Never looks beyond CODEC_FRAME_HEAD_BYTES. CODEC_OK or enum
 * codec_error; *ret untouched on failure. */
#define CODEC_FRAME_HEAD_BYTES 32
int codec_parse_frame(uint32_t codec, const uint8_t *data, size_t size, struct codec_params *ret);

/* Looks at a PACKET_FRAME payload and returns PACKET_KEY, PACKET_RECOVERY, PACKET_LEADING
 * or 0, from the coded data:
 *   H.264  KEY: IDR. RECOVERY: intra slices only, behind a recovery point SEI with
 *          recovery_frame_cnt 0 or in a frame that the encoder `claimed` to be a key frame.
 *          (Intra refresh, recovery_frame_cnt > 0, is no point to start at.)
 *   HEVC, VVC  KEY: IDR, BLA. RECOVERY: CRA. LEADING: RASL, RADL.
 *   AV1    KEY: shown key frame with a sequence header. RECOVERY: the same without one, if
 *          `claimed` (it is in the av1C then).
 *   VP8, VP9  KEY: key frame.
 * `claimed` is the packet's KEY and RECOVERY flags so far: the encoder's word, or what an earlier
 * look made of it. For codecs it does not know, returns its KEY flag. Reads headers only,
 * never beyond size, and survives contents that change while being read. */
unsigned codec_random_access(uint32_t codec, unsigned nal_length_bytes, const uint8_t *data,
			     size_t size, unsigned claimed);

/* Width and height that a VP8 or VP9 key frame says itself (vpcC does not); false for all else. */
bool codec_frame_size(uint32_t codec, const uint8_t *data, size_t size, uint16_t *ret_width,
		      uint16_t *ret_height);

/* XXH3 over what is the same in two copies of one encode: for AVC/HEVC the coded slice NALs
 * only (parameter sets, SEI, AUD skipped), otherwise the payload. */
uint64_t media_fingerprint(uint32_t codec, unsigned nal_length_bytes, const uint8_t *data,
			   size_t size, uint64_t seed);

/* 8-bit-clean name for people: "H.264", "AAC", ...; unknown FourCC: "unknown". */
const char *codec_str(uint32_t codec);
/* "High", "Main 10", ...; a profile without a name by its number; "" if it is not known. */
void codec_profile_str(const struct codec_params *p, char *to, size_t size);
/* "4.1"; "" if it is not known. */
void codec_level_str(const struct codec_params *p, char *to, size_t size);

/*
 * Headers in force: what a joiner needs before its first key frame. Fixed number of
 * small headers (bytes beyond HEADER_BYTES_MAX are refused), kept by ingest, switch, relay.
 */
#define HEADERS_MAX 20
#define HEADER_BYTES_MAX 8192

struct header {
	struct packet packet;
	uint8_t *payload; /* owned by the set */
};

struct header_set {
	struct header items[HEADERS_MAX];
	unsigned count;
};

/* Remembers a header packet in place of the one of the same kind, type and track, without the
 * flags REPEAT, JOIN, SPLICE and GAP. Returns 1 if its bytes or codec are new, 0 if nothing
 * changed, -ENOBUFS/-ENOMEM (set unchanged). A PACKET_CONFIG of another codec removes the
 * COLOR and CHANNELS headers of its track. Never put `payload` straight from shared memory. */
int header_set_put(struct header_set *set, const struct packet *p, const uint8_t *payload);
const struct header *header_set_find(const struct header_set *set, enum packet_kind kind,
				     enum packet_type type, unsigned track);
void header_set_finish(struct header_set *set);

/* Unwraps 31- or 32-bit millisecond timestamps into int64 (serial arithmetic; a 31-bit
 * wrap is recognised by a fall from above 0x7f000000 to below 0x01000000). Zeroed = fresh.
 * Backward steps stay backward steps. */
struct unwrap {
	int64_t offset_ms;
	uint32_t last_ms;
	bool started;
};
int64_t unwrap_ms(struct unwrap *u, uint32_t wire_ms);

#endif
