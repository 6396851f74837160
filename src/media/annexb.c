/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Annex B access units into length-prefixed ones, with the parameter sets kept aside
 * (elementary.h). Pure. Encoders over MPEG-TS repeat parameter sets and delimiters in band;
 * encoders over RTMP send them once, in the codec header.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <understudy/bytes.h>
#include <understudy/elementary.h>

#include "annexb.h"
#include "bits.h"

enum {
	AVC_SPS = 7,
	AVC_PPS = 8,
	AVC_DELIMITER = 9,
	AVC_END_OF_SEQUENCE = 10,
	AVC_END_OF_STREAM = 11,
	AVC_FILLER = 12,
	HEVC_VPS = 32,
	HEVC_SPS = 33,
	HEVC_PPS = 34,
	HEVC_DELIMITER = 35,
	HEVC_END_OF_SEQUENCE = 36,
	HEVC_END_OF_STREAM = 37,
	HEVC_FILLER = 38,
};

#define LENGTH_BYTES 4

void annexb_init(struct annexb *a, uint32_t codec)
{
	*a = (struct annexb){ .codec = codec };
}

static void forget_set(struct annexb *a, unsigned index)
{
	free(a->sets[index].data);
	a->count--;
	memmove(&a->sets[index], &a->sets[index + 1], (a->count - index) * sizeof(a->sets[0]));
	a->has_changed = true;
}

void annexb_finish(struct annexb *a)
{
	while (a->count > 0) {
		forget_set(a, a->count - 1);
	}
}

unsigned annexb_type(uint32_t codec, const uint8_t *nal)
{
	return codec == CODEC_AVC ? nal[0] & 0x1f : nal[0] >> 1 & 0x3f;
}

/* Its place in a codec header, 0 if it is no parameter set. */
static uint8_t set_order(uint32_t codec, unsigned type)
{
	if (codec == CODEC_AVC) {
		return type == AVC_SPS ? ANNEXB_SPS : type == AVC_PPS ? ANNEXB_PPS : 0;
	}
	return type == HEVC_VPS   ? ANNEXB_VPS
	       : type == HEVC_SPS ? ANNEXB_SPS
	       : type == HEVC_PPS ? ANNEXB_PPS
				  : 0;
}

static bool is_wrapping(uint32_t codec, unsigned type)
{
	if (codec == CODEC_AVC) {
		return type == AVC_DELIMITER || type == AVC_END_OF_SEQUENCE ||
		       type == AVC_END_OF_STREAM || type == AVC_FILLER;
	}
	return type >= HEVC_DELIMITER && type <= HEVC_FILLER;
}

/* The set's own number; false if it is too short to have one. */
static bool set_id(uint32_t codec, uint8_t order, const uint8_t *data, size_t size, uint32_t *ret)
{
	struct bits b = bits_over(data, size, true);
	uint32_t id;

	bits_skip(&b, codec == CODEC_AVC ? 8 : 16);
	if (codec == CODEC_AVC && order == ANNEXB_SPS) {
		bits_skip(&b, 24);
	} else if (order == ANNEXB_SPS) {
		struct hevc_sps sps;

		if (!hevc_read_sps(data, size, &sps)) {
			return false;
		}
		*ret = sps.id;
		return true;
	}
	id = order == ANNEXB_VPS ? bits_u(&b, 4) : bits_ue(&b);
	if (b.failed) {
		return false;
	}
	*ret = id;
	return true;
}

/* Pictures of a new sequence need picture parameter sets of their own, which follow. */
static void forget_pictures(struct annexb *a)
{
	for (unsigned i = a->count; i > 0; i--) {
		if (a->sets[i - 1].order == ANNEXB_PPS) {
			forget_set(a, i - 1);
		}
	}
}

static int take_set(struct annexb *a, uint8_t order, const uint8_t *data, size_t size)
{
	struct parameter_set fresh = { .type = (uint8_t)annexb_type(a->codec, data),
				       .order = order,
				       .size = (uint16_t)size };

	if (size > PARAMETER_SET_BYTES_MAX || !set_id(a->codec, order, data, size, &fresh.id)) {
		return 0; /* broken, or none we could carry */
	}
	for (unsigned i = 0; i < a->count; i++) {
		const struct parameter_set *known = &a->sets[i];

		if (known->order != order || known->id != fresh.id) {
			continue;
		}
		if (known->size == size && memcmp(known->data, data, size) == 0) {
			return 0;
		}
		forget_set(a, i);
		if (order == ANNEXB_SPS) {
			forget_pictures(a);
		}
		break;
	}
	if (a->count == PARAMETER_SETS_MAX) {
		annexb_finish(a); /* an encoder that numbers on: what is in force comes again */
	}
	fresh.data = malloc(size);
	if (fresh.data == NULL) {
		return -ENOMEM;
	}
	memcpy(fresh.data, data, size);
	a->sets[a->count++] = fresh;
	a->has_changed = true;
	return 0;
}

/* Where the next start code (00 00 01) begins, `end` if there is none. */
static const uint8_t *find_start(const uint8_t *at, const uint8_t *end)
{
	while (end - at >= 3) {
		const uint8_t *one = memchr(at + 2, 1, (size_t)(end - at - 2));

		if (one == NULL) {
			break;
		}
		if (one[-1] == 0 && one[-2] == 0) {
			return one - 2;
		}
		at = one - 1;
	}
	return end;
}

static int put_nal(struct buffer *to, const uint8_t *nal, size_t size)
{
	uint8_t *place = buffer_reserve(to, LENGTH_BYTES + size);

	if (place == NULL) {
		return buffer_size(to) + LENGTH_BYTES + size > to->max ? -ENOBUFS : -ENOMEM;
	}
	put_be32(place, (uint32_t)size);
	memcpy(place + LENGTH_BYTES, nal, size);
	buffer_grew(to, LENGTH_BYTES + size);
	return 1;
}

/* 1 if the NAL unit was appended, 0 if not, negative errno. */
static int take_nal(struct annexb *a, const uint8_t *nal, size_t size, struct buffer *to)
{
	size_t head = a->codec == CODEC_AVC ? 1 : 2;
	unsigned type;
	uint8_t order;

	if (size < head || (nal[0] & 0x80)) {
		return 0; /* forbidden_zero_bit: this is no NAL unit */
	}
	type = annexb_type(a->codec, nal);
	order = set_order(a->codec, type);
	if (order != 0) {
		return take_set(a, order, nal, size);
	}
	return is_wrapping(a->codec, type) ? 0 : put_nal(to, nal, size);
}

int annexb_convert(struct annexb *a, const uint8_t *data, size_t size, struct buffer *to)
{
	size_t before = buffer_size(to);
	const uint8_t *end = size ? data + size : data;
	const uint8_t *start = find_start(data, end);
	int count = 0;

	while (end - start > 3) {
		const uint8_t *nal = start + 3;
		const uint8_t *next = find_start(nal, end);
		const uint8_t *last = next;

		while (last > nal && last[-1] == 0) {
			last--; /* the next start code's leading zeros */
		}
		int taken = take_nal(a, nal, (size_t)(last - nal), to);
		if (taken < 0) {
			to->tail = to->head + before;
			return taken;
		}
		count += taken;
		start = next;
	}
	return count;
}
