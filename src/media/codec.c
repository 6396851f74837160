/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One door to what the codecs' files know. Pure; runs in ingests, the switch and relays.
 */
#include <xxhash.h>

#include <understudy/codec.h>

#include "nal.h"
#include "parse.h"

static const struct {
	uint32_t codec;
	int (*parse)(const uint8_t *data, size_t size, struct codec_params *p);
	const char *name;
	/* of the head of a frame; NULL: it says nothing */
	int (*parse_frame)(const uint8_t *data, size_t size, struct codec_params *p);
} codecs[] = {
	{ CODEC_AVC, avc_parse_config, "H.264", NULL },
	{ CODEC_HEVC, hevc_parse_config, "HEVC", NULL },
	{ CODEC_VVC, vvc_parse_config, "VVC", NULL },
	{ CODEC_AV1, av1_parse_config, "AV1", NULL },
	{ CODEC_VP8, vpx_parse_config, "VP8", NULL },
	{ CODEC_VP9, vpx_parse_config, "VP9", NULL },
	{ CODEC_AAC, aac_parse_config, "AAC", NULL },
	{ CODEC_MP3, mp3_parse_frame, "MP3", mp3_parse_frame },
	{ CODEC_OPUS, opus_parse_config, "Opus", opus_parse_frame },
	{ CODEC_FLAC, flac_parse_config, "FLAC", flac_parse_frame },
	{ CODEC_AC3, ac3_parse_frame, "AC-3", ac3_parse_frame },
	{ CODEC_EAC3, ac3_parse_frame, "E-AC-3", ac3_parse_frame },
};

#define CODECS (sizeof(codecs) / sizeof(codecs[0]))

int codec_parse_config(uint32_t codec, const uint8_t *data, size_t size, struct codec_params *ret)
{
	for (size_t i = 0; i < CODECS; i++) {
		if (codecs[i].codec == codec) {
			struct codec_params p = { .codec = codec };
			int r = codecs[i].parse(data, size, &p);

			if (r == CODEC_OK) {
				*ret = p;
			}
			return r;
		}
	}
	return CODEC_UNSUPPORTED;
}

int codec_parse_frame(uint32_t codec, const uint8_t *data, size_t size, struct codec_params *ret)
{
	struct codec_params p = { .codec = codec };
	int r = CODEC_UNSUPPORTED;

	if (size > CODEC_FRAME_HEAD_BYTES) {
		size = CODEC_FRAME_HEAD_BYTES;
	}
	for (size_t i = 0; i < CODECS; i++) {
		if (codecs[i].codec == codec && codecs[i].parse_frame != NULL) {
			r = codecs[i].parse_frame(data, size, &p);
		}
	}
	if (r == CODEC_OK) {
		*ret = p;
	}
	return r;
}

const char *codec_str(uint32_t codec)
{
	for (size_t i = 0; i < CODECS; i++) {
		if (codecs[i].codec == codec) {
			return codecs[i].name;
		}
	}
	return "unknown";
}

unsigned codec_random_access(uint32_t codec, unsigned nal_length_bytes, const uint8_t *data,
			     size_t size, unsigned claimed)
{
	switch (codec) {
	case CODEC_AVC:
		return avc_random_access(nal_length_bytes, data, size, claimed);
	case CODEC_HEVC:
		return hevc_random_access(nal_length_bytes, data, size);
	case CODEC_VVC:
		return vvc_random_access(nal_length_bytes, data, size);
	case CODEC_AV1:
		return av1_random_access(data, size, claimed);
	case CODEC_VP8:
		return vp8_random_access(data, size);
	case CODEC_VP9:
		return vp9_random_access(data, size);
	default:
		return claimed & PACKET_KEY;
	}
}

/* Whether a NAL unit holds coded picture data. */
static bool is_slice(uint32_t codec, const struct nal *nal)
{
	unsigned first = nal->data[0];

	switch (codec) {
	case CODEC_AVC:
		return (first & 0x1f) >= 1 && (first & 0x1f) <= 5;
	case CODEC_HEVC:
		return (first >> 1 & 0x3f) < 32;
	default:
		return nal->size >= 2 && nal->data[1] >> 3 <= 11;
	}
}

uint64_t media_fingerprint(uint32_t codec, unsigned nal_length_bytes, const uint8_t *data,
			   size_t size, uint64_t seed)
{
	struct nal_reader reader = nal_reader_over(data, size, nal_length_bytes);
	uint64_t hash = seed;
	bool has_slices = false;
	struct nal nal;

	if (codec == CODEC_AVC || codec == CODEC_HEVC || codec == CODEC_VVC) {
		while (nal_next(&reader, &nal)) {
			if (is_slice(codec, &nal)) {
				hash = XXH3_64bits_withSeed(nal.data, nal.size, hash);
				has_slices = true;
			}
		}
	}
	return has_slices ? hash : XXH3_64bits_withSeed(data, size, seed);
}
