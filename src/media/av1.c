/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * AV1: codec configuration record, sequence header, kinds of temporal units. Pure.
 * Sources: AV1 Codec ISO Media File Format Binding 2.3; AV1 bitstream 5.3 (OBU), 5.5
 * (sequence header), 5.9.2 (frame header).
 */
#include <understudy/bytes.h>

#include "bits.h"
#include "nal.h"
#include "parse.h"

enum {
	OBU_SEQUENCE_HEADER = 1,
	OBU_FRAME_HEADER = 3,
	OBU_FRAME = 6,
};

/* First bytes of an MPEG-2 TS AV1 video descriptor, which Enhanced RTMP's
 * MPEG2TSSequenceStart carries in place of an av1C; the same fields follow. */
#define TS_DESCRIPTOR_TAG 0x80

struct obu {
	unsigned type;
	const uint8_t *data;
	size_t size;
};

/* The next OBU; one without a size field runs to the end, and one that is longer than what is
 * left is cut there. False at the end. */
static bool next_obu(struct reader *in, struct obu *ret)
{
	uint8_t head = reader_u8(in);
	uint64_t size = 0;

	if (head & 4) {
		reader_u8(in);
	}
	if (head & 2) {
		unsigned shift = 0;
		uint8_t byte;

		do {
			byte = reader_u8(in);
			size |= (uint64_t)(byte & 0x7f) << shift;
			shift += 7;
		} while ((byte & 0x80) && shift < 56);
	} else {
		size = reader_left(in);
	}
	ret->type = head >> 3 & 15;
	ret->size = media_pin((size_t)size);
	if (ret->size > reader_left(in)) {
		ret->size = reader_left(in);
	}
	ret->data = reader_take(in, ret->size);
	return !in->failed;
}

static void skip_uvlc(struct bits *b)
{
	unsigned zeros = 0;

	while (!b->failed && !bits_flag(b) && zeros < 32) {
		zeros++;
	}
	if (zeros < 32) {
		bits_skip(b, zeros);
	}
}

/* Timing and decoder model. Returns the bits of a decoder buffer delay, 0 if there is none. */
static unsigned read_timing(struct bits *b, struct codec_params *p)
{
	uint32_t units, scale;
	unsigned delay_bits = 0;

	if (!bits_flag(b)) {
		return 0;
	}
	units = bits_u(b, 32);
	scale = bits_u(b, 32);
	if (bits_flag(b)) { /* equal picture interval */
		if (!b->failed) {
			p->fps_milli = fps_milli_of(scale, units);
		}
		skip_uvlc(b);
	}
	if (bits_flag(b)) {
		delay_bits = bits_u(b, 5) + 1;
		bits_skip(b, 32 + 5 + 5);
	}
	return delay_bits;
}

static void skip_operating_points(struct bits *b, unsigned delay_bits, bool has_display_delay)
{
	unsigned count = bits_u(b, 5) + 1;

	for (unsigned i = 0; i < count && !b->failed; i++) {
		bits_skip(b, 12);
		if (bits_u(b, 5) > 7) {
			bits_skip(b, 1);
		}
		if (delay_bits > 0 && bits_flag(b)) {
			bits_skip(b, 2 * (size_t)delay_bits + 1);
		}
		if (has_display_delay && bits_flag(b)) {
			bits_skip(b, 4);
		}
	}
}

static bool parse_sequence_header(const struct obu *obu, struct codec_params *p)
{
	struct bits b = bits_over(obu->data, obu->size, false);
	unsigned width_bits, height_bits, delay_bits;
	uint32_t width, height;
	bool has_display_delay;

	bits_skip(&b, 3 + 1);
	if (bits_flag(&b)) { /* reduced still picture header */
		bits_skip(&b, 5);
	} else {
		delay_bits = read_timing(&b, p);
		has_display_delay = bits_flag(&b);
		skip_operating_points(&b, delay_bits, has_display_delay);
	}
	width_bits = bits_u(&b, 4) + 1;
	height_bits = bits_u(&b, 4) + 1;
	width = bits_u(&b, width_bits) + 1;
	height = bits_u(&b, height_bits) + 1;
	return set_picture_size(p, width, height, 0, 0) && !b.failed;
}

static uint8_t chroma_of(unsigned flags)
{
	if (flags & 0x10) {
		return 1; /* monochrome */
	}
	return flags & 8 ? (flags & 4 ? 2 : 3) : 4;
}

int av1_parse_config(const uint8_t *data, size_t size, struct codec_params *p)
{
	struct reader in = reader_over(data, size);
	struct obu obu;
	uint8_t version, profile_level, flags;

	if (size > 2 && data[0] == TS_DESCRIPTOR_TAG) {
		reader_take(&in, 2);
	}
	version = reader_u8(&in);
	profile_level = reader_u8(&in);
	flags = reader_u8(&in);
	reader_u8(&in);
	if (in.failed) {
		return CODEC_TRUNCATED;
	}
	if (version != 0x81) { /* marker bit and version 1 */
		return CODEC_BAD;
	}
	p->profile = profile_level >> 5;
	p->level = profile_level & 0x1f;
	p->bit_depth = flags & 0x40 ? (flags & 0x20 ? 12 : 10) : 8;
	p->chroma = chroma_of(flags);
	p->reorder_frames = 0; /* temporal units come in presentation order */
	while (next_obu(&in, &obu)) {
		if (obu.type == OBU_SEQUENCE_HEADER) {
			return parse_sequence_header(&obu, p) ? CODEC_OK : CODEC_BAD;
		}
	}
	return CODEC_OK;
}

/* Whether a frame (header) OBU is a key frame that is shown at once. */
static bool is_shown_key_frame(const struct obu *obu, bool is_still)
{
	uint8_t head = obu->size > 0 ? obu->data[0] : 0x80;

	/* show_existing_frame 1, frame_type 2 (0 = key), show_frame 1 */
	return is_still || (head & 0xf0) == 0x10;
}

unsigned av1_random_access(const uint8_t *data, size_t size, unsigned claimed)
{
	struct reader in = reader_over(data, size);
	bool has_sequence = false;
	bool is_still = false;
	struct obu obu;

	while (next_obu(&in, &obu)) {
		if (obu.type == OBU_SEQUENCE_HEADER) {
			has_sequence = obu.size > 0;
			is_still = has_sequence && (obu.data[0] & 0x08);
		}
		if (obu.type == OBU_FRAME || obu.type == OBU_FRAME_HEADER) {
			if (!is_shown_key_frame(&obu, is_still)) {
				return 0;
			}
			return has_sequence                               ? PACKET_KEY
			       : claimed & (PACKET_KEY | PACKET_RECOVERY) ? PACKET_RECOVERY
									  : 0;
		}
	}
	return 0;
}
