/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * H.264: decoder configuration record, sequence parameter set, kinds of access units. Pure.
 * Sources: ISO/IEC 14496-15 5.3.3 (record), 14496-10 7.3.2.1.1 (SPS), 7.3.3 (slice header),
 * D.1.8 (recovery point), E.1.1 (VUI).
 */
#include <understudy/bytes.h>

#include "bits.h"
#include "nal.h"
#include "parse.h"

enum {
	AVC_SLICE = 1,
	AVC_SLICE_IDR = 5,
	AVC_SEI = 6,
};
enum { SEI_RECOVERY_POINT = 6 };
enum { PROFILE_BASELINE = 66, PROFILE_CAVLC_INTRA = 44 };

#define SPS_BYTES_MAX 4096

static bool has_chroma_info(unsigned profile)
{
	static const uint8_t profiles[] = { 100, 110, 122, 244, 44,  83, 86,
					    118, 128, 138, 139, 134, 135 };

	for (size_t i = 0; i < sizeof(profiles); i++) {
		if (profiles[i] == profile) {
			return true;
		}
	}
	return false;
}

static void skip_scaling_list(struct bits *b, unsigned count)
{
	int32_t last = 8;

	for (unsigned i = 0; i < count && !b->failed; i++) {
		int32_t delta = bits_se(b);

		if (delta < -128 || delta > 127) {
			b->failed = true;
			return;
		}
		last = (last + delta + 256) % 256;
		if (last == 0) {
			return; /* the rest is as the last one */
		}
	}
}

static void skip_hrd(struct bits *b)
{
	uint32_t count = bits_ue(b);

	bits_skip(b, 8);
	for (uint32_t i = 0; i <= count && i < 32 && !b->failed; i++) {
		bits_ue(b);
		bits_ue(b);
		bits_skip(b, 1);
	}
	bits_skip(b, 20);
}

/* Frame rate and depth of reordering. What is missing or broken stays as it was. */
static void read_vui(struct bits *b, struct codec_params *p)
{
	bool has_nal_hrd, has_vcl_hrd;
	uint32_t reorder;

	bits_skip_vui_look(b);
	if (bits_flag(b)) { /* timing: ticks count fields */
		uint64_t units = bits_u(b, 32);
		uint64_t scale = bits_u(b, 32);

		if (!b->failed) {
			p->fps_milli = fps_milli_of(scale, units * 2);
		}
		bits_skip(b, 1);
	}
	has_nal_hrd = bits_flag(b);
	if (has_nal_hrd) {
		skip_hrd(b);
	}
	has_vcl_hrd = bits_flag(b);
	if (has_vcl_hrd) {
		skip_hrd(b);
	}
	bits_skip(b, (has_nal_hrd || has_vcl_hrd) ? 2 : 1);
	if (!bits_flag(b)) { /* no bitstream restriction */
		return;
	}
	bits_skip(b, 1);
	for (int i = 0; i < 4; i++) {
		bits_ue(b);
	}
	reorder = bits_ue(b);
	if (!b->failed && reorder <= 16) {
		p->reorder_frames = (uint8_t)reorder;
	}
}

static void read_chroma(struct bits *b, struct codec_params *p)
{
	uint32_t chroma = bits_ue(b);
	uint32_t depth;

	if (chroma == 3) {
		bits_skip(b, 1); /* colour planes coded apart */
	}
	depth = bits_ue(b);
	bits_ue(b);
	bits_skip(b, 1);
	if (bits_flag(b)) {
		for (unsigned i = 0; i < (chroma == 3 ? 12 : 8); i++) {
			if (bits_flag(b)) {
				skip_scaling_list(b, i < 6 ? 16 : 64);
			}
		}
	}
	if (chroma > 3 || depth > 6) {
		b->failed = true;
		return;
	}
	p->chroma = (uint8_t)(chroma + 1);
	p->bit_depth = (uint8_t)(depth + 8);
}

/* Returns pic_order_cnt_type. */
static uint32_t read_order_count(struct bits *b)
{
	uint32_t type = bits_ue(b);
	uint32_t count;

	if (type == 0) {
		bits_ue(b);
	} else if (type == 1) {
		bits_skip(b, 1);
		bits_se(b);
		bits_se(b);
		count = bits_ue(b);
		for (uint32_t i = 0; i < count && i < 256 && !b->failed; i++) {
			bits_se(b);
		}
	} else if (type > 2) {
		b->failed = true;
	}
	return type;
}

static bool read_picture_size(struct bits *b, struct codec_params *p)
{
	uint64_t width = ((uint64_t)bits_ue(b) + 1) * 16;
	uint64_t height = ((uint64_t)bits_ue(b) + 1) * 16;
	bool is_progressive = bits_flag(b); /* frame_mbs_only: fields cannot be coded */
	uint64_t crop[4] = { 0 };
	unsigned unit_x = p->chroma == 2 || p->chroma == 3 ? 2 : 1;
	unsigned unit_y = p->chroma == 2 ? 2 : 1;

	p->scan = is_progressive ? SCAN_PROGRESSIVE : SCAN_INTERLACED;
	if (!is_progressive) {
		bits_skip(b, 1);
		height *= 2;
		unit_y *= 2;
	}
	bits_skip(b, 1);
	if (bits_flag(b)) {
		for (int i = 0; i < 4; i++) {
			crop[i] = bits_ue(b);
		}
	}
	return !b->failed && set_picture_size(p, width, height, (crop[0] + crop[1]) * unit_x,
					      (crop[2] + crop[3]) * unit_y);
}

