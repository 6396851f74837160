/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * AAC in LOAS/LATM (elementary.h). Pure. One program, one layer, one frame a multiplex
 * element, which is all that encoders send; anything else is left out.
 * Source: ISO/IEC 14496-3 1.7.2, 1.7.3.
 */
#include <stdlib.h>

#include <understudy/codec.h>

#include "audio-split.h"
#include "bits.h"

#define LOAS_HEAD_BYTES 3
#define LOAS_BYTES_MAX 8191
#define AOT_SBR 5
#define AOT_PS 29
#define RATE_ESCAPE 15

static uint32_t latm_value(struct bits *b)
{
	unsigned bytes = bits_u(b, 2) + 1;

	return bits_u(b, bytes * 8);
}

static void skip_rate(struct bits *b)
{
	if (bits_u(b, 4) == RATE_ESCAPE) {
		bits_skip(b, 24);
	}
}

/* Length of an AudioSpecificConfig in bits, 0 if it is of a kind we do not carry. */
static size_t config_bits(struct bits b)
{
	const struct bits start = b;
	unsigned object_type = bits_u(&b, 5);
	unsigned channels;
	bool has_extension;

	skip_rate(&b);
	channels = bits_u(&b, 4);
	if (object_type == AOT_SBR || object_type == AOT_PS) {
		skip_rate(&b);
		object_type = bits_u(&b, 5);
	}
	bits_skip(&b, 1);
	if (bits_flag(&b)) {
		bits_skip(&b, 14);
	}
	has_extension = bits_flag(&b);
	if (b.failed || object_type < 1 || object_type > 4 || channels == 0 || has_extension) {
		return 0;
	}
	return (size_t)((b.at - start.at) * 8 + start.left - b.left);
}

static void copy_bits(struct bits *b, uint8_t *to, size_t bits)
{
	for (; bits >= 8; bits -= 8) {
		*to++ = (uint8_t)bits_u(b, 8);
	}
	if (bits > 0) {
		*to = (uint8_t)(bits_u(b, (unsigned)bits) << (8 - bits));
	}
}

static bool read_config(struct audio_split *s, struct bits *b, bool has_length)
{
	size_t length = has_length ? latm_value(b) : 0;
	uint8_t config[AUDIO_CONFIG_MAX] = { 0 };
	struct codec_params params;
	size_t bits = config_bits(*b);

	if (bits == 0 || bits > sizeof(config) * 8 || (has_length && bits > length)) {
		return false;
	}
	bits = has_length && length <= sizeof(config) * 8 ? length : bits;
	copy_bits(b, config, bits);
	if (has_length && length > bits) {
		bits_skip(b, length - bits);
	}
	if (b->failed ||
	    codec_parse_config(CODEC_AAC, config, (bits + 7) / 8, &params) != CODEC_OK) {
		return false;
	}
	audio_split_configure(s, config, (bits + 7) / 8);
	audio_split_describe(s, params.sample_rate, params.frame_samples);
	return true;
}

static bool read_mux_config(struct audio_split *s, struct bits *b)
{
	bool has_version = bits_flag(b);

	if (has_version && bits_flag(b)) {
		return false; /* a syntax of the future */
	}
	if (has_version) {
		latm_value(b); /* fullness of a buffer */
	}
	/* one time base, one frame, one program, one layer */
	if (!bits_flag(b) || bits_u(b, 6) != 0 || bits_u(b, 4) != 0 || bits_u(b, 3) != 0 ||
	    !read_config(s, b, has_version) || bits_u(b, 3) != 0) {
		return false;
	}
	bits_skip(b, 8);
	if (bits_flag(b)) { /* other data, behind the frame */
		if (has_version) {
			latm_value(b);
		} else {
			bool goes_on;

			do {
				goes_on = bits_flag(b);
				bits_skip(b, 8);
			} while (goes_on && !b->failed);
		}
	}
	if (bits_flag(b)) {
		bits_skip(b, 8); /* CRC */
	}
	return !b->failed;
}

static bool read_element(struct audio_split *s, struct bits *b, struct audio_piece *ret)
{
	size_t length = 0;
	uint32_t part;

	if (!bits_flag(b) && !read_mux_config(s, b)) {
		return false;
	}
	if (s->config_size == 0) {
		return false; /* the multiplex has not been described yet */
	}
	do {
		part = bits_u(b, 8);
		length += part;
	} while (part == 255 && !b->failed);
	if (b->failed || length == 0 || length > LOAS_BYTES_MAX || !bits_has(b, length * 8)) {
		return false;
	}
	if (s->frame == NULL) {
		s->frame = malloc(LOAS_BYTES_MAX);
	}
	if (s->frame == NULL) {
		return false;
	}
	copy_bits(b, s->frame, length * 8);
	ret->data = s->frame;
	ret->data_size = length;
	return true;
}

int latm_find(struct audio_split *s, const uint8_t *p, size_t size, struct audio_piece *ret)
{
	size_t length;
	struct bits b;

	if (size < LOAS_HEAD_BYTES) {
		return AUDIO_MORE;
	}
	if (p[0] != 0x56 || (p[1] & 0xe0) != 0xe0) {
		return AUDIO_NONE;
	}
	length = ((size_t)(p[1] & 0x1f) << 8 | p[2]) + LOAS_HEAD_BYTES;
	if (size < length) {
		return AUDIO_MORE;
	}
	b = bits_over(p + LOAS_HEAD_BYTES, length - LOAS_HEAD_BYTES, false);
	ret->size = length;
	ret->is_left_out = !read_element(s, &b, ret);
	return AUDIO_FOUND;
}
