/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * HEVC: decoder configuration record, sequence parameter set, kinds of access units; and of
 * VVC, whose record says all by itself, the same. Pure.
 * Sources: ISO/IEC 14496-15 8.3.3 and 11.2.4.2 (records), 23008-2 7.3.2.2 (SPS), 7.3.7
 * (st_ref_pic_set), E.2.1 (VUI), table 7-1; 23090-3 table 5 (NAL unit types).
 */
#include <understudy/bytes.h>

#include "bits.h"
#include "nal.h"
#include "parse.h"

enum {
	HEVC_RADL_N = 6,
	HEVC_RASL_R = 9,
	HEVC_BLA_W_LP = 16,
	HEVC_IDR_N_LP = 20,
	HEVC_CRA = 21,
	HEVC_LAST_SLICE = 31,
	HEVC_SPS = 33,
};

enum {
	VVC_RADL = 2,
	VVC_RASL = 3,
	VVC_IDR_W_RADL = 7,
	VVC_IDR_N_LP = 8,
	VVC_CRA = 9,
	VVC_LAST_SLICE = 11,
};

#define SPS_BYTES_MAX 4096
#define SUB_LAYERS_MAX 7 /* sps_max_sub_layers_minus1 is at most 6 */
#define REF_SETS_MAX 64
#define REF_PICTURES_MAX 16

static void skip_profile_tier_level(struct bits *b, unsigned sub_layers)
{
	unsigned present[SUB_LAYERS_MAX] = { 0 };

	bits_skip(b, 88 + 8);
	for (unsigned i = 0; i + 1 < sub_layers; i++) {
		present[i] = bits_u(b, 2);
	}
	if (sub_layers > 1) {
		bits_skip(b, 2 * (9 - (size_t)sub_layers));
	}
	for (unsigned i = 0; i + 1 < sub_layers; i++) {
		bits_skip(b, (present[i] & 2 ? 88u : 0u) + (present[i] & 1 ? 8u : 0u));
	}
}

static void skip_scaling_lists(struct bits *b)
{
	for (unsigned size = 0; size < 4; size++) {
		for (unsigned matrix = 0; matrix < 6; matrix += size == 3 ? 3 : 1) {
			unsigned count = size == 0 ? 16 : 64;

			if (!bits_flag(b)) {
				bits_ue(b);
				continue;
			}
			if (size > 1) {
				bits_se(b);
			}
			for (unsigned i = 0; i < count && !b->failed; i++) {
				bits_se(b);
			}
		}
	}
}

/* One short-term reference picture set; only its size matters for what follows. */
static unsigned skip_ref_set(struct bits *b, unsigned index, unsigned previous_count)
{
	unsigned count = 0;
	uint32_t negative, positive;

	if (index > 0 && bits_flag(b)) { /* predicted from the previous set */
		bits_skip(b, 1);
		bits_ue(b);
		for (unsigned i = 0; i <= previous_count; i++) {
			bool is_used = bits_flag(b);

			if (is_used || bits_flag(b)) {
				count++;
			}
		}
		return count;
	}
	negative = bits_ue(b);
	positive = bits_ue(b);
	if (negative > REF_PICTURES_MAX || positive > REF_PICTURES_MAX) {
		b->failed = true;
		return 0;
	}
	for (uint32_t i = 0; i < negative + positive; i++) {
		bits_ue(b);
		bits_skip(b, 1);
	}
	return negative + positive;
}

static void skip_ref_sets(struct bits *b, unsigned order_bits)
{
	uint32_t sets = bits_ue(b);
	unsigned count = 0;

	if (sets > REF_SETS_MAX) {
		b->failed = true;
	}
	for (unsigned i = 0; i < sets && !b->failed; i++) {
		count = skip_ref_set(b, i, count);
		if (count > REF_PICTURES_MAX) {
			b->failed = true;
		}
	}
	if (bits_flag(b)) { /* long-term pictures */
		uint32_t pictures = bits_ue(b);

		if (pictures > 32) {
			b->failed = true;
			return;
		}
		bits_skip(b, (size_t)pictures * (order_bits + 1));
	}
}