static int parse_sps(const uint8_t *data, size_t size, struct codec_params *p)
{
	struct bits b = bits_over(data, size < SPS_BYTES_MAX ? size : SPS_BYTES_MAX, true);
	uint32_t constraints, order_type;

	bits_skip(&b, 8); /* NAL header */
	p->profile = (uint8_t)bits_u(&b, 8);
	constraints = bits_u(&b, 8);
	p->constraints = (uint8_t)constraints;
	p->level = (uint8_t)bits_u(&b, 8);
	bits_ue(&b);
	p->chroma = 2;
	p->bit_depth = 8;
	if (has_chroma_info(p->profile)) {
		read_chroma(&b, p);
	}
	bits_ue(&b);
	order_type = read_order_count(&b);
	bits_ue(&b);
	bits_skip(&b, 1);
	if (b.failed) {
		return CODEC_TRUNCATED;
	}
	if (!read_picture_size(&b, p)) {
		return b.failed ? CODEC_TRUNCATED : CODEC_BAD;
	}
	/* Baseline has no B-frames, order type 2 says output order is coding order, and
	 * constraint_set3 marks the intra profiles. */
	p->reorder_frames = CODEC_REORDER_UNKNOWN;
	if (p->profile == PROFILE_BASELINE || order_type == 2 ||
	    p->profile == PROFILE_CAVLC_INTRA || (p->profile >= 100 && (constraints & 0x10))) {
		p->reorder_frames = 0;
	}
	if (bits_flag(&b)) {
		read_vui(&b, p);
	}
	return CODEC_OK;
}

int avc_parse_config(const uint8_t *data, size_t size, struct codec_params *p)
{
	struct reader in = reader_over(data, size);
	uint8_t version = reader_u8(&in);
	unsigned length_bytes, count, sps_size;
	const uint8_t *sps;

	p->profile = reader_u8(&in);
	p->constraints = reader_u8(&in);
	p->level = reader_u8(&in);
	length_bytes = (reader_u8(&in) & 3u) + 1;
	count = reader_u8(&in) & 0x1fu;
	if (in.failed) {
		return CODEC_TRUNCATED;
	}
	if (version != 1 || length_bytes == 3) {
		return CODEC_BAD;
	}
	p->nal_length_bytes = (uint8_t)length_bytes;
	p->reorder_frames = CODEC_REORDER_UNKNOWN;
	if (count == 0) {
		return CODEC_OK; /* parameter sets come in band */
	}
	sps_size = reader_be16(&in);
	sps = reader_take(&in, sps_size);
	return sps == NULL ? CODEC_TRUNCATED : parse_sps(sps, sps_size, p);
}

/* Whether an SEI NAL says that decoding may start at this very picture. */
static bool has_recovery_point(const struct nal *nal)
{
	struct bits b = bits_over(nal->data, nal->size, true);

	bits_skip(&b, 8);
	while (bits_has(&b, 24)) {
		size_t type = 0, size = 0;
		uint32_t byte;

		do {
			byte = bits_u(&b, 8);
			type += byte;
		} while (byte == 255 && !b.failed);
		do {
			byte = bits_u(&b, 8);
			size += byte;
		} while (byte == 255 && !b.failed);
		if (type == SEI_RECOVERY_POINT) {
			return bits_ue(&b) == 0 && !b.failed;
		}
		if (!bits_has(&b, size * 8)) {
			return false;
		}
		bits_skip(&b, size * 8);
	}
	return false;
}

static bool is_intra_slice(const struct nal *nal)
{
	struct bits b = bits_over(nal->data, nal->size, true);
	uint32_t type;

	bits_skip(&b, 8);
	bits_ue(&b);
	type = bits_ue(&b);
	return !b.failed && (type % 5 == 2 || type % 5 == 4) && type < 10;
}

unsigned avc_random_access(unsigned nal_length_bytes, const uint8_t *data, size_t size,
			   unsigned claimed)
{
	struct nal_reader reader = nal_reader_over(data, size, nal_length_bytes);
	bool has_recovery = (claimed & (PACKET_KEY | PACKET_RECOVERY)) != 0;
	bool has_slice = false;
	struct nal nal;

	while (nal_next(&reader, &nal)) {
		switch (nal.data[0] & 0x1f) {
		case AVC_SLICE_IDR:
			return PACKET_KEY;
		case AVC_SEI:
			has_recovery = has_recovery || has_recovery_point(&nal);
			break;
		case AVC_SLICE:
			if (!has_recovery || !is_intra_slice(&nal)) {
				return 0;
			}
			has_slice = true;
			break;
		default:
			break;
		}
	}
	return has_slice ? PACKET_RECOVERY : 0;
}
