/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Codec headers made of parameter sets (elementary.h): avcC and hvcC. Pure. */
#include <errno.h>
#include <string.h>

#include <understudy/bytes.h>
#include <understudy/elementary.h>

#include "annexb.h"
#include "bits.h"

/* A cursor that remembers that something did not fit. */
struct place {
	uint8_t *at, *end;
	bool is_full;
};

static void put_bytes(struct place *p, const void *data, size_t size)
{
	if ((size_t)(p->end - p->at) < size) {
		p->is_full = true;
		return;
	}
	memcpy(p->at, data, size);
	p->at += size;
}

static void put_u8(struct place *p, unsigned value)
{
	uint8_t byte = (uint8_t)value;

	put_bytes(p, &byte, 1);
}

static void put_u16(struct place *p, unsigned value)
{
	put_u8(p, value >> 8);
	put_u8(p, value & 0xff);
}

static unsigned count_sets(const struct annexb *a, unsigned order)
{
	unsigned count = 0;

	for (unsigned i = 0; i < a->count; i++) {
		count += a->sets[i].order == order;
	}
	return count;
}

static void put_sets(struct place *p, const struct annexb *a, unsigned order)
{
	for (unsigned i = 0; i < a->count; i++) {
		if (a->sets[i].order == order) {
			put_u16(p, a->sets[i].size);
			put_bytes(p, a->sets[i].data, a->sets[i].size);
		}
	}
}

static const struct parameter_set *newest_sps(const struct annexb *a)
{
	for (unsigned i = a->count; i > 0; i--) {
		if (a->sets[i - 1].order == ANNEXB_SPS) {
			return &a->sets[i - 1];
		}
	}
	return NULL;
}

/* The profiles whose record goes on behind the parameter sets (14496-15 5.3.3.1.2). */
static void put_avc_formats(struct place *p, const struct parameter_set *sps)
{
	struct bits b = bits_over(sps->data, sps->size, true);
	uint32_t chroma, luma_depth, chroma_depth;

	bits_skip(&b, 32);
	bits_ue(&b);
	chroma = bits_ue(&b);
	if (chroma == 3) {
		bits_skip(&b, 1);
	}
	luma_depth = bits_ue(&b);
	chroma_depth = bits_ue(&b);
	if (b.failed || chroma > 3 || luma_depth > 6 || chroma_depth > 6) {
		return; /* the decoder reads them from the set itself */
	}
	put_u8(p, 0xfc | chroma);
	put_u8(p, 0xf8 | luma_depth);
	put_u8(p, 0xf8 | chroma_depth);
	put_u8(p, 0); /* no extensions of sequence parameter sets */
}

static void put_avc(struct place *p, const struct annexb *a)
{
	const struct parameter_set *sps = newest_sps(a);
	unsigned profile = sps->data[1];

	put_u8(p, 1);
	put_bytes(p, sps->data + 1, 3);
	put_u8(p, 0xfc | 3); /* lengths of 4 bytes */
	put_u8(p, 0xe0 | count_sets(a, ANNEXB_SPS));
	put_sets(p, a, ANNEXB_SPS);
	put_u8(p, count_sets(a, ANNEXB_PPS));
	put_sets(p, a, ANNEXB_PPS);
	if (profile != 66 && profile != 77 && profile != 88) {
		put_avc_formats(p, sps);
	}
}

static void skip_sub_layers(struct bits *b, unsigned sub_layers)
{
	unsigned present[8] = { 0 };

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

bool hevc_read_sps(const uint8_t *data, size_t size, struct hevc_sps *ret)
{
	struct bits b = bits_over(data, size, true);
	struct hevc_sps sps = { 0 };
	uint32_t chroma, luma_depth, chroma_depth;

	bits_skip(&b, 16 + 4);
	sps.sub_layers = (uint8_t)(bits_u(&b, 3) + 1);
	sps.is_nested = bits_flag(&b);
	for (unsigned i = 0; i < HEVC_PROFILE_BYTES; i++) {
		sps.profile[i] = (uint8_t)bits_u(&b, 8);
	}
	skip_sub_layers(&b, sps.sub_layers > 7 ? 7 : sps.sub_layers);
	sps.id = bits_ue(&b);
	chroma = bits_ue(&b);
	if (chroma == 3) {
		bits_skip(&b, 1);
	}
	bits_ue(&b);
	bits_ue(&b);
	for (unsigned i = bits_flag(&b) ? 4 : 0; i > 0; i--) {
		bits_ue(&b); /* conformance window */
	}
	luma_depth = bits_ue(&b);
	chroma_depth = bits_ue(&b);
	if (b.failed || sps.sub_layers > 7 || chroma > 3 || luma_depth > 8 || chroma_depth > 8) {
		return false;
	}
	sps.chroma = (uint8_t)chroma;
	sps.luma_depth = (uint8_t)luma_depth;
	sps.chroma_depth = (uint8_t)chroma_depth;
	*ret = sps;
	return true;
}

static void put_hevc_array(struct place *p, const struct annexb *a, unsigned order, unsigned type)
{
	put_u8(p, type); /* more of this kind may come in band, later */
	put_u16(p, count_sets(a, order));
	put_sets(p, a, order);
}

static void put_hevc(struct place *p, const struct annexb *a)
{
	const struct parameter_set *set = newest_sps(a);
	struct hevc_sps sps = { 0 };

	hevc_read_sps(set->data, set->size, &sps); /* it was read when it came */
	put_u8(p, 1);
	put_bytes(p, sps.profile, sizeof(sps.profile));
	put_u16(p, 0xf000); /* no minimum of spatial segmentation said */
	put_u8(p, 0xfc);    /* nor kind of parallelism */
	put_u8(p, 0xfcu | sps.chroma);
	put_u8(p, 0xf8u | sps.luma_depth);
	put_u8(p, 0xf8u | sps.chroma_depth);
	put_u16(p, 0); /* nor average frame rate */
	put_u8(p, (unsigned)sps.sub_layers << 3 | (sps.is_nested ? 4u : 0u) | 3u);
	put_u8(p, 3);
	put_hevc_array(p, a, ANNEXB_VPS, 32);
	put_hevc_array(p, a, ANNEXB_SPS, 33);
	put_hevc_array(p, a, ANNEXB_PPS, 34);
}

int annexb_config(struct annexb *a, uint8_t *to, size_t room)
{
	struct place place = { .at = to, .end = to + room };

	if (!a->has_changed || count_sets(a, ANNEXB_SPS) == 0 || count_sets(a, ANNEXB_PPS) == 0 ||
	    (a->codec == CODEC_HEVC && count_sets(a, ANNEXB_VPS) == 0)) {
		return 0;
	}
	a->has_changed = false;
	if (a->codec == CODEC_AVC) {
		put_avc(&place, a);
	} else {
		put_hevc(&place, a);
	}
	return place.is_full ? -ENOBUFS : (int)(place.at - to);
}