/* The frame rate, if timing is said and nothing before it is broken. */
static void read_vui(struct bits *b, struct codec_params *p)
{
	bits_skip_vui_look(b);
	bits_skip(b, 3);
	if (bits_flag(b)) { /* default display window */
		for (int i = 0; i < 4; i++) {
			bits_ue(b);
		}
	}
	if (bits_flag(b)) {
		uint64_t units = bits_u(b, 32);
		uint64_t scale = bits_u(b, 32);

		if (!b->failed) {
			p->fps_milli = fps_milli_of(scale, units);
		}
	}
}

static bool read_picture_format(struct bits *b, struct codec_params *p)
{
	uint32_t chroma = bits_ue(b);
	uint32_t width, height, depth;
	uint64_t crop[4] = { 0 };
	unsigned unit_x = chroma == 1 || chroma == 2 ? 2 : 1;
	unsigned unit_y = chroma == 1 ? 2 : 1;

	if (chroma == 3) {
		bits_skip(b, 1);
	}
	width = bits_ue(b);
	height = bits_ue(b);
	if (bits_flag(b)) {
		for (int i = 0; i < 4; i++) {
			crop[i] = bits_ue(b);
		}
	}
	depth = bits_ue(b);
	bits_ue(b);
	if (chroma > 3 || depth > 8 ||
	    !set_picture_size(p, width, height, (crop[0] + crop[1]) * unit_x,
			      (crop[2] + crop[3]) * unit_y)) {
		return false;
	}
	p->chroma = (uint8_t)(chroma + 1);
	p->bit_depth = (uint8_t)(depth + 8);
	return !b->failed;
}

/* Depth of reordering with all sub-layers decoded. */
static void read_reordering(struct bits *b, unsigned sub_layers, struct codec_params *p)
{
	unsigned first = bits_flag(b) ? 0 : sub_layers - 1;
	uint32_t reorder = 0;

	for (unsigned i = first; i < sub_layers; i++) {
		bits_ue(b);
		reorder = bits_ue(b);
		bits_ue(b);
	}
	if (!b->failed && reorder <= REF_PICTURES_MAX) {
		p->reorder_frames = (uint8_t)reorder;
	}
}

static void skip_coding_tools(struct bits *b)
{
	for (int i = 0; i < 6; i++) { /* block sizes and depths */
		bits_ue(b);
	}
	if (bits_flag(b) && bits_flag(b)) { /* scaling lists, written out */
		skip_scaling_lists(b);
	}
	bits_skip(b, 2);
	if (bits_flag(b)) { /* pcm */
		bits_skip(b, 8);
		bits_ue(b);
		bits_ue(b);
		bits_skip(b, 1);
	}
}

static int parse_sps(const uint8_t *data, size_t size, struct codec_params *p)
{
	struct bits b = bits_over(data, size < SPS_BYTES_MAX ? size : SPS_BYTES_MAX, true);
	unsigned sub_layers;
	uint32_t order_bits;

	bits_skip(&b, 16 + 4);
	sub_layers = bits_u(&b, 3) + 1;
	bits_skip(&b, 1);
	if (sub_layers > SUB_LAYERS_MAX) {
		return CODEC_BAD;
	}
	skip_profile_tier_level(&b, sub_layers);
	bits_ue(&b);
	if (!read_picture_format(&b, p)) {
		return b.failed ? CODEC_TRUNCATED : CODEC_BAD;
	}
	order_bits = bits_ue(&b) + 4;
	if (order_bits > 16) {
		return CODEC_BAD;
	}
	read_reordering(&b, sub_layers, p);
	skip_coding_tools(&b);
	skip_ref_sets(&b, order_bits - 1);
	bits_skip(&b, 2);
	if (bits_flag(&b)) {
		read_vui(&b, p);
	}
	return CODEC_OK;
}

/* general_progressive_source_flag and general_interlaced_source_flag. */
static uint8_t hevc_scan(uint8_t constraints)
{
	switch (constraints >> 6) {
	case 2:
		return SCAN_PROGRESSIVE;
	case 1:
		return SCAN_INTERLACED;
	default:
		return SCAN_UNKNOWN;
	}
}

