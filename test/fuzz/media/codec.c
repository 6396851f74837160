/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A codec header or frame; the first byte chooses codec, length size and claim. Nothing may be
 * read past the end, and what comes out is within its bounds.
 */
#include <stdlib.h>
#include <string.h>

#include <understudy/codec.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_so)
{
	if (!is_so) {
		abort();
	}
}

static void check_params(uint32_t codec, const uint8_t *data, size_t size)
{
	struct codec_params p;
	int r;

	memset(&p, 0x55, sizeof(p));
	r = codec_parse_config(codec, data, size, &p);
	if (r != CODEC_OK) {
		require(p.codec == 0x55555555);
		return;
	}
	require(p.codec == codec);
	require(p.nal_length_bytes <= 4 && p.nal_length_bytes != 3);
	require(p.reorder_frames <= 16 || p.reorder_frames == 255);
	require(p.fps_milli <= 1000000 && p.chroma <= 4 && p.bit_depth <= 16);
	require((p.width == 0) == (p.height == 0) || codec == CODEC_VVC);
}

static void check_frame(uint32_t codec, const uint8_t *data, size_t size)
{
	struct codec_params p;

	memset(&p, 0x55, sizeof(p));
	if (codec_parse_frame(codec, data, size, &p) != CODEC_OK) {
		require(p.codec == 0x55555555);
		return;
	}
	require(p.codec == codec && p.channels >= 1 && p.channels <= 8);
	require(p.sample_rate <= 192000 && p.width == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t codecs[] = {
		CODEC_AVC, CODEC_HEVC, CODEC_VVC,  CODEC_AV1, CODEC_VP8,  CODEC_VP9,  CODEC_AAC,
		CODEC_MP3, CODEC_OPUS, CODEC_FLAC, CODEC_AC3, CODEC_EAC3, CODEC_NONE,
	};
	unsigned choice, length, access;
	uint32_t codec;

	if (size == 0) {
		return 0;
	}
	choice = data[0];
	codec = codecs[(choice & 15) % (sizeof(codecs) / sizeof(codecs[0]))];
	length = (choice >> 4 & 3) + 1;
	data++;
	size--;
	check_params(codec, data, size);
	check_frame(codec, data, size);
	access = codec_random_access(codec, length, data, size, choice & 0x40 ? PACKET_KEY : 0);
	require(access == 0 || access == PACKET_KEY || access == PACKET_RECOVERY ||
		access == PACKET_LEADING);
	uint16_t width = 0, height = 0;
	bool has_size = codec_frame_size(codec, data, size, &width, &height);
	require(!has_size || codec == CODEC_VP8 || codec == CODEC_VP9);
	require(has_size || (width == 0 && height == 0));
	require(media_fingerprint(codec, length, data, size, 1) ==
		media_fingerprint(codec, length, data, size, 1));
	return 0;
}
