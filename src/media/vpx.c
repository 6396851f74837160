/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * VP8 and VP9: codec configuration record and kinds of frames. Pure.
 * Sources: VP Codec ISO Media File Format Binding (vpcC); RFC 6386 9.1; VP9 bitstream 6.2.
 */
#include <understudy/bytes.h>

#include "bits.h"
#include "parse.h"

int vpx_parse_config(const uint8_t *data, size_t size, struct codec_params *p)
{
	struct reader in = reader_over(data, size);
	uint8_t format, subsampling;

	/* The record is a FullBox: version 1 and 24 bits of flags first. Some leave them out. */
	if (size >= 12 && get_be32(data) == 0x01000000) {
		reader_take(&in, 4);
	}
	p->profile = reader_u8(&in);
	p->level = reader_u8(&in);
	format = reader_u8(&in);
	if (in.failed) {
		return CODEC_TRUNCATED;
	}
	if (p->profile > 3 || format >> 4 > 12) {
		return CODEC_BAD;
	}
	subsampling = format >> 1 & 7; /* 0 and 1 are 4:2:0, 2 4:2:2, 3 4:4:4 */
	p->bit_depth = format >> 4;
	p->chroma = (uint8_t)(subsampling < 2 ? 2 : subsampling < 4 ? subsampling + 1 : 0);
	p->reorder_frames = 0;
	return CODEC_OK;
}

unsigned vp8_random_access(const uint8_t *data, size_t size)
{
	struct reader in = reader_over(data, size);
	bool is_key = !(reader_u8(&in) & 1);

	reader_take(&in, 2);
	return is_key && reader_be24(&in) == 0x9d012a ? PACKET_KEY : 0;
}

unsigned vp9_random_access(const uint8_t *data, size_t size)
{
	struct reader in = reader_over(data, size);
	unsigned head = reader_be32(&in);
	unsigned profile = (head >> 29 & 1) | (head >> 27 & 2);
	unsigned at = profile == 3 ? 26 : 27; /* the bit after the profile */

	/* frame marker 2; show_existing_frame, frame_type (0 = key), show_frame, error_resilient;
	 * then the sync code */
	if (in.failed || head >> 30 != 2 || (head >> at & 1) || (head >> (at - 1) & 1)) {
		return 0;
	}
	return (head >> (at - 3 - 8 - 8) & 0xffff) == 0x4983 ? PACKET_KEY : 0;
}

static bool vp8_frame_size(const uint8_t *data, size_t size, uint16_t *ret_width,
			   uint16_t *ret_height)
{
	if (size < 10 || vp8_random_access(data, size) == 0) {
		return false;
	}
	/* behind tag and start code; the upper two bits of each are a scale */
	*ret_width = (uint16_t)((data[6] | data[7] << 8) & 0x3fff);
	*ret_height = (uint16_t)((data[8] | data[9] << 8) & 0x3fff);
	return true;
}

/* VP9 bitstream 6.2: color_config(), frame_size(). */
static bool vp9_frame_size(const uint8_t *data, size_t size, uint16_t *ret_width,
			   uint16_t *ret_height)
{
	enum { SRGB = 7 };
	struct bits in = bits_over(data, size, false);
	unsigned profile;
	uint32_t width, height;
	bool is_odd;

	if (vp9_random_access(data, size) == 0) {
		return false;
	}
	bits_skip(&in, 2);
	profile = bits_u(&in, 1);
	profile |= bits_u(&in, 1) << 1;
	is_odd = profile & 1;
	bits_skip(&in, (profile == 3) + 4 + 24); /* reserved; four flags; the sync code */
	bits_skip(&in, profile >= 2);            /* ten bits or twelve */
	if (bits_u(&in, 3) != SRGB) {
		bits_skip(&in, is_odd ? 4 : 1); /* range; subsampling and a reserved bit */
	} else {
		bits_skip(&in, is_odd);
	}
	width = bits_u(&in, 16) + 1;
	height = bits_u(&in, 16) + 1;
	if (in.failed || width > UINT16_MAX || height > UINT16_MAX) {
		return false;
	}
	*ret_width = (uint16_t)width;
	*ret_height = (uint16_t)height;
	return true;
}

bool codec_frame_size(uint32_t codec, const uint8_t *data, size_t size, uint16_t *ret_width,
		      uint16_t *ret_height)
{
	return codec == CODEC_VP8   ? vp8_frame_size(data, size, ret_width, ret_height)
	       : codec == CODEC_VP9 ? vp9_frame_size(data, size, ret_width, ret_height)
				    : false;
}