int hevc_parse_config(const uint8_t *data, size_t size, struct codec_params *p)
{
	struct reader in = reader_over(data, size);
	const uint8_t *head = reader_take(&in, 23);
	uint32_t fps;

	if (head == NULL) {
		return CODEC_TRUNCATED;
	}
	/* Version 0 is what early muxers wrote. */
	if (head[0] > 1 || (head[21] & 3) == 2) {
		return CODEC_BAD;
	}
	fps = get_be16(head + 19);
	p->profile = head[1] & 0x1f;
	p->level = head[12];
	p->scan = hevc_scan(head[6]);
	p->chroma = (uint8_t)((head[16] & 3) + 1);
	p->bit_depth = (uint8_t)((head[17] & 7) + 8);
	p->fps_milli = fps_milli_of(fps, 256);
	p->nal_length_bytes = (uint8_t)((head[21] & 3) + 1);
	p->reorder_frames = CODEC_REORDER_UNKNOWN;
	for (unsigned arrays = head[22]; arrays > 0; arrays--) {
		unsigned type = reader_u8(&in) & 0x3f;

		for (unsigned count = reader_be16(&in); count > 0; count--) {
			size_t bytes = reader_be16(&in);
			const uint8_t *nal = reader_take(&in, bytes);

			if (nal == NULL) {
				return CODEC_TRUNCATED;
			}
			if (type == HEVC_SPS) {
				return parse_sps(nal, bytes, p);
			}
		}
	}
	return in.failed ? CODEC_TRUNCATED : CODEC_OK;
}

unsigned hevc_random_access(unsigned nal_length_bytes, const uint8_t *data, size_t size)
{
	struct nal_reader reader = nal_reader_over(data, size, nal_length_bytes);
	struct nal nal;

	while (nal_next(&reader, &nal)) {
		unsigned type = nal.data[0] >> 1 & 0x3f;

		if (type > HEVC_LAST_SLICE) {
			continue;
		}
		if (type >= HEVC_BLA_W_LP && type <= HEVC_IDR_N_LP) {
			return PACKET_KEY;
		}
		if (type == HEVC_CRA) {
			return PACKET_RECOVERY;
		}
		return type >= HEVC_RADL_N && type <= HEVC_RASL_R ? PACKET_LEADING : 0;
	}
	return 0;
}

int vvc_parse_config(const uint8_t *data, size_t size, struct codec_params *p)
{
	struct reader in = reader_over(data, size);
	uint8_t flags = reader_u8(&in);
	unsigned format, constraint_bytes, sub_layers, sub_profiles;
	uint8_t depth;

	if (in.failed) {
		return CODEC_TRUNCATED;
	}
	if ((flags >> 1 & 3) == 2) {
		return CODEC_BAD;
	}
	p->nal_length_bytes = (uint8_t)((flags >> 1 & 3) + 1);
	p->reorder_frames = CODEC_REORDER_UNKNOWN;
	if (!(flags & 1)) {
		return CODEC_OK; /* no profile, tier and level */
	}
	format = reader_be16(&in);
	depth = reader_u8(&in) >> 5;
	constraint_bytes = reader_u8(&in) & 0x3f;
	p->chroma = (uint8_t)((format & 3) + 1);
	p->bit_depth = (uint8_t)(depth + 8);
	p->profile = reader_u8(&in) >> 1;
	p->level = reader_u8(&in);
	reader_take(&in, constraint_bytes);
	sub_layers = format >> 4 & 7;
	if (sub_layers > 1) {
		unsigned present = reader_u8(&in);

		for (unsigned i = 0; i + 1 < sub_layers; i++) {
			reader_take(&in, present >> (7 - i) & 1);
		}
	}
	sub_profiles = reader_u8(&in);
	reader_take(&in, (size_t)sub_profiles * 4);
	p->width = reader_be16(&in);
	p->height = reader_be16(&in);
	p->fps_milli = fps_milli_of(reader_be16(&in), 256);
	return in.failed ? CODEC_TRUNCATED : CODEC_OK;
}

unsigned vvc_random_access(unsigned nal_length_bytes, const uint8_t *data, size_t size)
{
	struct nal_reader reader = nal_reader_over(data, size, nal_length_bytes);
	struct nal nal;

	while (nal_next(&reader, &nal)) {
		if (nal.size < 2) {
			continue;
		}
		switch (nal.data[1] >> 3) {
		case VVC_IDR_W_RADL:
		case VVC_IDR_N_LP:
			return PACKET_KEY;
		case VVC_CRA:
			return PACKET_RECOVERY;
		case VVC_RADL:
		case VVC_RASL:
			return PACKET_LEADING;
		default:
			if (nal.data[1] >> 3 <= VVC_LAST_SLICE) {
				return 0;
			}
		}
	}
	return 0;
}
